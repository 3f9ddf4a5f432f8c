"""What --dry-run shows: a unified diff of each snippet that would change, for every kind of server,
and that it does nothing."""

import pytest

from apache import Apache
from haproxy import Haproxy
from matrix import NAME
from nginx import Nginx
from tomcat import Tomcat

KINDS = (Nginx, Apache, Haproxy, Tomcat)
PACKAGED = "/usr/share/origin-ca-agent/templates"
OWN = "/etc/origin-ca-agent/templates"
EVERYTHING = ("/var/lib/origin-ca-agent", "/etc/origin-ca-agent", "/run/origin-ca-agent")


@pytest.fixture(name="servers", scope="module")
def fixture_servers(module_host):
    """They need not run: a dry run asks nobody."""
    return {kind.type: kind(module_host) for kind in KINDS}


@pytest.fixture(name="agent")
def fixture_agent(clean_agent, servers):
    """One certificate with four targets that others reload: settled without a server."""
    for name, server in servers.items():
        keys = {**server.agent_keys(), "reload": "none", "probe": "none"}
        clean_agent.target(name, **keys)
    clean_agent.certificate(NAME, targets=list(servers))
    return clean_agent


def listing(agent):
    return agent.host.output(["find", *EVERYTHING, "-printf", "%p %i %m %U:%G %s %T@ %C@ %l\\n"],
                             check=False)


def look(agent, *names, check=None):
    """Both forms of a dry run; nothing on disk is another after them."""
    before = listing(agent)
    text = agent.command("--renew-now", "--dry-run", *names, check=check)
    said = agent.renew(*names, dry_run=True, check=check)
    assert listing(agent) == before
    diffs = {one["name"]: one.get("diff", "") for one in said.certificate(NAME)["targets"]}
    return text.stdout, diffs


def test_first_certificate_is_shown_as_new_files(agent, servers, module_sandbox):
    text, diffs = look(agent, check=1)
    for name, server in servers.items():
        head = f"--- /dev/null\n+++ {server.snippet(NAME)} (new)\n@@ -0,0 +1"
        assert diffs[name].startswith(head), diffs[name]
        assert all(line[0] in "+@-" for line in diffs[name].splitlines())
        assert diffs[name] in text
    assert "/0001/fullchain.pem" in diffs["nginx"]
    assert 'Password="********"' in diffs["tomcat"]
    assert not module_sandbox.issued() and not agent.host.exists(agent.state_path())


def test_nothing_is_shown_when_nothing_would_change(agent):
    agent.renew(check=0)
    text, diffs = look(agent, check=0)
    assert not any(diffs.values()) and "@@" not in text
    assert "1 of 1 certificates current" in text


def test_each_snippet_that_would_change_is_shown_and_the_others_are_not(agent, servers):
    agent.renew(check=0)
    host = agent.host
    host.run(["sed", "-i", "s/^SSLCertificateKeyFile.*/SSLCertificateKeyFile bent/",
              servers["apache"].snippet(NAME)])
    host.write(f"{OWN}/haproxy.mustache", host.read(f"{PACKAGED}/haproxy.mustache") + "# more\n")
    text, diffs = look(agent, check=1)
    apache = servers["apache"].snippet(NAME)
    assert diffs["apache"].startswith(f"--- {apache} (in place)\n+++ {apache} (new)\n@@ ")
    assert "\n-SSLCertificateKeyFile bent\n+SSLCertificateKeyFile \"" in diffs["apache"]
    assert "\n+# more\n" in diffs["haproxy"]
    assert not diffs["nginx"] and not diffs["tomcat"]
    assert diffs["apache"] in text and diffs["haproxy"] in text and text.count("@@ -") <= 4
    # and that is what is done then
    agent.renew(check=0)
    assert host.read(servers["haproxy"].snippet(NAME)).endswith("# more\n")
    assert not any(look(agent, check=0)[1].values())


def test_next_generation_is_shown_where_a_snippet_names_it(agent, module_sandbox):
    agent.renew(check=0)
    agent.certificate(NAME, targets=["nginx", "apache", "haproxy", "tomcat"],
                      hostnames=[NAME, f"*.{NAME}", f"other.{NAME}"])
    _, diffs = look(agent, check=1)
    for name in ("nginx", "apache", "haproxy"):
        assert "/0001/" in diffs[name] and "/0002/" in diffs[name]
    assert f"+<SSLHostConfig hostName=\"other.{NAME}\"" in diffs["tomcat"]
    assert len(module_sandbox.issued()) == 1


@pytest.mark.parametrize("first, second", [("a&b<c>\"d'", "e&f\"g'<h>"),
                                           ("zwiebel-1", "zwiebel-2")])
def test_password_of_a_keystore_is_never_shown(agent, servers, first, second):
    """Neither the one that is to come nor the one that is in place, however XML spells it."""
    password = "/etc/origin-ca-agent/keystore-password"
    agent.certificate(NAME, targets=["tomcat"], keystore_password_file=password)
    agent.host.write(password, first + "\n", mode=0o600)
    agent.give(password)
    shown = [*look(agent, check=1)]
    agent.renew(check=0)
    agent.host.write(password, second + "\n", mode=0o600)
    text, diffs = look(agent, check=1)
    assert diffs["tomcat"], "the snippet will change, and that is told"
    shown = str([*shown, text, diffs, agent.render(NAME, "tomcat").stdout])
    for secret in (first, second):
        spelt = secret.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        for one in (secret, spelt, spelt.replace('"', "&quot;"),
                    spelt.replace('"', "&quot;").replace("'", "&#39;"),
                    spelt.replace('"', "&quot;").replace("'", "&apos;"), secret[:3]):
            assert one not in shown
    assert '-               certificateKeystorePassword="(the former password)"' in text
    assert '+               certificateKeystorePassword="********"' in text
    assert agent.host.exists(servers["tomcat"].snippet(NAME))
