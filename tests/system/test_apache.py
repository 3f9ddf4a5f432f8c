"""httpd dies of a key and a certificate that do not belong together, although its configuration
test and its reload say that all is well: it must never see such a pair from the agent, nor because
of it, and where somebody else makes it die the agent brings back what ran."""

import pytest

import by_hand
from agent import USER
from apache import Apache
from matrix import NAME, Stage

OTHER = "other.example.com"
TEMPLATE = "/etc/origin-ca-agent/templates/apache.mustache"
PACKAGED = "/usr/share/origin-ca-agent/templates/apache.mustache"
FOREIGN = "/srv/foreign.key"


@pytest.fixture(name="stage")
def fixture_stage(clean_agent, module_sandbox):
    """httpd with two certificates of the agent's. Whatever a test did: at its end all is served and
    verified, by the same process or by the one that the test knows of."""
    apache = Apache(clean_agent.host)
    apache.reset()
    stage = Stage(clean_agent, apache, module_sandbox, "ecdsa-p256")
    stage.host.write(FOREIGN, by_hand.pair(NAME).key_pem, mode=0o600)
    clean_agent.target("apache", **apache.agent_keys(), probe_timeout="3s")
    for name in (NAME, OTHER):
        clean_agent.certificate(name, targets=["apache"], hostnames=[name])
        apache.add(name, name)
    clean_agent.renew(check=1)
    apache.start()
    clean_agent.renew(check=0)
    module_sandbox.mark()
    pid = stage.pid = apache.main_pid()
    with apache.client(NAME, ca=module_sandbox.roots()) as client:
        yield stage
    assert apache.active() == "active" and apache.main_pid() == stage.pid
    if stage.pid == pid:
        assert not client.failures
    again = clean_agent.renew(check=0)
    assert not again.json["changed"] and again.json["reloads"] == 0
    for name in (NAME, OTHER):
        assert stage.served(name).serial == clean_agent.status().certificate(name)["serial"]


def generation(stage, name=NAME):
    return stage.agent.generations(name)[-1]


def file_of(stage, file, name=NAME):
    return stage.agent.state_path("certificates", name, f"{generation(stage, name):04}", file)


def bend_snippet(stage, name):
    """Somebody names another key in the snippet."""
    stage.host.run(["sed", "-i", f's,^SSLCertificateKeyFile.*,SSLCertificateKeyFile "{FOREIGN}",',
                    stage.server.snippet(name)])


def damage(stage, way, name=NAME):
    """A pair that httpd would die of, where the snippet says."""
    other = by_hand.pair(name)
    if way == "another key":
        stage.host.write(file_of(stage, "key.pem", name), other.key_pem, mode=0o600)
    elif way == "cut":
        key = stage.host.read(file_of(stage, "key.pem", name))
        stage.host.write(file_of(stage, "key.pem", name), key[:len(key) // 2], mode=0o600)


@pytest.mark.parametrize("way", ["another key", "cut"])
def test_damaged_pair_is_replaced_before_httpd_sees_it(stage, way):
    damage(stage, way)
    before = stage.served().serial
    # nobody is there to ask: what httpd holds in memory is better than what it would read
    stage.sandbox.fault("POST /certificates:error=1100:always")
    done = stage.agent.renew(check=1)
    assert set(done.certificate(NAME)["reissue"]) & {"mismatch", "unreadable"}
    assert stage.served().serial == before and stage.server.main_pid() == stage.pid
    stage.sandbox.clear_faults()
    done = stage.agent.renew(check=0)
    assert len(stage.serials()) == 1 and stage.served().serial == stage.serials()[0]


def test_httpd_is_not_reloaded_for_one_over_the_damaged_pair_of_another(stage):
    """A reload is for all certificates: the one that is in order waits until the other is, too."""
    damage(stage, "another key", OTHER)
    stage.sandbox.fault("POST /certificates:error=1100:always")
    before = stage.served().serial
    stage.host.write(TEMPLATE, stage.host.read(PACKAGED) + "# a word more\n")
    done = stage.agent.renew(check=1)
    error = done.target(NAME, "apache")["error"]
    assert f"of certificate {OTHER}" in error["message"] and error["class"] == "deploy"
    assert f"--renew-now {OTHER}" in error["remedy"]
    assert done.json["reloads"] == 0 and not stage.serials()
    assert stage.agent.status(check=1).target(NAME, "apache")["redeploy"] == [
        "reload-unconfirmed", "unverified"]
    assert stage.served().serial == before
    stage.sandbox.clear_faults()
    done = stage.agent.renew(check=0)
    assert len(stage.serials()) == 1 and done.json["reloads"] == 1
    assert stage.host.read(stage.server.snippet(NAME)).endswith("# a word more\n")


@pytest.mark.parametrize("what", ["snippet", "pair"])
def test_named_certificate_does_not_reload_httpd_over_what_happened_to_another(stage, what):
    """A pass that is about one certificate puts nothing else right, but looks."""
    if what == "snippet":
        bend_snippet(stage, OTHER)
    else:
        damage(stage, "another key", OTHER)
    before = stage.served().serial
    done = stage.agent.renew(NAME, force=True, check=1)
    assert f"of certificate {OTHER}" in done.target(NAME, "apache")["error"]["message"]
    assert done.json["reloads"] == 0 and stage.served().serial == before
    done = stage.agent.renew(check=0)
    assert done.json["reloads"] == 1 and stage.served().serial == stage.serials()[0]


def test_bent_snippet_is_written_anew_before_the_reload(stage):
    before = stage.served().serial
    bend_snippet(stage, NAME)
    done = stage.agent.renew(check=0)
    assert done.certificate(NAME)["outcome"] == "deployed" and done.json["reloads"] == 1
    assert not stage.serials() and stage.served().serial == before


def test_httpd_that_died_of_a_template_is_started_again_with_what_it_had(stage):
    before = stage.served().serial
    was_there = stage.host.read(stage.server.snippet(NAME))
    if stage.agent.has_user:     # as `check` says
        stage.host.run(["usermod", "--append", "--groups", "adm", USER])
    text = stage.host.read(PACKAGED).replace("{{key}}", FOREIGN)
    stage.host.write(TEMPLATE, text)
    assert stage.server.test().returncode == 0
    done = stage.agent.renew(NAME, check=1)
    stage.pid = stage.server.main_pid()
    target = done.target(NAME, "apache")
    assert target["rolled_back"] and stage.server.active() == "active"
    assert stage.served().serial == before
    assert stage.host.read(stage.server.snippet(NAME)) == was_there
    error = target["error"]["message"]
    assert "AH02565" in error and FOREIGN in error      # httpd's own words, from its own log
    assert "the reload job was done" in error and "went down" in error
    assert "/var/log/apache2/error.log" in target["error"]["remedy"]
    stage.host.remove(TEMPLATE)
    stage.agent.renew(check=0)


def test_broken_virtual_host_of_somebody_else_is_quoted_and_waited_for(stage):
    place = stage.server.break_elsewhere()
    before = stage.served().serial
    done = stage.agent.renew(NAME, force=True, check=1)
    error = done.target(NAME, "apache")["error"]
    assert place in error["message"] and "NoSuchDirective" in error["message"]
    assert "the cause is elsewhere" in error["message"]
    assert stage.served().serial == before and stage.server.test().returncode != 0
    status = stage.agent.status(check=1).certificate(NAME)
    assert status["newest_generation"] == status["active_generation"] + 1
    stage.server.mend()
    done = stage.agent.renew(check=0)
    assert len(stage.serials()) == 1 and stage.served().serial == stage.serials()[0]
