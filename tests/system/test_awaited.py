"""Platforms that take up in their own time what was delivered: a pass waits a few seconds only,
what was delivered is waited for by the schedule, over restarts, and exactly once delivered."""

import pytest

from agent import SERVICE
from iis import MACHINE, NAME, PASSWORD, SCRIPT, SHARE, Iis
from service import Service

OTHER = "other.example.com"


@pytest.fixture(name="server", scope="module")
def fixture_server(module_host):
    return Iis(module_host)


@pytest.fixture(name="iis")
def fixture_iis(clean_agent, server):
    """A certificate that a script imports, whenever that is; nothing was done yet."""
    server.empty()
    server.host.unit(f"{SERVICE}.d/50-test.conf", f"[Service]\nReadWritePaths={SHARE}\n")
    clean_agent.target("iis", **server.keys())
    clean_agent.certificate(NAME, targets=["iis"])
    yield server
    clean_agent.stop()
    server.host.remove(f"/etc/systemd/system/{SERVICE}.d/50-test.conf")
    assert PASSWORD not in server.host.journal()


@pytest.fixture(name="settled")
def fixture_settled(clean_agent, iis):
    """Generation 1 was imported and is shown."""
    clean_agent.renew(check=1)
    iis.run_script()
    clean_agent.renew(check=0)
    return iis


def of_target(agent, name=NAME):
    found = agent.status(name).json["certificates"][0]
    return {**found["targets"][0], "state": found["state"]}


def state_of(agent, name=NAME):
    return agent.state(name)["targets"][0]


def test_pass_ends_while_the_platform_takes_its_time_and_says_so(clean_agent, iis):
    done = clean_agent.renew(check=1)           # not after an hour
    found = done.target(NAME, "iis")
    assert done.certificate(NAME)["outcome"] == "waiting"
    assert "error" not in found and found["awaited_since"] < found["awaited_until"]
    shown = of_target(clean_agent)
    assert (shown["awaited_since"], shown["state"]) == (found["awaited_since"], "waiting")
    assert "last_error" not in shown and not shown["current"]
    text = clean_agent.command("status").stdout.replace("\n      ", " ")
    assert "waits since" in text and found["awaited_since"] in text
    assert "waits since" in clean_agent.command("--renew-now").stdout


def test_success_in_between_commits_what_was_delivered_once(clean_agent, settled):
    done = clean_agent.renew(NAME, force=True, check=1)
    placed, since = settled.placed(), done.target(NAME, "iis")["awaited_since"]
    assert placed[0] == 2 and settled.served() != done.certificate(NAME)["serial"]
    for _ in range(2):          # it is looked at, and not delivered again
        again = clean_agent.renew(check=1)
        assert again.target(NAME, "iis")["awaited_since"] == since
        assert (settled.placed(), again.json["reloads"]) == (placed, 0)
    settled.run_script()
    assert clean_agent.renew(check=0).json["reloads"] == 0
    assert settled.served() == done.certificate(NAME)["serial"]
    shown = of_target(clean_agent)
    assert "awaited_since" not in shown and shown["verified_generation"] == 2
    assert settled.placed() == placed
    left = clean_agent.host.list(clean_agent.state_path("certificates", NAME))
    assert not [name for name in left if name.startswith("rollback.")]


def test_local_drop_in_is_served_while_the_service_waits(clean_agent, iis):
    service = Service(clean_agent)
    clean_agent.start()
    iis.host.wait(lambda: iis.placed() and "awaited_since" in state_of(clean_agent), 30)
    placed = iis.placed()
    clean_agent.certificate(OTHER, targets=None)
    live = clean_agent.state_path("live", OTHER, "cert.pem")
    iis.host.wait(lambda: iis.host.exists(live), 20)
    assert state_of(clean_agent)["verified_generation"] == 0
    clean_agent.renew(OTHER, check=0)           # nobody holds the lock
    iis.run_script()
    iis.host.wait(lambda: state_of(clean_agent)["verified_generation"] == 1, 90,
                  lambda: f"{service.status_text()}\n{clean_agent.journal()}")
    assert iis.placed() == placed


def test_wait_survives_a_restart_and_ends_with_the_former_one(clean_agent, settled):
    clean_agent.target("iis", **settled.keys(probe_timeout="25s"))
    clean_agent.renew(check=0)
    former = settled.served()
    done = clean_agent.renew(NAME, force=True, check=1)
    since = state_of(clean_agent)["awaited_since"]
    assert settled.placed()[0] == 2 and done.certificate(NAME)["outcome"] == "waiting"
    clean_agent.start()
    clean_agent.host.run(["systemctl", "kill", "--signal=KILL", SERVICE])
    clean_agent.host.run(["systemctl", "restart", SERVICE])
    assert state_of(clean_agent)["awaited_since"] == since
    settled.host.wait(lambda: settled.placed()[0] == 1, 60, clean_agent.journal)
    assert int(settled.host.stat(SCRIPT, "%Y")) >= since + 25
    settled.host.wait(lambda: "awaited_since" not in state_of(clean_agent))
    assert state_of(clean_agent)["refused_generation"] == 2
    shown = of_target(clean_agent)
    assert shown["state"] == "failing" and "previous certificate" in shown["last_error"]["message"]
    settled.run_script()
    assert settled.served() == former
    clean_agent.stop()
    # and the next try is a delivery again, with all the time
    clean_agent.target("iis", **settled.keys())
    clean_agent.renew(check=1)
    assert settled.placed()[0] == 2
    settled.run_script()
    clean_agent.renew(check=0)
    assert settled.served() == done.certificate(NAME)["serial"]


def test_service_looks_soon_at_what_somebody_else_delivered(clean_agent, settled):
    service = Service(clean_agent)
    clean_agent.start()
    service.settled()
    done = clean_agent.renew(NAME, force=True, check=1)
    settled.run_script()
    settled.host.wait(lambda: state_of(clean_agent)["verified_generation"] == 2, 60,
                      lambda: f"{service.status_text()}\n{clean_agent.journal()}")
    assert settled.served() == done.certificate(NAME)["serial"]


def test_server_that_hangs_does_not_hold_a_full_check_for_its_hour(clean_agent, settled):
    """It takes connections and says nothing; what is served there is not known, and stays."""
    listener = "import socket, time; s = socket.create_server(('127.0.0.1', 9446)); time.sleep(600)"
    settled.host.run(["systemd-run", "--quiet", "--collect", "--unit=mute.service",
                      "/usr/bin/python3", "-c", listener])
    settled.host.wait(lambda: settled.host.listening(9446))
    placed = settled.placed()
    clean_agent.target("iis", **settled.keys(probe="127.0.0.1:9446"))
    done = clean_agent.renew(NAME, check=1, timeout=60)        # by name: all is looked at
    assert done.certificate(NAME)["outcome"] == "waiting" and settled.placed() == placed
    settled.host.run(["systemctl", "stop", "mute.service"])
    clean_agent.target("iis", **settled.keys())
    clean_agent.renew(NAME, check=0)
    assert settled.placed() == placed


def test_script_that_is_never_run_is_told_of_and_nothing_else_fails(clean_agent, iis):
    clean_agent.target("iis", **iis.keys(probe_timeout="2s"))
    clean_agent.certificate(OTHER, targets=None)
    done = clean_agent.renew(check=1)
    error = done.target(NAME, "iis")["error"]
    assert error["class"] == "deploy" and "shows another certificate" in error["message"]
    assert "script" in error["remedy"]
    assert done.certificate(OTHER)["outcome"] == "issued"
    assert iis.host.list(MACHINE) == []
