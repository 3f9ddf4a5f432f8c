"""origin-ca-agent.service while it runs: its processes, and what systemd knows of it."""

import signal

from agent import SERVICE


class Service:
    """The running service: its processes, and what systemd knows of it."""

    def __init__(self, agent):
        self.agent, self.host = agent, agent.host

    def pid(self):
        return int(self.host.show(SERVICE, "MainPID"))

    def status_text(self):
        return self.host.show(SERVICE, "StatusText")

    def children(self):
        """The supervisor's children: [(pid, state)]; state Z is one that nobody waited for."""
        out = self.host.output(["ps", "--ppid", str(self.pid()), "-o", "pid=,stat="],
                               check=(0, 1))
        return [(int(line.split()[0]), line.split()[1][0]) for line in out.splitlines()]

    def in_pass(self):
        """Waits for a pass that has asked the API for a certificate, which hangs."""
        self.host.wait(lambda: self.agent.sandbox.issued(), message="a pass asks")
        return self.children()[0][0]

    def settled(self):
        """Waits until no pass runs and the next one is set."""
        self.host.wait(lambda: not self.children() and "next" in self.status_text(), 60,
                       lambda: f"idle: {self.status_text()}\n{self.agent.journal()}")

    def signal(self, pid, number):
        self.host.run(["kill", f"-{signal.Signals(number).name[3:]}", str(pid)])

    def adjust(self, *lines):
        """Lines of a drop-in's [Service] section."""
        self.host.unit(f"{SERVICE}.d/50-test.conf", "\n".join(["[Service]", *lines, ""]))

    def notices(self, words="has changed"):
        """How many lines of the journal say so."""
        return sum(words in line for line in self.agent.journal().splitlines())

    def says(self, *words):
        journal = self.agent.journal()
        return all(word in journal for word in words)


def hang(service):
    """The first certificate that is asked for is made, but no answer comes for an hour."""
    service.agent.configure(api={"timeout": "1h"})
    service.agent.sandbox.fault("POST /certificates:hang-after")
