"""Renewals of what is served: no request fails, nothing is asked twice, nothing is done twice."""

import pytest

from network import leaf_from_der
from origin import NAME


def test_no_request_fails_while_certificates_are_renewed(origin):
    agent = origin.agent
    pid = origin.nginx.main_pid()
    with origin.nginx.client(NAME, ca=origin.sandbox.roots()) as client:
        for generation in (2, 3, 4):
            before = client.requests
            done = agent.renew(NAME, force=True, check=0)
            assert done.json["reloads"] == 1
            assert done.certificate(NAME)["generation"] == generation
            assert origin.served() == done.certificate(NAME)["serial"] == origin.serials()[-1]
            origin.host.wait(lambda at=before: client.requests > at + 20)
        origin.host.wait(lambda: len(client.leaves) == 4)
    assert not client.failures
    # a key that does not belong to the leaf fails the handshake; and only these were shown
    assert {leaf_from_der(der).serial for der in client.leaves} == set(origin.serials())
    assert origin.nginx.main_pid() == pid


def test_old_generations_go_but_never_one_that_is_served(origin):
    for _ in range(4):
        origin.agent.renew(NAME, force=True, check=0)
    # generation 1 to 5, three are kept; and the placeholder has done its duty
    assert origin.agent.generations(NAME) == [3, 4, 5]
    assert origin.generation() == 5
    assert origin.host.output(["readlink", "-f", origin.agent.state_path("live", NAME)]).endswith(
        f"certificates/{NAME}/0005")
    assert not origin.host.exists(
        origin.agent.state_path("certificates", NAME, "rollback.nginx"))


def test_sixth_certificate_of_a_day_is_refused(origin):
    for _ in range(4):
        origin.agent.renew(NAME, force=True, check=0)
    done = origin.agent.renew(NAME, force=True, check=1)
    assert "5 certificates were issued" in done.certificate(NAME)["error"]["message"]
    assert len(origin.serials()) == 5
    assert origin.served() == origin.serials()[-1]


@pytest.mark.parametrize("names", [(), (NAME,)], ids=["all", "named"])
def test_second_renewal_changes_nothing_and_asks_nobody(origin, names):
    origin.sandbox.mark()
    before = origin.listing("/var/lib/origin-ca-agent/certificates",
                            "/var/lib/origin-ca-agent/snippets", "/var/lib/origin-ca-agent/live")
    pid = origin.host.show("nginx.service", "MainPID", "StateChangeTimestampMonotonic")
    for _ in range(2):
        done = origin.agent.renew(*names, check=0)
        assert not done.json["changed"] and done.json["reloads"] == 0
        assert done.certificate(NAME)["outcome"] == "current"
    # a named one has its time of checking written down
    if not names:
        assert before == origin.listing(
            "/var/lib/origin-ca-agent/certificates", "/var/lib/origin-ca-agent/snippets",
            "/var/lib/origin-ca-agent/live")
    assert pid == origin.host.show("nginx.service", "MainPID", "StateChangeTimestampMonotonic")
    assert origin.sandbox.requests("POST", "/certificates") == []
    assert [one for one in origin.sandbox.requests() if "/sandbox/" not in one["path"]] == []


@pytest.mark.parametrize("key, value, reason", [
    ("hostnames", [NAME, "www.example.com", "shop.example.com"], "hostnames"),
    ("key_type", "rsa-2048", "key-type"),
    ("validity", "365d", "validity"),
])
def test_changed_definition_is_issued_exactly_once(origin, key, value, reason):
    agent = origin.agent
    agent.certificate(NAME, **{key: value})
    assert agent.status().certificate(NAME)["reissue"] == [reason]
    assert agent.renew(dry_run=True).certificate(NAME)["reissue"] == [reason]
    assert len(origin.serials()) == 1
    done = agent.renew(check=0)
    assert done.certificate(NAME)["generation"] == 2 and done.json["reloads"] == 1
    assert origin.served() == origin.serials()[1]
    for names in ((), (NAME,)):
        assert not agent.renew(*names, check=0).json["changed"]
    assert agent.scheduled_pass(check=0)
    assert len(origin.serials()) == 2
    leaf = origin.nginx.served(NAME)
    if key == "hostnames":
        assert set(leaf.sans) == set(value)
    if key == "validity":
        assert origin.sandbox.issued()[-1]["requested_validity"] == 365


def test_dry_run_tells_and_writes_nothing(origin):
    agent, host = origin.agent, origin.host
    agent.certificate(NAME, hostnames=[NAME, "www.example.com"])
    agent.certificate("new.example.com")
    host.run(["rm", origin.nginx.snippet(NAME)])
    host.run(["chmod", "644", agent.state_path("certificates", NAME, "0001", "key.pem")])
    origin.sandbox.mark()
    before = origin.listing()
    done = agent.renew(dry_run=True, check=1)
    assert done.json["dry_run"] and not done.json["changed"] and done.json["reloads"] == 0
    assert done.certificate(NAME)["reissue"] == ["hostnames"]
    assert "snippet-missing" in done.target(NAME)["redeploy"]
    assert done.certificate("new.example.com")["reissue"] == ["absent"]
    named = agent.renew(NAME, dry_run=True, force=True, check=1)
    assert "forced" in named.certificate(NAME)["reissue"]
    text = agent.command("--renew-now", "--dry-run", check=1).stdout
    assert "to be issued: hostnames" in text and "snippet-missing" in text
    for arguments in (["status"], ["probe"], ["render", NAME, "nginx"]):
        agent.command(*arguments)
    assert origin.listing() == before
    assert [one for one in origin.sandbox.requests() if "/sandbox/" not in one["path"]] == []


def test_dry_run_of_a_host_that_is_in_order_says_so(origin):
    before = origin.listing()
    for names in ((), (NAME,)):
        done = origin.agent.renew(*names, dry_run=True, check=0)
        assert done.certificate(NAME)["outcome"] == "current"
    assert origin.listing() == before


def test_dry_run_on_the_first_day_makes_no_state_directory(clean_agent, clean_nginx):
    clean_agent.certificate(NAME)
    clean_nginx.add(NAME)
    done = clean_agent.renew(dry_run=True, check=1)
    assert done.certificate(NAME)["reissue"] == ["absent"]
    assert not clean_agent.host.exists("/var/lib/origin-ca-agent")


def test_status_and_probe_of_what_is_served(origin):
    agent = origin.agent
    status = agent.status(check=0).certificate(NAME)
    assert status["current"] and status["serial"] == origin.served()
    assert (status["active_generation"], status["newest_generation"]) == (1, 1)
    (target,) = status["targets"]
    assert target["current"] and target["verified_generation"] == 1 and not target["redeploy"]
    assert "last_error" not in status and "last_error" not in target
    text = agent.command("status", check=0).stdout
    assert text.startswith(f"ok   {NAME} ({NAME} +1): generation 1 active, 1 newest")
    (probe,) = agent.probe(check=0).json["probes"]
    assert probe["holds"] and {one["shown"] for one in probe["hostnames"]} == {"newest"}
    assert "127.0.0.1:443): served" in agent.command("probe", check=0).stdout
    assert agent.render(NAME, "nginx", check=0).stdout == origin.host.read(
        origin.nginx.snippet(NAME))
