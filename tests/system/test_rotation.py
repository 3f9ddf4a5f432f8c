"""Renewals of what is served: no request fails, nothing is asked twice, nothing is done twice."""

from network import leaf_from_der
from origin import NAME

STATE = "/var/lib/origin-ca-agent"


def asked(origin):
    """What the API was asked, without what the test itself asks the sandbox."""
    return [one for one in origin.sandbox.requests() if "/sandbox/" not in one["path"]]


def test_no_request_fails_while_certificates_are_renewed(origin):
    agent = origin.agent
    pid = origin.nginx.main_pid()
    with origin.nginx.client(NAME, ca=origin.sandbox.roots()) as client:
        for generation in (2, 3, 4, 5):
            before = client.requests
            done = agent.renew(NAME, force=True, check=0)
            assert done.json["reloads"] == 1
            assert done.certificate(NAME)["generation"] == generation
            assert origin.served() == done.certificate(NAME)["serial"] == origin.serials()[-1]
            origin.host.wait(lambda at=before: client.requests > at + 20)
        origin.host.wait(lambda: len(client.leaves) == 5)
        # five a day are the most, whatever is asked for
        done = agent.renew(NAME, force=True, check=1)
        assert "5 certificates were issued" in done.certificate(NAME)["error"]["message"]
    assert not client.failures
    # a key that does not belong to the leaf fails the handshake; and only these were shown
    assert {leaf_from_der(der).serial for der in client.leaves} == set(origin.serials())
    assert origin.served() == origin.serials()[4] and len(origin.serials()) == 5
    assert origin.nginx.main_pid() == pid
    # the newest three are kept
    assert agent.generations(NAME) == [3, 4, 5] and origin.generation() == 5
    live = origin.host.output(["readlink", "-f", agent.state_path("live", NAME)])
    assert live.endswith(f"certificates/{NAME}/0005")
    assert not origin.host.exists(agent.state_path("certificates", NAME, "rollback.nginx"))


def test_second_renewal_changes_nothing_and_asks_nobody(origin):
    places = [f"{STATE}/{name}" for name in ("certificates", "snippets", "live")]
    unit = ("nginx.service", "MainPID", "StateChangeTimestampMonotonic")
    origin.sandbox.mark()
    before = origin.listing(*places), origin.host.show(*unit)
    for _ in range(2):
        done = origin.agent.renew(check=0)
        assert not done.json["changed"] and done.json["reloads"] == 0
        assert done.certificate(NAME)["outcome"] == "current"
    origin.agent.scheduled_pass(check=0)
    assert (origin.listing(*places), origin.host.show(*unit)) == before
    # a named one has the time of its check written down; nothing else changes
    done = origin.agent.renew(NAME, check=0)
    assert not done.json["changed"] and done.json["reloads"] == 0
    assert origin.host.show(*unit) == before[1]
    assert asked(origin) == []


def test_each_change_of_the_definition_is_issued_exactly_once(origin):
    agent = origin.agent
    names = [NAME, "www.example.com", "shop.example.com"]
    keys = {}
    for number, (key, value, reason) in enumerate([
            ("hostnames", names, "hostnames"), ("key_type", "rsa-2048", "key-type"),
            ("validity", "365d", "validity")], start=1):
        keys[key] = value
        agent.certificate(NAME, **keys)
        assert agent.status(check=1).certificate(NAME)["reissue"] == [reason]
        done = agent.renew(check=0)
        assert done.certificate(NAME)["generation"] == number + 1 and done.json["reloads"] == 1
        assert origin.served() == origin.serials()[number]
        assert not agent.renew(check=0).json["changed"]
        assert not agent.renew(NAME, check=0).json["changed"]
        assert len(origin.serials()) == number + 1
    assert set(origin.nginx.served(NAME).sans) == set(names)
    assert origin.sandbox.issued()[-1]["requested_validity"] == 365
    assert origin.sandbox.issued()[-1]["request_type"] == "origin-rsa"







def test_dry_run_tells_and_writes_nothing(origin):
    agent, host = origin.agent, origin.host
    before = origin.listing()
    for names in ((), (NAME,)):
        done = origin.agent.renew(*names, dry_run=True, check=0)
        assert done.certificate(NAME)["outcome"] == "current"
    assert origin.listing() == before

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
    assert asked(origin) == []



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
    assert f"{NAME} {NAME} +1 nginx:1 " in text and "in 89 days" in text
    (probe,) = agent.probe(check=0).json["probes"]
    assert probe["holds"] and {one["shown"] for one in probe["hostnames"]} == {"newest"}
    assert "127.0.0.1:443): served" in agent.command("probe", check=0).stdout
    assert agent.render(NAME, "nginx", check=0).stdout == origin.host.read(
        origin.nginx.snippet(NAME))
