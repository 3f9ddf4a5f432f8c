"""What the web servers of the tests have in common: Debian's package under the host's systemd,
sites that take their certificate from a snippet, and how a test sees what is served.

    apache = Apache(host)                   # also Haproxy, Lighttpd, Nginx, Tomcat
    agent.target(apache.target, **apache.agent_keys())
    apache.add("example.com")
    apache.start()
    with apache.client("example.com") as client:
        agent.renew("example.com", force=True)
    assert apache.served("www.example.com").serial == ...
"""

import dataclasses
import re

import by_hand
from client import Client, ask
from network import handshake, tls_context

SNIPPETS = "/var/lib/origin-ca-agent/snippets"
BY_HAND = "/etc/certificates-by-hand"
DOCUMENTS = "/srv/www"

# What a snippet names: files of keys and certificates.
FILE_IN_SNIPPET = re.compile(r"/[\w./-]+\.(?:pem|p12|key|crt)\b")


@dataclasses.dataclass
class Site:
    """A virtual host: the first name is its own, the others are aliases."""

    name: str
    hostnames: tuple
    snippet: str


class Server:
    """One kind of server each derives from this, and says how its configuration is written."""

    type = None             # the agent's target type
    package_unit = None     # of Debian's package
    default_port = 443      # differs between the kinds, so that all fit on one host
    suffix = "conf"         # of a snippet's file
    reload_verb = "reload"  # how the server takes up its configuration
    secret = {"owner": "root:root", "mode": 0o600}      # of its keys, so that it can read them
    files_by_hand = ("cert.pem", "key.pem")
    loses_nothing = True    # while certificates change, no request fails
    start_timeout = 20

    def __init__(self, host, name=None, port=None):
        """`name` is the agent's target, too."""
        self.host, self.target = host, name or self.type
        self.unit, self.port = self.package_unit, port or self.default_port
        self.sites = {}
        self.prepare()

    # --- of each kind

    def prepare(self):
        """The package's configuration made ready for sites; nothing is started."""
        raise NotImplementedError

    def write(self, site):
        """Writes (the sites with) one that was added or changed."""
        raise NotImplementedError

    def erase(self, name):
        """Takes one that is no longer in self.sites out of the configuration."""
        raise NotImplementedError

    def snippet_by_hand(self, hostnames, directory):
        """The text of a snippet for `files_by_hand` (of "cert.pem", "key.pem", "combined.pem",
        "keystore.p12") in a directory."""
        raise NotImplementedError

    def break_elsewhere(self):
        """Somebody else's change that the server refuses. Returns its place, as it names it."""
        raise NotImplementedError

    def mend(self):
        """Takes back what break_elsewhere() did."""
        raise NotImplementedError

    def test(self):
        """The server's own test of its configuration, as an administrator runs it."""
        raise NotImplementedError

    # --- sites

    def agent_keys(self):
        """What the agent's [target] section needs to know."""
        return {"type": self.type, "probe": f"127.0.0.1:{self.port}"}

    def snippet(self, name):
        return f"{SNIPPETS}/{self.target}/{name}.{self.suffix}"

    def site(self, name, *hostnames, snippet=None):
        return Site(name, hostnames or (name, f"*.{name}"), snippet or self.snippet(name))

    def add(self, name, *hostnames, snippet=None):
        """A site for the certificate `name`, for its hostnames (else NAME, *.NAME); or it changes
        what is there. Not reloaded."""
        self.sites[name] = self.site(name, *hostnames, snippet=snippet)
        self.write(self.sites[name])

    def remove(self, name):
        self.sites.pop(name, None)
        self.erase(name)

    def remove_all(self):
        """No sites, and nothing made by hand; not reloaded."""
        for name in list(self.sites):
            self.remove(name)
        self.host.remove(f"{BY_HAND}/{self.target}")

    def reset(self):
        """Stopped, without sites, and with no failure on record."""
        self.host.run(["systemctl", "stop", self.unit])
        self.host.run(["systemctl", "reset-failed", self.unit], check=False)
        self.mend()
        self.remove_all()

    # --- certificates that are not the agent's

    def _write_secret(self, path, content):
        self.host.write(path, content, **self.secret)

    def install_by_hand(self, name, *hostnames, key_type="ecdsa-p256", days=30):
        """What a server has before the agent: a certificate made by hand, and a snippet for it.
        Replaces the former one. Returns the pair; its snippet is snippet_of_hand(name)."""
        hostnames = hostnames or (name,)
        pair = by_hand.pair(*hostnames, key_type=key_type, days=days)
        directory = f"{BY_HAND}/{self.target}/{name}"
        files = {"cert.pem": pair.certificate_pem, "key.pem": pair.key_pem,
                 "combined.pem": pair.certificate_pem + pair.key_pem, "keystore.p12": pair.keystore}
        for file in self.files_by_hand:
            self._write_secret(f"{directory}/{file}", files[file])
        self._write_secret(self.snippet_of_hand(name), self.snippet_by_hand(hostnames, directory))
        return pair

    def snippet_of_hand(self, name):
        return f"{BY_HAND}/{self.target}/{name}/snippet.{self.suffix}"

    def self_signed(self, name, **options):
        """install_by_hand(), when only the snippet is of interest."""
        self.install_by_hand(name, **options)
        return self.snippet_of_hand(name)

    def hold_stale(self, name):
        """From now on the server shows what it shows now, whatever becomes of the snippet: somebody
        copied the files and named the copies. Its configuration is sound, its reloads succeed."""
        site = self.sites[name]
        directory = f"{BY_HAND}/{self.target}/{name}.stale"
        text = self.host.read(site.snippet)
        for number, path in enumerate(sorted(set(FILE_IN_SNIPPET.findall(text)), key=len,
                                             reverse=True)):
            copy = f"{directory}/{number}-{path.rsplit('/', 1)[1]}"
            self._write_secret(copy, self.host.read(path, binary=True))
            text = text.replace(path, copy)
        stale = f"{directory}/snippet.{self.suffix}"
        self._write_secret(stale, text)
        self.add(name, *site.hostnames, snippet=stale)
        self.reload()

    def let_go(self, name):
        """Ends hold_stale(): the site takes the agent's snippet again."""
        self.add(name, *self.sites[name].hostnames)
        self.reload()

    # --- the service

    def start(self):
        self.host.run(["systemctl", "start", self.unit], timeout=self.start_timeout + 40)
        self.wait_until_ready()

    def wait_until_ready(self):
        """Until it answers; a server that gave up is not waited for."""
        self.host.wait(lambda: self.ready() or self.active() in ("failed", "inactive"),
                       self.start_timeout,
                       lambda: f"{self.unit} listens:\n{self.host.journal(self.unit)}")
        assert self.ready(), f"{self.unit} ended:\n{self.host.journal(self.unit)}"

    def ready(self):
        return self.host.listening(self.port)

    def stop(self):
        self.host.run(["systemctl", "stop", self.unit])

    def reload(self, check=True):
        """The server takes up its configuration, as an administrator makes it."""
        return self.host.run(["systemctl", self.reload_verb, self.unit], check=check)

    def active(self):
        return self.host.active(self.unit)

    def main_pid(self):
        return int(self.host.show(self.unit, "MainPID"))

    # --- what visitors see

    def served(self, hostname, **options):
        """The leaf that a new connection is shown: serial, subject, sans, sha256, ...; with `ca`
        (roots as PEM text) verified as Cloudflare's Full (strict) does. TLS 1.3 shows it also to
        who is refused afterwards: only ask() tells whether a server wants a client certificate."""
        return handshake(self.host, hostname, self.port, **options)

    def wait_served(self, hostname, serial):
        """A reload has been asked for: until new connections are shown this leaf."""
        self.host.wait(lambda: self._serial(hostname) == serial,
                       message=lambda: f"{self._serial(hostname)} is {serial}")

    def _serial(self, hostname):
        """None where nobody listens at the moment."""
        try:
            return self.served(hostname).serial
        except OSError:
            return None

    def ask(self, hostname, **options):
        """One request; OSError unless it is answered with 200. `ca`, `client`: as of served()."""
        with self.host.connect(self.port) as plain:
            return ask(plain, tls_context(**options), hostname)

    def client(self, hostname, **options):
        return Client(self.host, hostname, port=self.port, **options)
