"""SIGTERM and SIGINT while something is under way: it is finished or rolled back, and soon."""

import signal
import time

import pytest

from agent import PROGRAM
from origin import NAME

STOP_MOST = 30          # seconds: base/stop.h
SLACK = 30              # of a busy machine
DROP_IN = "nginx.service.d/slow.conf"
TEMPLATE = "/etc/origin-ca-agent/templates/nginx.mustache"


@pytest.fixture
def stoppable(origin):
    yield origin
    origin.host.remove(f"/etc/systemd/system/{DROP_IN}")
    origin.host.run(["systemctl", "daemon-reload"])


def slow_reload(origin, seconds):
    """Leaves a mark when a reload has begun, and takes its time."""
    origin.host.remove("/run/reload-began")
    origin.host.unit(DROP_IN, "[Service]\nExecReload=\nExecReload=/bin/sh -c "
                     f"'touch /run/reload-began; sleep {seconds}; kill -HUP $MAINPID'\n")


def start_renewal(origin):
    """Of a certificate that is to cover another name as well."""
    origin.agent.certificate(NAME, hostnames=[NAME, f"www.{NAME}"])
    return origin.host.spawn([PROGRAM, "--renew-now"])


def stop(process, number=signal.SIGTERM):
    """Sends it and waits for the end: (exit status, seconds)."""
    began = time.monotonic()
    process.send_signal(number)
    return process.wait(STOP_MOST + SLACK), time.monotonic() - began


def assert_nothing_is_lost(origin, issued):
    """The next pass goes on where the last was stopped, at once, and asks for nothing again."""
    origin.agent.scheduled_pass(check=0)
    assert len(origin.agent.sandbox.issued()) == issued
    assert origin.agent.status(check=0).certificate(NAME)["current"]
    assert origin.served() == origin.serials()[-1]


def assert_nobody_failed(origin):
    """What the stop cut off is no rollback: nobody is told of one, and no failure is counted."""
    state = origin.agent.state(NAME)
    assert not {"rolled-back", "failed", "held"} & {one["event"] for one in state["history"]}
    assert "last_error" not in origin.agent.status(check=None).certificate(NAME)["targets"][0]
    assert not state.get("alarms")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["term", "int"])
def test_answer_that_does_not_come_is_not_waited_for_and_looked_up_later(stoppable, number):
    origin = stoppable
    before = len(origin.agent.sandbox.issued())
    origin.agent.configure(api={"timeout": "10m"})
    origin.agent.sandbox.fault("POST /certificates:hang-after")
    process = start_renewal(origin)
    origin.host.wait(lambda: len(origin.agent.sandbox.issued()) > before, 60, "it has asked")
    status, seconds = stop(process, number)
    assert status == 1 and seconds < STOP_MOST
    history = origin.agent.status().certificate(NAME)
    assert history["history"][-1]["event"] == "stopped" and "last_error" not in history
    origin.agent.sandbox.clear_faults()
    origin.agent.configure()
    origin.agent.renew(check=0)
    assert_nothing_is_lost(origin, before + 1)


def test_slow_reload_is_finished_and_verified(stoppable):
    origin = stoppable
    issued = len(origin.agent.sandbox.issued())
    slow_reload(origin, 3)
    process = start_renewal(origin)
    origin.host.wait(lambda: origin.host.exists("/run/reload-began"), 60)
    status, _ = stop(process)
    assert status == 0
    assert origin.served() == origin.serials()[-1]
    assert_nothing_is_lost(origin, issued + 1)


def test_reload_that_hangs_is_rolled_back(stoppable):
    origin = stoppable
    issued = len(origin.agent.sandbox.issued())
    served, generation = origin.served(), origin.generation()
    slow_reload(origin, 300)
    process = start_renewal(origin)
    origin.host.wait(lambda: origin.host.exists("/run/reload-began"), 60)
    status, seconds = stop(process)
    assert status == 1 and seconds < STOP_MOST + 5
    assert origin.generation() == generation, "the former snippet is back"
    assert origin.served() == served
    assert_nobody_failed(origin)
    origin.host.remove(f"/etc/systemd/system/{DROP_IN}")
    origin.host.run(["systemctl", "daemon-reload"])
    origin.host.run(["sh", "-c", "systemctl list-jobs --no-legend | cut -d' ' -f1 | "
                     "xargs -r systemctl cancel; pkill -x sleep; sleep 0.2; "
                     "systemctl cancel"], check=False)
    assert_nothing_is_lost(origin, issued + 1)


def test_handshakes_that_show_the_old_leaf_are_rolled_back_without_waiting_longer(stoppable):
    origin = stoppable
    issued = len(origin.agent.sandbox.issued())
    generation = origin.generation()
    origin.agent.target("nginx", probe_timeout="5m")
    origin.nginx.hold_stale(NAME)
    slow_reload(origin, 0)
    process = start_renewal(origin)
    origin.host.wait(lambda: origin.host.exists("/run/reload-began"), 60)
    origin.host.wait(lambda: origin.generation() != generation, 60)
    status, seconds = stop(process)
    assert status == 1 and seconds < STOP_MOST
    assert origin.generation() == generation
    assert_nobody_failed(origin)
    origin.nginx.let_go(NAME)
    assert_nothing_is_lost(origin, issued + 1)


def test_superseded_certificate_is_not_revoked_after_a_stop(stoppable):
    """Nothing new is begun; the next pass does it, and nobody has failed."""
    origin = stoppable
    origin.agent.certificate(NAME, revoke_superseded="0s")
    origin.agent.renew(check=0)
    old = origin.served()
    slow_reload(origin, 3)
    origin.agent.certificate(NAME, hostnames=[NAME, f"www.{NAME}"], revoke_superseded="0s")
    process = origin.host.spawn([PROGRAM, "--renew-now"])
    origin.host.wait(lambda: origin.host.exists("/run/reload-began"), 60)
    status, _ = stop(process)
    assert status == 0 and origin.served() == origin.serials()[-1]
    assert old not in origin.sandbox.revoked()
    assert "revoke_error" not in origin.agent.state(NAME)
    origin.agent.scheduled_pass(check=0)
    assert old in origin.sandbox.revoked()


def test_search_for_a_culprit_that_is_stopped_leaves_it_in_no_place(stoppable):
    """The first half is reloaded for so long that no time is left for the second, which the
    server has refused a moment ago: it must be able to start again with what is in place."""
    origin = stoppable
    host, agent, nginx = origin.host, origin.agent, origin.nginx
    agent.certificate("wild", hostnames="*.w.example.com")
    nginx.add("wild", "*.w.example.com")
    agent.renew(check=0)
    host.remove("/run/reload-began")
    host.remove("/run/reloads")
    # 1: both, refused; 2: the way back; 3: the first half
    host.write("/srv/reload", "#!/bin/sh\necho >> /run/reloads\n"
               f"grep -q deadly {nginx.snippet('wild')} && exit 1\n"
               "[ $(wc -l < /run/reloads) -lt 3 ] || { touch /run/reload-began; sleep 7; }\n"
               "kill -HUP $1\n", mode=0o755)
    host.unit(DROP_IN, "[Service]\nExecReload=\nExecReload=/srv/reload $MAINPID\n")
    packaged = host.read("/usr/share/origin-ca-agent/templates/nginx.mustache")
    host.write(TEMPLATE, packaged + "{{#hostnames}}{{#wildcard}}# deadly\n"
               "{{/wildcard}}{{^wildcard}}# harmless\n{{/wildcard}}{{/hostnames}}\n")
    process = host.spawn([PROGRAM, "--renew-now"])
    host.wait(lambda: host.exists("/run/reload-began"), 60)
    status, _ = stop(process)
    assert status == 1
    assert "harmless" in host.read(nginx.snippet(NAME))
    assert "deadly" not in host.read(nginx.snippet("wild"))
