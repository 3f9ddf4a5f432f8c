"""What a supervisor does when time has passed. Several run at once, so that the tests wait once."""

import json
import signal

import pytest

from agent import PROGRAM, section
from product import STOP, sandbox_program
from sandbox import Sandbox

pytestmark = pytest.mark.calm

BACKDATED = 86400       # seconds


class Supervisor:
    """One of several on a host: a unit, a main file, a state directory and a certificate."""

    def __init__(self, host, sandbox, name):
        self.host, self.sandbox, self.name = host, sandbox, name
        self.unit = f"{name}-agent.service"
        self.config, self.state = f"/etc/over-time/{name}/agent.ini", f"/srv/over-time/{name}"

    def configure(self, agent=None, **certificate):
        self.host.run(["mkdir", "-p", self.state])      # root's: so all of it runs as root
        self.host.write(self.config, section(
            "agent", {"state_dir": self.state, "splay": "0s", **(agent or {})}) + section(
                "api", {"endpoint": f"{self.sandbox.endpoint}/client/v4", "timeout": "1h",
                        "token_file": self.sandbox.token_file}) + section(
                            f"certificate {self.name}", {
                                "hostnames": f"{self.name}.example.com", "validity": "7d",
                                **certificate}))

    def start(self):
        self.host.run(["systemd-run", "--quiet", "--no-block", f"--unit={self.unit}",
                       "--service-type=notify", f"--property=ExecStop={STOP}",
                       PROGRAM, "--config", self.config, "run"])

    def command(self, *arguments, check=True):
        out = self.host.output([PROGRAM, "--config", self.config, *arguments, "--json"],
                               check=check)
        return json.loads(out)["certificates"][0]

    def signal_pass(self, number):
        """To the pass of this supervisor, which waits for an answer that does not come."""
        self.host.wait(self.issued, message=f"{self.name}: a pass asks")
        pid = self.host.show(self.unit, "MainPID")
        self.host.run(["pkill", f"-{signal.Signals(number).name[3:]}", "-P", pid])

    def issued(self):
        return [one for one in self.sandbox.issued()
                if one["hostnames"] == [f"{self.name}.example.com"]]

    def says(self, *words):
        journal = self.host.journal(self.unit)
        return all(word in journal for word in words)

    def wait(self, predicate):
        """One that may take its time."""
        return self.host.wait(predicate, 120, lambda: self.host.journal(self.unit))


def start_all(host, sandbox):
    dies, hangs, renews = (Supervisor(host, sandbox, name) for name in ("dies", "hangs", "renews"))

    # Issued a day ago, says the certificate.
    sandbox.restart("--backdate", str(BACKDATED))
    renews.configure()
    renews.command("renew")
    sandbox.restart()

    sandbox.fault("POST /certificates:hang-after:2")
    dies.configure()
    dies.start()
    dies.signal_pass(signal.SIGABRT)
    hangs.configure(agent={"pass_timeout": "4s"})
    hangs.start()
    hangs.signal_pass(signal.SIGSTOP)

    # The renewal falls due while the supervisor runs.
    expires = int(host.output(["date", "-d", renews.command("status")["not_after"], "+%s"]))
    due = int(host.output(["date", "+%s"])) + 12
    renews.configure(renew_before=f"{expires - due}s")
    renews.due = due
    renews.start()
    return {one.name: one for one in (dies, hangs, renews)}


@pytest.fixture(scope="module")
def supervisors(module_host, build_directory):
    sandbox = Sandbox(module_host, sandbox_program(build_directory), plain=True, chaos=False)
    return start_all(module_host, sandbox)


def test_pass_that_dies_is_reported_and_its_certificate_adopted_by_the_next(supervisors):
    dies = supervisors["dies"]
    dies.wait(lambda: dies.says("a pass was ended by signal 6 (Aborted"))
    dies.wait(lambda: dies.command("status", check=(0, 1))["current"])
    assert [event["event"] for event in dies.command("status")["history"]] == ["adopted"]
    assert len(dies.issued()) == 1
    assert dies.host.active(dies.unit) == "active"


def test_pass_that_outlives_pass_timeout_is_asked_to_end_then_killed(supervisors):
    hangs = supervisors["hangs"]
    hangs.wait(lambda: hangs.says("runs longer than pass_timeout and is asked to end",
                                  "does not end and is killed", "was ended by signal 9 (Killed"))
    hangs.wait(lambda: hangs.command("status", check=(0, 1))["current"])
    assert len(hangs.issued()) == 1


def test_renewal_falls_due_by_the_wall_clock_while_the_agent_runs(supervisors):
    renews = supervisors["renews"]
    renews.wait(lambda: len(renews.issued()) == 2)
    renews.wait(lambda: "1 of 1 certificates current" in renews.host.show(renews.unit,
                                                                          "StatusText"))
    one = renews.command("status")
    assert one["newest_generation"] == 2 and one["serial"] == renews.issued()[1]["id"]
    first, second = one["history"]
    assert (first["event"], second["event"]) == ("issued", "issued")
    assert int(renews.host.output(["date", "-d", second["at"], "+%s"])) >= renews.due
