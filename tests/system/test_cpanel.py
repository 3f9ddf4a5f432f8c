"""A hosting account with cPanel as a target: what is installed, what is gone back to, and what each
failure says. cPanel is played by fake_cpanel.py; the handshakes with the websites are real."""

import pytest

from hosting import DIRECTORY, TOKEN, TOKEN_FILE, USER, Hosting
from nginx import Nginx

NAME = "example.com"
NAMES = ["example.com", "*.example.com"]


@pytest.fixture(name="account", scope="module")
def fixture_account(module_host):
    return Hosting(module_host)


@pytest.fixture(name="hosting")
def fixture_hosting(clean_agent, account):
    """A certificate for the account is configured, nothing was done yet."""
    account.reset()
    clean_agent.target("hosting", **account.keys())
    clean_agent.certificate(NAME, targets=["hosting"], hostnames=NAMES, key_type="rsa-2048")
    yield account
    account.mode()
    for path in ("/var/lib/origin-ca-agent", "/etc/origin-ca-agent/conf.d"):
        found = account.host.run(["grep", "-rl", TOKEN, path], check=(1, 2)).stdout
        assert not found, f"the token is in {found}"
    assert TOKEN not in account.host.journal()


@pytest.fixture(name="settled")
def fixture_settled(clean_agent, hosting):
    """The first certificate is served."""
    clean_agent.renew(check=0)
    return hosting


def told(done, target="hosting"):
    """The error of the target, which must never show a secret."""
    assert TOKEN not in str(done) and "PRIVATE KEY" not in str(done)
    return done.target(NAME, target)["error"]


def test_first_certificate_is_installed_once_a_website_and_served(clean_agent, hosting):
    done = clean_agent.renew(check=0)
    serial = done.certificate(NAME)["serial"]
    assert sorted(hosting.installs()) == ["example.com", "shop.example.com"]
    for name in ("example.com", "www.example.com", "shop.example.com"):
        assert hosting.served(name) == serial
    assert hosting.served("example.net") == hosting.before["example.net"].serial
    sent = hosting.requests("SSL/install_ssl")[0]["parameters"]
    assert sent["cert"].count("BEGIN CERTIFICATE") == 1 and len(sent["key"]) == 64
    # nothing is left to do, and nobody is asked
    before = len(hosting.requests())
    assert not clean_agent.renew(check=0).json["changed"]
    assert len(hosting.requests()) == before
    target = clean_agent.status().json["certificates"][0]["targets"][0]
    assert target["verified_generation"] == 1


def test_rotation_installs_exactly_once_and_chain_is_sent(clean_agent, settled):
    clean_agent.certificate(NAME, targets=["hosting"], hostnames=NAMES, key_type="rsa-2048",
                            chain="root")
    clean_agent.renew(NAME, force=True, check=0)
    first = len(settled.installs())
    done = clean_agent.renew(NAME, force=True, check=0)
    assert len(settled.installs()) - first == 2
    assert "BEGIN CERTIFICATE" in settled.requests("SSL/install_ssl")[-1]["parameters"]["cabundle"]
    assert settled.served(NAME) == done.certificate(NAME)["serial"]


def test_only_the_domains_that_are_written(clean_agent, hosting):
    clean_agent.target("hosting", **hosting.keys(domains="www.example.com"))
    clean_agent.renew(check=0)
    assert hosting.installs() == ["www.example.com"]
    assert hosting.installed("shop.example.com") == hosting.before["shop.example.com"].serial


def test_dry_run_says_what_and_asks_nobody(clean_agent, hosting):
    done = clean_agent.renew(dry_run=True)
    assert done.target(NAME, "hosting")["redeploy"]
    assert not hosting.requests()
    text = clean_agent.command("--renew-now", "--dry-run").stdout
    assert "url = https://localhost:2083" in text and TOKEN not in text


def test_a_lost_answer_is_looked_for_and_not_sent_again(clean_agent, settled):
    settled.mode("lost SSL/install_ssl")
    before = len(settled.installs())
    done = clean_agent.renew(NAME, force=True)
    settled.mode()
    done = clean_agent.renew(check=0)
    assert len(settled.installs()) - before == 2       # one a website
    assert settled.served(NAME) == done.certificate(NAME)["serial"]


@pytest.mark.parametrize("function", ["SSL/installed_hosts", "SSL/install_ssl"])
def test_killed_pass_is_followed_by_one_that_installs_once(clean_agent, settled, function):
    """Killed while cPanel has the request, carried it out, and has not answered."""
    installs, seen = len(settled.installs()), len(settled.requests(function))
    former = settled.served(NAME)
    settled.mode(f"hold {function}")
    process = settled.host.spawn(["/usr/sbin/origin-ca-agent", "--renew-now", "--force", NAME])
    settled.host.wait(lambda: len(settled.requests(function)) > seen, 30)
    if function == "SSL/install_ssl":
        settled.host.wait(lambda: settled.served(NAME) != former, 10)
    process.kill()
    process.wait(20)
    settled.mode()
    done = clean_agent.renew(NAME, check=0)
    assert settled.served(NAME) == done.certificate(NAME)["serial"]
    assert settled.installed("shop.example.com") == done.certificate(NAME)["serial"]
    assert len(settled.installs()) - installs == 2          # one a website
    assert done.certificate(NAME)["generation"] == 2


def test_former_certificate_comes_back_when_another_server_answers(clean_agent, settled):
    """The probe shows another leaf: what was served before is what cPanel goes back to."""
    former = settled.served(NAME)
    other = Nginx(settled.host, "nginx", 8445)
    other.add(NAME, snippet=other.self_signed(NAME))
    other.start()
    clean_agent.target("hosting", **settled.keys(probe="127.0.0.1:8445", probe_timeout="1s"))
    done = clean_agent.renew(NAME, force=True, check=1)
    error = told(done)
    assert error["class"] == "deploy" and "shows another certificate" in error["message"]
    assert "not of Cloudflare's edge" in error["remedy"]
    assert done.target(NAME, "hosting")["rolled_back"]
    assert settled.served(NAME) == former == settled.installed(NAME)


def test_before_the_first_what_was_there_comes_back(clean_agent, hosting):
    clean_agent.target("hosting", **hosting.keys(probe="127.0.0.1:9", probe_timeout="1s"))
    done = clean_agent.renew(check=1)
    assert "refused" in told(done)["message"].lower()
    for website in ("example.com", "shop.example.com"):
        assert hosting.served(website) == hosting.before[website].serial
    # and when the probe is right, nothing stands in the way
    clean_agent.target("hosting", **hosting.keys())
    done = clean_agent.renew(check=0)
    assert hosting.served(NAME) == done.certificate(NAME)["serial"]
    left = hosting.host.list(f"/var/lib/origin-ca-agent/certificates/{NAME}")
    assert not [name for name in left if name.startswith("rollback.")]


@pytest.mark.parametrize("mode, kind, words, remedy", [
    ("refuse-token", "authorization", "HTTP 401", "Manage API Tokens"),
    ("login-page", "authorization", "a login page instead of JSON", "Manage API Tokens"),
    ("redirect", "configuration", "unexpected HTTP status 301", "redirections are not followed"),
    ("busy", "transient", "HTTP 503", ""),
    ("mismatch SSL/install_ssl", "deploy", "The given key does not match the certificate", ""),
    ("cut SSL/install_ssl", None, "", ""),
    ("cut SSL/installed_hosts", "transient", "SSL/installed_hosts", ""),
    ("says SSL/install_ssl", "deploy", "repeats a secret", ""),
    ("says SSL/installed_hosts", "deploy", "repeats a secret", ""),
    ("slow SSL/installed_hosts", "transient", "timed out", ""),
])
def test_failure_says_why_and_the_former_certificate_is_served(clean_agent, settled, mode, kind,
                                                                words, remedy):
    former = settled.served(NAME)
    clean_agent.target("hosting", **settled.keys(reload_timeout="3s"))
    settled.mode(mode)
    done = clean_agent.renew(NAME, force=True, check=1 if kind else 0)
    if kind:
        error = told(done)
        assert (error["class"], words in error["message"]) == (kind, True), error
        assert remedy in error.get("remedy", "")
        assert settled.served(NAME) == former
    settled.mode()
    installs = len(settled.installs())
    done = clean_agent.renew(check=0)
    assert settled.served(NAME) == done.certificate(NAME)["serial"]
    assert len(settled.installs()) - installs <= 2


def test_domain_of_somebody_else_is_told_in_cpanels_words(clean_agent, hosting):
    clean_agent.target("hosting", **hosting.keys(domains="example.com api.example.com"))
    error = told(clean_agent.renew(check=1))
    assert error["class"] == "configuration"
    assert "You do not own the domain" in error["message"] and "api.example.com" in error["message"]
    assert "domains" in error["remedy"]


def test_a_certificate_that_is_not_trusted_is_refused(clean_agent, hosting):
    keys = hosting.keys()
    del keys["ca_file"]
    clean_agent.target("hosting", **keys)
    error = told(clean_agent.renew(check=1))
    assert error["class"] == "configuration"
    assert "`ca_file` of [target hosting]" in error["remedy"]
    assert not hosting.requests()


def test_token_file_that_others_read_is_refused_before_anybody_is_asked(clean_agent, hosting):
    hosting.host.run(["chmod", "644", TOKEN_FILE])
    error = told(clean_agent.renew(check=1))
    assert error["class"] == "configuration" and "mode 0644" in error["message"]
    assert not hosting.requests()
    findings = clean_agent.check().json["findings"]
    assert any("mode 0644" in one["message"] for one in findings)


def test_ecdsa_is_refused_unless_one_insists(clean_agent, hosting):
    clean_agent.certificate(NAME, targets=["hosting"], hostnames=NAMES)
    done = clean_agent.renew(check=3)
    problem = done.json["problems"][0]
    assert "ECDSA" in problem["message"] and "rsa-2048" in problem["remedy"]
    assert (problem["file"].endswith(f"{NAME}.ini"), problem["line"]) == (True, 2)
    clean_agent.target("hosting", **hosting.keys(allow_ecdsa=True))
    clean_agent.renew(check=0)
    assert hosting.installs()


def test_unreachable_account_neither_delays_nor_fails_the_local_server(clean_agent, hosting):
    nginx = Nginx(hosting.host, "nginx", 8446)
    hosting.host.run(["systemctl", "stop", "nginx.service"], check=False)
    nginx.remove_all()
    clean_agent.target("nginx", **nginx.agent_keys())
    clean_agent.certificate(NAME, targets=["nginx", "hosting"], hostnames=NAMES,
                            key_type="rsa-2048")
    clean_agent.renew()
    nginx.add(NAME)
    nginx.start()
    clean_agent.renew(check=0)
    hosting.mode("slow")
    clean_agent.target("hosting", **hosting.keys(reload_timeout="4s"))
    old = nginx.served(NAME).serial
    process = hosting.host.spawn(["/usr/sbin/origin-ca-agent", "--renew-now", "--force", NAME])
    # while cPanel is still being waited for, nginx serves the new one
    hosting.host.wait(lambda: nginx.served(NAME).serial != old, 20)
    assert process.poll() is None
    assert process.wait(30) == 1
    done = clean_agent.status()
    targets = {one["name"]: one for one in done.json["certificates"][0]["targets"]}
    assert targets["nginx"]["verified_generation"] == 2
    assert targets["hosting"]["verified_generation"] == 1
    live = hosting.host.output(["readlink", f"/var/lib/origin-ca-agent/live/{NAME}"])
    assert live.endswith("/0002")
    hosting.mode()
    clean_agent.renew(check=0)
    assert hosting.served(NAME) == nginx.served(NAME).serial


def test_keys_of_one_type_are_refused_for_another(clean_agent, hosting):
    clean_agent.target("hosting", **hosting.keys(region="eu-central-1", unit="nginx.service"))
    clean_agent.target("nginx", user=USER)
    problems = clean_agent.renew(check=3).json["problems"]
    said = {(one["file"].split("/")[-1], one["line"], one["message"]) for one in problems}
    text = "\n".join(message for _, _, message in said)
    assert '"region" has no effect on a target of type cpanel' in text
    assert '"unit" has no effect on a target of type cpanel' in text
    assert '"user" has no effect on a target of type nginx' in text
    assert all(line > 0 for _, line, _ in said)
    assert DIRECTORY not in text
