"""A real nginx under the host's systemd, serving what the agent gives it, and a client of it."""

import collections
import threading
import time

from network import handshake, tls_context

SNIPPETS = "/var/lib/origin-ca-agent/snippets"
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


class Nginx:
    """Debian's nginx, or with another `name` a second instance with a unit, a configuration
    directory and a port of its own; `name` is the agent's target, too."""

    def __init__(self, host, name="nginx", port=443):
        self.host, self.target, self.port = host, name, port
        self.unit, self.directory = f"{name}.service", f"/etc/{name}"
        host.remove("/etc/nginx/sites-enabled/default")
        if name != "nginx":
            host.run(["sh", "-c", COPY_SCRIPT, "copy", name])

    def reset(self):
        """Stopped, without server blocks, and with no failure on record."""
        self.host.run(["systemctl", "stop", self.unit])
        self.host.run(["systemctl", "reset-failed", self.unit], check=False)
        self.remove_all()

    def remove_all(self):
        """No server blocks, and nothing made by hand; not reloaded."""
        self.host.run(["find", f"{self.directory}/conf.d", f"{self.directory}/by-hand",
                       "-mindepth", "1", "-delete"], check=False)

    def snippet(self, name):
        return f"{SNIPPETS}/{self.target}/{name}.conf"

    def add(self, name, *hostnames, snippet=None):
        """A server block for the certificate `name`, for its hostnames (else NAME, *.NAME)."""
        hostnames = hostnames or (name, f"*.{name}")
        self.host.write(f"{self.directory}/conf.d/{name}.conf", SERVER.format(
            port=self.port, names=" ".join(hostnames), first=hostnames[0],
            snippet=snippet or self.snippet(name)))

    def remove(self, name):
        self.host.remove(f"{self.directory}/conf.d/{name}.conf")

    def break_elsewhere(self):
        """Somebody else's change that nginx refuses. Returns its place, as nginx names it."""
        path = f"{self.directory}/conf.d/somebody-else.conf"
        self.host.write(path, "server {\n\tlisten 127.0.0.1:8088;\n"
                        "\tno_such_directive on;\n}\n")
        return f"{path}:3"

    def mend(self):
        self.remove("somebody-else")

    def add_many(self, names):
        """Server blocks for many certificates in one file."""
        text = "".join(SERVER.format(port=self.port, names=f"{name} *.{name}", first=name,
                                     snippet=self.snippet(name)) for name in names)
        self.host.write(f"{self.directory}/conf.d/many.conf", text)

    def self_signed(self, name, days=30, key=("ec", "-pkeyopt", "ec_paramgen_curve:P-256")):
        """What a server has before the agent: a certificate made by hand. Returns the snippet."""
        base = f"{self.directory}/by-hand/{name}"
        self.host.run(["mkdir", "-p", base])
        self.host.run(["openssl", "req", "-x509", "-newkey", *key, "-nodes", "-days", str(days),
                       "-keyout", f"{base}/key.pem", "-out", f"{base}/cert.pem", "-subj",
                       f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"])
        self.host.write(f"{base}/snippet.conf", f"ssl_certificate {base}/cert.pem;\n"
                        f"ssl_certificate_key {base}/key.pem;\n")
        return f"{base}/snippet.conf"

    def start(self):
        self.host.run(["systemctl", "start", self.unit])
        self.host.wait(lambda: self.host.listening(self.port), 20,
                       lambda: f"nginx listens:\n{self.host.journal(self.unit)}")

    def stop(self):
        self.host.run(["systemctl", "stop", self.unit])

    def reload(self, check=True):
        return self.host.run(["systemctl", "reload", self.unit], check=check)

    def test(self):
        """`nginx -t`, as an administrator runs it."""
        return self.host.run(["nginx", "-t"], check=False)

    def active(self):
        return self.host.active(self.unit)

    def main_pid(self):
        return int(self.host.show(self.unit, "MainPID"))

    def served(self, hostname, ca=None):
        """The leaf that a new connection is shown: serial, subject, sans, sha256, ...; with `ca`
        (roots as PEM text) verified as Cloudflare's Full (strict) does."""
        return handshake(self.host, hostname, self.port, ca=ca)

    def client(self, hostname, **options):
        return Client(self.host, hostname, port=self.port, **options)


class Client:
    """Keeps asking over HTTPS, a new connection each time, while the test does something:

        with nginx.client("example.com") as client:
            agent.renew("example.com", force=True)
        assert not client.failures and client.requests > 0
    """

    def __init__(self, host, hostname, port=443, ca=None, pause=0.01, workers=2):
        self.host, self.hostname, self.port, self.pause = host, hostname, port, pause
        self.context = tls_context(ca)
        self.requests = 0
        self.failures = []                      # what went wrong, and when
        self.leaves = collections.Counter()     # DER of the leaves that were shown
        self._lock = threading.Lock()
        self._end = threading.Event()
        self._threads = [threading.Thread(target=self._work, name=f"client of {hostname}")
                         for _ in range(workers)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        deadline = time.monotonic() + 10
        while not (self.requests or self.failures) and time.monotonic() < deadline:
            time.sleep(0.005)
        return self

    def __exit__(self, *_):
        self._end.set()
        for thread in self._threads:
            thread.join()

    def _ask(self):
        with self.host.connect(self.port) as plain:
            with self.context.wrap_socket(plain, server_hostname=self.hostname) as secure:
                leaf = secure.getpeercert(binary_form=True)
                secure.sendall(f"GET / HTTP/1.1\r\nHost: {self.hostname}\r\n"
                               "Connection: close\r\n\r\n".encode())
                answer = b""
                while piece := secure.recv(65536):
                    answer += piece
        if not answer.startswith(b"HTTP/1.1 200"):
            raise OSError(f"answered {answer[:200]!r}")
        return leaf

    def _work(self):
        while not self._end.is_set():
            try:
                leaf, failure = self._ask(), None
            except Exception as error:      # whatever a visitor would have seen fail
                leaf, failure = None, f"{time.strftime('%H:%M:%S')} {error!r}"
            with self._lock:
                self.requests += 1
                if failure:
                    self.failures.append(failure)
                else:
                    self.leaves[leaf] += 1
            self._end.wait(self.pause)
