"""State that is lost, damaged or older than what is served: rebuilt from what is there."""

import contextlib
import json

import pytest

from origin import NAME

API_DOWN = "POST /certificates:1010:always"
STATE = "/var/lib/origin-ca-agent"


def damage(origin, path, how):
    host = origin.host
    if how == "deleted":
        host.run(["rm", path])
    elif how == "cut":
        host.run(["truncate", "-s", "-40", path])
    elif how == "empty":
        host.run(["truncate", "-s", "0", path])
    elif how == "garbage":
        host.run(["sh", "-c", 'head -c 300 /dev/urandom > "$1"', "garbage", path])


@contextlib.contextmanager
def backup(host):
    """Gives a function that puts the state directory back to what it is now."""
    host.run(["cp", "-a", STATE, "/srv/backup"])
    try:
        yield lambda: host.run(["sh", "-c", f"rm -rf {STATE} && cp -a /srv/backup {STATE}"])
    finally:
        host.remove("/srv/backup")


def test_lost_state_is_rebuilt_from_the_files(origin):
    agent = origin.agent
    for how in ("deleted", "cut", "garbage"):
        damage(origin, agent.state_path("certificates", NAME, "state.json"), how)
        done = agent.renew(check=0)
        assert not done.certificate(NAME)["issued"]
        status = agent.status(check=0).certificate(NAME)
        assert (status["active_generation"], status["serial"]) == (1, origin.serials()[0])
    agent.renew(NAME, force=True, check=0)
    assert origin.served() == origin.serials()[1] and len(origin.serials()) == 2
    # 0: a placeholder, where the API let the first one wait
    assert [number for number in agent.generations(NAME) if number] == [1, 2]


def test_hints_of_the_last_pass_may_be_lost(origin):
    for file in ("settled.json", "schedule.json", "lock"):
        for how in ("garbage", "deleted"):
            damage(origin, origin.agent.state_path(file), how)
            assert not origin.agent.renew(check=0).json["changed"]
    assert len(origin.serials()) == 1


def test_damaged_generation_is_replaced_before_anybody_notices(origin):
    agent = origin.agent
    with origin.nginx.client(NAME, ca=origin.sandbox.roots()) as client:
        for generation, (file, how) in enumerate([
                ("key.pem", "garbage"), ("key.pem", "deleted"), ("cert.pem", "cut"),
                ("fullchain.pem", "empty")], start=1):
            damaged = agent.state_path("certificates", NAME, f"{generation:04}")
            damage(origin, f"{damaged}/{file}", how)
            reissue = agent.renew(dry_run=True, check=1).certificate(NAME)["reissue"]
            assert set(reissue) & {"unreadable", "mismatch"}
            done = agent.renew(check=0)
            assert done.certificate(NAME)["generation"] == generation + 1
            assert damaged in done.stderr
            assert origin.served() == origin.serials()[generation]
            origin.host.remove(damaged)     # not a second time
        assert not agent.renew(check=0).json["changed"]
    assert not client.failures and len(origin.serials()) == 5


def test_restored_backup_ends_in_a_pair_that_is_served(origin):
    agent = origin.agent
    with backup(origin.host) as restore:
        for names in ((), (NAME,)):
            agent.renew(NAME, force=True, check=0)
            with origin.nginx.client(NAME, ca=origin.sandbox.roots()) as client:
                restore()
                done = agent.renew(*names, check=0)
                assert not done.certificate(NAME)["issued"]
                assert origin.served() == origin.serials()[0]
                assert origin.nginx.test().returncode == 0
                assert not agent.renew(check=0).json["changed"]
            assert not client.failures
    agent.renew(NAME, force=True, check=0)
    assert origin.served() == origin.serials()[-1] and len(origin.serials()) == 4





def test_key_of_another_certificate_is_noticed(origin):
    key = origin.agent.state_path("certificates", NAME, "0001", "key.pem")
    origin.host.run(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt",
                     "ec_paramgen_curve:P-256", "-out", key])
    assert origin.nginx.test().returncode != 0
    assert origin.agent.status().certificate(NAME)["reissue"] == ["mismatch"]
    origin.agent.renew(check=0)
    assert origin.nginx.test().returncode == 0
    assert origin.served() == origin.serials()[1]


def test_older_generation_serves_while_a_damaged_one_cannot_be_replaced(origin):
    agent = origin.agent
    agent.renew(NAME, force=True, check=0)
    damage(origin, agent.state_path("certificates", NAME, "0002", "key.pem"), "garbage")
    origin.sandbox.fault(API_DOWN)
    done = agent.renew(check=1)
    assert "1010" in done.certificate(NAME)["error"]["message"]
    # whoever restarts the server finds a pair that fits
    assert origin.nginx.test().returncode == 0 and origin.generation() == 1
    assert origin.served() == origin.serials()[0]
    origin.sandbox.clear_faults()
    assert agent.renew(check=0).certificate(NAME)["generation"] == 3
    assert origin.served() == origin.serials()[2] and len(origin.serials()) == 3


@pytest.mark.parametrize("by", ["the agent", "the command", "somebody"])
def test_older_generation_that_is_revoked_never_serves_again(origin, by):
    agent = origin.agent
    old = origin.served()
    if by == "the agent":
        agent.certificate(NAME, revoke_superseded="0s")
        agent.renew(check=0)
        agent.renew(NAME, force=True, check=0)
    elif by == "the command":
        agent.renew(NAME, force=True, check=0)
        agent.command("revoke", "--yes", old, check=0)
    else:
        origin.sandbox.request("DELETE", f"/certificates/{old}")
        state = agent.state_path("certificates", NAME, "state.json")
        known = json.loads(origin.host.read(state))
        known.pop("revocation_at", None)
        origin.host.write(state, json.dumps(known))
        agent.renew(NAME, check=0)
    new = origin.served()
    assert old in origin.sandbox.revoked() and new != old
    assert agent.generations(NAME)[-2:] == [1, 2]
    damage(origin, agent.state_path("certificates", NAME, "0002", "key.pem"), "garbage")
    origin.sandbox.fault(API_DOWN)
    agent.renew(check=1)
    assert origin.served() == new and origin.generation() == 2
    origin.sandbox.clear_faults()
    assert agent.renew(check=0).certificate(NAME)["generation"] == 3
    assert origin.served() not in (old, new)


def test_lost_directory_of_a_certificate_costs_one_certificate(origin):
    origin.host.remove(origin.agent.state_path("certificates", NAME))
    with origin.nginx.client(NAME, ca=origin.sandbox.roots()) as client:
        assert origin.agent.renew(check=0).certificate(NAME)["issued"]
    assert not client.failures
    assert origin.served() == origin.serials()[1] and len(origin.serials()) == 2



def test_number_that_a_snippet_names_is_not_used_for_other_files(origin):
    """The state directory went back in time, the snippets (elsewhere) did not."""
    agent = origin.agent
    agent.target("nginx", snippet_dir="/etc/nginx/by-hand")
    agent.give("/etc/nginx/by-hand")
    origin.nginx.add(NAME, snippet=f"/etc/nginx/by-hand/{NAME}.conf")
    agent.renew(check=0)
    with backup(origin.host) as restore:
        agent.renew(NAME, force=True, check=0)
        restore()
        done = agent.renew(NAME, force=True, check=0)
    assert done.certificate(NAME)["generation"] == 3
    assert origin.served() == origin.serials()[2]


def test_removed_and_forgotten_state_directory_starts_anew(origin):
    """As after a reinstallation over a running server."""
    origin.host.remove(STATE)
    assert origin.served() == origin.serials()[0]
    assert origin.agent.renew(check=0).certificate(NAME)["issued"]
    assert origin.served() == origin.serials()[1] and len(origin.serials()) == 2
