"""list, show, revoke, prune: what Cloudflare has, what this host holds, and what may go."""

import re
import ssl

import pytest

from agent import USER
from network import leaf_from_der
from origin import NAME

OTHER = "shop.example.org"
CROWD = "example.net"


def listed(origin, *arguments, check=0):
    done = origin.agent.command("list", "--json", *arguments, check=check)
    return {one["id"]: one for one in done.json["certificates"]}, done.json


def shown(origin, what, check=0):
    return origin.agent.command("show", "--json", what, check=check).json


def revoke(origin, what, *options, check=0):
    return origin.agent.command("revoke", "--json", what, *options, check=check).json


def mode(origin, value, zone=NAME):
    zone_id = origin.sandbox.zone_id(zone)
    origin.sandbox.request("PATCH", f"/zones/{zone_id}/settings/ssl", {"value": value})


@pytest.fixture(autouse=True)
def full_mode(origin):
    mode(origin, "full")


def superseded(origin):
    """Two generations: the first superseded, the second served."""
    origin.agent.renew(NAME, force=True, check=0)
    return origin.serials()


def test_list_tells_ours_from_others(origin):
    old, new = superseded(origin)
    origin.sandbox.crowd("elsewhere.example.com", 60)    # somebody else's: two pages
    found, json = listed(origin)
    assert json["version"] == 1 and json["exit_status"] == 0
    assert found[new]["state"] == "served" and found[new]["serving"] == ["nginx"]
    assert (found[new]["certificate"], found[new]["generation"]) == (NAME, 2)
    assert found[old]["state"] == "superseded" and found[old]["generation"] == 1
    others = [one for one in found.values() if one["hostnames"] == ["elsewhere.example.com"]]
    assert len(others) >= 60 and {one["state"] for one in others} == {"foreign"}
    assert all(isinstance(one["id"], str) and one["id"].isdigit() for one in found.values())
    (zone,) = json["zones"]
    assert zone["name"] == NAME and zone["certificates"] == len(found)
    text = origin.agent.command("list", check=0).stdout
    line = next(line for line in text.splitlines() if line.endswith(new))
    assert line.startswith("served") and f"{NAME}/2" in line and f"{NAME} +1" in line
    assert "1 served" in text.splitlines()[-1] and "1 superseded" in text.splitlines()[-1]


def test_list_of_a_zone_by_name_and_by_id(origin):
    by_name, _ = listed(origin, "--zone", NAME)
    by_id, json = listed(origin, "--zone", origin.sandbox.zone_id(NAME))
    assert by_name == by_id and origin.serials()[-1] in by_id
    assert json["zones"][0]["name"] == NAME
    _, failed = listed(origin, "--zone", "nowhere.invalid", check=1)
    assert "nowhere.invalid" in failed["zones"][0]["error"]["message"]


def test_list_goes_on_where_a_token_may_not_read_zones(origin):
    agent = origin.agent
    agent.token(origin.sandbox.token_that("blind"))
    _, json = listed(origin, check=1)
    assert "Zone > Zone > Read" in json["zones"][0]["error"]["remedy"]
    # with the zone's id it needs no such permission
    agent.certificate(NAME, zone_id=origin.sandbox.zone_id(NAME))
    found, _ = listed(origin)
    assert origin.serials()[-1] in found


def test_list_survives_pages_that_lie(origin):
    origin.sandbox.crowd("elsewhere.example.com", 5)
    before, _ = listed(origin)
    for fault in ("ignore-page", "other-date", "bare", "1000"):
        origin.sandbox.fault(f"GET /certificates:{fault}:1")
        found, _ = listed(origin)
        assert found.keys() == before.keys(), fault
        assert found[origin.served()]["not_after"] == before[origin.served()]["not_after"]
    origin.sandbox.fault("GET /certificates:1000:always", clear=True)
    _, json = listed(origin, check=1)
    assert json["exit_status"] == 1 and json["zones"][0]["error"]["class"] == "transient"


def test_show_by_id_by_hex_and_by_name(origin):
    serial = origin.served()
    for what in (serial, hex(int(serial)), NAME):
        one = shown(origin, what)
        assert one["id"] == serial and one["state"] == "served" and one["key_type"] == "ecdsa-p256"
        assert leaf_from_der(ssl.PEM_cert_to_DER_cert(one["pem"])).serial == serial
        (target,) = one["targets"]
        assert target["answer"] == "shown" and target["name"] == "nginx"
    origin.host.run(["systemctl", "stop", origin.nginx.unit])
    assert shown(origin, NAME)["targets"][0]["answer"] == "not shown"
    for wrong in ("0", "12345678901234567890", "no such thing"):
        done = origin.agent.command("show", wrong, check=1)
        assert done.stdout == "" and wrong in done.stderr
    text = origin.agent.command("show", NAME, check=0).stdout
    assert serial in text and f"generation 1 of {NAME}, its newest" in text


def test_revoke_asks_for_yes_and_tells_what_will_happen(origin):
    old, _ = superseded(origin)
    done = origin.agent.command("revoke", old, check=2)
    assert "--yes" in done.stderr and "Full, not strict" in done.stdout
    assert "cannot be undone" in done.stdout and origin.sandbox.stats()["revoked"] == 0
    json = revoke(origin, old, "--yes")
    assert json["revoked"] and json["changed"] and json["zones"][0]["ssl"] == "full"
    found, _ = listed(origin)
    assert found[old]["state"] == "revoked" and "revoked_at" in found[old]
    again = revoke(origin, old, "--yes")
    assert again["revoked"] and not again["changed"] and again["exit_status"] == 0
    assert shown(origin, old)["state"] == "revoked"


def test_revoke_counts_already_revoked_as_success(origin):
    old, _ = superseded(origin)
    origin.sandbox.fault("DELETE /certificates/*:1014:1")
    assert revoke(origin, old, "--yes")["revoked"]


def test_revoke_refuses_what_is_served(origin):
    serial = origin.served()
    for what in (serial, NAME):
        json = revoke(origin, what, "--yes", check=1)
        assert not json["revoked"]
        assert re.search(r"shows it for (\*\.)?example\.com now", json["obstacles"][0])
    # a stopped server would serve it at its next start
    origin.host.run(["systemctl", "stop", origin.nginx.unit])
    json = revoke(origin, NAME, "--yes", check=1)
    assert "the snippet of nginx names generation 1" in json["obstacles"][0]
    origin.host.run(["systemctl", "start", origin.nginx.unit])
    # --force, and then the next pass issues another one at once
    json = revoke(origin, NAME, "--yes", "--force")
    assert json["revoked"] and any("next pass" in effect for effect in json["effects"])
    assert origin.agent.status(check=1).certificate(NAME)["reissue"] == ["revoked"]
    done = origin.agent.scheduled_pass(check=0)
    assert done.returncode == 0 and origin.served() != serial
    assert "reissue" in origin.agent.status(check=0).certificate(NAME)


def test_revoke_refuses_in_full_strict_what_nothing_else_covers(origin):
    agent = origin.agent
    agent.certificate(OTHER, targets=None, hostnames=[OTHER])
    agent.renew(OTHER, check=0)
    serial = origin.serials()[-1]
    agent.remove(OTHER)    # no longer the current one of anything, but nothing else has the name
    mode(origin, "strict", "example.org")
    json = revoke(origin, serial, "--yes", check=1)
    assert json["uncovered"] == [OTHER] and "no other valid certificate covers" in \
        json["obstacles"][0]
    origin.sandbox.crowd("*.example.org", 1)
    json = revoke(origin, serial, "--yes")
    assert json["revoked"] and json["uncovered"] == []
    assert any("error 526" in effect for effect in json["effects"])


def test_revoke_is_careful_where_the_token_may_not_read(origin):
    old, _ = superseded(origin)
    mode(origin, "flexible")
    origin.agent.token(origin.sandbox.token_that("blind"))
    json = revoke(origin, old, "--yes", check=1)
    assert "Zone > Zone > Read" in json["obstacles"][0]
    origin.agent.token(origin.sandbox.token_that("reads"))
    json = revoke(origin, old, "--yes", check=1)
    # it may list, so it sees that the new certificate covers the names; but it may not revoke
    assert json["obstacles"] == [] and "1016" in json["error"]["message"]
    assert "Zone Settings > Read" in "".join(json["effects"])
    origin.agent.token(origin.sandbox.token)
    assert revoke(origin, old, "--yes")["revoked"]


def test_revoke_waits_for_a_pass(origin):
    old, _ = superseded(origin)
    lock = origin.agent.state_path("lock")
    holder = origin.host.spawn(["flock", lock, "sleep", "60"])
    try:
        origin.host.wait(lambda: origin.host.run(["flock", "-n", lock, "true"],
                                                 check=False).returncode == 1)
        assert origin.agent.command("revoke", old, "--yes").returncode == 4
        assert origin.agent.command("prune", "gone").returncode == 4
    finally:
        holder.kill()


def test_prune_refuses_until_nobody_needs_the_files(origin):
    agent, host = origin.agent, origin.host
    refused = agent.command("prune", "--json", NAME, check=1).json
    assert f"there is a [certificate {NAME}]" in refused["obstacles"][0]
    agent.remove(NAME)
    refused = agent.command("prune", "--json", NAME, check=1).json
    # no [target] is left: it is looked for where servers usually listen
    assert "127.0.0.1:443 shows generation 1 of it for" in refused["obstacles"][0]
    assert any(f"/etc/nginx/conf.d/{NAME}.conf:" in one for one in refused["obstacles"])
    origin.nginx.remove_all()
    host.run(["systemctl", "reload", origin.nginx.unit])
    host.wait(lambda: agent.command("prune", "--dry-run", NAME).returncode == 0)
    assert host.exists(agent.state_path("certificates", NAME, "0001", "key.pem"))
    agent.certificate(f"{NAME}.old", targets="nginx", hostnames=["old.example.com"])
    agent.renew(f"{NAME}.old")
    done = agent.command("prune", "--json", NAME, check=0).json
    assert done["changed"] and done["still_valid"] == [origin.serials()[0]]
    for path in (("certificates", NAME), ("live", NAME), ("snippets", "nginx", f"{NAME}.conf")):
        assert not host.exists(agent.state_path(*path))
    assert host.exists(agent.state_path("certificates", f"{NAME}.old", "0001"))
    assert host.exists(agent.state_path("snippets", "nginx", f"{NAME}.old.conf"))
    again = agent.command("prune", "--json", NAME, check=0).json
    assert not again["changed"] and again["files"] == []
    assert agent.command("prune", "../etc").returncode == 2


def test_prune_leaves_nothing_of_roots_in_the_state_directory(origin):
    agent, host = origin.agent, origin.host
    agent.certificate("gone", targets=None, hostnames=["gone.example.com"])
    agent.renew(check=0)
    agent.remove("gone")
    host.remove(agent.state_path("lock"))
    assert agent.command("prune", "--json", "gone", check=0).json["changed"]
    path = agent.state_path()
    assert host.output(["find", path, "-not", "-user", USER]) == ""
    agent.command("pass", user=USER, check=0)


def test_prune_with_force_takes_what_is_configured_wrong(origin):
    agent = origin.agent
    agent.certificate(NAME, validity="91d")
    refused = agent.command("prune", "--json", NAME).json
    assert f"there is a [certificate {NAME}]" in refused["obstacles"][0]
    done = agent.command("prune", "--json", "--force", NAME).json
    assert done["changed"] and not origin.host.exists(agent.state_path("certificates", NAME))


def test_list_of_a_thousand_comes_in_pages_that_end(origin, tell):
    origin.agent.certificate(CROWD, targets=None)
    answer = origin.sandbox.request("POST", "/sandbox/crowd",
                                    {"hostname": CROWD, "count": 1000}, timeout=120)
    assert answer.result["made"] == 1000
    found, json = listed(origin, "--zone", CROWD)
    assert len(found) == 1000 and json["zones"][0]["certificates"] == 1000
    tell(f"1000 certificates in {len(origin.sandbox.requests('GET', '/certificates'))} pages")


def test_options_that_do_not_belong_are_refused(origin):
    for arguments in (["list", "--yes"], ["show", NAME, "--force"], ["prune", NAME, "--yes"],
                      ["status", "--zone", NAME], ["revoke", NAME, "--dry-run"]):
        done = origin.agent.command(*arguments, check=2)
        assert "does not go with" in done.stderr
