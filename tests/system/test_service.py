"""origin-ca-agent.service under a real systemd: the supervisor, and passes as its children."""

import re
import signal
import socket

from agent import CONFIG_DIRECTORY, PROGRAM, SERVICE
from network import in_network
from origin import NAME
from service import hang

ONCE = "origin-ca-agent-once.service"
TIMER = "origin-ca-agent.timer"


def test_first_pass_issues_deploys_and_says_what_is_next(service, clean_nginx):
    """Also: the token is a systemd credential, and no token_file is configured."""
    agent, nginx = service.agent, clean_nginx
    agent.configure(api={"token_file": None})
    agent.certificate(NAME)
    nginx.add(NAME)
    agent.host.remove(f"{CONFIG_DIRECTORY}/api-token")
    agent.renew(check=1)        # leaves a placeholder, so that nginx can start
    nginx.start()
    agent.token(agent.sandbox.token)
    agent.start()
    service.settled()
    assert agent.host.active(SERVICE) == "active"
    assert re.match(r"1 of 1 certificates current; next: .* at 20\d\d-", service.status_text())
    served = nginx.served(NAME, ca=agent.sandbox.roots())
    assert served.serial == agent.sandbox.issued()[0]["id"]
    assert len(agent.sandbox.issued()) == 1


def test_reload_takes_up_a_new_drop_in(service):
    agent = service.agent
    agent.start()
    service.settled()
    agent.certificate("example.net", targets=None)
    agent.reload()
    agent.host.wait(lambda: len(agent.sandbox.issued()) == 2, message="the new one is issued")
    service.settled()
    assert service.status_text().startswith("2 of 2 certificates current")


def test_reload_with_a_broken_main_file_keeps_the_service_and_its_settings(service):
    agent = service.agent
    agent.start()
    service.settled()
    pid = service.pid()
    agent.configure(agent={"concurrency": "many"})
    agent.reload()
    agent.host.wait(lambda: service.says("agent.ini:2", "concurrency", "its last good definition",
                                         "is in force"), 60, agent.journal)
    agent.host.wait(lambda: not service.children())
    assert agent.host.active(SERVICE) == "active" and service.pid() == pid
    agent.configure()
    agent.reload()
    agent.host.wait(lambda: service.status_text().startswith("1 of 1 certificates current"))


def test_broken_main_file_of_which_nothing_good_is_kept_leaves_the_settings_as_they_are(service):
    agent = service.agent
    agent.start()
    service.settled()
    pid = service.pid()
    agent.host.remove(agent.state_path("definitions.json"))
    agent.configure(agent={"concurrency": "many"})
    agent.reload()
    agent.host.wait(lambda: service.says("the former [agent] settings stay in force"), 60,
                    agent.journal)
    agent.host.wait(lambda: not service.children())
    assert agent.host.active(SERVICE) == "active" and service.pid() == pid
    agent.configure()
    agent.renew(check=0)
    agent.host.wait(lambda: service.status_text().startswith("1 of 1 certificates current"), 60,
                    agent.journal)


def test_bad_drop_in_is_reported_and_the_others_are_served(service):
    agent = service.agent
    agent.drop_in("bad", "[certificate example.net]\nvaliditi = 90d\n")
    agent.start()
    service.settled()
    assert service.says("bad.ini:2", "validiti", 'did you mean "validity"?')
    assert len(agent.sandbox.issued()) == 1
    assert service.status_text().startswith("1 of 1 certificates current")


def test_each_reload_is_announced_and_ends_with_ready_also_after_a_bad_one(service):
    """As Type=notify-reload of newer systemds wants it: read where systemd would."""
    host, name = service.host, "origin-ca-agent-test-notify"

    def listen():
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        listener.bind("\0" + name)
        listener.settimeout(60)
        return listener

    def hear(until):
        lines = []
        while until not in lines:
            lines += listener.recv(4096).decode().splitlines()
        return lines

    with in_network(host.pid, listen) as listener:
        process = host.spawn([PROGRAM, "run"], env={"NOTIFY_SOCKET": f"@{name}"})
        hear("READY=1")
        for text in (None, "many"):
            service.agent.configure(agent={"concurrency": text} if text else None)
            process.send_signal(signal.SIGHUP)
            lines = hear("READY=1")
            announced = lines.index("RELOADING=1")
            assert re.fullmatch(r"MONOTONIC_USEC=\d+", lines[announced + 1])
            assert announced < lines.index("READY=1")
        process.send_signal(signal.SIGTERM)
        hear("STOPPING=1")
        assert process.wait(30) == 0


def test_service_is_ready_though_the_api_hangs_and_stops_cleanly_during_a_pass(service):
    """Whoever is ordered after it must not wait for Cloudflare."""
    agent = service.agent
    hang(service)
    agent.start()
    pid = service.in_pass()
    assert [child for child, _ in service.children()] == [pid], "the pass still waits"
    agent.stop()
    unit = agent.host.show(SERVICE, "Result", "ActiveState", "ExecMainStatus")
    assert unit == {"Result": "success", "ActiveState": "inactive", "ExecMainStatus": "0"}
    assert agent.host.output(["pgrep", "-f", PROGRAM], check=1) == ""
    assert agent.host.output(["journalctl", "-q", "-p", "err", "-o", "cat", "-u", SERVICE]) == ""
    agent.sandbox.clear_faults()
    assert agent.renew(check=0).certificate(NAME)["outcome"] == "adopted"
    assert len(agent.sandbox.issued()) == 1


def test_service_is_ready_though_the_api_is_down(service):
    agent = service.agent
    agent.sandbox.stop()
    agent.start()
    assert agent.host.active(SERVICE) == "active"
    service.settled()
    assert service.status_text().startswith("0 of 1 certificates current; next: certificate")
    assert service.says("127.0.0.1 port 8443")


def test_supervisor_that_hangs_is_restarted_by_the_watchdog_and_no_other(service):
    service.adjust("WatchdogSec=4s", "RestartSec=100ms")
    agent = service.agent
    agent.start()
    service.settled()
    pid = service.pid()
    service.signal(pid, signal.SIGSTOP)
    agent.host.wait(lambda: service.pid() not in (0, pid) and
                    agent.host.active(SERVICE) == "active", 60, "it is restarted")
    service.settled()
    assert agent.host.show(SERVICE, "NRestarts") == "1"
    assert service.says("watchdog")


def test_pass_ends_by_itself_at_pass_timeout_though_the_api_hangs(service):
    agent = service.agent
    agent.configure(agent={"pass_timeout": "3s"}, api={"timeout": "1h"})
    agent.sandbox.fault("POST /certificates:hang:always")
    agent.start()
    service.settled()
    assert service.status_text().startswith("0 of 1 certificates current")
    assert not service.says("ended by signal")


def test_pass_of_the_timer_that_dies_is_reported_too(service):
    """And the next one, which ends well, takes that back."""
    agent, host = service.agent, service.host
    host.unit(f"{TIMER}.d/50-test.conf", "[Timer]\nOnCalendar=\nOnActiveSec=\nOnActiveSec=1s\n"
              "RandomizedDelaySec=0\nAccuracySec=100ms\n")
    hang(service)
    try:
        host.run(["systemctl", "start", TIMER])
        host.wait(agent.sandbox.issued, 60, "the timer's pass asks")
        host.run(["kill", "-KILL", host.show(ONCE, "MainPID")])
        host.wait(lambda: "failed_pass" in agent.status().json, 60, lambda: host.journal(ONCE))
        told = agent.status().json["failed_pass"]
        assert told["signal"] == 9 and told["failures"] == 1 and not told["out_of_time"]
        assert "a pass was ended by signal 9 (Killed)" in host.journal(ONCE)

        agent.sandbox.clear_faults()
        agent.configure()
        host.run(["systemctl", "stop", TIMER])
        host.run(["systemctl", "start", TIMER])
        host.wait(lambda: agent.status().certificate(NAME)["current"], 60)
        host.wait(lambda: "failed_pass" not in agent.status().json, 60)
        assert len(agent.sandbox.issued()) == 1
    finally:
        host.run(["systemctl", "stop", TIMER, ONCE])
        host.remove(f"/etc/systemd/system/{TIMER}.d/50-test.conf")
        host.run(["systemctl", "daemon-reload"])


def test_second_pass_is_refused_with_the_pid_of_the_first(service):
    agent = service.agent
    hang(service)
    agent.start(wait=False)
    pid = service.in_pass()
    done = agent.renew(check=4)
    assert done.json["exit_status"] == 4 and done.json["error"]["class"] == "local"
    assert f"(process {pid})" in done.json["error"]["message"] and str(pid) in done.stderr
    assert agent.status().certificate(NAME)["active_generation"] == 0, "looking needs no lock"


def test_service_waits_for_somebody_elses_pass(service):
    agent = service.agent
    agent.start()
    service.settled()
    agent.certificate("example.net", targets=None)
    hang(service)
    agent.sandbox.mark()
    process = agent.host.spawn([PROGRAM, "--renew-now"])
    agent.host.wait(agent.sandbox.issued, message="it has the lock and asks")
    agent.reload()
    agent.host.wait(lambda: "Another pass holds the lock" in service.status_text())
    process.kill()


def test_replaced_binary_is_what_the_next_pass_runs(service):
    host, trace = service.host, service.agent.state_path("replaced-binary-ran")
    service.agent.start()
    service.settled()
    supervisor = service.pid()
    host.run(["mv", PROGRAM, f"{PROGRAM}.real"])
    try:
        host.write(PROGRAM, f'#!/bin/sh\necho "$@" > {trace}\nexec {PROGRAM}.real "$@"\n', 0o755)
        service.agent.reload()
        host.wait(lambda: host.exists(trace), message="the new program runs")
        service.settled()
    finally:
        host.run(["mv", "-f", f"{PROGRAM}.real", PROGRAM])
    assert host.read(trace).split()[-1] == "pass" and service.pid() == supervisor


def test_supervisor_loads_neither_libcurl_nor_openssl(service):
    agent = service.agent
    hang(service)
    agent.start(wait=False)
    maps = agent.host.read(f"/proc/{service.in_pass()}/maps")
    assert "libcurl" in maps and "libcrypto" in maps, "the pass does"
    maps = agent.host.read(f"/proc/{service.pid()}/maps")
    assert "libsystemd" in maps
    assert not re.search("libcurl|libcrypto|libssl", maps)


def test_reloads_leave_no_zombie_and_no_descriptor(service):
    agent, host = service.agent, service.host
    agent.start()
    service.settled()
    before = host.list(f"/proc/{service.pid()}/fd")
    for number in range(6):
        agent.certificate("example.net", targets=None, hostnames=[f"h{number}.example.net"])
        agent.reload()
        host.wait(lambda: len(agent.sandbox.issued()) == number + 2 or number == 5)
        service.settled()
    # the last change may have one more pass begin; what is left behind stays
    host.wait(lambda: service.children() == [] and
              host.list(f"/proc/{service.pid()}/fd") == before, 20,
              lambda: f"{service.children()}, {host.list(f'/proc/{service.pid()}/fd')}")
