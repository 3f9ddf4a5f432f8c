"""What the agent has to do when it is interrupted: the states that a crash_lab.Lab starts from."""

from cryptography import x509
from cryptography.hazmat.primitives.serialization import pkcs12

from agent import CONFIG_DIRECTORY, STATE_DIRECTORY
from crash_lab import NAME
from crash_servers import same_key
from tomcat import Tomcat

TEMPLATE = f"{CONFIG_DIRECTORY}/templates/nginx.mustache"


def server(lab, include, suffix=".conf"):
    lab.host.write(f"/etc/nginx/conf.d/{NAME}{suffix}", f"""server {{
	listen 127.0.0.1:443 ssl;
	server_name {NAME} *.{NAME};
	{include}
	return 204;
}}
""")


class Scenario:
    """A need of the agent's. `issues`: certificates that it costs; `trusted`: Cloudflare accepts
    what nginx serves at the start; `undisturbed`: exit code of a pass that nothing disturbs;
    `mend`: what an administrator does before the pass that must end well (shell code); `spoil`
    undoes it. `hosts`: how many may work at it (None: all). `may_wait`: what is said where also()
    need not hold yet."""

    issues = 1
    trusted = True
    undisturbed = 0
    hosts = may_wait = None
    spoil = mend = ""
    hostnames = (NAME, f"www.{NAME}")
    keys = {}                   # more of the certificate's, that make the need

    @staticmethod
    def servers(lab):
        return [lab.nginx]

    def rest(self, lab):
        """Until nobody works at what the pass has asked for any more."""

    def also(self, lab, generation):
        """More that must hold when all is current; the directory of the newest generation."""

    def begin(self, lab):
        """The state of the host, with the need."""
        self.before(lab)
        self.serve_first(lab)
        self.need(lab)

    @staticmethod
    def before(lab):
        """nginx with a certificate made by hand; it takes the snippet as soon as there is one."""
        lab.sandbox.clear_faults()
        by_hand = lab.nginx.self_signed(NAME, key_type="rsa-2048")
        pattern = lab.nginx.snippet(NAME).replace(".conf", ".con[f]")
        server(lab, f"include {by_hand};\n\tinclude {pattern};")
        lab.host.run(["sed", "-i", "s/^worker_processes.*/worker_processes 1;/",
                      "/etc/nginx/nginx.conf"])
        lab.host.remove(TEMPLATE)
        lab.agent.remove("target-nginx")
        lab.agent.remove(f"target-{lab.other.target}")
        lab.agent.remove("target-tomcat")
        lab.host.remove(STATE_DIRECTORY)
        lab.agent.give(STATE_DIRECTORY)
        lab.agent.configure(agent={"concurrency": 1}, api={"timeout": "5s"})
        lab.agent.certificate(NAME, hostnames=[NAME])
        lab.host.run(["systemctl", "restart", "nginx.service"])

    @staticmethod
    def serve_first(lab):
        lab.agent.renew(NAME, check=0)

    def need(self, lab):
        lab.agent.certificate(NAME, hostnames=self.hostnames, **self.keys,
                              targets=[server.target for server in lab.servers])


class FirstIssue(Scenario):
    """No certificate yet: placeholder, issue, deploy."""

    trusted = False

    @staticmethod
    def serve_first(lab):
        pass


class Renewal(Scenario):
    """A certificate is served, and another one is needed."""


class Rollback(Scenario):
    """The server goes on showing the old leaf: its block has a copy of the old paths."""

    undisturbed = 1

    COPY = "/etc/nginx/copied.conf"
    SITE = f"/etc/nginx/conf.d/{NAME}.conf"
    TARGET = f"{CONFIG_DIRECTORY}/conf.d/target-nginx.ini"
    spoil = f"cp {SITE}.copied {SITE}; cp {TARGET}.impatient {TARGET}"
    mend = f"cp {SITE}.included {SITE}; rm {TARGET}"

    def need(self, lab):
        super().need(lab)
        lab.host.write(self.COPY, lab.snippet())
        server(lab, f"include {self.COPY};", ".conf.copied")
        server(lab, f"include {lab.nginx.snippet(NAME)};", ".conf.included")
        lab.host.write(f"{self.TARGET}.impatient", "[target nginx]\nprobe_timeout = 1s\n")


class Redeploy(Scenario):
    """Nothing is to be issued, but the template has changed."""

    issues = 0
    hostnames = (NAME,)

    def need(self, lab):
        template = lab.host.read("/usr/share/origin-ca-agent/templates/nginx.mustache")
        lab.host.write(TEMPLATE, template + "# changed\n")


class Two(Scenario):
    """One certificate on two instances of nginx."""

    @staticmethod
    def servers(lab):
        return [lab.nginx, lab.other]

    @staticmethod
    def serve_first(lab):
        lab.other.remove_all()
        lab.host.run(["sed", "-i", "s/^worker_processes.*/worker_processes 1;/",
                      f"{lab.other.directory}/nginx.conf"])
        lab.host.run(["systemctl", "restart", lab.other.unit])
        lab.other.add(NAME)
        lab.agent.target(lab.other.target, unit=lab.other.unit, **lab.other.agent_keys())
        lab.agent.certificate(NAME, hostnames=[NAME],
                              targets=[server.target for server in lab.servers])
        lab.agent.renew(NAME, check=0)


class TwoRenewal(Two):
    """Both are to serve another certificate."""


class TwoRollback(Two, Rollback):
    """One goes on showing the old leaf, so the other, which was asked first, must give the new one
    back."""


class Derive(Scenario):
    """Only other files of the certificate that is there are wanted."""

    issues = 0
    hostnames = (NAME,)
    PASSWORD_FILE = f"{CONFIG_DIRECTORY}/keystore-password"
    keys = {"formats": ["der", "p7b", "p12", "combined"], "keystore_password_file": PASSWORD_FILE}

    def need(self, lab):
        super().need(lab)
        lab.host.write(self.PASSWORD_FILE, "of-the-keystore", mode=0o600)
        lab.agent.give(self.PASSWORD_FILE)

    def also(self, lab, generation):
        key, leaf, _ = pkcs12.load_key_and_certificates(
            (generation / "keystore.p12").read_bytes(), b"of-the-keystore")
        assert same_key(key, leaf) == (generation / "cert.der").read_bytes()
        combined = (generation / "combined.pem").read_bytes()
        assert all((generation / name).read_bytes() in combined for name in ("cert.pem", "key.pem"))
        assert (generation / "cert.p7b").stat().st_size > 0


class Roots(Scenario):
    """Cloudflare's roots are to be fetched, to be shown as the chain. Certificates do not wait for
    them."""

    issues = 0
    may_wait = "root"
    hostnames = (NAME,)
    keys = {"chain": "root"}

    def need(self, lab):
        super().need(lab)
        lab.host.remove(f"{STATE_DIRECTORY}/roots")

    def also(self, lab, generation):
        root = x509.load_pem_x509_certificate((generation / "chain.pem").read_bytes())
        leaf = x509.load_pem_x509_certificate((generation / "cert.pem").read_bytes())
        assert leaf.issuer == root.subject
        roots = lab.path(f"{STATE_DIRECTORY}/roots")
        assert len(list(roots.glob("origin_ca_*.pem"))) == 2


class Keystore(Scenario):
    """Tomcat's keystore is replaced and its manager asked to have it read, without a restart."""

    hosts = 2
    hostnames = (NAME,)
    keys = {"key_type": "ecdsa-p384"}

    @staticmethod
    def servers(lab):
        if lab.tomcat is None:
            lab.tomcat = Tomcat(lab.host)
            lab.tomcat.grant_manager()
        return [lab.tomcat]

    @staticmethod
    def serve_first(lab):
        lab.tomcat.remove_all()
        lab.agent.target("tomcat", **lab.tomcat.agent_keys(ssl_reload=True), probe_timeout="30s")
        lab.agent.certificate(NAME, hostnames=[NAME], targets=["tomcat"])
        lab.agent.renew(NAME, check=1)
        lab.tomcat.add(NAME, NAME)
        lab.tomcat.stop()
        lab.tomcat.start()
        lab.agent.renew(NAME, check=0)


def interrupt(lab, call, thing):
    """Kills the pass before its first such call and keeps what is left as the state."""
    lab.save()
    point = next(point for point in lab.points()
                 if point.call == call and point.thing.endswith(thing))
    lab.drive("--at", str(point.number))


class LostAnswer(FirstIssue):
    """A pass was killed when its answer had come and nothing of it was kept: the certificate is to
    be found by its key. There is no other, which would be reason enough to ask anew."""

    issues = 0

    def need(self, lab):
        super().need(lab)
        interrupt(lab, "write", "/pending/meta.json")


class Unfinished(Scenario):
    """A pass was killed when its generation was whole but not in place: what is there must do, as
    the API tells nobody what it has issued."""

    issues = 0

    def need(self, lab):
        super().need(lab)
        interrupt(lab, "renameat2", "/example.com/0002")
        lab.sandbox.fault("GET /zones:9109:always", "GET /certificates:9109:always")


class SecondNeed(Rollback):
    """A pass was killed when the snippet was in place that no server had read, and the names have
    changed since. The way back leads past it."""

    later_hostnames = (NAME, f"api.{NAME}")

    def need(self, lab):
        super().need(lab)
        interrupt(lab, "connect", "system_bus_socket")
        lab.agent.certificate(NAME, hostnames=self.later_hostnames)
