"""A real Apache httpd, as Debian packages it, under the host's systemd."""

from server import DOCUMENTS, Server

# Debian's own default site and port 80 give way; mod_ssl is switched on as Debian's users do it.
PREPARE = """set -eu
a2enmod --quiet ssl
rm -f /etc/apache2/sites-enabled/000-default.conf
mkdir -p "$1"
echo httpd > "$1/index.html"
"""
PORTS = """Listen 127.0.0.1:{port}
ServerName localhost
<Directory {documents}>
	Require all granted
</Directory>
"""
SITE = """<VirtualHost 127.0.0.1:{port}>
	ServerName {first}
{aliases}	DocumentRoot {documents}
	SSLEngine on
	Include {snippet}
</VirtualHost>
"""
SITES = "/etc/apache2/sites-enabled"


class Apache(Server):
    type = "apache"
    package_unit = "apache2.service"
    default_port = 1443

    def prepare(self):
        self.host.run(["sh", "-c", PREPARE, "prepare", DOCUMENTS])
        self.host.write("/etc/apache2/ports.conf", PORTS.format(port=self.port,
                                                                documents=DOCUMENTS))

    def _text(self, site):
        aliases = "".join(f"\tServerAlias {name}\n" for name in site.hostnames[1:])
        return SITE.format(port=self.port, first=site.hostnames[0], aliases=aliases,
                           documents=DOCUMENTS, snippet=site.snippet)

    def write(self, site):
        self.host.write(f"{SITES}/{site.name}.conf", self._text(site))

    def erase(self, name):
        self.host.remove(f"{SITES}/{name}.conf")

    def remove_all(self):
        super().remove_all()
        self.host.run(["find", SITES, "-mindepth", "1", "-delete"])

    def add_many(self, names):
        """Virtual hosts for many certificates in one file."""
        text = "".join(self._text(self.site(name)) for name in names)
        self.host.write(f"{SITES}/many.conf", text)

    def snippet_by_hand(self, hostnames, directory):
        return (f"SSLCertificateFile {directory}/cert.pem\n"
                f"SSLCertificateKeyFile {directory}/key.pem\n")

    def break_elsewhere(self):
        path = f"{SITES}/somebody-else.conf"
        self.host.write(path, "<VirtualHost 127.0.0.1:8088>\n\tServerName elsewhere.example\n"
                        "\tNoSuchDirective on\n</VirtualHost>\n")
        return f"line 3 of {path}"

    def mend(self):
        self.erase("somebody-else")

    def test(self):
        return self.host.run(["apachectl", "configtest"], check=False)
