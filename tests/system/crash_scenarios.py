"""What the agent has to do when it is interrupted: the states that a crash_lab.Lab starts from."""

from agent import CONFIG_DIRECTORY, STATE_DIRECTORY
from crash_lab import NAME

TEMPLATE = f"{CONFIG_DIRECTORY}/templates/nginx.mustache"


def server(lab, include):
    lab.host.write(f"/etc/nginx/conf.d/{NAME}.conf", f"""server {{
	listen 127.0.0.1:443 ssl;
	server_name {NAME} *.{NAME};
	{include}
	return 204;
}}
""")


class Scenario:
    """A need of the agent's. `issues`: certificates that it costs; `trusted`: Cloudflare accepts
    what nginx serves at the start; `undisturbed`: exit code of a pass that nothing disturbs."""

    issues = 1
    trusted = True
    had_snippet = True
    undisturbed = 0
    hostnames = (NAME, f"www.{NAME}")

    def begin(self, lab):
        """The state of the host, with the need."""
        self.before(lab)
        self.serve_first(lab)
        self.need(lab)

    @staticmethod
    def before(lab):
        """nginx with a certificate made by hand; it takes the snippet as soon as there is one."""
        by_hand = lab.nginx.self_signed(NAME, key=["rsa:2048"])
        pattern = lab.nginx.snippet(NAME).replace(".conf", ".con[f]")
        server(lab, f"include {by_hand};\n\tinclude {pattern};")
        lab.host.run(["sed", "-i", "s/^worker_processes.*/worker_processes 1;/",
                      "/etc/nginx/nginx.conf"])
        lab.host.remove(TEMPLATE)
        lab.host.remove(STATE_DIRECTORY)
        lab.host.run(["mkdir", STATE_DIRECTORY])
        lab.agent.configure(agent={"concurrency": 1})
        lab.agent.certificate(NAME, hostnames=[NAME])
        lab.host.run(["systemctl", "restart", "nginx.service"])

    @staticmethod
    def serve_first(lab):
        lab.agent.renew(NAME, check=0)

    def need(self, lab):
        lab.agent.certificate(NAME, hostnames=self.hostnames)

    def spoil(self, lab):
        """Undoes mend(), before each point."""

    def mend(self, lab):
        """What an administrator does before the pass that must end well."""


class FirstIssue(Scenario):
    """No certificate yet: placeholder, issue, deploy."""

    trusted = False
    had_snippet = False

    @staticmethod
    def serve_first(lab):
        pass


class Renewal(Scenario):
    """A certificate is served, and another one is needed."""


class Rollback(Scenario):
    """The server goes on showing the old leaf: its block has a copy of the old paths."""

    undisturbed = 1

    def need(self, lab):
        super().need(lab)
        lab.host.write("/etc/nginx/copied.conf", lab.snippet())

    def spoil(self, lab):
        server(lab, "include /etc/nginx/copied.conf;")

    def mend(self, lab):
        server(lab, f"include {lab.nginx.snippet(NAME)};")


class Redeploy(Scenario):
    """Nothing is to be issued, but the template has changed."""

    issues = 0
    hostnames = (NAME,)

    def need(self, lab):
        template = lab.host.read("/usr/share/origin-ca-agent/templates/nginx.mustache")
        lab.host.write(TEMPLATE, template + "# changed\n")


class LostAnswer(Scenario):
    """An earlier pass was killed when the answer had come and nothing of it was kept."""

    issues = 0

    def need(self, lab):
        super().need(lab)
        lab.save()
        kept = [point for point in lab.points() if point.call == "write"
                and point.thing.endswith("/pending/meta.json")]
        lab.restore()
        lab.drive("--at", str(kept[0].number))
