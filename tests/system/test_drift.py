"""What others changed behind the agent's back: found and put right, without a new certificate."""

import pytest

from network import leaf_from_der
from nginx import Nginx
from origin import NAME, Origin

TEMPLATE = "/etc/origin-ca-agent/templates/nginx.mustache"
PACKAGED = "/usr/share/origin-ca-agent/templates/nginx.mustache"


@pytest.fixture(name="settled", scope="module")
def fixture_settled(module_agent, module_sandbox):
    """One host in order for all these tests: each ends where it began."""
    origin = Origin(module_agent, Nginx(module_agent.host), module_sandbox)
    origin.settle()
    return origin


@pytest.fixture(name="drifted")
def fixture_drifted(settled):
    """A host in order; at the test's end nothing was issued but the first certificate, the snippet
    is as it was, it is served, and another pass finds nothing to do."""
    snippet = settled.nginx.snippet(NAME)
    before = settled.host.read(snippet), settled.host.stat(snippet)
    yield settled
    assert len(settled.serials()) == 1
    assert settled.served() == settled.serials()[0]
    assert (settled.host.read(snippet), settled.host.stat(snippet)) == before
    assert not settled.agent.renew(check=0).json["changed"]


def found(origin, reason, check=1):
    """What a look says before anything is done."""
    for said in (origin.agent.status(check=check), origin.agent.renew(dry_run=True, check=check)):
        assert reason in said.target(NAME)["redeploy"]
        assert said.certificate(NAME)["reissue"] == []


@pytest.mark.parametrize("way", ["scheduled", "now", "named"])
def test_edited_snippet_is_written_again(drifted, way):
    drifted.host.run(["sed", "-i", "s/^ssl_certificate/# &/", drifted.nginx.snippet(NAME)])
    found(drifted, "snippet-differs")
    if way == "scheduled":
        drifted.agent.scheduled_pass(check=0)
        return
    done = drifted.agent.renew(*([NAME] if way == "named" else []), check=0)
    assert done.json["changed"] and done.json["reloads"] == 1
    assert done.certificate(NAME)["outcome"] == "deployed"


def test_deleted_snippet_comes_back(drifted):
    drifted.host.run(["rm", drifted.nginx.snippet(NAME)])
    found(drifted, "snippet-missing")
    assert drifted.nginx.test().returncode != 0
    assert drifted.agent.renew(check=0).json["changed"]
    assert drifted.nginx.test().returncode == 0


def test_deleted_snippet_directory_comes_back(drifted):
    drifted.host.remove(drifted.agent.state_path("snippets"))
    assert drifted.agent.renew(check=0).json["changed"]


def test_snippet_that_became_a_link_is_replaced_not_followed(drifted):
    snippet = drifted.nginx.snippet(NAME)
    drifted.host.run(["mv", snippet, "/srv/elsewhere.conf"])
    drifted.host.run(["ln", "-s", "/srv/elsewhere.conf", snippet])
    elsewhere = drifted.host.read("/srv/elsewhere.conf")
    drifted.agent.renew(check=0)
    assert drifted.host.stat(snippet, "%F") == "regular file"
    assert drifted.host.read("/srv/elsewhere.conf") == elsewhere


@pytest.mark.parametrize("command", [["chmod", "600"], ["chmod", "666"], ["chown", "www-data"]])
def test_permissions_of_a_snippet_are_put_right(drifted, command):
    if command[0] == "chown":
        drifted.agent.target("nginx", owner="root", group="root")
    drifted.host.run([*command, drifted.nginx.snippet(NAME)])
    found(drifted, "permissions")
    assert drifted.agent.renew(check=0).json["changed"]


@pytest.mark.parametrize("file, mode", [("key.pem", "600"), ("cert.pem", "644")])
def test_permissions_of_a_generation_are_put_right_without_a_reload(drifted, file, mode):
    path = drifted.agent.state_path("certificates", NAME, "0001", file)
    drifted.host.run(["chmod", "666", path])
    done = drifted.agent.renew(check=0)
    assert done.json["changed"] and done.json["reloads"] == 0
    assert drifted.host.stat(path, "%a") == mode
    assert "put right" in done.stderr


def test_wanted_group_of_the_key_is_set_without_a_new_certificate(drifted):
    path = drifted.agent.state_path("certificates", NAME, "0001", "key.pem")
    drifted.agent.certificate(NAME, group="www-data", mode="0640")
    assert drifted.agent.renew(check=0).json["changed"]
    assert drifted.host.stat(path) == "640 root:www-data"
    drifted.host.run(["setpriv", "--reuid=www-data", "--regid=www-data", "--clear-groups",
                      "cat", path])
    drifted.agent.certificate(NAME)
    drifted.agent.renew(check=0)
    assert drifted.host.stat(path, "%a") == "600"


def test_live_link_that_was_bent_is_put_right_by_a_full_look(drifted):
    live = drifted.agent.state_path("live", NAME)
    drifted.host.run(["ln", "-sfn", "/srv", live])
    drifted.agent.renew(NAME, check=0)
    assert drifted.host.output(["readlink", "-f", live]).endswith("/0001")


def test_changed_template_is_rolled_out_without_a_new_certificate(drifted):
    packaged = drifted.host.read(PACKAGED)
    drifted.host.write(TEMPLATE, packaged + "ssl_session_tickets off;\n")
    found(drifted, "template-changed")
    with drifted.nginx.client(NAME, ca=drifted.sandbox.roots()) as client:
        done = drifted.agent.renew(check=0)
    assert not client.failures
    assert {leaf_from_der(der).serial for der in client.leaves} == set(drifted.serials())
    assert done.json["changed"] and done.json["reloads"] == 1
    assert "ssl_session_tickets off;" in drifted.host.read(drifted.nginx.snippet(NAME))
    assert not drifted.agent.renew(check=0).json["changed"]
    drifted.host.remove(TEMPLATE)
    drifted.agent.scheduled_pass(check=0)
    assert "ssl_session_tickets" not in drifted.host.read(drifted.nginx.snippet(NAME))
    assert len(drifted.serials()) == 1
