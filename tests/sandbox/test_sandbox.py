"""The Origin CA's four calls, as the facts have them (rules of the API, one test a rule)."""

import base64
import configparser
import datetime
import json
import re

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from sandbox_driver import (CSR_P256, CSR_RSA, KEY_P256, KEY_RSA, csr_new, key_new, leaf_of,
                            names_of)

READER = "read-token-that-may-not-edit-00000000000"
EDITOR = "edit-token-for-certificates-only-0000000"
NARROW = "zone-token-for-one-zone-only-0000000000"
NOBODY = "none-token-without-permissions-00000000"
DAY = datetime.timedelta(days=1)


def public(key):
    return key.public_bytes(serialization.Encoding.DER,
                            serialization.PublicFormat.SubjectPublicKeyInfo)


def test_leaf_has_the_names_asked_for_and_nothing_of_the_csr(shared):
    answer = shared.issue("example.com", "*.example.com", "a.b.example.org")
    leaf = leaf_of(answer.result)
    assert set(names_of(leaf)) == {"example.com", "*.example.com", "a.b.example.org"}
    (name,) = leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    assert name.value == "CloudFlare Origin Certificate"
    assert b"ignored.invalid" not in leaf.public_bytes(serialization.Encoding.DER)
    assert public(leaf.public_key()) == public(KEY_P256.public_key())
    usage = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert set(usage) == {ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH}


def test_leaf_is_signed_directly_by_the_root_of_its_algorithm(shared):
    leaf = leaf_of(shared.issue().result)
    root = shared.root("origin_ca_ecc_root.pem")
    assert leaf.issuer == root.subject
    root.public_key().verify(leaf.signature, leaf.tbs_certificate_bytes,
                             ec.ECDSA(leaf.signature_hash_algorithm))
    leaf = leaf_of(shared.issue(csr=CSR_RSA, request_type="origin-rsa").result)
    root = shared.root("origin_ca_rsa_root.pem")
    assert leaf.issuer == root.subject
    assert public(leaf.public_key()) == public(KEY_RSA.public_key())
    root.public_key().verify(leaf.signature, leaf.tbs_certificate_bytes, padding.PKCS1v15(),
                             leaf.signature_hash_algorithm)


def test_roots_look_like_cloudflares_but_say_that_they_are_not(shared):
    for name in ("ecc", "rsa"):
        root = shared.root(f"origin_ca_{name}_root.pem")
        assert root.not_valid_after == datetime.datetime(2029, 8, 15, 17, 0)
        (unit,) = root.subject.get_attributes_for_oid(NameOID.ORGANIZATIONAL_UNIT_NAME)
        assert unit.value.startswith("CloudFlare Origin SSL ")
        (who,) = root.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
        assert "not Cloudflare" in who.value
        served = shared.get(f"/ssl/static/origin_ca_{name}_root.pem", token="")
        assert x509.load_pem_x509_certificate(served.body) == root
    served = shared.get("/ssl/static/authenticated_origin_pull_ca.pem", token="")
    assert (x509.load_pem_x509_certificate(served.body)
            == shared.root("authenticated_origin_pull_ca.pem"))
    assert shared.get("/ssl/static/tls.key").status == 404


def test_edge_client_certificate_is_signed_by_the_origin_pull_authority(shared):
    ca = shared.root("authenticated_origin_pull_ca.pem")
    client = shared.root("origin_pull_client.pem")
    ca.public_key().verify(client.signature, client.tbs_certificate_bytes, padding.PKCS1v15(),
                           client.signature_hash_algorithm)
    purposes = client.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(purposes) == [ExtendedKeyUsageOID.CLIENT_AUTH]


def test_configuration_for_the_agent_pins_what_is_served(shared):
    ini = configparser.ConfigParser()
    ini.read(shared.directory / "agent.ini")
    assert ini["api"]["root_url"] == f"{shared.address}/ssl/static"
    names = ("origin_ca_ecc_root.pem", "origin_ca_rsa_root.pem", "authenticated_origin_pull_ca.pem")
    assert ini["api"]["root_sha256"].split() == [
        shared.root(name).fingerprint(hashes.SHA256()).hex().upper() for name in names]


def test_id_is_the_serial_in_decimal_and_random(shared):
    results = [shared.issue().result for _ in range(20)]
    for result in results:
        assert isinstance(result["id"], str)
        assert re.fullmatch(r"[0-9]{1,49}", result["id"])
        assert int(result["id"]) == leaf_of(result).serial_number
    assert len({result["id"] for result in results}) == 20
    assert max(int(result["id"]).bit_length() for result in results) > 140


@pytest.mark.parametrize("days", [7, 30, 90, 365, 730, 1095, 5475])
def test_each_validity_is_kept_to_the_second_and_backdated(shared, days):
    result = shared.issue(days=days).result
    leaf = leaf_of(result)
    assert leaf.not_valid_after - leaf.not_valid_before == days * DAY
    now = datetime.datetime.utcnow()
    assert datetime.timedelta(minutes=3) < now - leaf.not_valid_before < datetime.timedelta(
        minutes=8)
    assert leaf.not_valid_before.second == 0
    assert result["requested_validity"] == days


@pytest.mark.parametrize("value", [None, 0, "90", "", True, [90]])
def test_validity_that_is_no_number_means_fifteen_years(shared, value):
    result = shared.issue(days=value).result
    leaf = leaf_of(result)
    assert leaf.not_valid_after - leaf.not_valid_before == 5475 * DAY
    assert result["requested_validity"] == 5475


def test_misspelt_validity_means_fifteen_years(shared):
    body = {"csr": CSR_P256, "hostnames": ["example.com"], "request_type": "origin-ecc",
            "requested_validty": 90}
    leaf = leaf_of(shared.post("/certificates", body).result)
    assert leaf.not_valid_after - leaf.not_valid_before == 5475 * DAY


@pytest.mark.parametrize("days", [1, 8, 89, 90.5, -90, 5476, 1e300])
def test_validity_that_is_not_one_of_the_seven_is_1009(shared, days):
    answer = shared.issue(days=days)
    assert (answer.status, answer.code) == (400, 1009)


@pytest.mark.parametrize("hostname", [
    "other.invalid", "com", "example.com.", "notexample.com", "192.0.2.1", "2001:db8::1",
    "*", "*.*.example.com", "foo.*.example.com", "f*.example.com", "*example.com", "",
    "a..example.com", ".example.com", "-a.example.com", "b\u00fccher.example.com",
    "a b.example.com", "example.com,DNS:evil.invalid", "x" * 64 + ".example.com",
    ".".join(["abcdefgh"] * 28) + ".example.com", "app.pending.example", "*.com"])
def test_name_outside_the_zones_or_malformed_is_1010(shared, hostname):
    before = len(shared.journal())
    answer = shared.issue("example.com", hostname)
    assert (answer.status, answer.code) == (400, 1010)
    assert len(shared.journal()) == before


@pytest.mark.parametrize("hostname", [
    "example.com", "*.example.com", "a.b.c.example.com", "*.a.example.com", "EXAMPLE.com",
    "_dmarc.example.com", "xn--bcher-kva.example.com", "xn--fsq.example"])
def test_name_inside_the_zones_is_taken(shared, hostname):
    result = shared.issue(hostname).result
    assert names_of(leaf_of(result)) == [hostname.lower()]
    assert result["hostnames"] == [hostname]


def test_hundred_names_are_taken_and_one_more_is_1005(shared):
    names = [f"n{number}.example.com" for number in range(101)]
    assert len(names_of(leaf_of(shared.issue(*names[:100]).result))) == 100
    answer = shared.issue(*names)
    assert (answer.status, answer.code) == (400, 1005)


def test_duplicates_are_removed_with_a_message_only(shared):
    answer = shared.issue("example.com", "Example.COM", "example.com")
    assert names_of(leaf_of(answer.result)) == ["example.com"]
    assert [message["code"] for message in answer.json["messages"]] == [1006]
    assert shared.issue("example.com").json["messages"] == []


def test_hostnames_come_back_in_any_order_but_always_the_same_one(shared):
    asked = [f"n{number}.example.com" for number in range(12)]
    result = shared.issue(*asked).result
    assert set(result["hostnames"]) == set(asked)
    assert result["hostnames"] != asked
    assert shared.get(f"/certificates/{result['id']}").result["hostnames"] == result["hostnames"]


def test_pem_comes_with_and_without_a_last_newline(shared):
    texts = [shared.issue().result["certificate"] for _ in range(24)]
    assert {text.endswith("\n") for text in texts} == {True, False}
    assert all(text.rstrip().endswith("-----END CERTIFICATE-----") for text in texts)


DER = base64.b64encode(x509.load_pem_x509_csr(CSR_P256.encode()).public_bytes(
    serialization.Encoding.DER)).decode()


@pytest.mark.parametrize("csr", [
    DER, "x", CSR_P256.replace("\n", "\\n"), CSR_P256[:200], CSR_P256.replace("REQUEST", "REQ"),
    CSR_P256.replace("M", "N", 1), 7, None, ["x"]],
    ids=["der", "word", "backslashes", "cut", "label", "byte", "number", "null", "list"])
def test_csr_that_is_not_pem_is_1007(shared, csr):
    body = {"csr": csr, "hostnames": ["example.com"], "request_type": "origin-ecc"}
    answer = shared.post("/certificates", body)
    assert (answer.status, answer.code) == (400, 1007)


def test_csr_with_a_broken_signature_is_1007(shared):
    der = bytearray(x509.load_pem_x509_csr(CSR_P256.encode()).public_bytes(
        serialization.Encoding.DER))
    der[60] ^= 1
    text = base64.encodebytes(bytes(der)).decode()
    csr = f"-----BEGIN CERTIFICATE REQUEST-----\n{text}-----END CERTIFICATE REQUEST-----\n"
    assert shared.issue(csr=csr).code == 1007


@pytest.mark.parametrize("csr,request_type", [
    (CSR_P256, "origin-rsa"), (CSR_RSA, "origin-ecc"),
    (csr_new(key_new("secp256k1")), "origin-ecc"), (csr_new(key_new("rsa1024")), "origin-rsa")],
    ids=["p256", "rsa2048", "secp256k1", "rsa1024"])
def test_key_that_does_not_suit_the_request_type_is_1011(shared, csr, request_type):
    answer = shared.issue(csr=csr, request_type=request_type)
    assert (answer.status, answer.code) == (400, 1011)


def test_p384_is_signed_by_the_ecc_root(shared):
    leaf = leaf_of(shared.issue(csr=csr_new(key_new("p384"))).result)
    assert leaf.issuer == shared.root("origin_ca_ecc_root.pem").subject
    assert leaf.public_key().curve.name == "secp384r1"


@pytest.mark.parametrize("body", [
    b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"a":' * 5000, b'"x"', b"{}garbage",
    b'{"csr":"\0"}', b'{"csr":"\xff"}', b'{"csr":"\xc3',
    b'{"hostnames":["example.com\\u0000.evil.invalid"]}'])
def test_body_that_is_no_json_object_is_1003(shared, body):
    answer = shared.post("/certificates", body)
    assert (answer.status, answer.code) == (400, 1003)


@pytest.mark.parametrize("change", [
    {"hostnames": []}, {"hostnames": "example.com"}, {"hostnames": [7]}, {"hostnames": None},
    {"request_type": None}, {"request_type": "origin-dsa"}, {"request_type": 1}])
def test_member_missing_or_of_the_wrong_type_is_1004(shared, change):
    body = {"csr": CSR_P256, "hostnames": ["example.com"], "request_type": "origin-ecc", **change}
    answer = shared.post("/certificates", body)
    assert (answer.status, answer.code) == (400, 1004)


def test_body_beyond_the_bound_is_refused_and_the_sandbox_lives_on(shared):
    assert shared.post("/certificates", b"x" * (65 << 10)).status == 413
    with pytest.raises(OSError):
        for _ in range(2):
            shared.post("/certificates", b"x" * (8 << 20))
    assert shared.issue().status == 200


def test_get_leaves_out_csr_and_requested_validity(shared):
    made = shared.issue().result
    assert made["csr"] == CSR_P256
    shown = shared.get(f"/certificates/{made['id']}").result
    assert "csr" not in shown and "requested_validity" not in shown
    assert "revoked_at" not in shown
    for name in ("id", "certificate", "hostnames", "request_type"):
        assert shown[name] == made[name]


def test_expires_on_comes_in_both_forms_and_agrees_with_the_leaf(shared):
    made = shared.issue().result
    end = leaf_of(made).not_valid_after
    assert made["expires_on"] == end.strftime("%Y-%m-%d %H:%M:%S +0000 UTC")
    shown = shared.get(f"/certificates/{made['id']}").result
    assert shown["expires_on"] == end.strftime("%Y-%m-%dT%H:%M:%SZ")
    (listed,) = [one for one in shared.get(
        f"/certificates?zone_id={shared.zone()}&per_page=50").result if one["id"] == made["id"]]
    assert listed["expires_on"] == made["expires_on"]
    assert "csr" not in listed and "requested_validity" not in listed


@pytest.mark.parametrize("name", ["1", "0x1f", "x", "9" * 49, "9" * 120, "-1"])
def test_certificate_that_does_not_exist_is_1101(shared, name):
    for method in ("GET", "DELETE"):
        answer = shared.request(method, f"/certificates/{name}")
        assert (answer.status, answer.code) == (400, 1101)


def test_serial_missing_is_1013(shared):
    assert shared.get("/certificates/").code == 1013
    assert shared.request("DELETE", "/certificates/").code == 1013


def test_revoking_is_remembered_and_not_repeated(shared):
    made = shared.issue().result
    gone = shared.request("DELETE", f"/certificates/{made['id']}").result
    assert gone["id"] == made["id"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", gone["revoked_at"])
    shown = shared.get(f"/certificates/{made['id']}").result
    assert shown["revoked_at"] == gone["revoked_at"]
    assert shared.request("DELETE", f"/certificates/{made['id']}").code == 1014


def test_token_that_may_only_read_is_1016_on_edits(shared):
    made = shared.issue().result
    assert shared.issue(token=READER).code == 1016
    assert shared.request("DELETE", f"/certificates/{made['id']}", token=READER).code == 1016
    assert shared.get(f"/certificates/{made['id']}", token=READER).status == 200


def test_token_for_one_zone_does_not_see_the_others(shared):
    made = shared.issue("example.com").result
    assert shared.issue("example.com", token=NARROW).code == 1010
    assert shared.issue("example.net", token=NARROW).status == 200
    assert shared.issue("example.net", "example.com", token=NARROW).code == 1010
    assert shared.get(f"/certificates/{made['id']}", token=NARROW).code == 1101
    assert [zone["name"] for zone in shared.get("/zones", token=NARROW).result] == ["example.net"]


def test_token_without_permissions_is_a_stranger(shared):
    answer = shared.issue(token=NOBODY)
    assert (answer.status, answer.code) == (403, 10000)
    assert shared.get("/zones", token=NOBODY).code == 9109
    assert shared.get(f"/zones/{shared.zone()}", token=NOBODY).code == 9109


def test_certificate_permission_shows_a_zone_but_does_not_list_them(shared):
    assert shared.get(f"/zones/{shared.zone()}", token=EDITOR).result["name"] == "example.com"
    assert shared.get("/zones?name=example.com", token=EDITOR).code == 9109
    assert shared.get(f"/zones/{shared.zone()}/settings/ssl", token=EDITOR).code == 9109
    assert shared.issue(token=EDITOR).status == 200


def test_list_needs_a_zone_that_the_token_reaches(shared):
    assert shared.get("/certificates").code == 1012
    assert shared.get("/certificates?zone_id=").code == 1012
    assert shared.get("/certificates?zone_id=" + "0" * 32).code == 10000
    assert shared.get(f"/certificates?zone_id={shared.zone()}", token=NARROW).code == 10000


@pytest.mark.parametrize("query", ["per_page=4", "per_page=51", "page=0", "page=x", "page=",
                                   "page=-1", "per_page=99999999999999999999"])
def test_list_refuses_pages_out_of_bounds(shared, query):
    assert shared.get(f"/certificates?zone_id={shared.zone()}&{query}").code == 1003


def test_list_pages_through_every_certificate_of_the_zone_once(start):
    sandbox = start("--rate-limit", "none")
    made = [sandbox.issue(f"n{number}.example.org").result["id"] for number in range(23)]
    both = sandbox.issue("example.org", "example.net").result["id"]
    sandbox.issue("example.com")
    zone = sandbox.zone("example.org")

    first = sandbox.get(f"/certificates?zone_id={zone}").json
    assert first["result_info"] == {"page": 1, "per_page": 20, "count": 20, "total_count": 24,
                                    "total_pages": 2}
    seen = []
    for page in range(1, 6):
        answer = sandbox.get(f"/certificates?zone_id={zone}&page={page}&per_page=5").json
        seen += [one["id"] for one in answer["result"]]
        assert answer["result_info"]["count"] == len(answer["result"])
    assert len(seen) == 24 and set(seen) == {*made, both}
    assert sandbox.get(f"/certificates?zone_id={zone}&page=6&per_page=5").result == []
    other = sandbox.get(f"/certificates?zone_id={sandbox.zone('example.net')}").result
    assert [one["id"] for one in other] == [both]


def test_longest_zone_holds_a_name(shared):
    made = shared.issue("a.sub.example.com").result["id"]

    def listed(zone):
        path = f"/certificates?zone_id={shared.zone(zone)}&per_page=50"
        return [one["id"] for one in shared.get(path).result]

    assert made in listed("sub.example.com")
    assert made not in listed("example.com")


def test_answers_keep_a_connection_and_carry_the_headers(shared):
    answer = shared.issue()
    assert re.fullmatch(r"[0-9a-f]{16}-[A-Z]{3}", answer.headers["CF-Ray"])
    assert re.fullmatch(r'"default";r=\d+;t=\d+', answer.headers["Ratelimit"])
    assert answer.headers["Ratelimit-Policy"].startswith('"default";')
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers.get_all("Date") and len(answer.headers.get_all("Date")) == 1
    socket = shared.connection.sock
    for path in ("/nothing", "/certificates", "/ssl/static/nothing", "/zones"):
        assert "CF-Ray" in shared.get(path).headers
        assert "Ratelimit" in shared.get(path, token="").headers
    assert shared.connection.sock is socket


def test_issue_is_journalled_whole(shared):
    made = shared.issue("example.com", "www.example.com", days=30, token=EDITOR).result
    line = shared.journal()[-1]
    assert line["id"] == made["id"] and line["certificate"] == made["certificate"]
    assert set(line["hostnames"]) == {"example.com", "www.example.com"}
    assert line["requested_validity"] == 30 and line["token"] == "editor"
    request = shared.journal("requests.jsonl")[-1]
    assert (request["method"], request["path"], request["status"], request["token"]) == (
        "POST", "/client/v4/certificates", 200, "editor")


def test_no_token_is_ever_written(shared):
    for token in (READER, EDITOR, NARROW, "an-unknown-token-that-must-not-be-kept-0"):
        shared.get("/zones", token=token)
    for name in ("requests.jsonl", "issued.jsonl", "zones.json"):
        path = shared.directory / name
        text = path.read_text() if path.exists() else ""
        for token in (READER, EDITOR, NARROW, shared.token, "an-unknown-token-that-must-not"):
            assert token not in text


def test_error_envelope_is_complete(shared):
    answer = shared.issue("other.invalid").json
    assert list(answer) == ["success", "errors", "messages", "result"]
    assert answer["result"] is None and answer["messages"] == []
    assert "other.invalid" in json.dumps(answer["errors"])
