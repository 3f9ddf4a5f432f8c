"""A host whose clock is wrong: no certificate is asked for, and everything else goes on. The clock
of the agent is turned (turned.py), the API's is right."""

import json
import re

import pytest

import product
from agent import Agent, PROGRAM
from nginx import Nginx
from sandbox import Sandbox
from turned import TurnedClock

DAY = 86400
NAME = "example.com"
CONFIG = "/etc/origin-ca-agent/agent.ini"


class Turned:
    def __init__(self, host, build):
        self.host, self.nginx = host, Nginx(host)
        self.sandbox = Sandbox(host, product.sandbox_program(build), chaos=False)
        self.agent = Agent(host, self.sandbox)
        self.clock = TurnedClock(host, build, "agent", hurry=True)

    def begin(self):
        """One certificate that is served; what follows is counted anew."""
        self.clock.set(0)
        self.sandbox.clock(0)
        self.agent.reset()
        self.nginx.remove_all()
        self.host.run(["systemctl", "start", self.nginx.unit])
        self.agent.certificate(NAME)
        self.nginx.add(NAME)
        self.renew(check=0)
        self.serial = self.served()
        self.sandbox.mark()
        return self

    def renew(self, *names, **options):
        return self.agent.renew(*names, env=self.clock.environment, **options)

    def served(self):
        return self.nginx.served(NAME, ca=self.sandbox.roots()).serial

    def asked(self):
        """What the API was asked, without what the tests ask the sandbox, and without whether what
        is there was revoked."""
        return [f"{one['method']} {one['path'].removeprefix('/client/v4')}"
                for one in self.sandbox.requests()
                if not re.search("/sandbox/|/ssl/|/certificates/[0-9]", one["path"])]

    def metrics(self, name):
        """The values of one metric, by what stands between its name and the value."""
        lines = self.host.read(self.agent.state_path("metrics.prom")).splitlines()
        return {line[len(name):].rpartition(" ")[0]: float(line.rpartition(" ")[2])
                for line in lines if re.match(name + "[ {]", line)}

    def wrong(self):
        return self.metrics("origin_ca_clock_wrong")[""]

    def note(self):
        return json.loads(self.host.read(self.agent.state_path("schedule.json")))


@pytest.fixture(scope="module", name="machine")
def fixture_machine(tmp_path_factory):
    build = product.plain_build_directory()
    root = tmp_path_factory.mktemp("installed")
    product.install(build, root)
    with product.boot_host(root, build) as host:
        yield Turned(host, build)


@pytest.fixture(name="turned")
def fixture_turned(machine):
    return machine.begin()


def says(done, *words):
    error = done.certificate(NAME)["error"]
    for word in words:
        assert word in f"{error['message']} -> {error.get('remedy', '')}", error
    return error


def test_clock_years_ahead_makes_no_certificate_but_repairs_what_is_served(turned):
    with turned.clock.wrong_by(3 * 365 * DAY):
        turned.host.remove(turned.nginx.snippet(NAME))
        done = turned.renew(check=1)
        error = says(done, "this host's clock is wrong: it says 20", "the clock of [api] says 20",
                     "earlier", "no certificate is asked for", "goes on being deployed and served",
                     "timedatectl", "chronyc")
        assert error["class"] == "local" and done.certificate(NAME)["reissue"] == ["expiring"]
        assert done.target(NAME)["verified"] and turned.served() == turned.serial
        assert abs(done.json["clock"]["offset"] + 3 * 365 * DAY) < 60
        assert set(turned.asked()) <= {"GET /ips"} and turned.sandbox.issued() == []
        assert turned.wrong() == 1
        assert turned.metrics("origin_ca_clock_offset_seconds")["{api=\"\"}"] < -3 * 364 * DAY
        # every few minutes, and without asking for anything but the time
        note = turned.note()
        assert 0 < note["next_at"] - note["finished_at"] <= 310
        assert note["clock_source"] == "[api]" and note["clock_offset"] < -3 * 364 * DAY
        assert "clock is wrong" in turned.agent.command(
            "status", check=1, env=turned.clock.environment).stdout
    done = turned.renew(check=0)
    assert done.certificate(NAME)["outcome"] == "current" and turned.sandbox.issued() == []
    assert "error" not in done.json.get("clock", {}) and turned.wrong() == 0


def test_clock_before_the_build_asks_nobody_and_says_so_though_nothing_is_due(turned):
    with turned.clock.wrong_by(-10 * 365 * DAY):
        done = turned.renew(check=1)
        assert "this program was built 202" in done.json["clock"]["error"]["message"]
        assert "this host's clock is wrong" in done.stderr and turned.wrong() == 1
        done = turned.renew(NAME, force=True, check=1)
        says(done, "this program was built", "timedatectl")
        assert turned.asked() == [] and turned.served() == turned.serial and turned.wrong() == 1
    turned.renew(check=0)
    assert turned.wrong() == 0


def test_clock_before_the_certificate_was_issued_asks_nobody(turned):
    with turned.clock.wrong_by(-2 * DAY):
        done = turned.renew(NAME, force=True, check=1)
        says(done, f"the certificate {NAME} was issued", "1 day 23 h later")
        assert turned.wrong() == 1
        assert turned.asked() == [] and turned.served() == turned.serial


@pytest.mark.parametrize("seconds", [-3000, 3000])
def test_clock_within_an_hour_is_good_enough(turned, seconds):
    with turned.clock.wrong_by(seconds):
        done = turned.renew(NAME, force=True, check=0)
        assert done.certificate(NAME)["issued"]
        assert abs(done.json["clock"]["offset"] + seconds) < 60 and turned.wrong() == 0


def test_time_is_asked_once_for_all_certificates_of_an_account(turned):
    names = [f"shop{number}.example.com" for number in range(4)]
    for name in names:
        turned.agent.certificate(name, targets=None)
    with turned.clock.wrong_by(2 * 3600):
        done = turned.renew(check=1)
        for name in names:
            assert "1 h" in done.certificate(name)["error"]["message"] or \
                "2 h" in done.certificate(name)["error"]["message"]
        assert turned.asked() == ["GET /ips"]
    turned.sandbox.mark()
    turned.renew(check=0)
    assert sorted(turned.asked()) == ["GET /ips"] + 4 * ["POST /certificates"]


def test_certificate_of_the_api_that_is_not_valid_by_our_clock_points_at_the_clock(turned):
    """The clock of a first run: nothing here says that it is wrong but the API's own TLS."""
    turned.agent.reset()
    turned.agent.certificate(NAME, targets=None)
    with turned.clock.wrong_by(-36 * 3600):
        error = says(turned.renew(check=1), "by this host's clock it is 20", "timedatectl")
        assert error["class"] == "transient" and turned.sandbox.issued() == []


class TestSupervisor:
    """The agent that runs while the clock is turned."""

    @pytest.fixture(name="running")
    def fixture_running(self, turned, request):
        host = turned.host
        turned.unit = f"turned-{request.node.name}.service"     # and a journal of its own
        host.run(["systemd-run", "--quiet", "--collect", f"--unit={turned.unit}",
                  "--service-type=notify",
                  *(f"--setenv={word}" for word in turned.clock.words()),
                  PROGRAM, "--config", CONFIG, "run"])
        self.settled(turned)
        yield turned
        host.run(["systemctl", "stop", turned.unit])

    @staticmethod
    def settled(turned, words="next: "):
        turned.host.wait(lambda: words in turned.host.show(turned.unit, "StatusText"), 20,
                         lambda: turned.host.journal(turned.unit))

    def looks_again(self, turned, words):
        """A pass follows soon after the clock was set."""
        before = turned.note()["finished_at"]
        turned.host.wait(lambda: words in turned.host.journal(turned.unit), 20,
                         lambda: turned.host.journal(turned.unit))
        turned.clock.passes(6)
        turned.host.wait(lambda: turned.note()["finished_at"] != before)
        self.settled(turned)

    def test_clock_that_is_set_either_way_is_looked_at_anew(self, running):
        running.clock.set(2 * DAY + 100)
        self.looks_again(running, "the clock was set forward by 2 days")
        running.clock.set(running.clock.wall + 30)      # as time synchronisation does
        running.clock.set(0)
        self.looks_again(running, "the clock was set back by 2 days")
        assert running.host.journal(running.unit).count("the clock was set") == 2
        assert running.sandbox.issued() == [] and running.served() == running.serial

    def test_wrong_clock_that_is_put_right_is_noticed_at_once(self, running):
        running.clock.set(400 * DAY + 100)
        self.looks_again(running, "the clock was set forward by 400 days")
        running.host.wait(
            lambda: "this host's clock is wrong" in running.host.journal(running.unit))
        assert "0 of 1 certificates current" in running.host.show(running.unit, "StatusText")
        running.clock.set(0)
        self.looks_again(running, "the clock was set back by 400 days")
        assert "1 of 1 certificates current" in running.host.show(running.unit, "StatusText")
        assert running.sandbox.issued() == [] and running.served() == running.serial

    def test_renewal_that_fell_due_in_a_suspend_follows_at_once(self, running):
        running.sandbox.clock(70 * DAY)
        running.clock.passes(70 * DAY)
        running.host.wait(lambda: len(running.sandbox.issued()) == 1)
        serial = running.sandbox.issued()[0]["id"]      # not valid yet by this machine's clock
        running.host.wait(lambda: running.nginx.served(NAME).serial == serial)
        assert "the clock was set" not in running.host.journal(running.unit)
