"""One certificate on nginx, httpd and HAProxy: all show it, or all what they showed before. They
are asked in the order of their targets' names: apache, haproxy, nginx."""

import dataclasses

import pytest

from agent import Agent
from apache import Apache
from haproxy import Haproxy
from nginx import Nginx
from origin import NAME
from sandbox import Sandbox

KINDS = ("apache", "haproxy", "nginx")
BAD = "/srv/bad.mustache"
REFUSED = {"apache": "NoSuchDirective on", "nginx": "no_such_thing on;"}
HAPROXY_SAYS = "unknown keyword 'no-such-keyword'"


@dataclasses.dataclass
class Trio:
    agent: Agent
    sandbox: Sandbox
    servers: dict

    def target(self, kind, **keys):
        self.agent.target(kind, **{**self.servers[kind].agent_keys(), **keys})

    def settle(self, **keys):
        """Generation 1 on all."""
        for kind, server in self.servers.items():
            server.mend()
            server.add(NAME)
            self.target(kind)
        self.agent.certificate(NAME, targets=KINDS, **keys)
        done = self.agent.renew()
        if done.returncode:         # the first time none of them runs
            for server in self.servers.values():
                server.start()
            self.agent.renew(check=0)
        assert self.shown() == [1, 1, 1]

    def serials(self):
        return [one["id"] for one in self.sandbox.issued()]

    def shown(self):
        """Which of the issued certificates each server shows, counted from 1."""
        roots, serials = self.sandbox.roots(), self.serials()
        return [serials.index(server.served(NAME, ca=roots).serial) + 1
                for server in self.servers.values()]

    def reloads(self):
        """How often each was asked to reload, so far."""
        return [self.agent.host.journal(server.unit).count(f"Reloading {server.unit}")
                for server in self.servers.values()]

    def asked(self, act):
        """The reloads that each was asked for while act() ran; and what that returned."""
        before = self.reloads()
        done = act()
        return [now - then for now, then in zip(self.reloads(), before)], done

    def message(self, done, kind):
        error = done.target(NAME, kind)["error"]
        return f"{error['message']}; {error['remedy']}"


@pytest.fixture(name="machines", scope="module")
def fixture_machines(module_host):
    made = (Apache(module_host), Haproxy(module_host), Nginx(module_host))
    return {server.target: server for server in made}


@pytest.fixture(name="trio")
def fixture_trio(clean_agent, module_sandbox, machines):
    trio = Trio(clean_agent, module_sandbox, machines)
    trio.settle()
    return trio


# what each is asked for when it is new, and when it is tried again: forth and back is two; of the
# one whose configuration test refuses it only back
@pytest.mark.parametrize("bad, first, again", [
    ("apache", [1, 0, 0], [1, 0, 0]),
    ("nginx", [2, 2, 1], [0, 0, 1]),
])
def test_what_one_refuses_none_keeps_and_it_is_asked_first_from_then_on(trio, bad, first, again):
    agent = trio.agent
    agent.host.write(BAD, REFUSED[bad] + "\n")
    trio.target(bad, template=BAD)
    asked, done = trio.asked(lambda: agent.renew(NAME, force=True, check=1))
    assert asked == first
    assert done.target(NAME, bad)["rolled_back"]
    why = REFUSED[bad].split()[0]
    assert f"{trio.servers[bad].unit}: configuration test failed: " in trio.message(done, bad)
    assert why in trio.message(done, bad)
    for kind in KINDS:
        if kind != bad:
            assert f"target {bad} did not take generation 2" in trio.message(done, kind)
            assert done.target(NAME, kind)["held"] and f"{NAME}: {kind}: " in done.stderr
    assert trio.shown() == [1, 1, 1] and len(trio.serials()) == 2
    status = agent.status(check=1).certificate(NAME)
    assert (status["active_generation"], status["newest_generation"]) == (1, 2)

    # the schedule waits with the one that refused; who asks by hand disturbs nobody else
    assert trio.asked(lambda: agent.scheduled_pass(check=1))[0] == [0, 0, 0]
    asked, done = trio.asked(lambda: agent.renew(check=1))
    assert asked == again and why in trio.message(done, bad)
    assert trio.shown() == [1, 1, 1]

    # mended, it is tried at once, and all go together
    trio.target(bad)
    assert trio.asked(lambda: agent.scheduled_pass(check=0))[0] == [1, 1, 1]
    assert trio.shown() == [2, 2, 2] and len(trio.serials()) == 2


def test_one_that_was_broken_before_is_left_alone_and_quoted(trio):
    agent, host, nginx = trio.agent, trio.agent.host, trio.servers["nginx"]
    broken = "apache"
    place = trio.servers[broken].break_elsewhere()
    done = agent.renew(NAME, force=True, check=1)
    assert "the cause is elsewhere" in trio.message(done, broken)
    assert place in trio.message(done, broken)
    for kind in KINDS:
        if kind != broken:
            assert f"target {broken} did not take generation 2" in trio.message(done, kind)
    assert trio.shown() == [1, 1, 1]

    # meanwhile what others do to one that waits is put right, with what it showed before
    for spoil in ("rm", "sed -i s/^ssl/#&/"):
        host.run([*spoil.split(), nginx.snippet(NAME)])
        asked, _ = trio.asked(lambda: agent.scheduled_pass(check=1))
        assert asked == [0, 0, 1] and "/0001/" in host.read(nginx.snippet(NAME))
        assert nginx.test().returncode == 0 and trio.shown() == [1, 1, 1]
    assert trio.asked(lambda: agent.scheduled_pass(check=1))[0] == [0, 0, 0]

    trio.servers[broken].mend()
    assert trio.asked(lambda: agent.renew(check=0))[0] == [1, 1, 1]
    assert trio.shown() == [2, 2, 2] and len(trio.serials()) == 2


def test_leaf_that_one_does_not_show_is_given_back_by_all(trio):
    trio.servers["haproxy"].hold_stale(NAME)
    trio.target("haproxy", probe_timeout="1s")
    asked, done = trio.asked(lambda: trio.agent.renew(NAME, force=True, check=1))
    assert asked == [2, 2, 0] and trio.shown() == [1, 1, 1]
    assert "still the previous certificate" in trio.message(done, "haproxy")
    for kind in ("apache", "nginx"):
        assert "target haproxy did not take generation 2" in trio.message(done, kind)
    trio.servers["haproxy"].let_go(NAME)
    assert trio.asked(lambda: trio.agent.renew(check=0))[0] == [1, 1, 1]
    assert trio.shown() == [2, 2, 2] and len(trio.serials()) == 2


def test_with_a_leaf_that_is_about_to_expire_each_takes_what_it_can(trio):
    """A certificate for seven days that was issued nearly seven days ago."""
    agent, sandbox = trio.agent, trio.sandbox
    agent.reset()
    sandbox.mark()
    sandbox.restart("--backdate", str(int(6.7 * 86400)))
    trio.settle(validity="7d")
    sandbox.restart()
    trio.servers["haproxy"].break_elsewhere()
    done = agent.renew(check=1)
    assert done.certificate(NAME)["issued"]
    assert HAPROXY_SAYS in trio.message(done, "haproxy")
    assert trio.shown() == [2, 1, 2]
    for kind in ("apache", "nginx"):
        assert done.target(NAME, kind)["verified"] and "error" not in done.target(NAME, kind)
    trio.servers["haproxy"].mend()
    assert trio.asked(lambda: agent.renew(check=0))[0] == [0, 1, 0]
    assert trio.shown() == [2, 2, 2] and len(trio.serials()) == 2
