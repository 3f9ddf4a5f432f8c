"""A real nginx under the host's systemd, serving what the agent gives it."""

from polkit import permit
from server import Server

SERVER = """server {{
	listen 127.0.0.1:{port} ssl;
	server_name {names};
	include {snippet};
	location / {{
		default_type text/plain;
		return 200 "{first}\\n";
	}}
}}
"""


# A second instance: Debian's unit and nginx.conf with other paths.
COPY_SCRIPT = """set -eu
mkdir -p "/etc/$1/conf.d"
sed "s,/etc/nginx/,/etc/$1/,; s,/run/nginx.pid,/run/$1.pid,; /sites-enabled/d" \
	/etc/nginx/nginx.conf > "/etc/$1/nginx.conf"
cp /etc/nginx/mime.types "/etc/$1/"
sed "s,/run/nginx.pid,/run/$1.pid,; s,/usr/sbin/nginx ,&-c /etc/$1/nginx.conf ," \
	/lib/systemd/system/nginx.service > "/etc/systemd/system/$1.service"
systemctl daemon-reload
"""


class Nginx(Server):
    """Debian's nginx, or with another `name` a second instance with a unit, a configuration
    directory and a port of its own; `name` is the agent's target, too."""

    type = "nginx"

    def prepare(self):
        self.unit, self.directory = f"{self.target}.service", f"/etc/{self.target}"
        self.host.remove("/etc/nginx/sites-enabled/default")
        if self.target != "nginx":
            self.host.run(["sh", "-c", COPY_SCRIPT, "copy", self.target])
            permit(self.host, self.unit)

    def _text(self, site):
        return SERVER.format(port=self.port, names=" ".join(site.hostnames),
                             first=site.hostnames[0], snippet=site.snippet)

    def write(self, site):
        self.host.write(f"{self.directory}/conf.d/{site.name}.conf", self._text(site))

    def erase(self, name):
        self.host.remove(f"{self.directory}/conf.d/{name}.conf")

    def remove_all(self):
        super().remove_all()
        self.host.run(["find", f"{self.directory}/conf.d", f"{self.directory}/by-hand",
                       "-mindepth", "1", "-delete"], check=False)

    def add_many(self, names):
        """Server blocks for many certificates in one file."""
        text = "".join(self._text(self.site(name)) for name in names)
        self.host.write(f"{self.directory}/conf.d/many.conf", text)

    def snippet_by_hand(self, hostnames, directory):
        return (f"ssl_certificate {directory}/cert.pem;\n"
                f"ssl_certificate_key {directory}/key.pem;\n")

    def break_elsewhere(self):
        path = f"{self.directory}/conf.d/somebody-else.conf"
        self.host.write(path, "server {\n\tlisten 127.0.0.1:8088;\n"
                        "\tno_such_directive on;\n}\n")
        return f"{path}:3"

    def mend(self):
        self.erase("somebody-else")

    def test(self):
        return self.host.run(["nginx", "-t"], check=False)
