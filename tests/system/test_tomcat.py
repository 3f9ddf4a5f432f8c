"""Tomcat by its manager: what the manager says when it does not do what it should, what others do
to the keystore, and who can read what. One Tomcat for all; where nothing else is said, it runs on
and is never restarted."""

import pathlib

import pytest

from agent import SERVICE, USER
from matrix import NAME, Stage
from tomcat import CREDENTIALS, PASSWORD, Tomcat

BY_HAND = "hand.example.org"
OTHER = "other.example.com"
TEMPLATE = "/etc/origin-ca-agent/templates/tomcat.mustache"
PACKAGED = "/usr/share/origin-ca-agent/templates/tomcat.mustache"
FAKE_PORT = 8089
FAKE = pathlib.Path(__file__).resolve().parent / "fake_manager.py"
WRONG = "not-the-managers-password"


def configure(stage, **keys):
    stage.agent.target("tomcat", **{**stage.server.agent_keys(ssl_reload=True),
                                    "reload_timeout": "10s", "probe_timeout": "20s", **keys})


@pytest.fixture(name="settled", scope="module")
def fixture_settled(module_agent, module_sandbox):
    host = module_agent.host
    stage = Stage(module_agent, Tomcat(host), module_sandbox, "ecdsa-p256")
    tomcat = stage.server
    tomcat.grant_manager()
    configure(stage)
    for name in (NAME, OTHER):
        module_agent.certificate(name, targets=["tomcat"], hostnames=[name])
    module_agent.renew(check=1)
    for name in (NAME, OTHER):
        tomcat.add(name, name)
    tomcat.add(BY_HAND, BY_HAND, snippet=tomcat.self_signed(BY_HAND))
    tomcat.start()
    module_agent.renew(check=0)
    host.run(["systemd-run", "--quiet", "--unit=fake-manager.service", "/usr/bin/python3",
              str(FAKE), str(FAKE_PORT)])
    host.wait(lambda: host.listening(FAKE_PORT))
    return stage


@pytest.fixture(name="stage")
def fixture_stage(settled):
    """At a test's end all is served, by the process that was there, and no request was lost."""
    pid = settled.server.main_pid()
    refill(settled)
    with settled.server.client(NAME, ca=settled.sandbox.roots(), pause=0.05) as client:
        yield settled
    assert settled.server.main_pid() == pid and not client.failures
    assert_settled(settled)


def issued_for(stage, name):
    return [one["id"] for one in stage.sandbox.issued() if one["hostnames"] == [name]]


def refill(stage):
    """As if a day had passed: more certificates may be asked for."""
    path = stage.agent.state_path("certificates", NAME, "state.json")
    stage.host.write(path, stage.host.run(["jq", ".issues = []", path]).stdout, mode=0o600)


def assert_settled(stage):
    again = stage.agent.renew(check=0)
    assert not again.json["changed"] and again.json["reloads"] == 0
    for name in (NAME, OTHER):
        assert stage.served(name).serial == issued_for(stage, name)[-1]


@pytest.fixture(name="waiting", scope="class")
def fixture_waiting(settled):
    """A generation that waits for a manager: tests of one that does not do it need no other."""
    before = settled.served().serial
    keystore = settled.host.read(keystore_of(settled), binary=True)
    issued = len(issued_for(settled, NAME))
    configure(settled, manager_url=f"http://127.0.0.1:{FAKE_PORT}/page")
    settled.agent.renew(NAME, force=True, check=1)
    yield settled
    assert settled.served().serial == before
    configure(settled)
    settled.agent.scheduled_pass(check=0)       # at once: it is another manager now
    assert len(issued_for(settled, NAME)) == issued + 1
    assert settled.host.read(keystore_of(settled), binary=True) != keystore
    assert_settled(settled)


def keystore_of(stage, name=NAME):
    return stage.server.snippet(name).replace(".xml", ".p12")


class TestNoManager:
    @pytest.mark.parametrize("address, words, error_class", [
        (f"http://127.0.0.1:{FAKE_PORT}/page", "no answer of a manager: \"<html>", "deploy"),
        (f"http://127.0.0.1:{FAKE_PORT}/fail", "FAIL - Failed to reload", "deploy"),
        (f"http://127.0.0.1:{FAKE_PORT}/half", "no answer of a manager", "deploy"),
        (f"http://127.0.0.1:{FAKE_PORT}/empty", "no answer of a manager", "deploy"),
        (f"http://127.0.0.1:{FAKE_PORT}/broken", "keystore <x> was tampered with", "deploy"),
        (f"http://127.0.0.1:{FAKE_PORT}/elsewhere", "HTTP status 302", "deploy"),
        (f"http://127.0.0.1:{FAKE_PORT}/endless", "larger than", "deploy"),
        (f"http://127.0.0.1:{FAKE_PORT}/cut", "Tomcat's manager", "deploy"),
        (f"http://127.0.0.1:{FAKE_PORT}/escape", "FAIL -  [31mred", "deploy"),
        (f"http://127.0.0.1:{FAKE_PORT}/hang", "timed out", "deploy"),
        ("http://127.0.0.1:8080/not-the-manager", "HTTP 404", "configuration"),
        ("http://127.0.0.1:8099/manager", "8099", "deploy"),
        ("https://no-such-host.invalid:8443/manager", "no-such-host.invalid", "deploy"),
        ("https://127.0.0.1:2443/manager", "certificate", "configuration"),
    ])
    def test_its_answer_is_told_and_nothing_is_lost(self, waiting, address, words,
                                                    error_class):
        configure(waiting, manager_url=address,
                  reload_timeout="1s" if "hang" in address else "10s")
        before = waiting.served().serial
        done = waiting.agent.renew(check=1)
        error = done.target(NAME, "tomcat")["error"]
        assert words in error["message"] and error["class"] == error_class
        assert error["remedy"] and error["message"].isprintable()
        assert waiting.served().serial == before and before != issued_for(waiting, NAME)[-1]
        assert PASSWORD not in done.stdout + done.stderr


@pytest.mark.parametrize("user, password, status", [("origin-ca-agent", WRONG, 401),
                                                    ("visitor", PASSWORD, 403)])
def test_manager_that_does_not_let_us_in_is_asked_again_with_other_credentials(
        stage, user, password, status):
    tomcat, agent = stage.server, stage.agent
    issued, before = len(issued_for(stage, NAME)), stage.served().serial
    tomcat.grant_manager(user=user, password=password)
    done = agent.renew(NAME, force=True, check=1)
    error = done.target(NAME, "tomcat")["error"]
    assert f"HTTP {status}" in error["message"] and error["class"] == "authorization"
    assert "manager-script" in error["remedy"]
    assert done.target(NAME, "tomcat")["rolled_back"]
    assert password not in done.stdout + done.stderr
    assert stage.served().serial == before
    agent.scheduled_pass(check=1)       # nobody gets locked out by asking again and again
    assert stage.host.journal(SERVICE).count("401") == 0
    tomcat.grant_manager()
    agent.scheduled_pass(check=0)
    assert len(issued_for(stage, NAME)) == issued + 1


@pytest.mark.parametrize("way", ["scheduled", "full"])
def test_junk_in_the_keystore_is_noticed_and_repaired(stage, way):
    before = stage.served().serial
    stage.host.write(keystore_of(stage), "junk of somebody else")
    said = stage.agent.renew(dry_run=True, check=1)
    assert said.target(NAME, "tomcat")["redeploy"] == ["keystore-differs"]
    if way == "scheduled":
        stage.agent.scheduled_pass(check=0)
    else:
        done = stage.agent.renew(NAME, check=0)
        assert done.json["reloads"] == 1
    assert stage.host.stat(keystore_of(stage)) == f"640 {USER}:tomcat"
    stage.server.ssl_reload()
    assert stage.served().serial == before


@pytest.mark.parametrize("command", [["chmod", "644"], ["chgrp", "root"], ["chmod", "600"]])
@pytest.mark.parametrize("file", ["keystore", "snippet"])
def test_rights_of_a_file_are_put_right_without_a_reload(stage, file, command):
    path = keystore_of(stage) if file == "keystore" else stage.server.snippet(NAME)
    stage.host.run([*command, path])
    said = stage.agent.status(check=1)
    assert said.target(NAME, "tomcat")["redeploy"] == ["permissions"]
    done = stage.agent.renew(check=0)
    assert done.json["changed"] and done.json["reloads"] == 0
    assert stage.host.stat(path) == f"640 {USER}:tomcat"


def test_broken_keystore_of_somebody_else_is_waited_for(stage):
    issued, before = len(issued_for(stage, NAME)), stage.served().serial
    by_hand = f"/etc/certificates-by-hand/tomcat/{BY_HAND}/keystore.p12"
    whole = stage.host.read(by_hand, binary=True)
    stage.host.write(by_hand, "junk", owner="root:tomcat", mode=0o640)
    done = stage.agent.renew(NAME, force=True, check=1)
    error = done.target(NAME, "tomcat")["error"]
    assert "the cause is elsewhere" in error["message"] and stage.served().serial == before
    assert "HTTP 500" in error["message"] and "not one of the agent's" in error["remedy"]
    stage.host.write(by_hand, whole, owner="root:tomcat", mode=0o640)
    stage.agent.renew(check=0)
    assert len(issued_for(stage, NAME)) == issued + 1


def test_broken_keystore_of_another_certificate_is_named(stage):
    """Tomcat would not say which, and a pass about one certificate puts nothing else right."""
    issued, before = len(issued_for(stage, NAME)), stage.served().serial
    stage.host.write(keystore_of(stage, OTHER), "junk", owner="root:tomcat", mode=0o640)
    done = stage.agent.renew(NAME, force=True, check=1)
    error = done.target(NAME, "tomcat")["error"]
    assert f"keystore of certificate {OTHER}" in error["message"] and done.json["reloads"] == 0
    assert stage.served().serial == before
    done = stage.agent.renew(check=0)
    assert done.json["reloads"] == 1 and len(issued_for(stage, NAME)) == issued + 1


def test_certificate_whose_keystore_cannot_be_made_does_not_hold_up_another(stage):
    stage.agent.certificate(OTHER, targets=["tomcat"], hostnames=[OTHER],
                            keystore_password_file="/srv/no-such-password")
    stage.agent.renew(NAME, force=True, check=0)
    done = stage.agent.renew(check=1)
    assert "/srv/no-such-password" in done.target(OTHER, "tomcat")["error"]["message"]
    stage.agent.certificate(OTHER, targets=["tomcat"], hostnames=[OTHER])


def test_secrets_are_tomcats_and_nobody_elses(stage):
    host, agent = stage.host, stage.agent
    secret = host.read(agent.state_path("certificates", NAME, "keystore-password")).strip()
    for path in (keystore_of(stage), stage.server.snippet(NAME)):
        assert host.stat(path) == f"640 {USER}:tomcat"
        for user, may in (("tomcat", True), ("www-data", False)):
            done = host.run(["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups",
                             "cat", path], check=False, binary=True)
            assert (done.returncode == 0) == may
    assert secret in host.read(stage.server.snippet(NAME))
    host.write(TEMPLATE, host.read(PACKAGED) + "<!-- changed -->\n")
    said = [agent.render(NAME, "tomcat"), agent.command("status"), agent.status(),
            agent.renew(dry_run=True), agent.command("--renew-now", "--dry-run"),
            agent.command("check"), agent.probe()]
    host.remove(TEMPLATE)
    assert "+<!-- changed -->" in said[4].stdout
    assert "+<!-- changed -->" in said[3].target(NAME, "tomcat")["diff"]
    everything = "".join(one.stdout + one.stderr for one in said) + host.journal(lines=100000)
    for word in (secret, PASSWORD):
        assert word not in everything
        found = host.run(["grep", "-rlF", word, agent.state_path(), "/run", "/var/log"],
                         check=False).stdout.split()
        allowed = {stage.server.snippet(NAME),
                   agent.state_path("certificates", NAME, "keystore-password")}
        assert set(found) <= allowed


def test_changed_snippet_restarts_tomcat_once_and_the_same_bytes_never(settled):
    host, agent, tomcat = settled.host, settled.agent, settled.server
    pid = tomcat.main_pid()
    refill(settled)
    host.write(TEMPLATE, host.read(PACKAGED) + "<!-- changed -->\n")
    done = agent.renew(check=0)
    restarted = tomcat.main_pid()
    assert restarted != pid and done.json["reloads"] == 1
    host.write(TEMPLATE, "{{! of no consequence }}\n" + host.read(TEMPLATE))
    assert agent.status(check=1).target(NAME, "tomcat")["redeploy"] == ["template-changed"]
    assert agent.renew(check=0).json["reloads"] == 0
    done = agent.renew(NAME, force=True, check=0)
    assert tomcat.main_pid() == restarted and done.json["reloads"] == 1
    assert_settled(settled)
