"""Authentication, and the neighbours of the Origin CA: zones, settings, rules, records, tokens."""

import hashlib
import time

import pytest

NARROW = "zone-token-for-one-zone-only-0000000000"
EDITOR = "edit-token-for-certificates-only-0000000"
READER = "read-token-that-may-not-edit-00000000000"
DISABLED = "dead-token-that-was-disabled-0000000000"
EXPIRED = "old--token-that-has-expired-00000000000"
ACCOUNT = "cfat_account-token-0000000000000000000000"
UNKNOWN = "unknown-token-of-the-right-form-00000000"


@pytest.mark.parametrize("header", [
    "Bearer", "Bearer ", "Bearer short", "Basic dXNlcjpwYXNz", UNKNOWN, f"Bearer {UNKNOWN} x",
    f"Bearer {UNKNOWN}\t!", "Bearer " + "x" * 201, f'Bearer "{UNKNOWN}"'])
def test_malformed_authorization_is_6003_with_6111_in_its_chain(shared, header):
    answer = shared.get("/zones", headers={"Authorization": header})
    assert (answer.status, answer.code) == (400, 6003)
    assert [link["code"] for link in answer.json["errors"][0]["error_chain"]] == [6111]


@pytest.mark.parametrize("token", [UNKNOWN, DISABLED, EXPIRED])
def test_token_that_is_not_accepted_is_10000_or_9109(shared, token):
    answer = shared.issue(token=token)
    assert (answer.status, answer.code) == (401, 10000)
    answer = shared.get("/zones", token=token)
    assert (answer.status, answer.code) == (403, 9109)


def test_origin_ca_keys_have_ended(shared):
    key = "v1.0-0123456789abcdef-0123456789abcdef0123456789abcdef"
    answer = shared.issue(token="", headers={"X-Auth-User-Service-Key": key})
    assert (answer.status, answer.code) == (401, 10000)
    answer = shared.issue(headers={"Authorization": f"Bearer {key}"})
    assert (answer.status, answer.code) == (401, 10000)


def test_no_credentials_and_global_keys_are_refused(shared):
    assert shared.issue(token="").status == 400
    answer = shared.issue(token="", headers={"X-Auth-Email": "a@b.invalid", "X-Auth-Key": "0" * 37})
    assert (answer.status, answer.code) == (400, 6003)


def test_token_verify_says_status_and_good_news(shared):
    answer = shared.get("/user/tokens/verify")
    assert answer.result["status"] == "active" and len(answer.result["id"]) == 32
    assert answer.json["messages"][0]["code"] == 10000
    assert answer.json["errors"] == []
    assert shared.get("/user/tokens/verify", token=DISABLED).result["status"] == "disabled"
    assert shared.get("/user/tokens/verify", token=EXPIRED).result["status"] == "expired"
    assert shared.get("/user/tokens/verify", token=UNKNOWN).status == 401


def test_account_tokens_are_verified_at_their_account_only(shared):
    account = shared.get("/zones?name=example.com").result[0]["account"]["id"]
    assert shared.get("/user/tokens/verify", token=ACCOUNT).status == 403
    verified = shared.get(f"/accounts/{account}/tokens/verify", token=ACCOUNT)
    assert verified.result["status"] == "active"
    assert shared.get(f"/accounts/{'0' * 32}/tokens/verify", token=ACCOUNT).status == 401
    assert shared.issue(token=ACCOUNT).status == 200


@pytest.mark.parametrize("path", [
    "/", "/certificate", "/zones/example.com", "/zones/x/settings/ssl",
                                  "/zones/" + "0" * 33, "/accounts/x/tokens/verify",
                                  "/zones//settings/ssl", "/%ff%fe"])
def test_path_that_does_not_exist_is_7003(shared, path):
    answer = shared.get(path)
    assert (answer.status, answer.code) == (404, 7003)


def test_method_that_does_not_exist_is_refused(shared):
    for method, path in (("PUT", "/certificates"), ("PATCH", "/zones"), ("DELETE", "/ips")):
        assert shared.request(method, path).status == 405


def test_zone_is_found_by_exact_name_only(shared):
    (zone,) = shared.get("/zones?name=example.com").result
    assert len(zone["id"]) == 32 and zone["status"] == "active" and zone["paused"] is False
    assert len(zone["account"]["id"]) == 32
    assert shared.get(f"/zones/{zone['id']}").result == zone
    assert shared.get("/zones?name=www.example.com").result == []
    assert shared.get("/zones?name=EXAMPLE.com").result == [zone]
    assert len(shared.get("/zones").result) == 6
    pages = [shared.get(f"/zones?per_page=5&page={page}").json for page in (1, 2, 3)]
    assert [len(page["result"]) for page in pages] == [5, 1, 0]
    assert pages[0]["result_info"]["total_count"] == 6
    (pending,) = shared.get("/zones?status=pending").result
    assert pending["name"] == "pending.example"


def test_zone_of_others_is_9109(shared):
    answer = shared.get("/zones/" + "0" * 32)
    assert (answer.status, answer.code) == (403, 9109)
    assert shared.get(f"/zones/{shared.zone()}", token=NARROW).code == 9109


@pytest.mark.parametrize("setting,values,wrong", [
    ("ssl", ["off", "flexible", "full", "origin_pull", "strict"], "auto"),
    ("ssl_automatic_mode", ["auto", "custom"], "on"),
    ("tls_client_auth", ["on", "off"], "strict")])
def test_setting_takes_its_values_only(shared, setting, values, wrong):
    path = f"/zones/{shared.zone()}/settings/{setting}"
    for value in values:
        changed = shared.request("PATCH", path, {"value": value}).result
        assert changed["value"] == value and changed["id"] == setting
        assert shared.get(path).result == changed
    for body in ({"value": wrong}, {"value": 1}, {}, {"value": None}):
        assert shared.request("PATCH", path, body).status == 400
    assert shared.get(path).result["value"] == values[-1]


def test_certificate_permission_does_not_cover_settings(shared):
    path = f"/zones/{shared.zone()}/settings"
    assert shared.request("PATCH", f"{path}/ssl", {"value": "strict"}, token=EDITOR).code == 9109
    assert shared.request("PATCH", f"{path}/ssl_automatic_mode", {"value": "custom"},
                          token=EDITOR).status == 200
    assert shared.get(f"{path}/nonsense").status == 400


def test_dns_records_tell_what_is_proxied(shared):
    path = f"/zones/{shared.zone()}/dns_records"
    (record,) = shared.get(f"{path}?name.exact=www.example.com").result
    assert record["proxied"] is True and record["name"] == "www.example.com"
    (record,) = shared.get(f"{path}?name.exact=DIRECT.example.com").result
    assert record["proxied"] is False
    assert shared.get(f"{path}?name.exact=absent.example.com").result == []
    assert len(shared.get(f"{path}?proxied=false").result) == 1
    assert shared.get(path, token=READER).code == 9109


RULE = {"action": "set_config", "action_parameters": {"ssl": "strict"},
        "expression": 'http.host eq "app.example.com"', "description": "origin is strict"}


def test_configuration_rules_are_put_appended_and_changed(start):
    sandbox = start()
    base = f"/zones/{sandbox.zone()}/rulesets"
    entry = f"{base}/phases/http_config_settings/entrypoint"
    assert sandbox.get(entry).status == 404
    assert sandbox.request("PUT", entry, {"rules": [{"action": "block"}]}).status == 400
    made = sandbox.request("PUT", entry, {"rules": [RULE]}).result
    assert made["version"] == "1" and made["phase"] == "http_config_settings"
    assert made["rules"][0]["action_parameters"] == {"ssl": "strict"}
    grown = sandbox.post(f"{base}/{made['id']}/rules", RULE).result
    assert len(grown["rules"]) == 2 and grown["version"] == "2"
    assert grown["rules"][0] == made["rules"][0]
    rule = grown["rules"][1]["id"]
    changed = sandbox.request("PATCH", f"{base}/{made['id']}/rules/{rule}",
                              {"enabled": False}).result
    assert changed["rules"][1]["enabled"] is False
    assert changed["rules"][1]["id"] == rule
    assert changed["rules"][1]["expression"] == RULE["expression"]
    assert sandbox.get(entry).result == changed
    assert sandbox.post(f"{base}/{'0' * 32}/rules", RULE).status == 404
    assert sandbox.request("PATCH", f"{base}/{made['id']}/rules/{'0' * 32}", {}).status == 404
    replaced = sandbox.request("PUT", entry, {"rules": []}).result
    assert replaced["rules"] == []

    sandbox.stop()
    assert start().get(entry).result == replaced


def test_page_rules_show_the_disabled_ones_unless_asked(start):
    sandbox = start()
    rules = [{"id": "1", "status": "active", "actions": [{"id": "ssl", "value": "full"}]},
             {"id": "2", "status": "disabled", "actions": []}]
    assert sandbox.request("PUT", "/sandbox/zones/example.com",
                           {"pagerules": rules}).status == 200
    path = f"/zones/{sandbox.zone()}/pagerules"
    assert [rule["id"] for rule in sandbox.get(path).result] == ["2"]
    assert [rule["id"] for rule in sandbox.get(f"{path}?status=active").result] == ["1"]


def test_zone_can_be_changed_while_it_runs(start):
    sandbox = start()
    assert sandbox.request("PUT", "/sandbox/zones/example.com", {"status": "pending"}).status == 200
    assert sandbox.issue("example.com").code == 1010
    assert sandbox.request("PUT", "/sandbox/zones/example.com", {"status": "active"}).status == 200
    assert sandbox.issue("example.com").status == 200
    for body in ({"status": 1}, {"name": "x"}, {"dns_records": {}}, {"settings": {}}):
        assert sandbox.request("PUT", "/sandbox/zones/example.com", body).status == 400
    assert sandbox.request("PUT", "/sandbox/zones/absent.invalid", {}).status == 404


def test_ips_need_no_token(shared):
    result = shared.get("/ips", token="").result
    assert result["ipv4_cidrs"] and result["ipv6_cidrs"] and result["etag"]


def test_rate_limit_ends_in_429_until_the_window_is_over(start):
    sandbox = start("--rate-limit", "5/2")
    left = []
    for _ in range(5):
        answer = sandbox.get("/zones")
        assert answer.status == 200
        left.append(int(answer.headers["Ratelimit"].split("r=")[1].split(";")[0]))
    assert left == [4, 3, 2, 1, 0]
    answer = sandbox.get("/zones")
    assert (answer.status, answer.code) == (429, 971)
    wait = int(answer.headers["Retry-After"])
    assert 1 <= wait <= 2
    assert answer.headers["Ratelimit"] == f'"default";r=0;t={wait}'
    assert answer.headers["Ratelimit-Policy"] == '"default";q=5;w=2'
    assert sandbox.get("/ips", token="").status == 200
    assert sandbox.get("/sandbox/stats").status == 200
    assert sandbox.get("/zones").status == 429
    time.sleep(wait)
    assert sandbox.get("/zones").status == 200


def test_rate_limit_blocks_for_a_whole_window_from_when_it_was_passed(start):
    sandbox = start("--rate-limit", "2/4")
    sandbox.get("/zones")
    time.sleep(2)
    sandbox.get("/zones")
    assert sandbox.get("/zones").headers["Retry-After"] == "4"


def test_default_limit_is_cloudflares(start):
    assert start().get("/zones").headers["Ratelimit-Policy"] == '"default";q=1200;w=300'


def test_zone_ids_are_the_same_in_every_sandbox(start):
    one = start(name="one")
    other = start(name="other")
    assert one.zone() == other.zone()
    assert one.token != other.token and len(one.token) == 40
    digests = [hashlib.sha256((sandbox.directory / "origin_ca_ecc_root.pem").read_bytes())
               for sandbox in (one, other)]
    assert digests[0].digest() != digests[1].digest()
