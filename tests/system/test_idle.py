"""What the installed service costs while nothing is due: its user, its sandbox, its watchdog."""

import time

import pytest

import product
from agent import CONFIG_DIRECTORY, SERVICE, USER, Agent
from conftest import plain_host
from sandbox import Sandbox

pytestmark = pytest.mark.calm

CERTIFICATES = 1000
SECONDS = 60
PSS_KIB = 5 * 1024
# twice for each of the watchdog's messages, of which there is one in 90 s: woken, and having sent
SWITCHES = 2

DROP_INS = f"""cd {CONFIG_DIRECTORY}/conf.d
for number in $(seq {CERTIFICATES}); do
	printf '[certificate host%s.example.com]\\n' "$number" > "host$number.ini"
done"""


@pytest.fixture(name="agent", scope="module")
def fixture_agent():
    with plain_host() as (host, build):
        sandbox = Sandbox(host, product.sandbox_program(build), "--rate-limit", "none",
                          chaos=False)
        agent = Agent(host, sandbox)
        host.run(["mkdir", "-p", f"{CONFIG_DIRECTORY}/conf.d"])
        host.run(["sh", "-euc", DROP_INS])
        agent.start()
        host.wait(lambda: len(sandbox.issued()) == CERTIFICATES, 240, agent.journal)
        host.wait(lambda: "next:" in host.show(SERVICE, "StatusText"), 60, agent.journal)
        yield agent


def field(text, name):
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith(name + ":"))


class Process:
    def __init__(self, host, pid):
        self.host, self.directory = host, f"/proc/{pid}"

    def read(self, name):
        return self.host.output(["cat", f"{self.directory}/{name}"])

    def pss(self):
        return field(self.read("smaps_rollup"), "Pss")

    def switches(self):
        status = self.read("status")
        return field(status, "voluntary_ctxt_switches") + \
            field(status, "nonvoluntary_ctxt_switches")

    def ticks(self):
        fields = self.read("stat").rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])

    def children(self):
        pid = self.directory.rpartition("/")[2]
        return self.read(f"task/{pid}/children").split()


def test_idle_service_costs_no_tick_and_wakes_up_for_its_watchdog_alone(agent, tell):
    process = Process(agent.host, agent.host.show(SERVICE, "MainPID"))
    agent.host.wait(lambda: not process.children(), 60, agent.journal)
    time.sleep(2)
    pss = process.pss()
    ticks, switches = process.ticks(), process.switches()
    time.sleep(SECONDS)
    ticks, switches = process.ticks() - ticks, process.switches() - switches
    tell(f"{CERTIFICATES} certificates: PSS {pss} KiB, in {SECONDS} s {ticks} ticks, "
         f"{switches} context switches")
    assert agent.host.show(SERVICE, "User", "WatchdogUSec") == {"User": USER,
                                                                "WatchdogUSec": "3min"}
    assert not process.children()
    assert pss <= PSS_KIB and ticks == 0 and switches <= SWITCHES
