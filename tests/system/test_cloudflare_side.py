"""What the agent looks at and changes at Cloudflare besides issuing: revocation, what is
superseded, the zone's mode, several accounts."""

import json

import pytest

from agent import CONFIG_DIRECTORY, USER, section
from origin import NAME

ORG = "shop.example.org"


@pytest.fixture(autouse=True)
def zone_as_on_the_first_day(origin):
    for zone in (NAME, "example.org"):
        origin.sandbox.setting(zone, "ssl", "full")
        origin.sandbox.setting(zone, "ssl_automatic_mode", "custom")
        origin.sandbox.request("PUT", f"/sandbox/zones/{zone}", {"ruleset": None})
    origin.sandbox.mark()


def asked(origin, *, listed):
    """How often certificates were listed, or asked for one by one."""
    return sum(one["method"] == "GET" and "/certificates" in one["path"]
               and one["path"].endswith("/certificates") == listed
               for one in origin.sandbox.requests())


# --- revoked at Cloudflare

def a_day_passes(agent, *names):
    """Since anybody was asked whether these are revoked."""
    for name in names:
        path = agent.state_path("certificates", name, "state.json")
        known = json.loads(agent.host.read(path))
        known["revocation_at"] -= 90000
        agent.host.write(path, json.dumps(known))


def test_revoked_certificate_is_replaced_at_once(origin):
    agent = origin.agent
    old = origin.served()
    # when it was issued, the API has answered for it
    assert not agent.renew(NAME, check=0).json["changed"] and asked(origin, listed=False) == 0
    a_day_passes(agent, NAME)
    assert not agent.renew(NAME, check=0).json["changed"] and asked(origin, listed=False) == 1
    origin.sandbox.request("DELETE", f"/certificates/{old}")
    # once a day, however often somebody looks
    assert not agent.renew(NAME, check=0).json["changed"] and asked(origin, listed=False) == 1
    a_day_passes(agent, NAME)
    done = agent.renew(NAME, check=0)
    assert done.certificate(NAME)["issued"] and origin.served() not in (old, None)
    assert "was revoked at Cloudflare" in done.stderr
    assert "revoked" in [one["event"] for one in agent.state(NAME)["history"]]
    assert agent.status(check=0).certificate(NAME)["reissue"] == []
    assert len(origin.serials()) == 1


def test_many_of_one_zone_are_asked_about_in_one_listing(origin):
    agent = origin.agent
    for number in range(5):
        agent.certificate(f"c{number}", targets=None, hostnames=[f"c{number}.example.com"])
    agent.renew(check=0)
    names = [f"c{number}" for number in range(5)]
    a_day_passes(agent, *names)
    origin.sandbox.mark()
    agent.renew(*names, check=0)
    assert asked(origin, listed=True) == 1 and asked(origin, listed=False) == 0
    # what is settled asks nobody
    origin.sandbox.mark()
    agent.scheduled_pass(check=0)
    assert asked(origin, listed=True) == asked(origin, listed=False) == 0


def test_api_that_is_down_keeps_nobody_from_serving(origin):
    origin.sandbox.fault("GET /certificates/*:1000:always")
    done = origin.agent.renew(NAME, check=0)
    assert not done.json["changed"] and done.certificate(NAME)["outcome"] == "current"


# --- revoke_superseded

def test_superseded_is_revoked_after_the_successor_was_seen(origin):
    agent = origin.agent
    agent.certificate(NAME, revoke_superseded="0s")
    agent.renew(check=0)
    old = origin.served()
    done = agent.renew(NAME, force=True, check=0)
    assert origin.sandbox.revoked()[-1] == old and origin.served() != old
    assert f"revoked the superseded certificate {old}" in done.stderr
    # a failure is told, kept, and tried again
    old = origin.served()
    origin.sandbox.fault("DELETE /certificates/*:1000:always")
    done = agent.renew(NAME, force=True, check=0)
    assert old in done.certificate(NAME)["notice"]["message"]
    assert agent.state(NAME)["revoke"]["class"] == "transient"
    assert old not in origin.sandbox.revoked()
    origin.sandbox.clear_faults()
    agent.renew(check=0)
    assert origin.sandbox.revoked()[-1] == old
    assert "revoke" not in agent.state(NAME) and "superseded" not in agent.state(NAME)


def test_superseded_waits_for_the_time_of_grace(origin):
    agent = origin.agent
    agent.certificate(NAME, revoke_superseded="1h")
    agent.renew(check=0)
    old = origin.served()
    agent.renew(NAME, force=True, check=0)
    agent.scheduled_pass(check=0)
    assert old not in origin.sandbox.revoked()
    assert [one["id"] for one in agent.state(NAME)["superseded"]] == [old]
    note = json.loads(origin.host.read(agent.state_path("schedule.json")))
    assert note["next_at"] - note["finished_at"] <= 3600
    # the time is over: no pass trusts what was settled
    state = agent.state_path("certificates", NAME, "state.json")
    known = json.loads(origin.host.read(state))
    known["targets"][0]["verified_at"] -= 3700
    origin.host.write(state, json.dumps(known))
    agent.scheduled_pass(check=0)
    assert origin.sandbox.revoked()[-1] == old


def test_what_another_machine_may_serve_is_never_revoked(origin):
    agent = origin.agent
    agent.certificate(NAME, revoke_superseded="0s")
    agent.renew(check=0)
    state = agent.state_path("certificates", NAME, "state.json")
    known = json.loads(origin.host.read(state))
    known["issued_mark"] = "0" * 64    # as of the machine that this one was copied from
    origin.host.write(state, json.dumps(known))
    before = origin.sandbox.revoked()
    agent.renew(NAME, force=True, check=0)
    assert origin.sandbox.revoked() == before


def test_nothing_is_revoked_while_a_server_cannot_be_asked(origin):
    agent, host = origin.agent, origin.host
    agent.target("silent", type="custom", template="/srv/silent.mustache",
                 reload="none", probe="127.0.0.1:9443", probe_timeout="1s")
    host.write("/srv/silent.mustache", "# {{certificate}}\n")
    agent.certificate("quiet", targets="silent", hostnames=["quiet.example.com"])
    agent.certificate(NAME, revoke_superseded="0s")
    agent.renew(NAME, check=0)
    old = origin.served()
    # its kernel takes connections, nobody answers
    host.run(["systemd-run", "--quiet", "--unit=silent", "/usr/bin/python3", "-c",
              "import socket, time; s = socket.create_server(('127.0.0.1', 9443)); "
              "time.sleep(1000)"])
    try:
        host.wait(lambda: host.listening(9443))
        done = agent.renew(NAME, force=True, check=0)
        words = "whether silent still shows it is not known"
        assert words in done.certificate(NAME)["notice"]["message"]
        assert done.stderr.count(words) == 1
        assert old not in origin.sandbox.revoked() and origin.served() != old
        assert agent.state(NAME)["revoke"]["count"] == 1
    finally:
        host.run(["systemctl", "stop", "silent"])
    agent.renew(NAME, check=0)
    assert origin.sandbox.revoked()[-1] == old


def test_name_that_left_the_section_may_still_be_served(origin):
    agent, nginx = origin.agent, origin.nginx
    shop = f"shop.{NAME}"
    agent.certificate(NAME, hostnames=[NAME, shop], revoke_superseded="0s")
    agent.renew(check=0)
    old = origin.served()
    nginx.add(NAME, NAME)
    nginx.add(shop, shop, snippet=nginx.snippet(NAME))
    nginx.hold_stale(shop)      # by hand it names the files of this generation
    agent.certificate(NAME, hostnames=[NAME], revoke_superseded="0s")
    one = agent.renew(check=0).certificate(NAME)
    assert f"still shows it for {shop}" in one["notice"]["message"]
    assert nginx.served(shop).serial == old and old not in origin.sandbox.revoked()
    nginx.remove(shop)
    nginx.reload()
    agent.renew(NAME, check=0)
    assert origin.sandbox.revoked()[-1] == old


# --- ssl_mode

def test_zone_becomes_strict_only_after_the_handshake_and_only_once(origin):
    agent, sandbox = origin.agent, origin.sandbox
    agent.certificate("new", hostnames=["www.example.com"], ssl_mode="strict")
    agent.renew("new", check=1)    # nginx does not include its snippet
    assert sandbox.setting(NAME, "ssl") == "full"
    agent.remove("new")
    agent.certificate(NAME, ssl_mode="strict")
    done = agent.renew(check=0)
    assert sandbox.setting(NAME, "ssl") == "strict" and "Full (strict)" in done.stderr
    assert sandbox.setting("example.org", "ssl") == "full"
    assert "ssl-mode" in [one["event"] for one in agent.state(NAME)["history"]]
    sandbox.setting(NAME, "ssl", "full")    # somebody's decision
    agent.renew(NAME, check=0)
    assert sandbox.setting(NAME, "ssl") == "full"
    warned = [one for one in agent.check().json["findings"] if one["subject"] == NAME
              and 'mode "full"' in one["message"]]
    assert warned[0]["level"] == "warning"


@pytest.mark.parametrize("mode", ["strict", "strict-hostnames"])
def test_zone_waits_while_a_name_is_shown_another_certificate(origin, mode):
    agent, sandbox, nginx = origin.agent, origin.sandbox, origin.nginx
    shop = f"shop.{NAME}"
    nginx.add(NAME, NAME)
    nginx.install_by_hand(shop)
    nginx.add(shop, shop, snippet=nginx.snippet_of_hand(shop))
    nginx.reload()
    agent.certificate(NAME, hostnames=[NAME, shop], ssl_mode=mode)
    sandbox.mark()
    one = agent.renew(check=0).certificate(NAME)
    assert f"shows another certificate for {shop}" in one["notice"]["message"]
    assert one["outcome"] == "issued" and agent.state(NAME)["ssl_mode"]["class"] == "deploy"
    agent.renew(NAME, check=0)
    assert sandbox.setting(NAME, "ssl") == "full"
    rules = f"/zones/{sandbox.zone_id(NAME)}/rulesets/phases/http_config_settings/entrypoint"
    assert not sandbox.requests("PUT", rules)
    nginx.add(shop, shop, snippet=nginx.snippet(NAME))
    nginx.reload()
    nginx.wait_served(shop, origin.served())
    agent.renew(NAME, check=0)
    if mode == "strict":
        assert sandbox.setting(NAME, "ssl") == "strict"
    else:
        assert len(sandbox.request("GET", rules).result["rules"]) == 1
    assert "ssl_mode" not in agent.state(NAME)


def test_zone_with_automatic_mode_is_left_alone(origin):
    agent, sandbox = origin.agent, origin.sandbox
    sandbox.setting(NAME, "ssl_automatic_mode", "auto")
    for mode in ("strict", "strict-hostnames"):
        agent.certificate(NAME, ssl_mode=mode)
        notice = agent.renew(NAME, check=0).certificate(NAME)["notice"]
        assert "automatic SSL/TLS mode is on" in notice["message"]
        assert sandbox.setting(NAME, "ssl") == "full"
    sandbox.setting(NAME, "ssl_automatic_mode", "custom")
    agent.certificate(NAME, ssl_mode="strict")
    agent.renew(check=0)
    assert sandbox.setting(NAME, "ssl") == "strict"


def test_permission_that_lacks_is_named_and_the_rest_goes_on(origin):
    agent, sandbox = origin.agent, origin.sandbox
    agent.token(sandbox.token_that("issues"))
    for mode, permission in (("strict", "Zone Settings"), ("strict-hostnames", "Config Rules")):
        agent.certificate(NAME, ssl_mode=mode, hostnames=[NAME])
        one = agent.renew(NAME, check=0).certificate(NAME)
        assert permission in one["notice"]["remedy"] and "error" not in one
    found = {one["message"] for one in agent.check(check=0).json["findings"]}
    assert any("Zone > DNS > Read" in message for message in found)
    assert sandbox.setting(NAME, "ssl") == "full"
    agent.token(sandbox.token)
    agent.renew(NAME, check=0)
    zone = sandbox.zone_id(NAME)
    rules = sandbox.request("GET", f"/zones/{zone}/rulesets/phases/http_config_settings/"
                            "entrypoint").result["rules"]
    assert [rule["expression"] for rule in rules] == [f'http.host in {{"{NAME}"}}']


def test_rule_is_appended_and_others_stay(origin):
    agent, sandbox = origin.agent, origin.sandbox
    entrypoint = (f"/zones/{sandbox.zone_id(NAME)}/rulesets/phases/http_config_settings/"
                  "entrypoint")
    other = {"action": "set_config", "action_parameters": {"ssl": "flexible"},
             "expression": 'http.host eq "legacy.example.com"', "description": "somebody's"}
    sandbox.request("PUT", entrypoint, {"rules": [other]})
    agent.certificate(NAME, ssl_mode="strict-hostnames")
    for _ in range(2):
        agent.renew(NAME, check=0)
        rules = sandbox.request("GET", entrypoint).result["rules"]
        assert [rule["description"] for rule in rules] == ["somebody's", f"origin-ca-agent {NAME}"]
        assert rules[1]["action_parameters"] == {"ssl": "strict"}
        assert rules[1]["expression"] == (f'ends_with(http.host, ".{NAME}") or '
                                          f'http.host in {{"{NAME}"}}')
    assert sandbox.setting(NAME, "ssl") == "full"
    assert len(sandbox.requests("PUT", entrypoint)) == 1    # this test's own


# --- check

def test_check_warns_of_what_visitors_would_see(origin):
    agent, sandbox = origin.agent, origin.sandbox
    agent.certificate("direct", targets=None, hostnames=["direct.example.com"])
    agent.certificate(NAME, authenticated_origin_pulls=True)
    sandbox.setting(NAME, "tls_client_auth", "off")

    def warnings():
        return [one["message"] for one in agent.check().json["findings"]
                if one["level"] == "warning"]

    told = warnings()
    assert "not proxied: direct.example.com" in told
    assert any("Authenticated Origin Pulls are off" in one for one in told)
    sandbox.setting(NAME, "tls_client_auth", "on")
    assert warnings() == ["not proxied: direct.example.com"]


# --- several accounts

def test_two_accounts_each_with_its_own_zone(origin):
    agent, sandbox, host = origin.agent, origin.sandbox, origin.host
    agent.token(sandbox.token_that("com"))
    owner = f"{USER}:{USER}" if agent.has_user else None
    host.write(f"{CONFIG_DIRECTORY}/org-token", sandbox.token_that("org") + "\n", mode=0o600,
               owner=owner)
    agent.configure(more=section("api org", {
        "endpoint": f"{sandbox.endpoint}/client/v4",
        "ca_file": f"{CONFIG_DIRECTORY}/sandbox-ca.pem",
        "token_file": f"{CONFIG_DIRECTORY}/org-token", **agent.roots}))
    agent.certificate(ORG, targets=None, hostnames=[ORG], api="org")
    agent.renew(check=0)
    serial = origin.serials()[-1]
    listed = agent.command("list", "--json", check=0).json
    assert {(zone["api"], zone["name"]) for zone in listed["zones"]} == {
        ("", NAME), ("org", "example.org")}
    ours = {one["id"]: one["state"] for one in listed["certificates"] if "certificate" in one}
    assert ours[origin.served()] == "served" and ours[serial] == "current"
    assert agent.command("show", "--json", serial, check=0).json["api"] == "org"
    only = agent.command("list", "--json", "--zone", "example.org", check=0).json
    assert [zone["name"] for zone in only["zones"]] == ["example.org"]
    assert {one["subject"] for one in agent.check(check=0).json["findings"]} >= {
        "[api]", "[api org]"}
    # one whose token ends keeps the other from nothing
    host.write(f"{CONFIG_DIRECTORY}/org-token", sandbox.token_that("expired") + "\n", mode=0o600,
               owner=owner)
    listed = agent.command("list", "--json", check=1).json
    assert origin.served() in {one["id"] for one in listed["certificates"]}
    assert agent.renew(NAME, force=True, check=0).certificate(NAME)["issued"]
