"""Servers that do not run, that are not there, that restart or are reloaded by others."""

from origin import NAME


def test_stopped_server_stays_stopped_and_starts_with_the_new_certificate(origin):
    agent, nginx = origin.agent, origin.nginx
    nginx.stop()
    done = agent.renew(NAME, force=True, check=1)
    error = done.target(NAME)["error"]
    assert "nginx.service is inactive" in error["message"]
    assert "systemctl start nginx.service" in error["remedy"]
    assert done.json["reloads"] == 0 and nginx.active() == "inactive"
    assert origin.generation() == 2
    status = agent.status(check=1).certificate(NAME)
    assert not status["current"] and status["newest_generation"] == 2
    assert "nginx.service is inactive" in status["targets"][0]["last_error"]["message"]
    assert "nginx.service is inactive" in agent.command("status", check=1).stdout
    for _ in range(2):
        agent.renew(check=1)
    agent.scheduled_pass(check=1)
    assert nginx.active() == "inactive"

    nginx.start()
    assert origin.served() == origin.serials()[1]
    assert agent.renew(check=0).target(NAME)["verified"]
    assert "last_error" not in agent.status(check=0).certificate(NAME)["targets"][0]
    assert len(origin.serials()) == 2


def test_server_that_failed_stays_failed(origin):
    """It died of something else: the agent is not its supervisor."""
    nginx = origin.nginx
    origin.host.run(["systemctl", "kill", "--signal=KILL", nginx.unit])
    origin.host.wait(lambda: nginx.active() == "failed")
    done = origin.agent.renew(NAME, force=True, check=1)
    assert "nginx.service is failed" in done.target(NAME)["error"]["message"]
    assert nginx.active() == "failed"


def test_stopped_server_is_started_where_that_is_wanted(origin):
    origin.agent.target("nginx", start_stopped=True)
    origin.nginx.stop()
    done = origin.agent.renew(NAME, force=True, check=0)
    assert done.json["reloads"] == 1
    assert origin.nginx.active() == "active"
    assert origin.served() == origin.serials()[1]


def test_unit_that_does_not_exist_is_a_matter_of_configuration(origin):
    agent = origin.agent
    agent.target("nginx", unit="no-such.service")
    done = agent.renew(NAME, force=True, check=1)
    error = done.target(NAME)["error"]
    assert error["class"] == "configuration" and "no-such.service" in error["message"]
    assert "[target nginx]" in error["remedy"]
    assert origin.served() == origin.serials()[0]
    agent.target("nginx")
    agent.scheduled_pass(check=0)       # not only when its backoff is over
    assert origin.served() == origin.serials()[1] and len(origin.serials()) == 2


def test_server_is_restarted_where_that_is_wanted(origin):
    origin.agent.target("nginx", reload="restart")
    pid = origin.nginx.main_pid()
    done = origin.agent.renew(NAME, force=True, check=0)
    assert done.json["reloads"] == 1
    assert origin.nginx.main_pid() != pid
    assert origin.served() == origin.serials()[1]


def test_server_that_a_restart_would_kill_comes_back(origin):
    """A snippet that nginx refuses: the restart leaves it failed, the way back revives it."""
    origin.agent.target("nginx", reload="restart")
    origin.host.write("/etc/origin-ca-agent/templates/nginx.mustache", "ssl_no_such_thing on;\n")
    done = origin.agent.renew(NAME, force=True, check=1)
    assert "ssl_no_such_thing" in done.target(NAME)["error"]["message"]
    assert done.target(NAME)["rolled_back"]
    assert origin.nginx.active() == "active"
    assert origin.served() == origin.serials()[0]


def test_server_that_others_reload_is_verified_when_they_did(origin):
    agent, nginx = origin.agent, origin.nginx
    agent.target("nginx", reload="none", probe_timeout="1s")
    done = agent.renew(NAME, force=True, check=1)
    assert done.json["reloads"] == 0
    error = done.target(NAME)["error"]
    assert "still the previous certificate" in error["message"]
    assert "reload" in error["remedy"] and "copied path" not in error["remedy"]
    assert not done.target(NAME)["rolled_back"]
    assert origin.generation() == 2 and origin.served() == origin.serials()[0]
    nginx.reload()
    origin.host.wait(lambda: origin.served() == origin.serials()[1])
    done = agent.renew(check=0)
    assert done.json["reloads"] == 0 and len(origin.serials()) == 2


def test_server_that_is_not_probed_is_believed_after_its_reload(origin):
    agent, nginx = origin.agent, origin.nginx
    agent.target("nginx", probe="none")
    done = agent.renew(NAME, force=True, check=0)
    assert done.json["reloads"] == 1 and done.target(NAME)["verified"]
    origin.host.wait(lambda: origin.served() == origin.serials()[1])
    (probe,) = agent.probe().json["probes"]
    assert probe["address"] is None
    assert "not probed" in agent.command("probe").stdout
    # what the reload refuses is taken back all the same
    nginx.break_elsewhere()
    agent.renew(NAME, force=True, check=1)
    assert origin.generation() == 2


def test_probe_of_a_port_where_nobody_listens_takes_the_certificate_back(origin):
    origin.agent.target("nginx", probe="127.0.0.1:9", probe_timeout="1s")
    done = origin.agent.renew(NAME, force=True, check=1)
    error = done.target(NAME)["error"]
    assert "127.0.0.1:9" in error["message"] and "`probe`" in error["remedy"]
    assert done.target(NAME)["rolled_back"] and origin.generation() == 1
    assert origin.served() == origin.serials()[0]
    origin.agent.target("nginx")
    origin.agent.scheduled_pass(check=0)
    assert origin.served() == origin.serials()[1] and len(origin.serials()) == 2


def test_nothing_is_reloaded_or_probed_for_a_certificate_without_targets(clean_agent,
                                                                       module_sandbox):
    clean_agent.certificate(NAME, targets=None)
    done = clean_agent.renew(check=0)
    assert done.json["reloads"] == 0 and done.certificate(NAME)["targets"] == []
    live = clean_agent.state_path("live", NAME, "fullchain.pem")
    assert "BEGIN CERTIFICATE" in clean_agent.host.read(live)
    assert len(module_sandbox.issued()) == 1


def test_files_of_somebody_else_that_nginx_cannot_use_are_named(origin):
    nginx = origin.nginx
    nginx.add("somebody-else", "other.example.net", snippet="/etc/nginx/by-hand/other.conf")
    for key in ("/nowhere.pem", "/etc/ssl/certs/ca-certificates.crt"):
        origin.host.write("/etc/nginx/by-hand/other.conf", f"ssl_certificate_key {key};\n"
                          "ssl_certificate /etc/ssl/certs/ca-certificates.crt;\n")
        done = origin.agent.renew(NAME, force=len(origin.serials()) == 1, check=1)
        assert key in done.target(NAME)["error"]["message"]
        assert "elsewhere" in done.target(NAME)["error"]["message"]
        assert origin.served() == origin.serials()[0] and origin.generation() == 1
