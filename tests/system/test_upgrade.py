"""A state directory of an earlier version, and one of a later.

data/state-1.tar.gz was written by version 0.1.0 (STATE_VERSION 1), with throw-away keys, for:
    ORIGIN_CA_WRITE_STATE=tests/system/data/state-1.tar.gz pytest tests/system/test_upgrade.py
It is never written again: a newer format gets a file of its own beside it.
"""

import base64
import hashlib
import json
import os
import pathlib

import pytest

from agent import CONFIG_DIRECTORY, STATE_DIRECTORY, USER, Agent
from nginx import Nginx
from origin import NAME
from product import sandbox_program
from sandbox import Sandbox

OTHER = "example.net"
DATA = pathlib.Path(__file__).parent / "data"
YEAR = 365 * 86400


def configure(agent):
    agent.certificate(NAME, validity="5475d")
    agent.certificate(OTHER, targets=None, validity="5475d", formats="der p7b combined",
                      key_type="rsa-2048", chain="root")


def der_sha256(pem):
    body = "".join(line for line in pem.splitlines() if line and "-----" not in line)
    return hashlib.sha256(base64.b64decode(body)).hexdigest()


@pytest.fixture
def upgraded(clean_agent, clean_nginx, request):
    """A host that has just got today's program, with the state directory of an earlier one, whose
    authority is known by its pins."""
    agent, host = clean_agent, clean_agent.host
    host.run(["tar", "-xzf", str(request.param), "-C", "/var/lib", "--no-same-owner"])
    if agent.has_user:
        host.run(["chown", "-R", f"{USER}:{USER}", STATE_DIRECTORY])
    roots = {name: host.read(f"{STATE_DIRECTORY}/roots/{name}")
             for name in host.list(f"{STATE_DIRECTORY}/roots") if "_root." in name}
    agent.configure(api={"root_sha256": [der_sha256(pem) for pem in roots.values()]})
    configure(agent)
    clean_nginx.add(NAME)
    clean_nginx.start()
    agent.earlier_roots = "".join(roots.values())
    return agent, clean_nginx


@pytest.mark.parametrize("upgraded", sorted(DATA.glob("state-*.tar.gz")), indirect=True,
                         ids=lambda path: path.name.split(".")[0])
def test_state_of_an_earlier_version_is_taken_over(upgraded):
    agent, nginx = upgraded
    leaf = agent.host.read(f"{STATE_DIRECTORY}/certificates/{NAME}/0001/cert.pem")
    before = nginx.served(NAME, ca=agent.earlier_roots).serial
    history = agent.state(NAME)["history"]
    assert agent.status(check=(0, 1)).certificate(NAME)["newest_generation"] == 1
    done = agent.renew(check=0)
    assert {one["name"] for one in done.json["certificates"]} == {NAME, OTHER}
    assert agent.sandbox.issued() == [], "nothing is asked for"
    assert nginx.served(NAME, ca=agent.earlier_roots).serial == before
    assert agent.host.read(f"{STATE_DIRECTORY}/certificates/{NAME}/0001/cert.pem") == leaf
    state = agent.state(NAME)
    assert state["history"][:len(history)] == history and state["newest"] == state["active"] == 1
    assert agent.renew(check=0).json["changed"] is False


def test_state_of_a_later_version_is_left_alone_and_what_is_served_stays(origin):
    agent, served = origin.agent, origin.served()
    path = agent.state_path("certificates", NAME, "state.json")
    later = json.loads(agent.host.read(path))
    later["version"] += 1
    later["something new"] = True
    agent.host.write(path, json.dumps(later), mode=0o600)
    agent.certificate(OTHER, targets=None)
    issued = len(agent.sandbox.issued())

    done = agent.renew(check=1)
    error = done.certificate(NAME)["error"]
    assert error["class"] == "local" and "newer version" in error["message"]
    assert "install that version again" in error["remedy"]
    assert json.loads(agent.host.read(path)) == later
    assert origin.served() == served and origin.generation() == 1
    assert len(agent.sandbox.issued()) == issued + 1, "the other one is served as ever"

    agent.host.remove(path)        # the remedy
    agent.renew(check=0)
    assert len(agent.sandbox.issued()) == issued + 1 and origin.served() == served


@pytest.mark.skipif("ORIGIN_CA_WRITE_STATE" not in os.environ, reason="writes test data")
def test_write_the_data(host, build_directory):
    """A year old, so that the clock of no test machine is before it."""
    sandbox = Sandbox(host, sandbox_program(build_directory), "--backdate", str(YEAR), chaos=False)
    agent, nginx = Agent(host, sandbox), Nginx(host)
    agent.configure()
    configure(agent)
    nginx.add(NAME)
    agent.renew(check=(0, 1))
    nginx.start()
    agent.renew(check=0)
    data = host.run(["tar", "-C", "/var/lib", "--sort=name", "-cz", "origin-ca-agent"],
                    binary=True).stdout
    pathlib.Path(os.environ["ORIGIN_CA_WRITE_STATE"]).write_bytes(data)
    assert host.exists(CONFIG_DIRECTORY)
