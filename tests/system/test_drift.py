"""What others changed behind the agent's back: found and put right, without a new certificate."""

import pytest

from agent import USER
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
        drifted.agent.target("nginx", owner=USER, group=USER)
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
    drifted.agent.join("www-data")
    drifted.agent.certificate(NAME, group="www-data", mode="0640")
    assert drifted.agent.renew(check=0).json["changed"]
    assert drifted.host.stat(path) == f"640 {USER}:www-data"
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


def test_rights_of_a_snippet_are_no_reason_to_reload(drifted):
    drifted.host.run(["chmod", "640", drifted.nginx.snippet(NAME)])
    said = drifted.agent.renew(dry_run=True, check=1)
    assert said.target(NAME)["redeploy"] == ["permissions"]
    done = drifted.agent.renew(check=0)
    assert done.json["changed"] and done.json["reloads"] == 0


def test_reload_that_was_never_confirmed_is_asked_for_again(drifted):
    """A pass that died between the rename and the reload."""
    path = drifted.agent.state_path("certificates", NAME, "state.json")
    edit = ".targets[0].reload_pending = true"
    drifted.host.write(path, drifted.host.run(["jq", edit, path]).stdout, mode=0o600)
    found(drifted, "reload-unconfirmed")
    text = drifted.agent.command("status", check=1).stdout
    assert "to be deployed: reload-unconfirmed" in text
    done = drifted.agent.renew(check=0)
    assert done.json["reloads"] == 1 and not done.json["certificates"][0]["issued"]


def test_other_leaf_that_is_served_is_reloaded_away(drifted):
    """Somebody loaded other files and put the configuration back without a reload."""
    nginx = drifted.nginx
    nginx.add(NAME, snippet=nginx.self_signed(NAME))
    nginx.reload()
    drifted.host.wait(lambda: nginx.served(NAME).serial not in drifted.serials())
    nginx.add(NAME)
    said = drifted.agent.renew(NAME, dry_run=True, check=1)
    assert said.target(NAME)["redeploy"] == ["other-leaf-served"]
    text = drifted.agent.command("--renew-now", "--dry-run", NAME, check=1).stdout
    assert "to be deployed: other-leaf-served" in text
    done = drifted.agent.renew(NAME, check=0)
    assert done.json["reloads"] == 1


def test_former_generation_that_somebody_put_back_is_replaced(drifted):
    """A backup of the server's configuration: the snippet names files that are gone."""
    snippet = drifted.nginx.snippet(NAME)
    text = drifted.host.read(snippet)
    drifted.host.write(snippet, text.replace("/0001/", "/0000/"))
    found(drifted, "snippet-differs")
    assert drifted.agent.renew(check=0).json["reloads"] == 1


def test_reasons_of_several_drifts_are_all_told(drifted):
    drifted.host.write(TEMPLATE, drifted.host.read(PACKAGED) + "# more\n")
    drifted.host.run(["sh", "-c", f"echo '# mine' >> {drifted.nginx.snippet(NAME)}; "
                      f"chmod 600 {drifted.nginx.snippet(NAME)}"])
    said = drifted.agent.status(check=1).target(NAME)["redeploy"]
    assert said == ["snippet-differs", "template-changed", "permissions"]
    drifted.host.remove(TEMPLATE)
    drifted.agent.scheduled_pass(check=0)
