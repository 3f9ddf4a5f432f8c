"""A server that went down over a reload of the agent's, and that the pass could not bring back: the
next one that can does it. What an administrator has stopped stays so."""

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
    attempt = origin.agent.state(NAME)["targets"][0]["attempt"]
    assert attempt["next"] - attempt["last"] <= 300, "a server is down because of us"
    # not yet
    assert "zz-broken.conf" in origin.agent.renew(check=1).target(NAME)["error"]["message"]
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
