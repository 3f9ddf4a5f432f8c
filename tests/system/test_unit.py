"""agent/target/unit.h on a real systemd: jobs are waited for, states are believed only after."""

import json
import time

import pytest

SLEEP = "[Service]\nExecStart=/bin/sleep infinity\n"


class Driver:
    def __init__(self, host, build):
        self.host = host
        self.path = str(build / "tests/system/unit-driver")

    def __call__(self, *arguments, user=None, env=None):
        """The driver's answer; "error" is in it when the call failed."""
        command = ["setpriv", f"--reuid={user}", "--clear-groups"] if user else []
        done = self.host.run([*command, self.path, *map(str, arguments)], check=(0, 1), env=env)
        answer = json.loads(done.stdout)
        assert ("error" in answer) == (done.returncode == 1)
        return answer

    def job(self, verb, unit, timeout_ms=20000, **options):
        answer = self("job", verb, unit, timeout_ms, **options)
        return answer.get("error")


@pytest.fixture(scope="module")
def driver(module_host, build_directory):
    return Driver(module_host, build_directory)


@pytest.fixture
def nginx(module_host):
    """A running nginx whose own configuration is whole; what a test adds is taken away."""
    module_host.run(["systemctl", "start", "nginx.service"])
    yield module_host
    module_host.run(["sh", "-c", "rm -f /etc/nginx/conf.d/test-*.conf"])
    module_host.run(["systemctl", "stop", "nginx.service"])
    module_host.run(["systemctl", "reset-failed", "nginx.service"], check=False)


def start(host, name, text):
    host.unit(name, text)
    host.run(["systemctl", "start", name])


def main_pid(host, unit):
    return int(host.show(unit, "MainPID"))


# --- reading


def test_status_of_a_running_unit_is_read(nginx, driver):
    status = driver("status", "nginx.service")
    assert status == {
        "load_state": "loaded", "active_state": "active", "sub_state": "running",
        "result": "success", "can_reload": True, "main_pid": main_pid(nginx, "nginx.service"),
    }


def test_status_of_an_unknown_unit_is_no_error(driver):
    assert driver("status", "nowhere.service")["load_state"] == "not-found"


def test_status_of_a_unit_that_is_no_service_is_read(driver):
    status = driver("status", "dbus.socket")
    assert (status["load_state"], status["active_state"]) == ("loaded", "active")


def test_name_without_suffix_is_refused_with_a_remedy(driver):
    error = driver("status", "nginx")["error"]
    assert error["class"] == "configuration" and "nginx.service" in error["remedy"]


def test_first_unit_that_is_there_is_chosen(module_host, driver):
    module_host.unit("second.service", SLEEP)
    assert driver("choose", "first.service", "second.service", "nginx.service") == {
        "unit": "second.service"}


def test_no_unit_to_choose_names_all_that_were_tried(driver):
    error = driver("choose", "one.service", "two.service")["error"]
    assert (error["errno"], error["class"]) == ("ENOENT", "configuration")
    assert "one.service" in error["message"] and "two.service" in error["message"]


# --- jobs that end well


def test_reload_runs_to_its_end_before_success_is_told(module_host, driver):
    start(module_host, "slow-reload.service",
          SLEEP + "ExecReload=/bin/sh -c 'sleep 0.7; touch /run/slow-reload-done'\n")
    assert driver.job("reload", "slow-reload.service") is None
    assert module_host.exists("/run/slow-reload-done")


def test_nginx_reloads_and_keeps_its_master(nginx, driver):
    before = main_pid(nginx, "nginx.service")
    nginx.write("/etc/nginx/conf.d/test-port.conf",
                "server { listen 127.0.0.1:8088; return 204; }\n")
    assert driver.job("reload", "nginx.service") is None
    nginx.wait(lambda: nginx.listening(8088), message="nginx listens where it was told")
    assert main_pid(nginx, "nginx.service") == before


def test_restart_gives_a_new_process(module_host, driver):
    start(module_host, "plain.service", SLEEP)
    before = main_pid(module_host, "plain.service")
    assert driver.job("try-restart", "plain.service") is None
    assert main_pid(module_host, "plain.service") not in (0, before)


def test_stopped_unit_is_started_when_that_is_asked(module_host, driver):
    module_host.unit("to-start.service", SLEEP)
    assert driver.job("start", "to-start.service") is None
    assert module_host.active("to-start.service") == "active"


def test_oneshot_that_has_succeeded_is_success_though_inactive(module_host, driver):
    module_host.unit("check.service", "[Service]\nType=oneshot\nExecStart=/bin/sleep 0.2\n")
    assert driver.job("start", "check.service") is None
    assert module_host.active("check.service") == "inactive"


def test_jobs_of_other_units_are_not_taken_for_ours(module_host, driver):
    start(module_host, "ours.service",
          SLEEP + "ExecReload=/bin/sh -c 'sleep 1; echo cannot do it >&2; exit 1'\n")
    module_host.unit("other.service", "[Service]\nType=oneshot\nExecStart=/bin/true\n")
    noise = module_host.spawn(["sh", "-c", "for i in 1 2 3 4 5 6 7 8; do "
                               "systemctl start other.service; sleep 0.1; done"])
    error = driver.job("reload", "ours.service")
    assert error["errno"] == "EIO" and "cannot do it" in error["message"]
    assert noise.end() is not None


# --- what must not be done


@pytest.mark.parametrize("verb", ["reload", "try-restart"])
def test_inactive_unit_is_not_started(module_host, driver, verb):
    module_host.unit("stopped.service", SLEEP + "ExecReload=/bin/true\n")
    error = driver.job(verb, "stopped.service")
    assert (error["errno"], error["class"]) == ("ESHUTDOWN", "deploy")
    assert error["message"] == "stopped.service is inactive"
    assert module_host.show("stopped.service", "ActiveState", "InvocationID") == {
        "ActiveState": "inactive", "InvocationID": ""}


def test_failed_unit_is_not_started(module_host, driver):
    module_host.unit("dead.service", "[Service]\nType=oneshot\nExecStart=/bin/false\n")
    module_host.run(["systemctl", "start", "dead.service"], check=1)
    error = driver.job("try-restart", "dead.service")
    assert error["errno"] == "ESHUTDOWN"
    assert error["message"] == "dead.service is failed (exit-code)"


@pytest.mark.parametrize("verb", ["reload", "try-restart", "start"])
def test_unknown_unit_is_a_matter_of_configuration(driver, verb):
    error = driver.job(verb, "nowhere.service")
    assert (error["errno"], error["class"]) == ("ENOENT", "configuration")
    assert "unit =" in error["remedy"]


@pytest.mark.parametrize("verb", ["reload", "try-restart", "start"])
def test_masked_unit_is_a_matter_of_configuration(module_host, driver, verb):
    module_host.run(["systemctl", "mask", "--runtime", "hidden.service"])
    error = driver.job(verb, "hidden.service")
    assert (error["errno"], error["class"]) == ("EPERM", "configuration")
    assert "is masked" in error["message"] and "unmask hidden.service" in error["remedy"]


def test_unit_without_exec_reload_gets_the_remedy(module_host, driver):
    start(module_host, "no-reload.service", SLEEP)
    before = main_pid(module_host, "no-reload.service")
    error = driver.job("reload", "no-reload.service")
    assert (error["errno"], error["class"]) == ("EOPNOTSUPP", "configuration")
    assert "reload = restart" in error["remedy"]
    assert main_pid(module_host, "no-reload.service") == before


def test_user_without_a_polkit_rule_is_an_authorization_error(nginx, driver):
    error = driver.job("reload", "nginx.service", user="www-data")
    assert (error["errno"], error["class"]) == ("EACCES", "authorization")
    assert "polkit" in error["remedy"]
    assert not error["outcome_unknown"]


# --- jobs that end badly


def test_failed_reload_quotes_the_units_own_words(module_host, driver):
    start(module_host, "bad-reload.service",
          SLEEP + "ExecReload=/bin/sh -c 'echo quiet; echo cannot open /srv/x >&2; exit 4'\n")
    error = driver.job("reload", "bad-reload.service")
    assert (error["errno"], error["class"]) == ("EIO", "deploy")
    assert error["message"].startswith("bad-reload.service: reload failed: cannot open /srv/x")
    assert not error["outcome_unknown"]


def test_words_of_an_earlier_failure_are_not_quoted(module_host, driver):
    start(module_host, "twice.service",
          SLEEP + "ExecReload=/bin/sh -c 'cat /run/twice >&2; exit 1'\n")
    module_host.write("/run/twice", "error: the first\n")
    assert "the first" in driver.job("reload", "twice.service")["message"]
    module_host.write("/run/twice", "error: the second\n")
    message = driver.job("reload", "twice.service")["message"]
    assert "the second" in message and "the first" not in message


def test_broken_nginx_vhost_is_named_with_file_and_line(nginx, driver):
    before = main_pid(nginx, "nginx.service")
    nginx.write("/etc/nginx/conf.d/test-broken.conf",
                "server {\n    listen 127.0.0.1:8089;\n    no_such_directive on;\n}\n")
    error = driver.job("reload", "nginx.service")
    assert (error["errno"], error["class"]) == ("EIO", "deploy")
    assert "[emerg]" in error["message"] and '"no_such_directive"' in error["message"]
    assert "/etc/nginx/conf.d/test-broken.conf:3" in error["message"]
    assert nginx.active("nginx.service") == "active"
    assert main_pid(nginx, "nginx.service") == before


def test_alias_of_a_unit_finds_the_units_own_words(module_host, driver):
    start(module_host, "real.service", SLEEP +
          "ExecReload=/bin/sh -c 'echo fatal: no >&2; exit 1'\n"
          "[Install]\nAlias=nick.service\n")
    module_host.run(["systemctl", "enable", "real.service"])
    message = driver.job("reload", "nick.service")["message"]
    assert message == "nick.service: reload failed: fatal: no"


def test_unit_that_dies_right_after_its_restart_is_seen(module_host, driver):
    start(module_host, "dies.service", "[Service]\nExecStart=/bin/sh -c "
          "'[ -e /run/dies-not ] && exec sleep infinity; sleep 0.2; echo invalid key >&2; exit 3'\n"
          "ExecStartPre=/bin/sh -c '[ -e /run/dies-asked ] || touch /run/dies-not'\n")
    module_host.run(["rm", "/run/dies-not"])
    module_host.write("/run/dies-asked", "")
    error = driver.job("try-restart", "dies.service")
    assert (error["errno"], error["class"]) == ("EHOSTDOWN", "deploy")
    assert "failed (exit-code)" in error["message"] and "invalid key" in error["message"]


def test_server_that_exits_over_its_reload_is_seen(module_host, driver):
    """As Apache httpd does with a key that does not fit: the job is done, then it is gone."""
    start(module_host, "httpd-like.service", "[Service]\nExecStart=/bin/sh -c "
          "'trap \"sleep 0.1; echo key mismatch error >&2; exit 1\" HUP; "
          "while :; do sleep 0.02; done'\nExecReload=/bin/kill -HUP $MAINPID\n")
    error = driver.job("reload", "httpd-like.service")
    assert error["errno"] == "EHOSTDOWN"
    assert "failed (exit-code)" in error["message"] and "key mismatch" in error["message"]


def test_unit_that_systemd_restarts_again_and_again_is_down(module_host, driver):
    text = ("[Service]\nRestart=always\nRestartSec=300\nExecStart=/bin/sh -c "
            "'[ ! -e /run/crash ] || exit 1; exec sleep infinity'\n")
    start(module_host, "crashing.service", text)
    # the shell has looked for the file once it is not a shell any more
    pid = module_host.show("crashing.service", "MainPID")
    module_host.wait(lambda: module_host.read(f"/proc/{pid}/comm").strip() == "sleep")
    module_host.write("/run/crash", "")
    error = driver.job("try-restart", "crashing.service")
    assert error["errno"] == "EHOSTDOWN" and "auto-restart" in error["message"]
    error = driver.job("try-restart", "crashing.service")
    assert error["errno"] == "ESHUTDOWN" and "systemd will start it again" in error["message"]


def test_reload_that_never_ends_meets_the_deadline(module_host, driver):
    start(module_host, "hangs.service", SLEEP + "ExecReload=/bin/sleep infinity\n")
    answer = driver("job", "reload", "hangs.service", 700)
    error = answer["error"]
    assert (error["errno"], error["class"]) == ("ETIMEDOUT", "deploy")
    assert error["outcome_unknown"]
    assert "still queued" in error["message"] and "700 ms" in error["message"]
    assert answer["took_ms"] >= 700
    # the job that is named is the one that systemd knows
    number = error["message"].split("job ")[1].split()[0]
    assert number in module_host.output(["systemctl", "list-jobs", "--no-legend"])
    module_host.run(["systemctl", "cancel", number])


def test_cancelled_job_is_told_as_that(module_host, driver):
    start(module_host, "cancelled.service", SLEEP + "ExecReload=/bin/sleep infinity\n")
    job = module_host.spawn([driver.path, "job", "reload", "cancelled.service", "30000"], stdout=-1)
    module_host.wait(lambda: module_host.active("cancelled.service") == "reloading")
    module_host.run(["systemctl", "stop", "cancelled.service"])
    error = json.loads(job.communicate(timeout=40)[0])["error"]
    assert error["errno"] == "ECANCELED" and "cancelled" in error["message"]


def test_unit_still_starting_is_waited_for(module_host, driver):
    module_host.unit("starts.service", "[Service]\nType=forking\nExecStart=/bin/sh -c "
                     "'sleep 0.7; sleep infinity & exit 0'\nExecReload=/bin/true\n")
    module_host.run(["systemctl", "start", "--no-block", "starts.service"])
    module_host.wait(lambda: module_host.active("starts.service") == "activating")
    assert driver.job("reload", "starts.service") is None


def test_unit_that_reloads_on_after_its_job_is_waited_for(module_host, driver):
    """Type=notify: the job of kill -HUP is done at once, the daemon says RELOADING=1 thereafter."""
    start(module_host, "notifies.service", "[Service]\nType=notify\nNotifyAccess=all\n"
          "ExecStart=/bin/bash -c 'trap \"sleep 0.1; systemd-notify RELOADING=1; sleep 1.5; "
          "touch /run/notified; systemd-notify READY=1\" HUP; systemd-notify --ready; "
          "while :; do sleep 0.02; done'\nExecReload=/bin/kill -HUP $MAINPID\n")
    assert driver.job("reload", "notifies.service") is None
    assert module_host.exists("/run/notified")


# --- no bus, and a bus that goes away


def test_absent_bus_is_a_clear_error(driver):
    error = driver("status", "nginx.service",
                   env={"DBUS_SYSTEM_BUS_ADDRESS": "unix:path=/nowhere"})["error"]
    assert (error["errno"], error["class"]) == ("ENOENT", "configuration")
    assert "reload = none" in error["remedy"]


def test_bus_that_dies_during_a_job_is_an_error_not_a_hang(make_host, build_directory):
    host = make_host()
    driver = Driver(host, build_directory)
    start(host, "waits.service", SLEEP + "ExecReload=/bin/sleep infinity\n")
    job = host.spawn([driver.path, "job", "reload", "waits.service", "50000"], stdout=-1)
    host.wait(lambda: host.active("waits.service") == "reloading")
    host.run(["systemctl", "kill", "--signal=KILL", "dbus.service"])
    error = json.loads(job.communicate(timeout=40)[0])["error"]
    assert (error["errno"], error["class"]) == ("ECONNRESET", "deploy")
    assert error["outcome_unknown"] and "bus" in error["message"]


# --- the journal


def test_journal_gives_each_line_once_oldest_first(module_host, driver):
    since = int(time.time())
    start(module_host, "says.service", "[Service]\nType=oneshot\nExecStart=/bin/sh -c "
          "'echo one; echo two; echo two; printf \"bad\\\\377\\\\033[1m byte\\\\n\"; echo three'\n")
    module_host.run(["journalctl", "--sync"])
    lines = driver("journal", "says.service", since)["lines"]
    own = [line for line in lines if "says.service" not in line]
    assert own[:2] == ["one", "two"] and own[-1] == "three"
    assert own[2].startswith("bad") and own[2].isprintable()
    assert any(line.startswith("Starting says.service") for line in lines)
    assert driver("journal", "says.service", since, 7, 2)["lines"] == lines[-2:]


def test_journal_leaves_out_what_is_older_or_less_urgent(module_host, driver):
    start(module_host, "ranks.service", "[Service]\nType=oneshot\nExecStart=/bin/sh -c "
          "'echo \"<3>wrong\"; echo \"<6>chatter\"'\n")
    module_host.run(["journalctl", "--sync"])
    assert driver("journal", "ranks.service", 0, 3)["lines"] == ["wrong"]
    assert driver("journal", "ranks.service", int(time.time()) + 60)["lines"] == []


def test_journal_believes_only_systemd_about_a_unit(module_host, driver):
    """Anyone may write a UNIT= field."""
    module_host.unit("honest.service", "[Service]\nType=oneshot\nExecStart=/bin/echo truth\n")
    module_host.run(["systemctl", "start", "honest.service"])
    module_host.run(["logger", "--journald"], input="MESSAGE=lies\nUNIT=honest.service\n")
    module_host.run(["journalctl", "--sync"])
    assert "lies" in module_host.output(["journalctl", "UNIT=honest.service"])
    lines = driver("journal", "honest.service", 0)["lines"]
    assert "truth" in lines and "lies" not in lines


def test_journal_without_permission_is_empty_not_an_error(nginx, driver):
    assert driver("journal", "nginx.service", 0, user="www-data") == {"lines": []}
