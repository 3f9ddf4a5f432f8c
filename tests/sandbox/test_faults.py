"""Misbehaviour on purpose, restarts, the command line, and load."""

import http.client
import json
import os
import resource
import signal
import socket
import ssl
import subprocess
import threading
import time

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec

from sandbox_driver import CSR_P256, KEY_P256, binary, leaf_of, names_of

LOST = (OSError, http.client.HTTPException)


def issued(sandbox):
    return sandbox.get("/sandbox/stats").result["issued"]


def test_lost_answer_still_issues_and_is_journalled(start):
    sandbox = start("--fault", "POST /certificates:lose-answer:2")
    for number in (1, 2):
        with pytest.raises(LOST):
            sandbox.issue()
        assert issued(sandbox) == number
    assert sandbox.journal()[0]["fault"] == "lose-answer"
    assert sandbox.journal("requests.jsonl")[0]["status"] == 0
    assert sandbox.issue().status == 200
    assert issued(sandbox) == 3


def test_reset_before_issues_nothing(start):
    sandbox = start("--fault", "POST /certificates:reset-before")
    with pytest.raises(LOST):
        sandbox.issue()
    assert issued(sandbox) == 0
    assert sandbox.issue().status == 200


@pytest.mark.parametrize("kind,status,code", [
    ("1100", 400, 1100), ("1201", 400, 1201), ("error=1000", 400, 1000), ("429", 429, 971),
    ("200-false", 200, 1100), ("200-false=1201", 200, 1201)])
def test_refusal_does_nothing(shared, kind, status, code):
    before = issued(shared)
    shared.fault(f"POST /certificates:{kind}")
    answer = shared.issue()
    assert (answer.status, answer.code) == (status, code)
    assert issued(shared) == before
    assert shared.issue().status == 200


def test_429_says_how_long(shared):
    shared.fault("GET /zones:429=7")
    assert shared.get("/zones").headers["Retry-After"] == "7"


@pytest.mark.parametrize("kind,status,made", [("500-html", 500, 0), ("503", 503, 0),
                                              ("502-html-after", 502, 1)])
def test_html_instead_of_json(shared, kind, status, made):
    before = issued(shared)
    shared.fault(f"POST /certificates:{kind}")
    answer = shared.issue()
    assert answer.status == status and answer.body.startswith(b"<!DOCTYPE html>")
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "CF-Ray" in answer.headers
    assert issued(shared) == before + made


def test_slow_work_is_done_for_a_client_that_is_gone(start):
    sandbox = start("--fault", "POST /certificates:slow-work=2")
    impatient = sandbox.connect(timeout=0.5)
    with pytest.raises(TimeoutError):
        sandbox.send(impatient, "POST", "/certificates", {
            "csr": CSR_P256, "hostnames": ["example.com"], "request_type": "origin-ecc"})
    impatient.close()
    assert issued(sandbox) == 0
    deadline = time.monotonic() + 20
    while issued(sandbox) == 0 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert issued(sandbox) == 1


def test_slow_body_is_slow_but_whole(shared):
    shared.fault("POST /certificates:slow-body=1")
    began = time.monotonic()
    assert shared.issue().status == 200
    assert time.monotonic() - began > 0.8


def test_cut_body_promises_more_than_it_sends(shared):
    before = issued(shared)
    shared.fault("POST /certificates:cut-body")
    with pytest.raises((http.client.IncompleteRead, OSError)):
        shared.issue()
    assert issued(shared) == before + 1


def test_empty_body_is_a_success_without_words(shared):
    shared.fault("POST /certificates:empty-body")
    answer = shared.issue()
    assert answer.status == 200 and answer.body == b""


def test_bare_envelope_leaves_out_errors_and_messages(shared):
    shared.fault("POST /certificates:bare")
    answer = shared.issue().json
    assert set(answer) == {"success", "result"}


def test_other_date_turns_both_forms(shared):
    shared.fault("* /certificates*:other-date:2")
    made = shared.issue().result
    assert made["expires_on"].endswith("Z")
    assert shared.get(f"/certificates/{made['id']}").result["expires_on"].endswith("+0000 UTC")


def test_wrong_names_are_in_the_leaf_only(shared):
    shared.fault("POST /certificates:wrong-names")
    result = shared.issue("example.com").result
    assert names_of(leaf_of(result)) == ["wrong.origin-ca-sandbox.invalid"]
    assert result["hostnames"] == ["example.com"]


def test_wrong_validity_is_fifteen_years(shared):
    shared.fault("POST /certificates:wrong-validity")
    leaf = leaf_of(shared.issue(days=7).result)
    assert (leaf.not_valid_after - leaf.not_valid_before).days == 5475


def test_wrong_key_is_not_the_csrs(shared):
    shared.fault("POST /certificates:wrong-key")
    leaf = leaf_of(shared.issue().result)
    assert leaf.public_key().public_numbers() != KEY_P256.public_key().public_numbers()


def test_not_signed_names_the_root_but_does_not_verify(shared):
    shared.fault("POST /certificates:not-signed")
    leaf = leaf_of(shared.issue().result)
    root = shared.root("origin_ca_ecc_root.pem")
    assert leaf.issuer == root.subject
    with pytest.raises(InvalidSignature):
        root.public_key().verify(leaf.signature, leaf.tbs_certificate_bytes,
                                 ec.ECDSA(leaf.signature_hash_algorithm))


def test_ignored_page_repeats_the_first_one(start):
    sandbox = start("--fault", "GET /certificates:ignore-page:always")
    for _ in range(7):
        sandbox.issue()
    path = f"/certificates?zone_id={sandbox.zone()}&per_page=5&page="
    assert sandbox.get(path + "1").result == sandbox.get(path + "2").result


@pytest.mark.parametrize("kind,made", [("hang", 0), ("hang-after", 1)])
def test_hang_holds_up_nobody_else_nor_the_end(start, kind, made):
    sandbox = start("--fault", f"POST /certificates:{kind}")
    hanging = sandbox.connect(timeout=1)
    with pytest.raises(TimeoutError):
        sandbox.send(hanging, "POST", "/certificates", {
            "csr": CSR_P256, "hostnames": ["example.com"], "request_type": "origin-ecc"})
    assert sandbox.get("/zones").status == 200
    assert issued(sandbox) == made
    assert sandbox.stop() == 0
    assert sandbox.stopped_in < 10
    hanging.close()


def test_faults_are_listed_counted_and_cleared(start):
    sandbox = start("--fault", "GET /zones*:1000:2", "--fault", "GET /ips:1000:always")
    assert sandbox.get("/zones").code == 1000
    for _ in range(3):
        assert sandbox.get("/ips").code == 1000
    assert sandbox.get("/sandbox/faults").result == [
        {"fault": "GET /zones*:1000:2", "remaining": 1, "used": 1},
        {"fault": "GET /ips:1000:always", "remaining": -1, "used": 3}]
    sandbox.fault()
    assert sandbox.get("/sandbox/faults").result == []
    assert sandbox.get("/ips").status == 200


@pytest.mark.parametrize("specification", ["", "POST", "POST /x", "POST /x:", "POST /x:nonsense",
                                           "POST /x:1100:-1", "POST /x:1100:x", " /x:1100", ":::",
                                           "POST /x:slow-body=x", "POST /x:12"])
def test_fault_that_is_not_understood_is_refused(shared, specification):
    shared.fault()
    answer = shared.post("/sandbox/faults", {"add": [specification]})
    assert answer.status == 400
    assert shared.get("/sandbox/faults").result == []


def test_stats_count_requests_by_route(start):
    sandbox = start()
    made = sandbox.issue().result
    sandbox.issue("other.invalid")
    sandbox.get(f"/certificates/{made['id']}")
    sandbox.request("DELETE", f"/certificates/{made['id']}")
    stats = sandbox.get("/sandbox/stats").result
    assert stats["issued"] == 1 and stats["revoked"] == 1
    assert stats["requests"]["POST /client/v4/certificates"] == 2
    assert stats["requests"]["GET /client/v4/certificates/*"] == 1


def chaos_run(sandbox, requests=150):
    """What became of each POST."""
    outcomes = []
    for _ in range(requests):
        try:
            answer = sandbox.issue()
            kind = answer.headers["Content-Type"].split(";")[0]
            outcomes.append((answer.status, kind, answer.json["success"]
                             if kind == "application/json" else None))
        except LOST:
            outcomes.append("lost")
    return outcomes


def test_chaos_is_the_same_for_the_same_seed_and_never_starves(start):
    options = ("--chaos-rate", "60", "--rate-limit", "none")
    first = chaos_run(start("--chaos", "7", *options, name="first"))
    again = chaos_run(start("--chaos", "7", *options, name="again"))
    other = chaos_run(start("--chaos", "8", *options, name="other"))
    assert first == again != other
    good = (200, "application/json", True)
    assert {"lost", good, (429, "application/json", False), (400, "application/json", False),
            (500, "text/html", None), (502, "text/html", None)} <= set(first)
    worst = run = 0
    for outcome in first + other:
        run = 0 if outcome == good else run + 1
        worst = max(worst, run)
    assert 2 <= worst <= 3


def test_chaos_seed_is_said_and_the_journal_stays_exact(start):
    sandbox = start("--chaos", "4711", "--chaos-rate", "50", "--rate-limit", "none")
    chaos_run(sandbox, 60)
    assert "chaos seed 4711" in sandbox.errors()
    lines = sandbox.journal()
    assert len({line["id"] for line in lines}) == len(lines) == issued(sandbox)
    answered = [one for one in sandbox.journal("requests.jsonl") if one["status"] == 200]
    assert 0 < len(answered) <= len(lines)


def test_restart_at_the_same_port_knows_everything(start):
    sandbox = start()
    made = sandbox.issue("example.com", "www.example.com").result
    gone = sandbox.issue("example.org").result
    revoked_at = sandbox.request("DELETE", f"/certificates/{gone['id']}").result["revoked_at"]
    shown = sandbox.get(f"/certificates/{made['id']}").result
    zone = f"/zones/{sandbox.zone()}/settings/ssl"
    sandbox.request("PATCH", zone, {"value": "strict"})
    kept = {path.name: path.read_bytes() for path in sandbox.directory.iterdir()
            if path.suffix in (".pem", ".key") or path.name == "token"}
    port = sandbox.port
    # A connection that the sandbox closes first keeps the port busy for a minute.
    held = sandbox.connect()
    sandbox.send(held, "GET", "/ips")
    assert sandbox.stop(signal.SIGINT) == 0
    held.close()

    again = start(listen=f"127.0.0.1:{port}")
    assert again.port == port and again.token == sandbox.token
    for name, contents in kept.items():
        assert (again.directory / name).read_bytes() == contents, name
    assert again.get(f"/certificates/{made['id']}").result == shown
    assert again.get(f"/certificates/{gone['id']}").result["revoked_at"][:19] == revoked_at[:19]
    assert again.request("DELETE", f"/certificates/{gone['id']}").code == 1014
    assert again.get(zone).result["value"] == "strict"
    assert issued(again) == 2


def test_journal_that_a_crash_cut_short_is_repaired(start):
    sandbox = start()
    made = sandbox.issue().result
    sandbox.process.kill()
    sandbox.process.wait()
    with open(sandbox.directory / "issued.jsonl", "a") as journal:
        journal.write('not json\n{"id": "1"}\n{"id": "123", "certif')
    again = start()
    assert issued(again) == 1
    new = again.issue().result
    assert [json.loads(line)["id"] for line in (again.directory / "issued.jsonl").read_text()
            .splitlines() if line.startswith('{"id":"')] == [made["id"], new["id"]]


def test_state_directory_keeps_secrets_to_its_owner(start):
    sandbox = start()
    for path in sandbox.directory.iterdir():
        if path.suffix == ".key" or path.name == "token":
            assert path.stat().st_mode & 0o777 == 0o600, path
    assert (sandbox.directory / "endpoint").read_text() == f"{sandbox.address}/client/v4\n"
    ini = (sandbox.directory / "agent.ini").read_text()
    assert f"endpoint = {sandbox.address}/client/v4\n" in ini
    assert f"ca_file = {sandbox.directory}/ca.pem\n" in ini


def test_clock_offset_turns_dates_headers_and_leaves(start):
    sandbox = start("--clock-offset", "-8640000")
    leaf = leaf_of(sandbox.issue(days=7).result)
    assert leaf.not_valid_after.timestamp() < time.time()
    year_ahead = 365 * 86400
    sandbox.post("/sandbox/clock", {"offset": year_ahead})
    answer = sandbox.issue(days=7)
    assert leaf_of(answer.result).not_valid_before.timestamp() > time.time() + year_ahead - 100000
    assert str(time.gmtime(time.time() + year_ahead).tm_year) in answer.headers["Date"]
    assert sandbox.post("/sandbox/clock", {"offset": "x"}).status == 400


def test_short_lives_and_short_roots(start):
    sandbox = start("--max-validity", "60", "--root-expires", "2027-01-02")
    leaf = leaf_of(sandbox.issue(days=90).result)
    assert abs(leaf.not_valid_after.timestamp() + time.timezone * -1 - 60 - time.time()) < 30
    assert str(sandbox.root("origin_ca_ecc_root.pem").not_valid_after) == "2027-01-02 00:00:00"


@pytest.mark.parametrize("arguments", [
    [], ["--state"], ["--nonsense"], ["--state", "D", "x"],
    ["--state", "D", "--listen", "0.0.0.0:0"],
    ["--state", "D", "--listen", "192.0.2.1:1"], ["--state", "D", "--listen", "[::]:0"],
    ["--state", "D", "--listen", "127.0.0.1"], ["--state", "D", "--listen", "127.0.0.1:70000"],
    ["--state", "D", "--chaos", "x"], ["--state", "D", "--chaos-rate", "101"],
    ["--state", "D", "--rate-limit", "5"], ["--state", "D", "--rate-limit", "0/5"],
    ["--state", "D", "--root-expires", "soon"], ["--state", "D", "--max-validity", "0"]])
def test_command_line_that_is_wrong_ends_with_2(tmp_path, arguments):
    done = subprocess.run([binary(), *arguments], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [
    ["--token", "short"], ["--token", "a-token-of-the-right-length-000000000000:fly"],
    ["--zone", "b\u00fccher.example"], ["--zone", "a.example,a.example"],
    ["--zone", "a.example:asleep"], ["--fault", "nonsense"]])
def test_value_that_is_wrong_ends_with_1_and_a_message(tmp_path, arguments):
    done = subprocess.run([binary(), "--state", "state", "--listen", "127.0.0.1:0", *arguments],
                          cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr and not done.stdout


def test_help_and_version():
    done = subprocess.run([binary(), "--help"], capture_output=True, text=True)
    assert done.returncode == 0 and "--chaos SEED" in done.stdout
    done = subprocess.run([binary(), "--version"], capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.startswith("origin-ca-sandbox ")


def test_ipv6_and_plain_http(start):
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("no IPv6 loopback here")
    assert start(listen="[::1]:0", name="six").get("/zones").status == 200
    plain = start("--plain", name="plain")
    assert plain.address.startswith("http://") and plain.issue().status == 200


def test_full_disk_is_1100_and_issues_nothing(start):
    sandbox = start()
    sandbox.issue()
    size = (sandbox.directory / "issued.jsonl").stat().st_size
    limits = resource.prlimit(sandbox.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(sandbox.process.pid, resource.RLIMIT_FSIZE, (size + 100, limits[1]))
    answer = sandbox.issue()
    assert (answer.status, answer.code) == (400, 1100)
    assert issued(sandbox) == 1
    resource.prlimit(sandbox.process.pid, resource.RLIMIT_FSIZE, limits)
    sandbox.issue()
    assert len(sandbox.journal()) == issued(sandbox) == 2


def test_journal_that_cannot_be_opened_is_said(start):
    sandbox = start()
    sandbox.stop()
    os.unlink(sandbox.directory / "issued.jsonl")
    os.symlink("/dev/null", sandbox.directory / "issued.jsonl")
    done = subprocess.run([binary(), "--state", str(sandbox.directory), "--listen", "127.0.0.1:0"],
                          capture_output=True, text=True)
    assert done.returncode == 1 and "issued.jsonl" in done.stderr


def test_eight_connections_at_once_issue_exactly_what_they_got(start):
    sandbox = start("--rate-limit", "none")
    got = []

    def work(number):
        connection = sandbox.connect()
        for turn in range(25):
            answer = sandbox.send(connection, "POST", "/certificates", {
                "csr": CSR_P256, "hostnames": [f"n{number}-{turn}.example.com"],
                "request_type": "origin-ecc", "requested_validity": 7})
            got.append(answer.result["id"])
        connection.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 200
    assert sorted(got) == sorted(line["id"] for line in sandbox.journal())


@pytest.mark.parametrize("bytes_sent", [
    b"\r\n\r\n\r\n", b"GET\r\n\r\n", b"\x00\x01\x02" * 100, b"GET / HTTP/9.9\r\n\r\n",
    b"POST /client/v4/certificates HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
    b"POST /client/v4/certificates HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
    b"GET /" + b"a" * 70000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /client/v4/zones?" + b"&a=b" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 9000 + b"\r\n",
    b"GET /client/v4/%00%ff%2e%2e/certificates?zone_id=%00 HTTP/1.1\r\nHost: x\r\n\r\n"])
def test_broken_http_breaks_nothing(shared, bytes_sent):
    context = ssl.create_default_context(cafile=str(shared.directory / "ca.pem"))
    with socket.create_connection((shared.host, shared.port), timeout=5) as raw:
        with context.wrap_socket(raw, server_hostname=shared.host) as tls:
            try:
                tls.sendall(bytes_sent)
                tls.settimeout(0.3)
                while tls.recv(65536):
                    pass
            except OSError:
                pass
    with socket.create_connection((shared.host, shared.port), timeout=5) as raw:
        raw.sendall(bytes_sent)
    assert shared.get("/zones").status == 200
    for line in shared.journal("requests.jsonl"):
        assert line["path"].isascii()
