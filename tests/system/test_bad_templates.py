"""A template that cannot be used: one message with place and remedy, what is served stays, and
certificates of other targets go through."""

import pytest

from agent import section
from nginx import Nginx
from origin import NAME, Origin

TEMPLATES = "/etc/origin-ca-agent/templates"
SECOND = "second.example.com"


@pytest.fixture(name="pair", scope="module")
def fixture_pair(module_agent, module_sandbox):
    """A target whose template is spoilt, and another of the same nginx with a sound one."""
    origin = Origin(module_agent, Nginx(module_agent.host), module_sandbox)
    origin.settle()
    module_agent.target("second", type="nginx", template="nginx")
    module_agent.certificate(SECOND, targets="second")
    origin.nginx.add(SECOND, snippet=origin.nginx.snippet(SECOND).replace("/nginx/", "/second/"))
    module_agent.renew(check=0)
    return origin


def spoil(host, how):
    """Returns what a message must say, and what its remedy."""
    path = f"{TEMPLATES}/spoilt.mustache"
    host.run(["rm", "-rf", path])
    texts = {"open": ("ok\n {{#hostnames}}\n{{name}}\n", f"{path}:2:2: "),
             "crossed": ("{{#hostnames}}{{/name}}\n", f"{path}:1:15: "),
             "cut": ("fine\nssl_certificate {{fullchain\n", f"{path}:2:17: "),
             "partial": ("a\nb\n{{> nothing}}\n", f"{path}:3:1: ")}
    if how in texts:
        host.write(path, texts[how][0])
        return texts[how][1]
    if how == "directory":
        host.run(["mkdir", "-p", path])
    elif how == "nowhere":
        host.run(["ln", "-s", "/srv/nowhere", path])
    elif how == "large":
        host.write(path, "#" * (4 << 20))
    return path if how != "nowhere" else "there is no template spoilt.mustache"


@pytest.mark.parametrize("how", ["open", "crossed", "cut", "partial", "directory", "nowhere",
                                 "large"])
def test_bad_template_is_told_once_with_its_place_and_others_go_through(pair, how):
    agent, host = pair.agent, pair.host
    words = spoil(host, how)
    agent.target("nginx", template="spoilt")
    before, snippet = pair.served(), host.read(pair.nginx.snippet(NAME))
    agent.target("second", type="nginx", template="nginx", mode="0600")
    agent.certificate(SECOND, targets="second", chain="root" if how == "open" else "none")
    done = agent.renew(check=1)
    error = done.target(NAME)["error"]
    assert words in error["message"] and error["class"] == "configuration"
    assert error["remedy"], error
    assert done.stderr.count(words) == 1
    assert done.certificate(SECOND)["outcome"] in ("deployed", "current")
    assert words in agent.status(check=1).target(NAME)["error"]["message"]
    assert words in agent.command("--renew-now", "--dry-run", check=1).stdout
    assert pair.served() == before and host.read(pair.nginx.snippet(NAME)) == snippet
    agent.target("nginx")
    agent.scheduled_pass(check=0)
    assert pair.served() == before


def test_custom_target_without_a_template_is_a_mistake_of_the_configuration(pair):
    agent = pair.agent
    agent.drop_in("appliance", section("target appliance", {"type": "custom", "reload": "none"})
                  + section("certificate c.example.com", {"targets": "appliance"}))
    before = pair.served()
    done = agent.renew(check=3)
    problem = next(one for one in done.json["problems"] if "template" in one["message"])
    assert problem["file"].endswith("/appliance.ini") and problem["line"] == 1
    assert "template = NAME" in problem["remedy"]
    assert pair.served() == before
    agent.remove("appliance")
    assert [one["outcome"] for one in done.json["certificates"]] == ["current", "current"]


def test_unit_that_does_not_exist_stops_nobody_else(pair):
    agent = pair.agent
    agent.target("nginx", unit="no-such.service")
    issued = len(pair.serials())
    done = agent.renew(NAME, SECOND, force=True, check=1)
    error = done.target(NAME)["error"]
    assert error["class"] == "configuration" and "no-such.service" in error["message"]
    assert "[target nginx]" in error["remedy"]
    assert done.target(SECOND, "second")["verified"]
    agent.target("nginx")
    agent.scheduled_pass(check=0)
    assert len(pair.serials()) == issued + 2
