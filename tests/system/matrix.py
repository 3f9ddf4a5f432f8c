"""What every kind of server must stand with every kind of key: the first certificate, a renewal,
other hostnames, another key type, and a rollback. Each test_matrix_KIND.py is one kind, so that
kinds run beside each other; the tests of a class build on each other, in this order."""

import dataclasses

import pytest

import product
import share
from agent import Agent
from conftest import boot, stop_checked
from sandbox import Sandbox
from server import Server

NAME = "example.com"
OTHER_TYPE = {"ecdsa-p256": "rsa-2048", "rsa-2048": "ecdsa-p256"}


@dataclasses.dataclass
class Stage:
    agent: Agent
    server: Server
    sandbox: Sandbox
    key_type: str

    @property
    def host(self):
        return self.server.host

    def serials(self):
        return [one["id"] for one in self.sandbox.issued()]

    def served(self, hostname=NAME):
        return self.server.served(hostname, ca=self.sandbox.roots())

    def renew(self, *names, **options):
        """Without one failed request, where the server can do that."""
        with self.server.client(NAME) as client:
            done = self.agent.renew(*names, **options)
        assert client.requests > 3
        return done, client

    def assert_current(self):
        """What was issued last is served and verified, its key beside it, and nothing is left."""
        assert self.served().serial == self.serials()[-1], self.agent.status()
        assert self.server.active() == "active"
        status = self.agent.status(check=0).certificate(NAME)
        assert status["serial"] == self.serials()[-1] and status["current"]
        assert status["active_generation"] == status["newest_generation"]
        assert not [name for name in
                    self.server.host.list(self.agent.state_path("certificates", NAME))
                    if name.startswith("rollback") or name == "pending"]


class Matrix:
    make_server = None
    stays = True                    # the process, and every connection, over a renewal
    stays_through_hostnames = True  # the same, when the snippet changes
    impatient = "2s"                # how long a leaf that never comes is waited for

    def pytest_generate_tests(self, metafunc):
        """The type of the first key: both, or the day's one (share.py); it changes on the way."""
        metafunc.parametrize("stage", share.choice(metafunc.cls.__name__, OTHER_TYPE),
                             indirect=True, scope="class")

    @pytest.fixture(scope="class")
    def stage(self, request, installed_root, build_directory):
        host = boot(installed_root, build_directory)
        server = self.make_server(host)
        sandbox = Sandbox(host, product.sandbox_program(build_directory))
        agent = Agent(host, sandbox)
        agent.target(server.target, **self.agent_keys(server))
        self.prepare(server)
        stage = Stage(agent, server, sandbox, request.param)
        self.configure(stage)
        yield stage
        stop_checked(host)

    def prepare(self, server):
        pass

    def agent_keys(self, server):
        return server.agent_keys()

    @staticmethod
    def configure(stage, **keys):
        keys.setdefault("key_type", stage.key_type)
        stage.agent.certificate(NAME, targets=[stage.server.target], **keys)

    def test_first_certificate_waits_for_the_server_and_is_served_from_its_start(self, stage):
        done = stage.agent.renew(check=1)
        assert done.certificate(NAME)["issued"]
        error = done.target(NAME, stage.server.target)["error"]
        assert error["class"] == "deploy" and error["remedy"]
        stage.server.add(NAME)
        stage.server.start()
        done = stage.agent.renew(check=0)
        assert not done.certificate(NAME)["issued"] and len(stage.serials()) == 1
        stage.assert_current()
        again = stage.agent.renew(check=0)
        assert not again.json["changed"] and again.json["reloads"] == 0

    def test_renewal_is_served_and_loses_no_request(self, stage):
        pid = stage.server.main_pid()
        done, client = stage.renew(NAME, force=True, check=0)
        assert done.certificate(NAME)["issued"] and done.json["reloads"] == 1
        stage.assert_current()
        assert len(stage.serials()) == 2 and len(client.leaves) == 2
        if self.stays:
            assert not client.failures and stage.server.main_pid() == pid
        else:
            assert stage.server.main_pid() != pid

    def test_changed_hostnames_are_served(self, stage):
        pid = stage.server.main_pid()
        names = [NAME, f"*.{NAME}", f"origin.shop.{NAME}"]
        self.configure(stage, hostnames=names)
        stage.server.add(NAME, *names)
        done, client = stage.renew(check=0)
        assert done.certificate(NAME)["reissue"] == [] and len(stage.serials()) == 3
        stage.assert_current()
        assert set(stage.served(names[2]).sans) == set(names)
        if self.stays_through_hostnames:
            assert not client.failures and stage.server.main_pid() == pid

    def test_changed_key_type_is_served(self, stage):
        names = [NAME, f"*.{NAME}", f"origin.shop.{NAME}"]
        before = stage.agent.status().certificate(NAME)["serial"]
        stage.key_type = OTHER_TYPE[stage.key_type]
        self.configure(stage, hostnames=names)
        plan = stage.agent.renew(dry_run=True)
        assert plan.certificate(NAME)["reissue"] == ["key-type"]
        done, client = stage.renew(check=0)
        assert done.certificate(NAME)["serial"] != before and len(stage.serials()) == 4
        stage.assert_current()
        assert stage.served().key_type == stage.key_type
        if self.stays:
            assert not client.failures

    def test_leaf_that_is_not_shown_is_rolled_back_and_waits(self, stage):
        stage.server.hold_stale(NAME)
        before = stage.served().serial
        keys = self.agent_keys(stage.server)
        stage.agent.target(stage.server.target, **keys, probe_timeout=self.impatient)
        done, client = stage.renew(NAME, force=True, check=1)
        stage.agent.target(stage.server.target, **keys)
        target = done.target(NAME, stage.server.target)
        assert target["rolled_back"] and "previous certificate" in target["error"]["message"]
        assert len(stage.serials()) == 5 and stage.served().serial == before
        assert stage.agent.status(check=1).certificate(NAME)["active_generation"] == 4
        if self.stays:
            assert not client.failures
        # what the agent put back is what served: the one who lets go finds it
        stage.server.let_go(NAME)
        assert stage.served().serial == before
        stage.agent.renew(check=0)
        assert len(stage.serials()) == 5
        stage.assert_current()
