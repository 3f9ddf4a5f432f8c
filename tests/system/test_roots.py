"""Cloudflare's roots: fetched once, believed only when pinned, and never in the way of a
certificate."""

import subprocess
import time

import pytest

from agent import USER

pytestmark = pytest.mark.calm

NAME = "example.com"
FILES = ("origin_ca_ecc_root.pem", "origin_ca_rsa_root.pem")
STATIC = "/ssl/static/"


@pytest.fixture
def agent(clean_agent):
    clean_agent.certificate(NAME, targets=None)
    return clean_agent


@pytest.fixture
def sandbox(agent):
    return agent.sandbox


def path(agent, file=""):
    return agent.state_path("roots", file)


def kept(agent, number):
    """The name of one in STATE/roots: others than Cloudflare's have the digest in it."""
    return FILES[number].replace(".pem", f".{agent.roots['root_sha256'][number][:16]}.pem")


def fetched(sandbox):
    """Which files were asked for."""
    return [one["path"].removeprefix(STATIC) for one in sandbox.requests()
            if one["path"].startswith(STATIC)]


def published(sandbox, file):
    return sandbox.host.read(f"{sandbox.directory}/{file}")


def issued_all_the_same(agent, *words, **options):
    done = agent.renew(check=0, **options)
    assert done.certificate(NAME)["outcome"] == "issued"
    for word in words:
        assert word in done.stderr, done.stderr
    return done


def test_roots_are_fetched_once_and_kept(agent, sandbox):
    agent.renew(check=0)
    assert sorted(fetched(sandbox)) == sorted(FILES)
    for number, file in enumerate(FILES):
        there = path(agent, kept(agent, number))
        assert agent.host.read(there) in published(sandbox, file)
        assert agent.host.stat(there) == f"644 {USER}:{USER}"
    agent.renew(NAME, force=True, check=0)
    agent.renew(NAME, check=0)
    assert len(fetched(sandbox)) == len(FILES)


def test_leaf_that_no_root_signed_is_refused(agent, sandbox):
    sandbox.fault("POST /certificates:not-signed")
    done = agent.renew(check=1)
    assert "not signed by the Origin CA" in done.certificate(NAME)["error"]["message"]
    assert agent.generations(NAME) == []


@pytest.mark.parametrize("spoil", ["junk", "stranger", "deleted"])
def test_file_that_somebody_changed_is_replaced(agent, sandbox, spoil):
    agent.renew(check=0)
    file = path(agent, kept(agent, 0))
    good = agent.host.read(file)
    agent.host.remove(file)
    if spoil == "junk":
        agent.host.write(file, "junk\n")
    elif spoil == "stranger":
        agent.host.write(file, agent.sandbox.root)
    sandbox.mark()
    done = agent.renew(NAME, check=0)
    assert (f"{file}: not used" in done.stderr) == (spoil != "deleted"), done.stderr
    assert fetched(sandbox) == [FILES[0]]
    assert agent.host.read(file) == good
    assert not agent.renew(NAME, check=0).stderr


def test_root_that_is_not_pinned_is_refused_with_both_values_and_others_are_taken(agent, sandbox):
    pins = agent.roots["root_sha256"]
    agent.configure(api={"root_sha256": pins[1:]})
    done = issued_all_the_same(agent, pins[0].lower(), "aa63697a22764b67b2134ce14cb5690e", FILES[0],
                               "add its SHA-256 to root_sha256")
    assert len(done.stderr.splitlines()) == 2, done.stderr
    assert agent.host.list(path(agent)) == [kept(agent, 1)]
    # the day the administrator pins it
    agent.configure()
    agent.renew(NAME, check=0)
    assert agent.host.list(path(agent)) == [kept(agent, 0), kept(agent, 1)]
    assert len(sandbox.issued()) == 1


@pytest.mark.parametrize("kind", ["port", "500-html", "reset-before", "cut-body", "not-found"])
def test_address_that_gives_no_roots_does_not_stop_issuing(agent, sandbox, kind):
    if kind == "port":
        agent.configure(api={"root_url": "https://127.0.0.1:9/static"})
    elif kind == "not-found":
        agent.configure(api={"root_url": f"{sandbox.endpoint}/client/v4"})
    else:
        sandbox.fault(f"GET {STATIC}*:{kind}:always")
    issued_all_the_same(agent, "certificates are issued all the same")
    assert not agent.host.exists(path(agent)) or agent.host.list(path(agent)) == []
    # nobody asks again while nothing is to be done with them
    sandbox.mark()
    agent.scheduled_pass(check=0)
    assert sandbox.requests() == []


def test_address_that_hangs_costs_bounded_time(agent, sandbox):
    sandbox.fault(f"GET {STATIC}*:hang:always")
    before = time.monotonic()
    issued_all_the_same(agent, "certificates are issued all the same")
    assert time.monotonic() - before < 25


def test_page_in_place_of_a_root_is_no_root(agent):
    """A portal that answers everything with 200 and a page."""
    for file in FILES:
        agent.host.write(f"/srv/portal/{file}", "<html><body>Please log in</body></html>\n")
    server = agent.host.spawn(["python3", "-m", "http.server", "8899", "--bind", "127.0.0.1",
                               "--directory", "/srv/portal"], stderr=subprocess.DEVNULL)
    agent.host.wait(lambda: agent.host.listening(8899))
    agent.configure(api={"root_url": "http://127.0.0.1:8899"})
    issued_all_the_same(agent, "no certificate in", "issued all the same")
    server.end()
    assert not agent.host.exists(path(agent)) or agent.host.list(path(agent)) == []


def test_trouble_with_the_token_asks_nobody(agent, sandbox):
    agent.host.remove("/etc/origin-ca-agent/api-token")
    agent.renew(check=1)
    assert sandbox.requests() == []


def test_leaf_that_outlives_its_root_is_taken_with_a_notice(agent, sandbox):
    agent.certificate(NAME, targets=None, validity="5475d")
    issued_all_the_same(agent, f"{NAME}: the certificate ends after the Origin CA root")


def test_root_that_becomes_known_later_comes_into_the_chain(agent, sandbox):
    agent.certificate(NAME, targets=None, chain="root", formats="p7b")
    sandbox.fault(f"GET {STATIC}*:500:always")
    issued_all_the_same(agent)
    live = agent.state_path("live", NAME)
    assert agent.host.read(f"{live}/chain.pem") == ""
    assert agent.host.read(f"{live}/fullchain.pem").count("BEGIN CERTIFICATE") == 1
    sandbox.clear_faults()
    one = agent.renew(NAME, check=0).certificate(NAME)
    assert one["derived"] and one["generation"] == 2 and len(sandbox.issued()) == 1
    assert agent.host.read(f"{live}/chain.pem") == agent.host.read(path(agent, kept(agent, 0)))
    assert agent.host.read(f"{live}/fullchain.pem").count("BEGIN CERTIFICATE") == 2
    bag = agent.host.output(["openssl", "pkcs7", "-in", f"{live}/cert.p7b", "-print_certs"])
    assert bag.count("BEGIN CERTIFICATE") == 2
    # the root goes away again: what is there stays
    agent.host.remove(path(agent))
    sandbox.fault(f"GET {STATIC}*:500:always")
    assert not agent.renew(NAME, check=0).json["changed"]
    assert agent.host.read(f"{live}/fullchain.pem").count("BEGIN CERTIFICATE") == 2
