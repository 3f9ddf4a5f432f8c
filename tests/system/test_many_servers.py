"""Two hundred certificates on two servers of a host: each is reloaded once, the one that a server
refuses is found among them, and a person can read what the log says of it all. The tests build on
each other, in this order."""

import dataclasses

import pytest

from agent import SERVICE, Agent, section
from apache import Apache
from nginx import Nginx
from sandbox import Sandbox

NAMES = [f"c{number:03}.example.com" for number in range(200)]
CULPRIT = NAMES[137]
TEMPLATE = "/etc/origin-ca-agent/templates/nginx.mustache"
PACKAGED = "/usr/share/origin-ca-agent/templates/nginx.mustache"
SOME = [NAMES[0], CULPRIT, *NAMES[5::20]]
READABLE = 12       # lines, however many certificates


@dataclasses.dataclass
class Crowd:
    agent: Agent
    nginx: Nginx
    apache: Apache
    sandbox: Sandbox

    @property
    def servers(self):
        return self.nginx, self.apache

    def define(self, **keys):
        """The certificates, each on both servers; CULPRIT alone has a wildcard."""
        self.agent.drop_in("crowd", "".join(section(f"certificate {name}", {
            "targets": [server.target for server in self.servers],
            "hostnames": [name, f"*.{name}"] if name == CULPRIT else name, **keys,
        }) for name in NAMES))

    def newest(self, names=NAMES):
        """The serial that was issued last for each of these."""
        serials = {one["hostnames"][-1].removeprefix("*."): one["id"]
                   for one in self.sandbox.issued()}
        return {name: serials[name] for name in names}

    def assert_served(self, serials):
        """On both servers."""
        for server in self.servers:
            shown = {name: server.served(name, ca=self.roots).serial for name in serials}
            assert shown == serials, server.target

    def client(self, server, name):
        return server.client(name, ca=self.roots, pause=0.1, workers=1)

    def reloads(self, server):
        return self.agent.host.journal(server.unit).count(f"Reloaded {server.unit}")


@pytest.fixture(scope="module", name="crowd")
def fixture_crowd(module_agent, module_sandbox):
    """Both servers run, and include the snippets of all as soon as they are there."""
    host = module_agent.host
    crowd = Crowd(module_agent, Nginx(host), Apache(host), module_sandbox)
    crowd.roots = module_sandbox.roots()
    for server in crowd.servers:
        server.add("old", "old.example.com", snippet=server.self_signed("old.example.com"))
        server.start()
        server.add_many(NAMES)
        module_agent.target(server.target, **server.agent_keys())
    crowd.define()
    return crowd


def assert_readable(text):
    """A log of few lines, none of them a screen long."""
    lines = text.splitlines()
    assert len(lines) <= READABLE, text
    assert all(len(line) < 1000 for line in lines), text


def test_all_are_issued_with_one_reload_of_each_server(crowd):
    done = crowd.agent.renew(check=0)
    assert done.json["reloads"] == 2 and len(crowd.sandbox.issued()) == 200
    crowd.assert_served(crowd.newest())
    assert_readable(done.stderr)
    assert "200 certificates: issued (c000.example.com, c001.example.com, " in done.stderr
    for server in crowd.servers:
        assert f"served by {server.target} (c000.example.com" in done.stderr
    # what is summed up for people is whole for programs
    told = {one["name"]: one["serial"] for one in done.json["certificates"] if one["issued"]}
    assert told == crowd.newest()
    done = crowd.agent.renew(check=0)
    assert not done.json["changed"] and done.json["reloads"] == 0 and not done.stderr


def test_service_renews_all_with_one_reload_of_each_server_and_no_failed_request(crowd):
    agent, host = crowd.agent, crowd.agent.host
    before = [crowd.reloads(server) for server in crowd.servers]
    pids = [server.main_pid() for server in crowd.servers]
    crowd.define(validity="30d")
    with crowd.client(crowd.nginx, NAMES[-1]) as one, crowd.client(crowd.apache, NAMES[0]) as other:
        agent.start()
        host.wait(lambda: "served by nginx" in agent.journal(), 120, agent.journal)
    agent.stop()
    for client in (one, other):
        assert client.requests and not client.failures and len(client.leaves) == 2
    assert len(crowd.sandbox.issued()) == 400
    crowd.assert_served(crowd.newest(SOME))
    assert [crowd.reloads(server) - 1 for server in crowd.servers] == before
    assert [server.main_pid() for server in crowd.servers] == pids
    of_pass = [line for line in agent.journal().splitlines() if "certificates: " in line]
    assert len(of_pass) == 3 and "200 certificates: issued (" in of_pass[0]
    assert_readable("\n".join(line for line in agent.journal().splitlines() if SERVICE not in line))


def test_one_that_a_server_refuses_is_named_and_the_others_go_through(crowd):
    agent, host = crowd.agent, crowd.agent.host
    old = crowd.newest()[CULPRIT]
    host.write(TEMPLATE, host.read(PACKAGED) + "{{#hostnames}}{{#wildcard}}\nno_such_thing on;\n"
               "{{/wildcard}}{{/hostnames}}\n")
    before = crowd.reloads(crowd.apache)
    with crowd.client(crowd.apache, NAMES[0]) as one, crowd.client(crowd.nginx, CULPRIT) as other:
        done = agent.renew(*NAMES, force=True, check=1, timeout=400)
    assert not one.failures and not other.failures
    assert [one["name"] for one in done.json["certificates"]
            if one["outcome"] != "issued"] == [CULPRIT]
    refused = done.target(CULPRIT, "nginx")
    assert refused["rolled_back"] and "no_such_thing" in refused["error"]["message"]
    assert f"{CULPRIT}.conf:" in refused["error"]["message"]
    held = done.target(CULPRIT, "apache")
    assert held["held"] and "nginx did not take generation 3" in held["error"]["message"]
    crowd.assert_served({**crowd.newest(), CULPRIT: old})
    # httpd was led forth with all and back with one; nginx halved them until one was left
    assert crowd.reloads(crowd.apache) - before == 2
    assert done.json["reloads"] < 30
    assert_readable(done.stderr)
    assert "199 certificates: the newest generation is served by nginx" in done.stderr
    assert f"error: {CULPRIT}: nginx: " in done.stderr

    host.remove(TEMPLATE)
    done = agent.renew(check=0)
    # nginx, which failed, is asked for the one first, and reloaded for the others in its turn
    assert len(crowd.sandbox.issued()) == 600 and done.json["reloads"] == 3
    crowd.assert_served(crowd.newest(SOME))
