"""Reloads that fail and leaves that are not shown: the old certificate serves on, and who is to
blame is said."""

import pytest

from origin import NAME

TEMPLATE = "/etc/origin-ca-agent/templates/nginx.mustache"
DIES = "nginx.service.d/dies.conf"


@pytest.fixture(name="origin")
def fixture_origin(origin):
    """Whose nginx is Debian's again after the test."""
    yield origin
    origin.host.remove(f"/etc/systemd/system/{DIES}")
    origin.host.run(["systemctl", "daemon-reload"])


@pytest.fixture(name="fast")
def fixture_fast(origin):
    """A probe that gives up soon, for leaves that never come."""
    origin.agent.target("nginx", probe_timeout="1s")
    return origin


def rollback_file(origin):
    return origin.agent.state_path("certificates", NAME, "rollback.nginx")


def test_broken_configuration_of_somebody_else_is_named_and_waited_for(origin):
    agent, nginx = origin.agent, origin.nginx
    place = nginx.break_elsewhere()
    before = origin.host.read(nginx.snippet(NAME))
    with nginx.client(NAME, ca=origin.sandbox.roots()) as client:
        done = agent.renew(NAME, force=True, check=1)
        assert done.certificate(NAME)["issued"]
        error = done.target(NAME)["error"]
        assert place in error["message"] and "[emerg]" in error["message"]
        assert "no_such_directive" in error["message"]
        assert "nginx.service: configuration test failed: " in error["message"]
        assert "the cause is elsewhere" in error["message"]
        assert place in done.stderr
        assert origin.served() == origin.serials()[0]
        assert origin.host.read(nginx.snippet(NAME)) == before

        # once more, and by the schedule: the generation waits, nobody is asked
        again = agent.renew(check=1)
        assert place in again.target(NAME)["error"]["message"]
        agent.scheduled_pass(check=1)
        assert len(origin.serials()) == 2
        status = agent.status(check=1).certificate(NAME)
        assert (status["active_generation"], status["newest_generation"]) == (1, 2)
        assert place in status["targets"][0]["last_error"]["message"]
        assert status["targets"][0]["snippet_generation"] == 1
        assert place in agent.command("status", check=1).stdout

        # mended: the schedule waits for its time, somebody who asks need not
        nginx.mend()
        reloads = origin.host.journal(nginx.unit).count("Reload")
        agent.scheduled_pass(check=1)
        assert origin.host.journal(nginx.unit).count("Reload") == reloads
        done = agent.renew(check=0)
        assert done.json["reloads"] == 1 and not done.certificate(NAME)["issued"]
        assert origin.served() == origin.serials()[1]
        assert origin.generation() == 2
    assert not client.failures
    assert len(origin.serials()) == 2
    assert not origin.host.exists(rollback_file(origin))


def test_first_certificate_survives_a_broken_configuration_of_somebody_else(
        clean_agent, clean_nginx, module_sandbox):
    clean_nginx.add("old", "old.example.com", snippet=clean_nginx.self_signed("old.example.com"))
    clean_nginx.start()
    clean_agent.certificate(NAME)
    clean_nginx.add(NAME)
    place = clean_nginx.break_elsewhere()
    done = clean_agent.renew(check=1)
    assert place in done.target(NAME)["error"]["message"]
    assert clean_nginx.served("old.example.com").sans == ("old.example.com",)
    clean_nginx.mend()
    # whatever snippet is in place now, nginx could start with it
    assert clean_nginx.test().returncode == 0
    clean_agent.renew(check=0)
    assert clean_nginx.served(NAME, ca=module_sandbox.roots())
    assert len(module_sandbox.issued()) == 1


def test_leaf_that_is_not_shown_is_taken_back(fast):
    """The server block names copies: the reload is fine, and nothing changes for a visitor."""
    agent, nginx, host = fast.agent, fast.nginx, fast.host
    before = host.read(nginx.snippet(NAME))
    host.run(["cp", "-rT", agent.state_path("certificates", NAME, "0001"), "/etc/nginx/by-hand"])
    host.write("/etc/nginx/by-hand/copy.conf", "ssl_certificate /etc/nginx/by-hand/cert.pem;\n"
               "ssl_certificate_key /etc/nginx/by-hand/key.pem;\n")
    nginx.add(NAME, snippet="/etc/nginx/by-hand/copy.conf")
    nginx.reload()
    done = agent.renew(NAME, force=True, check=1)
    target = done.target(NAME)
    assert "still the previous certificate" in target["error"]["message"]
    assert f"a copied path instead of {nginx.snippet(NAME)}" in target["error"]["remedy"]
    assert target["rolled_back"] and done.json["reloads"] == 2
    assert host.read(nginx.snippet(NAME)) == before
    assert fast.served() == fast.serials()[0]
    assert "served as before" in done.stderr
    assert agent.command("probe", check=1).stdout.count("NOT served") == 1
    assert agent.probe(check=1).json["probes"][0]["hostnames"][0]["shown"] == "previous"

    nginx.add(NAME)
    assert not agent.renew(check=0).certificate(NAME)["issued"]
    assert fast.served() == fast.serials()[1]
    assert len(fast.serials()) == 2



def deadly_reload(origin):
    """From now on nginx dies two seconds after it was reloaded with a snippet of the agent's."""
    snippet = origin.nginx.snippet(NAME)
    origin.host.unit(DIES, "[Service]\nExecReload=\nExecReload=/bin/sh -c "
                     f"'if grep -q deadly {snippet}; then (sleep 2; kill -KILL $MAINPID) & "
                     "else kill -HUP $MAINPID; fi'\n")
    packaged = origin.host.read("/usr/share/origin-ca-agent/templates/nginx.mustache")
    origin.host.write(TEMPLATE, packaged + "# deadly\n")


def test_server_that_dies_a_while_after_its_reload_is_started_again(origin):
    """All looked well for longer than the agent looks at the unit: the handshakes tell."""
    origin.agent.target("nginx", probe_timeout="4s")
    deadly_reload(origin)
    done = origin.agent.renew(NAME, force=True, check=1)
    assert done.target(NAME)["rolled_back"] and origin.nginx.active() == "active"
    assert "does not help" not in done.target(NAME)["error"]["message"]
    assert origin.served() == origin.serials()[0]


def test_server_that_dies_at_the_end_of_the_pass_is_started_again_all_the_same(origin):
    """The handshakes are waited for until pass_timeout; the way back has time of its own."""
    origin.agent.configure(agent={"pass_timeout": "15s"})
    origin.agent.target("nginx", probe_timeout="5m")
    deadly_reload(origin)
    done = origin.agent.renew(NAME, force=True, check=1)
    assert done.target(NAME)["rolled_back"] and origin.nginx.active() == "active"
    assert "does not help" not in done.target(NAME)["error"]["message"]
    assert origin.served() == origin.serials()[0]


def test_test_that_does_not_end_in_time_leads_to_no_restart(origin):
    """Nobody has read the new snippet: what runs is left alone."""
    host, unit = origin.host, "origin-ca-agent-test@nginx.service.d/slow.conf"
    origin.agent.target("nginx", reload="restart", reload_timeout="2s")
    origin.agent.renew(check=0)
    pid = origin.nginx.main_pid()
    host.unit(unit, "[Service]\nExecStart=\nExecStart=/bin/sleep 3\n")
    done = origin.agent.renew(NAME, force=True, check=1)
    host.remove(f"/etc/systemd/system/{unit}")
    host.run(["systemctl", "daemon-reload"])
    assert "test: not finished after" in done.target(NAME)["error"]["message"]
    assert origin.nginx.main_pid() == pid and done.json["reloads"] == 0
    assert origin.generation() == 1 and origin.served() == origin.serials()[0]
    origin.agent.renew(check=0)
    assert origin.served() == origin.serials()[1] and origin.nginx.main_pid() != pid


def test_configuration_that_cannot_be_tested_is_reloaded_before_a_restart(origin):
    """A reload finds out without harm; "cannot be tested here" is no test that has passed."""
    host, agent = origin.host, origin.agent
    unit = "origin-ca-agent-test@nginx.service.d/cannot.conf"
    agent.target("nginx", reload="restart")
    agent.renew(check=0)
    pid = origin.nginx.main_pid()
    host.unit(unit, "[Service]\nExecStart=\nExecStart=/bin/sh -c 'exit 69'\n")
    host.unit(DIES, "[Service]\nExecReload=\nExecReload=/bin/sh -c "
              "'touch /run/reloaded; kill -HUP $MAINPID'\n")
    told = [one["message"] for one in agent.check(check=0).json["findings"]]
    done = agent.renew(NAME, force=True, check=0)
    host.remove(f"/etc/systemd/system/{unit}")
    host.run(["systemctl", "daemon-reload"])
    assert any("cannot be tested here" in one for one in told)
    assert "configuration test passes" not in " ".join(told)
    assert "nginx.service is not tested before it is reloaded" in done.stderr
    assert host.exists("/run/reloaded") and origin.nginx.main_pid() != pid


def test_template_that_nginx_refuses_is_taken_back_and_named(origin):
    agent, nginx, host = origin.agent, origin.nginx, origin.host
    before = host.read(nginx.snippet(NAME))
    packaged = host.read("/usr/share/origin-ca-agent/templates/nginx.mustache")
    host.write(TEMPLATE, packaged + "ssl_no_such_thing on;\n")
    done = agent.renew(NAME, force=True, check=1)
    target = done.target(NAME)
    assert "ssl_no_such_thing" in target["error"]["message"]
    assert f"{nginx.snippet(NAME)}:" in target["error"]["message"]
    assert "elsewhere" not in target["error"]["message"]
    assert target["rolled_back"] and host.read(nginx.snippet(NAME)) == before
    assert nginx.test().returncode == 0
    assert origin.served() == origin.serials()[0]
    agent.renew(check=1)

    # a template that is mended is tried at once, by the schedule as well
    host.write(TEMPLATE, packaged + "ssl_session_tickets off;\n")
    agent.scheduled_pass(check=0)
    assert "ssl_session_tickets off;" in host.read(nginx.snippet(NAME))
    assert origin.served() == origin.serials()[1] and len(origin.serials()) == 2


def test_template_that_does_not_parse_touches_nothing(origin):
    before = origin.host.read(origin.nginx.snippet(NAME))
    origin.host.write(TEMPLATE, "ssl_certificate {{#name}};\n")
    done = origin.agent.renew(check=1)
    assert TEMPLATE in done.target(NAME)["error"]["message"]
    assert done.json["reloads"] == 0
    assert origin.host.read(origin.nginx.snippet(NAME)) == before
    assert TEMPLATE in origin.agent.render(NAME, "nginx", check=3).stderr
    assert TEMPLATE in origin.agent.command("status", check=1).stdout
    assert origin.served() == origin.serials()[0]



def test_first_snippet_that_nginx_refuses_goes_away_again(clean_agent, clean_nginx, module_sandbox):
    """A glob includes whatever is there: before, nginx could be reloaded, and so it must after."""
    host, nginx = clean_agent.host, clean_nginx
    snippet = nginx.self_signed(NAME)
    nginx.add(NAME, snippet=snippet)
    nginx.start()
    by_hand = nginx.served(NAME)
    nginx.add(NAME, snippet=f"{snippet.removesuffix('.conf')}*.conf;\n"
              "\tinclude /var/lib/origin-ca-agent/snippets/nginx/*.conf")
    assert nginx.test().returncode == 0
    host.write(TEMPLATE, "ssl_no_such_thing on;\n")
    clean_agent.certificate(NAME)
    done = clean_agent.renew(check=1)
    assert "ssl_no_such_thing" in done.target(NAME)["error"]["message"]
    assert "elsewhere" not in done.target(NAME)["error"]["message"]
    assert done.target(NAME)["rolled_back"]
    assert nginx.test().returncode == 0
    assert nginx.served(NAME) == by_hand
    host.remove(TEMPLATE)
    host.write(snippet, "")
    clean_agent.renew(check=0)
    assert len(module_sandbox.issued()) == 1
    assert nginx.served(NAME, ca=module_sandbox.roots())


def test_first_snippet_stays_for_a_server_that_others_reload(clean_agent, clean_nginx,
                                                            module_sandbox):
    host = clean_agent.host
    host.unit("nginx-fixed.service", "[Service]\nExecStart=/bin/sleep infinity\n")
    host.run(["systemctl", "start", "nginx-fixed.service"])
    clean_agent.target("nginx", unit="nginx-fixed.service")
    clean_agent.certificate(NAME)
    done = clean_agent.renew(check=1)
    assert "reload = restart" in done.target(NAME)["error"]["remedy"]
    assert not done.target(NAME)["rolled_back"]
    assert "/0001/" in host.read(clean_nginx.snippet(NAME))
    host.run(["systemctl", "stop", "nginx-fixed.service"])
    clean_nginx.add(NAME)
    clean_nginx.start()
    assert clean_nginx.served(NAME, ca=module_sandbox.roots())
    # what is mended in the configuration is tried at once
    clean_agent.target("nginx", unit="nginx.service")
    clean_agent.scheduled_pass(check=0)
    assert len(module_sandbox.issued()) == 1
