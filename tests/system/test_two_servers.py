"""One certificate on two servers of a host: both show it, or both what they showed before."""

import pytest

from nginx import Nginx
from origin import NAME


@pytest.fixture(name="pair")
def fixture_pair(origin):
    """Two instances of nginx, targets nginx and nginx-b, with generation 1 on both."""
    other = Nginx(origin.host, "nginx-b", 8444)
    other.remove_all()
    origin.host.run(["systemctl", "start", other.unit])
    other.add(NAME)
    origin.agent.certificate(NAME, targets=["nginx", "nginx-b"])
    for nginx in (origin.nginx, other):
        retarget(origin, nginx)
    done = origin.agent.renew(check=0)
    assert not done.certificate(NAME)["issued"] and done.json["reloads"] == 1
    return origin.nginx, other


def retarget(origin, nginx, **keys):
    origin.agent.target(nginx.target, type="nginx", unit=nginx.unit,
                        probe=f"127.0.0.1:{nginx.port}", probe_timeout="5s", **keys)


def served(origin, pair):
    return [nginx.served(NAME, ca=origin.sandbox.roots()).serial for nginx in pair]



@pytest.mark.parametrize("bad", [0, 1])
def test_what_one_server_refuses_the_other_gives_back(origin, pair, bad):
    agent, host = origin.agent, origin.host
    refusing, other = pair[bad], pair[1 - bad]
    host.write("/srv/bad.mustache", "ssl_no_such_thing on;\n")
    retarget(origin, refusing, template="/srv/bad.mustache")
    done = agent.renew(NAME, force=True, check=1)
    assert "ssl_no_such_thing" in done.target(NAME, refusing.target)["error"]["message"]
    error = done.target(NAME, other.target)["error"]["message"]
    assert f"target {refusing.target} did not take generation 2" in error
    assert served(origin, pair) == [origin.serials()[0]] * 2
    assert all("/0001/" in host.read(nginx.snippet(NAME)) for nginx in pair)
    status = agent.status(check=1).certificate(NAME)
    assert (status["active_generation"], status["newest_generation"]) == (1, 2)
    # what is mended goes on at both, though only one was to blame
    retarget(origin, refusing)
    agent.scheduled_pass(check=0)
    assert served(origin, pair) == [origin.serials()[1]] * 2
    assert len(origin.serials()) == 2


def test_leaf_that_one_server_does_not_show_is_given_back_by_the_other(origin, pair):
    agent, host, (first, second) = origin.agent, origin.host, pair
    host.run(["cp", "-rT", agent.state_path("certificates", NAME, "0001"), "/etc/nginx-b/by-hand"])
    host.write("/etc/nginx-b/by-hand/copy.conf", "ssl_certificate /etc/nginx-b/by-hand/cert.pem;\n"
               "ssl_certificate_key /etc/nginx-b/by-hand/key.pem;\n")
    second.add(NAME, snippet="/etc/nginx-b/by-hand/copy.conf")
    second.reload()
    retarget(origin, second)
    agent.target("nginx-b", type="nginx", unit=second.unit, probe="127.0.0.1:8444",
                 probe_timeout="1s")
    done = agent.renew(NAME, force=True, check=1)
    assert done.target(NAME, "nginx-b")["rolled_back"]
    assert served(origin, pair) == [origin.serials()[0]] * 2
    second.add(NAME)
    agent.renew(check=0)
    assert served(origin, pair) == [origin.serials()[1]] * 2 and len(origin.serials()) == 2
    assert first.active() == second.active() == "active"


def test_nothing_is_revoked_while_one_server_shows_what_was_replaced(origin, pair):
    agent, second = origin.agent, pair[1]
    agent.certificate(NAME, targets=["nginx", "nginx-b"], revoke_superseded="0s")
    agent.target("nginx-b", type="nginx", unit=second.unit, probe="127.0.0.1:8444",
                 probe_timeout="1s")
    agent.renew(check=0)
    old = origin.served()
    second.hold_stale(NAME)
    agent.renew(NAME, force=True, check=1)    # both go back
    assert served(origin, pair) == [old, old] and old not in origin.sandbox.revoked()
    second.let_go(NAME)
    # both were seen with the new one; somebody brings the old one back before the time is over
    agent.certificate(NAME, targets=["nginx", "nginx-b"], revoke_superseded="1h")
    agent.renew(check=0)
    second.add(NAME, snippet=f"/etc/certificates-by-hand/nginx-b/{NAME}.stale/snippet.conf")
    second.reload()
    second.wait_served(NAME, old)
    agent.certificate(NAME, targets=["nginx", "nginx-b"], revoke_superseded="0s")
    done = agent.scheduled_pass()
    assert old not in origin.sandbox.revoked(), str(done)
    assert served(origin, pair)[1] == old
    second.let_go(NAME)
    agent.renew(NAME, check=0)
    assert origin.sandbox.revoked()[-1] == old and old not in served(origin, pair)


def test_stopped_server_does_not_keep_the_other_from_serving(origin, pair):
    first, second = pair
    second.stop()
    done = origin.agent.renew(NAME, force=True, check=1)
    assert done.target(NAME, "nginx")["verified"]
    assert "nginx-b.service is inactive" in done.target(NAME, "nginx-b")["error"]["message"]
    assert first.served(NAME, ca=origin.sandbox.roots()).serial == origin.serials()[1]
    second.start()
    origin.agent.renew(check=0)
    assert served(origin, pair) == [origin.serials()[1]] * 2 and len(origin.serials()) == 2

    done = origin.agent.renew(NAME, force=True, check=0)
    assert done.json["reloads"] == 2
    assert served(origin, pair) == [origin.serials()[2]] * 2
    assert origin.agent.status(check=0).certificate(NAME)["active_generation"] == 3


def test_broken_configuration_of_one_server_is_waited_for(origin, pair):
    place = pair[1].break_elsewhere()
    done = origin.agent.renew(NAME, force=True, check=1)
    assert place in done.target(NAME, "nginx-b")["error"]["message"]
    assert pair[1].served(NAME, ca=origin.sandbox.roots()).serial == origin.serials()[0]
    pair[1].mend()
    origin.agent.renew(check=0)
    assert served(origin, pair) == [origin.serials()[1]] * 2 and len(origin.serials()) == 2
