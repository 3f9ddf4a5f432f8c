"""Adoption: a certificate that is on the host already is taken over, and none is asked for."""

import signal

import pytest

from agent import PROGRAM, USER
from origin import NAME, Origin

NAMES = [NAME, f"*.{NAME}"]
DIRECTORY = "/srv/before"
CERT, KEY = f"{DIRECTORY}/cert.pem", f"{DIRECTORY}/key.pem"

BY_HAND = """server {{
	listen 127.0.0.1:443 ssl;
	server_name {name} *.{name};
	ssl_certificate     "{cert}";
	ssl_certificate_key {key};
	return 200;
}}
"""


@pytest.fixture
def fresh(clean_agent, clean_nginx, module_sandbox):
    """nginx runs, and the agent has never seen the certificate."""
    clean_agent.host.run(["systemctl", "start", clean_nginx.unit])
    clean_agent.host.run(["rm", "-rf", DIRECTORY])
    return Origin(clean_agent, clean_nginx, module_sandbox)


def before(fresh, hostnames=NAMES, directory=DIRECTORY, **options):
    """What somebody made in the dashboard, 15 years and RSA: its serial."""
    pem, key, serial = fresh.sandbox.by_hand(hostnames, **options)
    fresh.host.write(f"{directory}/cert.pem", pem)
    fresh.host.write(f"{directory}/key.pem", key, mode=0o600)
    return serial


def let_the_agent_read(fresh, path=KEY):
    """Keys are root's; the agent's user finds one by itself only where it may read it."""
    if fresh.agent.has_user:
        fresh.host.run(["chgrp", USER, path])
        fresh.host.run(["chmod", "640", path])


def adopt(fresh, *options, cert=CERT, key=KEY, check=None):
    return fresh.agent.command("adopt", "--json", cert, key, "--name", NAME, *options, check=check)


def test_adopted_pair_is_served_and_none_is_asked_for(fresh):
    agent = fresh.agent
    serial = before(fresh)
    agent.certificate(NAME)
    fresh.nginx.add(NAME)
    done = adopt(fresh, check=0)
    one = done.certificate(NAME)
    assert (one["outcome"], one["adopted"], one["issued"]) == ("adopted", True, False)
    assert one["generation"] == 1 and one["serial"] == serial == fresh.served()
    # the key is RSA and it lasts 15 years: no reasons, until it is due
    for names in ((), (NAME,)):
        assert not agent.renew(*names, check=0).json["changed"]
    assert agent.status(check=0).certificate(NAME)["reissue"] == []
    assert fresh.serials() == [serial]
    events = [one["event"] for one in agent.state(NAME)["history"]]
    assert "adopted" in events and "issued" not in events
    assert not adopt(fresh, check=0).json["changed"], "it is here already"
    # what is configured anew is a reason again
    agent.certificate(NAME, key_type="ecdsa-p256")
    assert agent.status(check=1).certificate(NAME)["reissue"] == ["key-type"]
    agent.certificate(NAME, validity="30d")
    assert agent.status(check=1).certificate(NAME)["reissue"] == ["validity"]
    agent.certificate(NAME)
    assert agent.renew(NAME, force=True, check=0).certificate(NAME)["generation"] == 2
    # another one does not take the place of what is here by accident
    other = before(fresh)
    refused = adopt(fresh, check=1).certificate(NAME)
    assert "has generation 2 already" in refused["error"]["message"]
    assert adopt(fresh, "--force", check=0).certificate(NAME)["serial"] == other == fresh.served()


def test_refusal_of_one_that_is_due_asks_for_none(fresh):
    agent = fresh.agent
    before(fresh)
    agent.certificate(NAME, targets=None)
    fresh.sandbox.restart("--backdate", str(80 * 86400))     # of 90 days
    try:
        agent.renew(check=0)
    finally:
        fresh.sandbox.restart()
    serials = fresh.serials()
    assert agent.renew(NAME, dry_run=True).certificate(NAME)["reissue"] == ["expiring"]
    one = adopt(fresh, check=1).certificate(NAME)
    assert "has generation 1 already" in one["error"]["message"] and not one["issued"]
    assert fresh.serials() == serials and agent.generations(NAME)[-1] == 1


def test_hook_hears_of_an_adoption(fresh):
    agent, host = fresh.agent, fresh.host
    host.write("/srv/hook", "#!/bin/sh\necho $ORIGIN_CA_EVENT >> /srv/told\n", mode=0o755)
    host.write("/srv/told", "", owner=f"{USER}:{USER}")
    agent.configure(agent={"event_hook": "/srv/hook"})
    before(fresh)
    agent.certificate(NAME)
    fresh.nginx.add(NAME)
    adopt(fresh, check=0)
    assert host.read("/srv/told").split() == ["adopted", "deployed"]


def test_adoption_that_is_stopped_finishes_the_reload(fresh):
    agent, host = fresh.agent, fresh.host
    serial = before(fresh)
    agent.certificate(NAME)
    agent.renew()
    fresh.nginx.add(NAME)
    fresh.nginx.reload()
    drop_in = "nginx.service.d/slow.conf"
    host.unit(drop_in, "[Service]\nExecReload=\nExecReload=/bin/sh -c 'touch /run/reload-began; "
              "sleep 3; kill -HUP $MAINPID'\n")
    try:
        process = host.spawn([PROGRAM, "adopt", CERT, KEY, "--name", NAME, "--force"])
        host.wait(lambda: host.exists("/run/reload-began"), 60)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
    finally:
        host.remove(f"/etc/systemd/system/{drop_in}")
        host.run(["systemctl", "daemon-reload"])
    assert fresh.served() == serial
    assert agent.status(check=0).certificate(NAME)["current"]


def test_what_is_no_good_is_not_adopted_and_nothing_is_issued(fresh):
    agent = fresh.agent
    agent.certificate(NAME, targets=None)
    before(fresh)
    before(fresh, directory="/srv/other")
    before(fresh, [NAME, "www.example.com"], directory="/srv/names")
    fresh.sandbox.fault("POST /certificates:not-signed:1")
    before(fresh, directory="/srv/stranger")
    revoked = before(fresh, directory="/srv/revoked")
    fresh.sandbox.request("DELETE", f"/certificates/{revoked}")
    fresh.sandbox.mark()
    for cert, key, words in (
            (CERT, "/srv/other/key.pem", "another key"),
            ("/srv/names/cert.pem", "/srv/names/key.pem", "other hostnames"),
            ("/srv/stranger/cert.pem", "/srv/stranger/key.pem", "sign"),
            ("/srv/revoked/cert.pem", "/srv/revoked/key.pem", "revoked at Cloudflare"),
            (CERT, "/srv/nothing", "/srv/nothing"), ("/etc/passwd", KEY, "/etc/passwd")):
        done = adopt(fresh, cert=cert, key=key, check=1)
        said = done.json.get("error") or done.certificate(NAME)["error"]
        assert words in said["message"], said
        assert said["class"] == "configuration"
    agent.certificate(NAME, targets=None, key_type="ecdsa-p256")
    assert "key_type" in adopt(fresh, check=1).certificate(NAME)["error"]["message"]
    assert fresh.sandbox.issued() == [] and agent.generations(NAME) == []
    done = agent.command("adopt", CERT, KEY, "--name", "nobody", check=2)
    assert f"hostnames = *.{NAME} {NAME}" in done.stderr
    assert agent.command("adopt", CERT, KEY).returncode == 2


def test_pair_that_nginx_serves_is_found_and_adopted(fresh):
    agent, host = fresh.agent, fresh.host
    serial = before(fresh)
    host.write(f"/etc/nginx/conf.d/{NAME}.conf", BY_HAND.format(name=NAME, cert=CERT, key=KEY))
    host.run(["systemctl", "reload", fresh.nginx.unit])
    fresh.nginx.wait_served(NAME, serial)
    agent.certificate(NAME)
    agent.certificate("fresh", hostnames=["www.example.com"], targets=None)
    let_the_agent_read(fresh)
    done = agent.renew(check=0)
    assert done.certificate(NAME)["outcome"] == "adopted"
    assert done.certificate(NAME)["serial"] == serial
    assert done.certificate("fresh")["outcome"] == "issued"
    assert len(fresh.serials()) == 2
    # from now on its snippet can take the place of the two lines
    fresh.nginx.add(NAME)
    host.run(["systemctl", "reload", fresh.nginx.unit])
    assert agent.probe(NAME, check=0).json["probes"][0]["holds"] and fresh.served() == serial


def test_adoption_can_be_refused_or_named(fresh):
    agent, host = fresh.agent, fresh.host
    serial = before(fresh)
    host.write(f"/etc/nginx/conf.d/{NAME}.conf", BY_HAND.format(name=NAME, cert=CERT, key=KEY))
    host.run(["systemctl", "reload", fresh.nginx.unit])
    let_the_agent_read(fresh)
    agent.certificate("named", targets=None, hostnames=NAMES, adopt=f"{CERT} {KEY}")
    agent.certificate("wrong", targets=None, adopt=f"{CERT} {KEY}",
                      hostnames=["www.example.com"])
    done = agent.renew(check=1)
    assert done.certificate("named")["serial"] == serial
    wrong = done.certificate("wrong")
    assert wrong["outcome"] == "failed" and "other hostnames" in wrong["error"]["message"]
    assert agent.scheduled_pass().returncode == 1
    assert fresh.serials() == [serial], "what was to be adopted is not issued instead"
    agent.remove("wrong")
    agent.certificate(NAME, targets="nginx", adopt="never")
    agent.renew(NAME)
    assert len(fresh.serials()) == 2


def test_key_that_the_agent_may_not_read_is_told_with_the_command(fresh):
    agent, host = fresh.agent, fresh.host
    before(fresh)
    host.write(f"/etc/nginx/conf.d/{NAME}.conf", BY_HAND.format(name=NAME, cert=CERT, key=KEY))
    host.run(["systemctl", "reload", fresh.nginx.unit])
    agent.certificate(NAME)
    done = agent.renew()
    assert done.certificate(NAME)["issued"] == agent.has_user
    if agent.has_user:
        assert f"sudo origin-ca-agent adopt {CERT} KEY --name {NAME}" in done.stderr
        assert KEY in done.stderr
    assert adopt(fresh, "--force", check=0).certificate(NAME)["adopted"]
