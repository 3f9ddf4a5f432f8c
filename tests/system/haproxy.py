"""A real HAProxy, as Debian packages it, under the host's systemd. It answers by itself."""

from server import Server

CONFIGURATION = "/etc/haproxy/haproxy.cfg"
FRONTEND = """
frontend origins
	bind 127.0.0.1:{port} ssl {lists}
	http-request return status 200 content-type text/plain string haproxy
"""
ELSEWHERE = """
frontend somebody-else
	bind 127.0.0.1:8088
	no-such-keyword on
"""


class Haproxy(Server):
    """Each certificate's snippet is a list of certificates (crt-list) of its own. Debian's `global`
    and `defaults` sections stay as they are."""

    type = "haproxy"
    package_unit = "haproxy.service"
    default_port = 3443
    files_by_hand = ("combined.pem",)

    def prepare(self):
        original = f"{CONFIGURATION}.original"
        if not self.host.exists(original):
            self.host.run(["cp", CONFIGURATION, original])
        self.debian = self.host.read(original)
        self.broken = False
        self._write()

    def _text(self):
        lists = " ".join(f"crt-list {site.snippet}" for site in self.sites.values())
        text = self.debian
        if lists:
            text += FRONTEND.format(port=self.port, lists=lists)
        return text + ELSEWHERE if self.broken else text

    def _write(self):
        self.host.write(CONFIGURATION, self._text())

    def write(self, site):
        self._write()

    def erase(self, name):
        self._write()

    def snippet_by_hand(self, hostnames, directory):
        return f"{directory}/combined.pem {' '.join(hostnames)}\n"

    def break_elsewhere(self):
        self.broken = True
        self._write()
        lines = self._text().splitlines()
        number = next(at for at, line in enumerate(lines, 1) if "no-such-keyword" in line)
        return f"{CONFIGURATION}:{number}"

    def mend(self):
        self.broken = False
        self._write()

    def test(self):
        return self.host.run(["haproxy", "-c", "-f", CONFIGURATION], check=False)
