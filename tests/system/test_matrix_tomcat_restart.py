from matrix import Matrix
from tomcat import Tomcat


class TestTomcatRestart(Matrix):
    make_server = Tomcat
    stays = False
    stays_through_hostnames = False
    impatient = "20s"       # it must have the time to start
