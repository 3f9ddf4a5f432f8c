"""An answer is lost for longer than a pass: no second certificate is asked for one need."""

import datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

NAME = "example.com"


@pytest.fixture
def agent(clean_agent):
    clean_agent.certificate(NAME, targets=None)
    return clean_agent


@pytest.fixture
def sandbox(agent):
    return agent.sandbox


def posts(sandbox):
    return len(sandbox.requests("POST", "/certificates"))


def adopted_once(agent, sandbox):
    """One more pass ends well with the one certificate that was ever made."""
    one = agent.renew(check=0).certificate(NAME)
    assert one["outcome"] == "adopted" and one["generation"] == 1
    (issued,) = sandbox.issued()
    assert one["serial"] in str(issued)
    assert agent.renew(check=0).json["changed"] is False
    assert len(sandbox.issued()) == 1


def lose(agent, sandbox):
    """A pass that ends without knowing: the certificate is made, the list cannot be read."""
    sandbox.fault("POST /certificates:lose-answer", "GET /certificates:503:always")
    done = agent.renew(check=1)
    assert len(sandbox.issued()) == 1 and posts(sandbox) == 1
    return done.certificate(NAME)["error"]


def test_answer_that_stays_lost_is_adopted_by_the_next_pass(agent, sandbox):
    error = lose(agent, sandbox)
    assert error["class"] == "transient"
    assert "cannot look for a certificate whose answer was lost" in error["message"]
    sandbox.clear_faults()
    adopted_once(agent, sandbox)
    assert posts(sandbox) == 1


def test_pass_that_is_killed_while_it_waits_leaves_a_certificate_to_adopt(agent, sandbox):
    sandbox.fault("POST /certificates:hang-after")
    process = agent.host.spawn([agent.program, "--renew-now"])
    agent.host.wait(sandbox.issued, message="the certificate is made")
    process.kill()
    process.wait()
    sandbox.clear_faults()
    adopted_once(agent, sandbox)
    assert posts(sandbox) == 1


def test_libcurl_does_not_repeat_a_post_on_a_connection_that_was_used_before(agent, sandbox):
    """A key that was sent before makes the pass read the list first, so that the POST goes over a
    connection that has served; when such a one ends, libcurl by itself sends again."""
    sandbox.fault("POST /certificates:1201:always")
    agent.renew(check=1)
    sandbox.clear_faults()
    sandbox.mark()
    sandbox.fault("POST /certificates:lose-answer:always")
    adopted_once(agent, sandbox)
    asked = [one["method"] for one in sandbox.requests(path="/certificates")]
    assert asked[:3] == ["GET", "POST", "GET"]
    assert posts(sandbox) == 1


def test_another_key_type_does_not_take_the_lost_certificate(agent, sandbox):
    lose(agent, sandbox)
    sandbox.clear_faults()
    agent.certificate(NAME, targets=None, key_type="rsa-2048")
    one = agent.renew(check=0).certificate(NAME)
    assert one["outcome"] == "issued" and len(sandbox.issued()) == 2


# --- finding it among many

def crowd(sandbox, count):
    """Certificates of the zone that belong to others."""
    key = ec.generate_private_key(ec.SECP256R1())
    csr = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(
        key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()
    body = {"csr": csr, "hostnames": [NAME, f"*.{NAME}"], "request_type": "origin-ecc",
            "requested_validity": 90}
    for _ in range(count):
        assert sandbox.request("POST", "/certificates", body).status == 200
    sandbox.mark()


def test_lost_certificate_is_found_behind_many_others(agent, sandbox):
    lose(agent, sandbox)
    serials = str(sandbox.issued())
    crowd(sandbox, 110)
    sandbox.clear_faults()
    one = agent.renew(check=0).certificate(NAME)
    assert one["outcome"] == "adopted" and one["serial"] in serials
    assert sandbox.issued() == [] and posts(sandbox) == 0


def test_search_ends_though_the_server_ignores_page(agent, sandbox):
    crowd(sandbox, 60)
    sandbox.fault("GET /certificates:ignore-page:always", "POST /certificates:1100")
    one = agent.renew(check=0).certificate(NAME)
    assert one["outcome"] == "issued" and len(sandbox.issued()) == 1
    assert len(sandbox.requests("GET", "/certificates")) == 2


# --- a token that cannot look

@pytest.fixture
def blind(make_sandbox, clean_agent):
    """A sandbox whose token may edit certificates but not read zones."""
    token = "edits-certificates-but-reads-no-zone-0123456789"
    sandbox = make_sandbox(clean_agent.host, "--token", f"{token}:ssl:edit", chaos=False,
                           directory="/srv/blind", port=8444, unit="blind-sandbox.service")
    agent = type(clean_agent)(clean_agent.host, sandbox)
    agent.certificate(NAME, targets=None)
    yield agent
    sandbox.stop()
    clean_agent.host.remove("/srv/blind")
    clean_agent.host.write("/etc/origin-ca-agent/sandbox-ca.pem", clean_agent.sandbox.root)
