"""A real lighttpd, as Debian packages it, under the host's systemd: a server that the agent does
not know, so a `custom` target with a template of the user's own."""

from polkit import permit
from server import DOCUMENTS, Server

ENABLED = "/etc/lighttpd/conf-enabled"
LOG = "/var/log/lighttpd/error.log"
TEMPLATES = "/etc/origin-ca-agent/templates"

# As the documentation shows it.
TEMPLATE = """ssl.pemfile = "{{{fullchain}}}"
ssl.privkey = "{{{key}}}"
"""

# Debian's own port 80 gives way, and its listener for IPv6 with it.
PREPARE = r"""set -eu
sed -i 's,^server.port .*,server.port = 18080\nserver.bind = "127.0.0.1",; /use-ipv6/d' \
	/etc/lighttpd/lighttpd.conf
mkdir -p "$1"
echo lighttpd > "$1/index.html"
"""
SOCKET = """server.modules += ( "mod_openssl" )
server.document-root := "{documents}"
$SERVER["socket"] == "127.0.0.1:{port}" {{
	ssl.engine = "enable"
{sites}}}
"""
# What is asked for by a name that no site has is shown the first site's certificate.
FIRST = "\tinclude \"{snippet}\"\n"
SITE = """	$HTTP["host"] =~ "^({names})$" {{
		include "{snippet}"
	}}
"""


def host_pattern(hostname):
    plain = hostname.removeprefix("*.").replace(".", "\\.")
    return f"[^.]+\\.{plain}" if hostname.startswith("*.") else plain


class Lighttpd(Server):
    type = "custom"
    package_unit = "lighttpd.service"
    default_port = 4443
    loses_nothing = False
    # a reload reads everything again, and by then it is no longer root
    secret = {"owner": "root:www-data", "mode": 0o640}

    def __init__(self, host, name="lighttpd", port=None):
        super().__init__(host, name, port)

    def prepare(self):
        self.host.run(["sh", "-c", PREPARE, "prepare", DOCUMENTS])
        permit(self.host, self.unit)

    def agent_keys(self):
        return {**super().agent_keys(), "unit": self.unit, "template": "lighttpd"}

    def install_template(self):
        self.host.write(f"{TEMPLATES}/lighttpd.mustache", TEMPLATE)

    def reload(self, check=True):
        """lighttpd closes its sockets, finishes what it has, and only then starts anew, or ends
        when it does not like its configuration."""
        before = self._starts()
        done = super().reload(check)
        self.host.wait(lambda: self._starts() > before or self.active() != "active",
                       message="lighttpd starts anew")
        return done

    def _starts(self):
        return int(self.host.run(["grep", "-c", "server started", LOG], check=(0, 1)).stdout)

    def _write(self):
        sites = list(self.sites.values())
        text = "".join(FIRST.format(snippet=site.snippet) for site in sites[:1])
        text += "".join(SITE.format(names="|".join(map(host_pattern, site.hostnames)),
                                    snippet=site.snippet) for site in sites)
        self.host.write(f"{ENABLED}/20-origins.conf", SOCKET.format(
            documents=DOCUMENTS, port=self.port, sites=text))

    def write(self, site):
        self._write()

    def erase(self, name):
        self._write()

    def snippet_by_hand(self, hostnames, directory):
        return f'ssl.pemfile = "{directory}/cert.pem"\nssl.privkey = "{directory}/key.pem"\n'

    def break_elsewhere(self):
        path = f"{ENABLED}/90-somebody-else.conf"
        self.host.write(path, "server.modules +=\n")
        return path

    def mend(self):
        self.host.remove(f"{ENABLED}/90-somebody-else.conf")

    def test(self):
        return self.host.run(["lighttpd", "-tt", "-f", "/etc/lighttpd/lighttpd.conf"], check=False)
