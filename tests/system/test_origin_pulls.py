"""Authenticated Origin Pulls: who has no client certificate of Cloudflare's gets no answer, and the
agent, who has none either, sees all the same which leaf is served."""

import ssl

import pytest

import by_hand
import product
from agent import Agent
from apache import Apache
from conftest import boot, stop_checked
from haproxy import Haproxy
from network import leaf_from_der
from nginx import Nginx
from origin import NAME
from sandbox import Sandbox
from tomcat import Tomcat

PULL_CA = "authenticated_origin_pull_ca.pem"
LOST = f"GET /ssl/static/{PULL_CA}:500:always"
KINDS = ("nginx", "apache", "haproxy")


class Origins:
    """Servers of one certificate that all ask for Cloudflare's client certificate."""

    def __init__(self, host, agent, servers):
        self.host, self.agent, self.sandbox = host, agent, agent.sandbox
        self.servers = {server.type: server for server in servers}
        for server in servers:
            agent.target(server.target, **server.agent_keys())
        self.edge = self.sandbox.edge()
        # others than Cloudflare's have the digest in their names
        digest = agent.roots["root_sha256"][2][:16]
        self.pull_ca = agent.state_path("roots", PULL_CA.replace(".pem", f".{digest}.pem"))

    def configure(self, name=NAME, on=True, **keys):
        self.agent.certificate(name, targets=list(self.servers), authenticated_origin_pulls=on,
                               **keys)

    def add(self, name=NAME):
        for server in self.servers.values():
            server.add(name)

    def start(self):
        for server in self.servers.values():
            server.host.run(["systemctl", "start", server.unit])

    def assert_closed(self, name=NAME):
        """To everyone but Cloudflare."""
        stranger = by_hand.pair(name)
        for server in self.servers.values():
            for client in (None, stranger.certificate_pem + stranger.key_pem):
                with pytest.raises(OSError):
                    server.ask(name, client=client)
            server.ask(name, client=self.edge, ca=self.sandbox.roots())

    def assert_open(self, name=NAME):
        for server in self.servers.values():
            server.ask(name, ca=self.sandbox.roots())

    def assert_verified(self, generation):
        one = self.agent.status(check=0).certificate(NAME)
        assert one["current"] and one["active_generation"] == generation
        for probe in self.agent.probe(check=0).json["probes"]:
            assert probe["holds"] and {name["shown"] for name in probe["hostnames"]} == {"newest"}


@pytest.fixture(scope="module", name="origins")
def fixture_origins(module_agent):
    """The first certificate is deployed to servers that were started without it; all is open."""
    host = module_agent.host
    origins = Origins(host, module_agent, [Nginx(host), Apache(host), Haproxy(host)])
    origins.configure(on=False)
    for server in origins.servers.values():
        server.add(NAME, snippet=server.self_signed(NAME))
    origins.start()
    origins.add()
    module_agent.renew(check=0)
    return origins


def test_it_is_switched_on_renewed_and_switched_off_without_a_new_certificate(origins):
    agent = origins.agent
    origins.assert_open()
    origins.configure()
    plan = agent.renew(dry_run=True, check=1)
    for kind, word in (("nginx", "+ssl_verify_client on;"), ("apache", "+SSLVerifyClient require"),
                       ("haproxy", "verify required")):
        assert "template-changed" in plan.target(NAME, kind)["redeploy"]
        assert word in plan.target(NAME, kind)["diff"]
    done = agent.renew(check=0)
    assert not done.certificate(NAME)["issued"] and done.json["reloads"] == len(KINDS)
    origins.assert_closed()
    origins.assert_verified(1)

    clients = [server.client(NAME, client=origins.edge) for server in origins.servers.values()]
    with clients[0], clients[1], clients[2]:
        agent.renew(NAME, force=True, check=0)
    for client in clients:
        assert not client.failures and client.requests > 3
    origins.assert_closed()
    origins.assert_verified(2)
    assert not agent.renew(NAME, check=0).json["changed"]

    origins.configure(on=False)
    agent.scheduled_pass(check=0)
    origins.assert_open()
    assert len(origins.sandbox.issued()) == 2


def test_without_the_authority_it_waits_and_what_served_serves(origins):
    agent, host = origins.agent, origins.host
    host.remove(origins.pull_ca)
    snippets = {server.snippet(NAME): host.read(server.snippet(NAME))
                for server in origins.servers.values()}
    origins.sandbox.fault(LOST)
    origins.configure()
    issued = len(origins.sandbox.issued())
    done = agent.renew(check=1)
    for kind in KINDS:
        error = done.target(NAME, kind)["error"]
        assert error["class"] == "transient" and "HTTP 500" in error["message"]
        assert "authenticated_origin_pulls" in error["message"] and PULL_CA in error["remedy"]
        assert not done.target(NAME, kind)["rolled_back"]
    origins.assert_open()
    assert {path: host.read(path) for path in snippets} == snippets
    assert done.json["reloads"] == 0
    for server in origins.servers.values():
        assert server.test().returncode == 0

    # what somebody puts there by hand is as good, and nothing else is
    host.write(origins.pull_ca, origins.sandbox.root)
    done = agent.renew(check=1)
    assert "is neither the published one" in done.stderr
    origins.assert_open()
    host.write(origins.pull_ca,
               host.read(f"{origins.sandbox.directory}/{PULL_CA}"))
    agent.renew(check=0)
    origins.assert_closed()
    assert len(origins.sandbox.issued()) == issued
    origins.sandbox.clear_faults()


def test_authority_that_somebody_deleted_comes_back_with_the_next_pass(origins):
    """The servers name the file: without it they would not start again."""
    origins.configure()
    origins.agent.renew(check=0)
    path = origins.pull_ca
    origins.host.remove(path)
    assert origins.servers["nginx"].test().returncode != 0
    origins.agent.scheduled_pass(check=0)
    assert origins.host.exists(path)
    for server in origins.servers.values():
        assert server.test().returncode == 0


def test_servers_can_start_before_certificate_and_authority_are_there(origins):
    """With a placeholder that lets nobody in."""
    name = "example.net"
    agent = origins.agent
    agent.host.remove(origins.pull_ca)
    origins.sandbox.fault(LOST, "POST /certificates:1010:always")
    origins.configure(name)
    agent.renew(check=1)
    origins.sandbox.clear_faults()
    agent.host.run(["cp", f"{origins.sandbox.directory}/{PULL_CA}", origins.pull_ca])
    origins.add(name)
    placeholder = leaf_from_der(ssl.PEM_cert_to_DER_cert(
        agent.host.read(agent.state_path("certificates", name, "0000", "cert.pem"))))
    for server in origins.servers.values():
        assert server.test().returncode == 0, server.test()
        server.reload()
        server.wait_served(name, placeholder.serial)
        with pytest.raises(OSError):
            server.ask(name)
        with pytest.raises(OSError):
            server.ask(name, client=origins.edge)
    agent.renew(check=0)
    origins.assert_closed(name)
    for server in origins.servers.values():
        server.remove(name)
        server.reload()
    agent.remove(name)


def test_tomcat_asks_for_the_client_certificate(installed_root, build_directory):
    host = boot(installed_root, build_directory)
    agent = Agent(host, Sandbox(host, product.sandbox_program(build_directory), chaos=False))
    tomcat = Tomcat(host)
    origins = Origins(host, agent, [tomcat])
    origins.configure()
    agent.renew(check=1)
    tomcat.add(NAME)
    host.run(["systemctl", "start", tomcat.unit])
    host.wait(lambda: host.listening(tomcat.port), tomcat.start_timeout)
    agent.renew(check=0)
    host.wait(lambda: answers(tomcat, origins.edge), tomcat.start_timeout)
    origins.assert_closed()
    origins.assert_verified(1)
    stop_checked(host)


def answers(server, client):
    try:
        return server.ask(NAME, client=client)
    except OSError:
        return None
