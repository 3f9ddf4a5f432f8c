"""Many certificates on one server: one reload for all, and one bad one does not stop the others."""

import pytest

from agent import section
from origin import NAME

NAMES = [f"c{number:02}.example.com" for number in range(60)]
CULPRIT = NAMES[7]
FEW = NAMES[:12]
TEMPLATE = "/etc/origin-ca-agent/templates/nginx.mustache"
PACKAGED = "/usr/share/origin-ca-agent/templates/nginx.mustache"


@pytest.fixture(name="many")
def fixture_many(clean_agent, clean_nginx, module_sandbox):
    """Sixty certificates, of which CULPRIT alone has a wildcard; nginx runs and includes them on
    disk."""
    clean_nginx.add("old", "old.example.com", snippet=clean_nginx.self_signed("old.example.com"))
    clean_nginx.start()
    define(clean_agent, NAMES)
    clean_nginx.add_many(NAMES)
    return clean_agent, clean_nginx, module_sandbox


def define(agent, names):
    agent.drop_in("many", "".join(section(f"certificate {name}", {
        "targets": "nginx", "hostnames": [name, "*." + name] if name == CULPRIT else name,
    }) for name in names))


@pytest.mark.calm
def test_one_reload_for_all_and_the_one_to_blame_alone_waits(many):
    agent, nginx, sandbox = many
    roots = sandbox.roots()
    done = agent.renew(check=0)
    assert done.json["reloads"] == 1 and len(sandbox.issued()) == 60
    for one in done.json["certificates"]:
        assert nginx.served(one["name"], ca=roots).serial == one["serial"]

    with nginx.client(NAMES[-1], ca=roots) as client:
        done = agent.renew(*NAMES, force=True, check=0)
    assert done.json["reloads"] == 1 and not client.failures and client.requests
    assert len(sandbox.issued()) == 120
    serials = {one["name"]: one["serial"] for one in done.json["certificates"]}
    assert all(nginx.served(name, ca=roots).serial == serials[name] for name in NAMES)

    # a template that is wrong for one of them only
    agent.host.write(TEMPLATE, agent.host.read(PACKAGED)
                     + "{{#hostnames}}{{#wildcard}}\nssl_no_such_thing on;\n"
                       "{{/wildcard}}{{/hostnames}}\n")
    define(agent, FEW)
    with nginx.client(NAMES[0], ca=roots) as client:
        done = agent.renew(*FEW, force=True, check=1)
    assert not client.failures
    assert [one["name"] for one in done.json["certificates"]
            if one["outcome"] != "issued"] == [CULPRIT]
    error = done.target(CULPRIT)["error"]["message"]
    assert "ssl_no_such_thing" in error and f"{CULPRIT}.conf:" in error
    assert nginx.served(CULPRIT, ca=roots).serial == serials[CULPRIT]
    for name in FEW:
        if name != CULPRIT:
            assert nginx.served(name, ca=roots).serial == done.certificate(name)["serial"]
    assert nginx.test().returncode == 0

    agent.host.remove(TEMPLATE)
    done = agent.renew(check=0)
    assert done.json["reloads"] == 1 and len(sandbox.issued()) == 132
    assert nginx.served(CULPRIT, ca=roots).serial == done.certificate(CULPRIT)["serial"]


def test_new_server_block_does_not_stop_the_renewals_of_others(origin):
    """The others go on although a first certificate, whose block includes exactly its snippet,
    is deployed in the same reload as a template that one of them cannot have."""
    agent, nginx = origin.agent, origin.nginx
    first, renewed = "new.example.com", "shop.example.com"
    agent.certificate(renewed, hostnames=renewed)
    nginx.add(renewed)
    agent.renew(check=0)
    agent.host.write(TEMPLATE, agent.host.read(PACKAGED)
                     + "{{#hostnames}}{{#wildcard}}\nssl_no_such_thing on;\n"
                       "{{/wildcard}}{{/hostnames}}\n")
    agent.certificate(first, hostnames=first)
    nginx.add(first)
    done = agent.renew(check=1)
    failed = [one["name"] for one in done.json["certificates"] if one["outcome"] == "failed"]
    assert failed == [NAME]
    shown = nginx.served(first, ca=origin.sandbox.roots())
    assert shown.serial == done.certificate(first)["serial"]
    assert origin.served() == origin.serials()[0]
    assert len(origin.serials()) == 3
