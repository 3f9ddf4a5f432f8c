"""A web server with its agent, in the state that most tests begin in: one certificate, served."""

import dataclasses

from agent import Agent
from nginx import Nginx
from sandbox import Sandbox

NAME = "example.com"


@dataclasses.dataclass
class Origin:
    agent: Agent
    nginx: Nginx
    sandbox: Sandbox

    @property
    def host(self):
        return self.agent.host

    def settle(self, **keys):
        """Generation 1 of example.com, issued, served and verified. An nginx that runs since the
        last test goes on running."""
        self.nginx.remove_all()
        self.host.run(["systemctl", "start", self.nginx.unit])
        self.agent.certificate(NAME, **keys)
        self.nginx.add(NAME)
        return self.agent.renew(check=0)

    def served(self, hostname=NAME):
        """Serial of the leaf that a visitor is shown, verified as Cloudflare does."""
        return self.nginx.served(hostname, ca=self.sandbox.roots()).serial

    def generation(self):
        """The generation that the snippet names."""
        line = next(line for line in self.host.read(self.nginx.snippet(NAME)).splitlines()
                    if line.startswith("ssl_certificate_key"))
        return int(line.split("/")[-2])

    def serials(self):
        """Of all that was ever issued in this test, the oldest first."""
        return [one["id"] for one in self.sandbox.issued()]

    def listing(self, *paths):
        """Every file below with its inode, mode, owner, size, times and target."""
        paths = paths or ("/var/lib/origin-ca-agent", "/etc/origin-ca-agent", "/etc/nginx")
        return self.host.output(["find", *paths, "-printf", "%p %i %m %U:%G %s %T@ %C@ %l\\n"])
