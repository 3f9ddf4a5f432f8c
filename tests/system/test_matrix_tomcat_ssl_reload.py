from matrix import Matrix
from tomcat import Tomcat


class TestTomcatSslReload(Matrix):
    make_server = Tomcat
    # names of virtual hosts stand in server.xml, which is read at the start only
    stays_through_hostnames = False

    def prepare(self, server):
        server.grant_manager()

    def agent_keys(self, server):
        return server.agent_keys(ssl_reload=True)
