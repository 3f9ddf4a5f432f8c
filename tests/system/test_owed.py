"""A server that went down over a reload of the agent's, and that the pass could not bring back: the
next one that can does it. What an administrator has stopped stays so."""

import json

import pytest

from agent import USER
from origin import NAME

DIES = "nginx.service.d/50-dies.conf"
BROKEN = "/etc/nginx/conf.d/zz-broken.conf"
KILLED = (-9, 137)


@pytest.fixture(name="dies")
def fixture_dies(origin):
    """dies(MORE): a reload ends nginx, and what it then reads is broken by somebody else."""
    host = origin.host

    def dies(more=""):
        host.unit(DIES, "[Service]\nExecReload=\nExecReload=/bin/sh -c "
                  f"'echo nonsense > {BROKEN}; kill -KILL $MAINPID; {more}sleep 0.1'\n")

    def mend():
        host.remove(f"/etc/systemd/system/{DIES}")
        host.remove(BROKEN)
        host.run(["systemctl", "daemon-reload"])

    dies.mend = mend
    yield dies
    mend()


def owed(origin):
    return origin.host.exists(origin.agent.state_path("owed.nginx"))


def test_server_that_could_not_be_started_again_is_started_when_it_can(origin, dies):
    dies()
    done = origin.agent.renew(NAME, force=True, check=1)
    assert "zz-broken.conf" in done.target(NAME)["error"]["message"]
    assert origin.nginx.active() == "failed" and owed(origin)
    note = json.loads(origin.host.read(origin.agent.state_path("schedule.json")))
    assert note["next_at"] - note["finished_at"] <= 300, "a server is down because of us"
    # not yet
    again = origin.agent.renew(check=1)
    assert "zz-broken.conf" in again.target(NAME)["error"]["message"]
    assert "went down over a reload and is not started again yet" in again.stderr
    assert origin.nginx.active() == "failed"
    dies.mend()
    origin.agent.renew(check=0)
    assert origin.nginx.active() == "active" and not owed(origin)
    assert origin.served() == origin.serials()[1] and len(origin.serials()) == 2


def test_server_whose_pass_was_killed_while_it_went_down_is_started_by_the_next(origin, dies):
    dies("pkill -KILL -x origin-ca-agent; ")
    assert origin.agent.renew(NAME, force=True).returncode in KILLED
    origin.host.wait(lambda: origin.nginx.active() == "failed", 10)
    assert owed(origin)
    dies.mend()
    origin.agent.renew(check=0)
    assert origin.nginx.active() == "active" and not owed(origin)
    assert origin.served() == origin.serials()[1] and len(origin.serials()) == 2


def test_server_is_started_though_no_certificate_of_it_is_due(origin, dies):
    """The one over which it went down has another target now; the others are as they were."""
    other = "other.example.com"
    origin.agent.certificate(other, targets=["nginx"], hostnames=[other])
    origin.nginx.add(other, other)
    origin.agent.renew(check=0)
    dies()
    origin.agent.renew(NAME, force=True, check=1)
    assert origin.nginx.active() == "failed"
    dies.mend()
    origin.agent.certificate(NAME, targets=None)
    origin.agent.scheduled_pass(check=0)
    assert origin.nginx.active() == "active" and not owed(origin)
    assert not origin.agent.renew(check=0).json["changed"]


def test_first_certificate_of_which_a_server_dies_a_while_later_is_taken_back(clean_agent,
                                                                              clean_nginx):
    """Later than the agent looks at the unit; before, there was a placeholder."""
    host, agent, nginx = clean_agent.host, clean_agent, clean_nginx
    agent.sandbox.fault("POST /certificates:error=1100:always")
    agent.target("nginx", probe_timeout="4s")
    agent.certificate(NAME)
    nginx.add(NAME)
    agent.renew(check=1)
    nginx.start()
    placeholder = nginx.served(NAME).serial
    host.unit(DIES, "[Service]\nExecReload=\nExecReload=/bin/sh -c "
              f"'if grep -q /0000/ {nginx.snippet(NAME)}; then kill -HUP $MAINPID; "
              "else (sleep 2; kill -KILL $MAINPID) & fi'\n")
    agent.sandbox.clear_faults()
    done = agent.renew(check=1)
    assert done.target(NAME)["rolled_back"], done
    assert "went down a while after" in done.target(NAME)["error"]["message"]
    assert nginx.active() == "active" and nginx.served(NAME).serial == placeholder
    host.remove(f"/etc/systemd/system/{DIES}")
    host.run(["systemctl", "daemon-reload"])
    agent.renew(check=0)
    assert nginx.served(NAME).serial == agent.sandbox.issued()[-1]["id"]


def test_server_that_somebody_is_stopping_is_not_started(origin):
    """The stop comes while the configuration is tested."""
    unit = "origin-ca-agent-test@nginx.service.d/stops.conf"
    origin.host.unit(unit, "[Service]\nExecStart=\nExecStart=/bin/systemctl --no-block stop "
                     "nginx.service\nExecStart=/bin/sleep 0.3\n")
    done = origin.agent.renew(NAME, force=True, check=1)
    origin.host.remove(f"/etc/systemd/system/{unit}")
    origin.host.run(["systemctl", "daemon-reload"])
    assert origin.nginx.active() == "inactive", done
    assert not done.target(NAME)["rolled_back"] and not owed(origin)
    origin.nginx.start()
    origin.agent.renew(check=0)
    assert origin.served() == origin.serials()[1]


def test_what_an_administrator_has_stopped_since_is_not_started(origin, dies):
    dies()
    origin.agent.renew(NAME, force=True, check=1)
    dies.mend()
    origin.host.run(["systemctl", "reset-failed", origin.nginx.unit])
    done = origin.agent.renew(check=1)
    assert "waits for its start" in done.target(NAME)["error"]["message"]
    assert origin.nginx.active() == "inactive"
    # and what he has started, is no longer owed
    origin.nginx.start()
    origin.agent.renew(check=0)
    assert not owed(origin) and origin.served() == origin.serials()[1]


def test_debt_ends_with_the_boot(origin, dies):
    """After it, systemd starts what is to run."""
    dies()
    origin.agent.renew(NAME, force=True, check=1)
    path = origin.agent.state_path("owed.nginx")
    boot, unit = origin.host.read(path).split()
    assert unit == "nginx.service"
    origin.host.write(path, f"{boot[::-1]} {unit}\n", mode=0o600,
                      owner=f"{USER}:{USER}" if origin.agent.has_user else "root:root")
    dies.mend()
    assert "waits for its start" in origin.agent.renew(check=1).target(NAME)["error"]["message"]
    assert origin.nginx.active() == "failed"
