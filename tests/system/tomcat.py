"""A real Tomcat, as Debian packages it, with its manager, under the host's systemd."""

import base64
import contextlib
import dataclasses
import http.client
import re

import by_hand
from agent import USER as AGENT_USER
from server import Server

DIRECTORY = "/etc/tomcat10"
SERVER_XML = f"{DIRECTORY}/server.xml"
CREDENTIALS = "/etc/origin-ca-agent/tomcat-manager"
USER, PASSWORD = "origin-ca-agent", "manager-of-the-test-host"
MANAGER_PORT = 8080

USERS = """<?xml version="1.0" encoding="UTF-8"?>
<tomcat-users xmlns="http://tomcat.apache.org/xml" version="1.0">
  <user username="{user}" password="{password}" roles="manager-script"/>
  <user username="visitor" password="{password}" roles="nothing"/>
</tomcat-users>
"""
# Starts fast and small: what runs for a minute needs no optimising compiler.
DEFAULTS = ('JAVA_OPTS="-Djava.awt.headless=true -XX:TieredStopAtLevel=1 -XX:+UseSerialGC '
            '-Xshare:auto -Xms32m -Xmx128m -Djava.security.egd=file:/dev/./urandom"\n')
JARS_TO_SKIP = "tomcat.util.scan.StandardJarScanFilter.jarsToSkip=*.jar"
# Debian's server.xml gets a connector before this line, and its own one an address.
ENGINE = '    <Engine name="Catalina" defaultHost="localhost">'
CONNECTOR = """    <Connector port="{port}" address="127.0.0.1" SSLEnabled="true" maxThreads="20"
               protocol="org.apache.coyote.http11.Http11NioProtocol"
               defaultSSLHostConfigName="{default}">
{entities}    </Connector>
"""
ELSEWHERE = '    <Connector port="8088" address="127.0.0.1"></NoSuchElement>\n'
SSL_HOST = """<SSLHostConfig hostName="{hostname}">
  <Certificate certificateKeystoreFile="{directory}/keystore.p12" certificateKeystoreType="PKCS12"
               certificateKeystorePassword="{password}"/>
</SSLHostConfig>
"""


@dataclasses.dataclass
class Answer:
    status: int
    text: str


class Tomcat(Server):
    """Sites are names of one connector; each certificate's snippet is an external entity of
    server.xml. Snippets are read when Tomcat starts, keystores also when its manager is asked."""

    type = "tomcat"
    package_unit = "tomcat10.service"
    default_port = 2443
    suffix = "xml"
    reload_verb = "restart"
    secret = {"owner": "root:tomcat", "mode": 0o640}
    files_by_hand = ("keystore.p12",)
    start_timeout = 90

    def prepare(self):
        original = f"{SERVER_XML}.original"
        if not self.host.exists(original):
            self.host.run(["cp", "-p", SERVER_XML, original])
        self.debian = self.host.read(original)
        self.broken = False
        # another web application, which only takes time
        self.host.remove(f"{DIRECTORY}/Catalina/localhost/host-manager.xml")
        self.host.write("/etc/default/tomcat10", DEFAULTS)
        # the applications have no tag libraries in archives: looking for them takes a second
        self.host.run(["sed", "-i", "/jarsToSkip=/,/[^\\\\]$/d; $ a " + JARS_TO_SKIP,
                       f"{DIRECTORY}/catalina.properties"])
        self.host.write(f"{DIRECTORY}/tomcat-users.xml", USERS.format(user=USER, password=PASSWORD),
                        **self.secret)
        self.let_in(AGENT_USER)
        self._write()

    # --- configuration

    def agent_keys(self, ssl_reload=False):
        """`reload = restart`, or with `ssl_reload` through the manager (grant_manager() first)."""
        keys = {**super().agent_keys(), "group": "tomcat", "mode": "0640", "reload": "restart"}
        if ssl_reload:
            keys.update(reload="ssl-reload", manager_credentials_file=CREDENTIALS,
                        manager_url=f"http://127.0.0.1:{MANAGER_PORT}/manager")
        return keys

    def grant_manager(self, owner=f"{AGENT_USER}:{AGENT_USER}", user=USER, password=PASSWORD):
        """The file with the manager's credentials, for the agent's user."""
        self.host.write(CREDENTIALS, f"{user}:{password}\n", mode=0o600, owner=owner)

    def let_in(self, user):
        """The agent's user may give files to Tomcat's group; in force where it starts anew."""
        self.host.run(["usermod", "--append", "--groups", "tomcat", user])

    def _text(self):
        text = self.debian.replace('port="8080" protocol',
                                   f'port="{MANAGER_PORT}" address="127.0.0.1" protocol', 1)
        inserted = ""
        sites = list(self.sites.values())
        if sites:
            entities = "".join(f"      &certificate-{number};\n" for number in range(len(sites)))
            inserted = CONNECTOR.format(port=self.port, default=sites[0].hostnames[0],
                                        entities=entities)
            declared = "".join(f'  <!ENTITY certificate-{number} SYSTEM "file://{site.snippet}">\n'
                               for number, site in enumerate(sites))
            text = re.sub(r"(<\?xml[^>]*\?>\n)", rf"\1<!DOCTYPE Server [\n{declared}]>\n", text, 1)
        if self.broken:
            inserted += ELSEWHERE
        assert ENGINE in text, f"this is not Debian's server.xml:\n{text}"
        return text.replace(ENGINE, inserted + ENGINE, 1)

    def _write(self):
        self.host.write(SERVER_XML, self._text(), **self.secret)

    def write(self, site):
        self._write()

    def erase(self, name):
        self._write()

    def snippet_by_hand(self, hostnames, directory):
        return "".join(SSL_HOST.format(hostname=hostname, directory=directory,
                                       password=by_hand.PASSWORD) for hostname in hostnames)

    def break_elsewhere(self):
        self.broken = True
        self._write()
        lines = self._text().splitlines()
        return f"line [{next(at for at, line in enumerate(lines, 1) if 'NoSuchElement' in line)}]"

    def mend(self):
        self.broken = False
        self._write()

    def test(self):
        """catalina.sh configtest, as the server's user."""
        script = (". /etc/default/tomcat10; . /usr/libexec/tomcat10/tomcat-locate-java.sh; "
                  "export JAVA_OPTS; cd /; "
                  "exec setpriv --reuid=tomcat --regid=tomcat --init-groups env "
                  "CATALINA_BASE=/var/lib/tomcat10 CATALINA_HOME=/usr/share/tomcat10 "
                  "CATALINA_TMPDIR=/tmp /usr/share/tomcat10/bin/catalina.sh configtest")
        return self.host.run(["sh", "-c", script], check=False, timeout=120)

    # --- the service

    def reload(self, check=True):
        """A restart's job is done long before Tomcat answers."""
        done = super().reload(check)
        if self.active() == "active" and not self.broken:
            self.wait_until_ready()
        return done

    def ready(self):
        """It listens before its applications are there; only then is a request answered."""
        try:
            self.ask(next(iter(self.sites.values())).hostnames[0].replace("*", "www"))
        except OSError:
            return False
        return True

    # --- the manager

    def manager(self, path, user=USER, password=PASSWORD):
        """GET of the manager's text interface."""
        connection = http.client.HTTPConnection("127.0.0.1", MANAGER_PORT)
        connection.sock = self.host.connect(MANAGER_PORT, timeout=30)
        secret = base64.b64encode(f"{user}:{password}".encode()).decode()
        with contextlib.closing(connection):
            connection.request("GET", f"/manager/text/{path}",
                               headers={"Authorization": f"Basic {secret}"})
            response = connection.getresponse()
            return Answer(response.status, response.read().decode(errors="replace"))

    def ssl_reload(self):
        """All keystores are read again, the process stays."""
        answer = self.manager("sslReload")
        assert answer.status == 200 and answer.text.startswith("OK -"), answer
        return answer
