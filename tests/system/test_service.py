"""origin-ca-agent.service under a real systemd: the supervisor, and passes as its children."""

import json
import re
import signal

import pytest

from agent import CONFIG_DIRECTORY, PROGRAM, SERVICE
from origin import NAME

SUPERVISOR = "/usr/libexec/origin-ca-agent/origin-ca-supervisor"


class Service:
    """The running service: its processes, and what systemd knows of it."""

    def __init__(self, agent):
        self.agent, self.host = agent, agent.host

    def pid(self):
        return int(self.host.show(SERVICE, "MainPID"))

    def status_text(self):
        return self.host.show(SERVICE, "StatusText")

    def active(self):
        return self.host.active(SERVICE)

    def children(self):
        """Pids of the supervisor's children, and their states: [(pid, "S")]."""
        out = self.host.output(["ps", "--ppid", str(self.pid()), "-o", "pid=,stat="],
                               check=(0, 1))
        return [(int(line.split()[0]), line.split()[1][0]) for line in out.splitlines()]

    def in_pass(self):
        """Waits for a pass, and gives its pid."""
        return self.host.wait(lambda: [pid for pid, state in self.children() if state != "Z"],
                              message="a pass runs")[0]

    def settled(self):
        """Waits until the pass that runs, or is about to, is over and the next one is set."""
        self.host.wait(lambda: not self.children() and "next" in self.status_text(), 60,
                       lambda: f"idle: {self.status_text()}\n{self.agent.journal()}")

    def descriptors(self):
        return self.host.list(f"/proc/{self.pid()}/fd")

    def signal(self, pid, number):
        self.host.run(["kill", f"-{signal.Signals(number).name[3:]}", str(pid)])

    def adjust(self, *lines):
        """Lines of a drop-in's [Service] section."""
        self.host.unit(f"{SERVICE}.d/50-test.conf", "\n".join(["[Service]", *lines, ""]))


@pytest.fixture
def service(clean_agent):
    service = Service(clean_agent)
    yield service
    clean_agent.sandbox.clear_faults()
    clean_agent.stop()
    service.host.remove(f"/etc/systemd/system/{SERVICE}.d/50-test.conf")
    service.host.run(["systemctl", "daemon-reload"])
    service.host.run(["systemctl", "reset-failed"], check=False)


def has(service, *words):
    journal = service.agent.journal()
    return all(word in journal for word in words)


def test_start_issues_deploys_and_says_what_is_next(service, clean_nginx):
    """Also: the token comes as a systemd credential, no token_file is configured."""
    agent, nginx = service.agent, clean_nginx
    agent.configure(api={"token_file": None})
    agent.certificate(NAME)
    nginx.add(NAME)
    agent.renew()
    nginx.start()
    agent.host.remove(agent.state_path("certificates", NAME, "state.json"))
    agent.start()
    service.settled()
    assert service.active() == "active"
    assert re.search(r"^1 of 1 certificates current; next: .* at 20\d\d-", service.status_text())
    served = nginx.served(NAME, ca=agent.sandbox.roots())
    assert served.serial == agent.status(check=0).certificate(NAME)["serial"]
