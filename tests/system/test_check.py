"""`check`: what would fail is found before it does, in the same words for people and machines."""

import pytest

from agent import CONFIG_DIRECTORY
from origin import NAME

TEMPLATE = f"{CONFIG_DIRECTORY}/templates/nginx.mustache"


@pytest.fixture
def agent(clean_agent, clean_nginx):
    """A host that is in order: nginx runs, and one certificate is configured for it."""
    clean_agent.host.run(["systemctl", "start", clean_nginx.unit])
    clean_agent.certificate(NAME)
    clean_agent.sandbox.clock(0)
    zone(clean_agent, status="active", paused=False)
    return clean_agent


def zone(agent, **settings):
    assert agent.sandbox.request("PUT", f"/sandbox/zones/{NAME}", settings).status == 200


def findings(agent, status):
    """Of `check --json`, after holding its text form against it."""
    done = agent.check(check=status)
    assert done.json["exit_status"] == status
    found = done.json["findings"]
    text = agent.command("check", check=status).stdout
    lines = text.splitlines()
    for one in found:
        line = f"{one['level']:<7} {one['subject']}: {one['message']}"
        assert line.split("CF-Ray")[0].split(": it is ")[0] in text
    assert sum(line.startswith("        -> ") for line in lines) == \
        sum("remedy" in one for one in found)
    assert not agent.host.exists(agent.state_path()), "looking leaves nothing behind"
    assert agent.sandbox.issued() == []
    return found


def only(agent, level, subject, *words, status=None):
    """The one finding that is not ok."""
    found = findings(agent, (level == "error") * 1 if status is None else status)
    (one,) = [one for one in found if one["level"] != "ok"]
    assert one["level"] == level and one["subject"] == subject, one
    for word in words:
        assert word in f"{one['message']} -> {one.get('remedy', '')}", one
    return one


def test_host_that_is_in_order(agent):
    found = findings(agent, 0)
    assert {one["level"] for one in found} == {"ok"}
    told = {}
    for one in found:
        told[one["subject"]] = f"{told.get(one['subject'], '')} {one['message']}"
    assert told["[api]"].strip() == "the token is active"
    assert told[NAME].strip() == f"zone {NAME} is active"
    assert "nginx.service is active and can reload" in told["[target nginx]"]
    assert "nginx.service may be reloaded" in told["[target nginx]"]
    assert "configuration test passes" in told["[target nginx]"]
    assert "will be made" in told["/var/lib/origin-ca-agent"]


def test_include_of_a_snippet_that_the_first_pass_will_write_is_in_order(agent, clean_nginx):
    """What the README tells to do: the include first, `check`, then the first pass."""
    clean_nginx.add(NAME)
    found = findings(agent, 0)
    assert {one["level"] for one in found} == {"ok"}
    (waits,) = [one for one in found if "configuration includes" in one["message"]]
    assert waits["subject"] == "[target nginx]"
    assert f"/snippets/nginx/{NAME}.conf" in waits["message"]


def test_broken_configuration_of_somebody_else_is_found_before_the_first_pass(agent, clean_nginx):
    place = clean_nginx.break_elsewhere()
    (one,) = [one for one in agent.check(check=1).json["findings"] if one["level"] != "ok"]
    assert one["level"] == "error" and one["subject"] == "[target nginx]"
    assert "no_such_directive" in one["message"] and place in one["message"] and one["remedy"]


def test_missing_token(agent):
    agent.host.remove(f"{CONFIG_DIRECTORY}/api-token")
    only(agent, "error", "[api]", "No such file", f"{CONFIG_DIRECTORY}/api-token",
         "SSL and Certificates > Edit")


@pytest.mark.parametrize("name,words", [("disabled", "disabled"), ("expired", "expired")])
def test_token_that_ended(agent, name, words):
    agent.token(agent.sandbox.token_that(name))
    only(agent, "error", "[api]", words)


def test_token_that_reads_no_zones_is_only_a_warning_and_zone_id_settles_it(agent):
    agent.token(agent.sandbox.token_that("blind"))
    only(agent, "warning", NAME, "9109", "zone_id", "Zone > Zone > Read")
    agent.certificate(NAME, zone_id=agent.sandbox.zone_id(NAME))
    assert {one["level"] for one in findings(agent, 0)} == {"ok"}


def test_hostname_in_no_zone_of_the_account(agent):
    agent.certificate("elsewhere.test")
    only(agent, "error", "elsewhere.test", "no zone that the token can see holds elsewhere.test")


@pytest.mark.parametrize("settings,words", [
    ({"status": "pending"}, ("pending", "once the zone is active")),
    ({"paused": True}, ("paused", "resume the zone")),
])
def test_zone_that_is_not_in_use(agent, settings, words):
    zone(agent, **settings)
    only(agent, "warning", NAME, *words)


def test_unit_that_does_not_exist(agent):
    agent.target("nginx", unit="ngnix.service")
    only(agent, "error", "[target nginx]", "ngnix.service is not-found", "`unit =`")


def test_unit_that_is_stopped_is_a_warning(agent):
    agent.host.run(["systemctl", "stop", "nginx.service"])
    only(agent, "warning", "[target nginx]", "nginx.service is inactive", "start_stopped")


def test_unit_that_cannot_reload(agent):
    agent.host.unit("plain.service", "[Service]\nExecStart=/bin/sleep infinity\n")
    agent.host.run(["systemctl", "start", "plain.service"])
    agent.target("nginx", unit="plain.service")
    only(agent, "error", "[target nginx]", "cannot reload", "reload = restart")
    agent.host.run(["systemctl", "stop", "plain.service"])


@pytest.mark.parametrize("text,words", [
    ("# {{certificate}}\n{{#targets}}\nssl_certificate;\n", ("2:1", "targets")),
    ("ok\n  {{/never}}\n", ("2:3", "never")),
    ("{{name\n", ("1:1",)),
    ("{{> no-such-partial}}\n", ("1:1", "no-such-partial")),
])
def test_template_that_is_wrong_is_named_by_line_and_column(agent, text, words):
    agent.host.write(TEMPLATE, text)
    only(agent, "error", "[target nginx]", TEMPLATE, *words)


def test_template_that_does_not_exist(agent):
    agent.target("nginx", template="none-of-that-name")
    only(agent, "error", "[target nginx]", "none-of-that-name")


@pytest.mark.parametrize("offset", [-86400, 3000])
@pytest.mark.calm
def test_clock_that_is_wrong(agent, offset):
    agent.sandbox.clock(offset)
    one = only(agent, "error", "clock", "this host's clock differs", "time synchronisation")
    seconds, direction = one["message"].split("it is ")[1].split(" s ")[0:2]
    assert abs(int(seconds) - abs(offset)) < 60
    assert direction.startswith("behind" if offset > 0 else "ahead")
    assert ("no certificate is asked for" in one["message"]) == (abs(offset) > 3700)


def test_api_that_is_down(agent):
    agent.sandbox.stop()
    done = agent.check(check=1)
    errors = [one for one in done.json["findings"] if one["level"] == "error"]
    assert [one["subject"] for one in errors] == ["[api]"]
    assert "port 8443" in errors[0]["message"] and "firewall" in errors[0]["remedy"]


def test_mistakes_of_the_configuration_come_with_exit_status_3(agent):
    agent.drop_in("bad", "[certificate www.example.com]\nvaliditi = 7d\n")
    only(agent, "error", f"{CONFIG_DIRECTORY}/conf.d/bad.ini:2", "validiti", "did you mean",
         status=3)


def test_no_certificate_at_all_is_a_warning(agent):
    agent.remove(NAME)
    only(agent, "warning", f"{CONFIG_DIRECTORY}/agent.ini", "no certificate is configured")
