"""AWS Certificate Manager as a target: signatures that botocore recomputes, requests as Debian's
awscli sends them, one certificate under one ARN, credentials from each of their places."""

import base64
import json

import pytest

import network
from agent import SERVICE
from amazon import (ACCESS, BALANCER_PORT, DIRECTORY, ENDPOINT, ENVIRONMENT, FILE, OWNER,
                    ROLE_ACCESS, ROLE_SECRET, ROLE_TOKEN, SECRETS, Amazon)

NAME = "example.com"
NAMES = ["example.com", "*.example.com"]
KEYS = {"targets": ["load-balancer"], "hostnames": NAMES, "key_type": "ecdsa-p256"}


@pytest.fixture(name="account", scope="module")
def fixture_account(module_host):
    return Amazon(module_host)


@pytest.fixture(name="amazon")
def fixture_amazon(clean_agent, account):
    account.reset()
    clean_agent.target("load-balancer", **account.keys())
    clean_agent.certificate(NAME, **KEYS)
    yield account
    account.mode()
    journal = account.host.journal()
    for secret in SECRETS:
        found = account.host.run(["grep", "-rlF", "--", secret, "/var/lib/origin-ca-agent"],
                                 check=(1, 2)).stdout
        assert not found and secret not in journal


@pytest.fixture(name="usual")
def fixture_usual(clean_agent, amazon, monkeypatch):
    """No `credentials_file`: they are where Amazon's own tools look for them."""
    command = clean_agent.command
    monkeypatch.setattr(clean_agent, "command", lambda *words, env=None, **options: command(
        *words, env={**ENVIRONMENT, **(env or {})}, **options))
    clean_agent.target("load-balancer", **amazon.keys(credentials_file=None))
    return amazon


def told(done):
    for secret in SECRETS:
        assert secret not in str(done)
    assert "PRIVATE KEY" not in str(done)
    return done.target(NAME, "load-balancer")["error"]


def test_imported_once_with_tags_and_again_under_the_same_arn(clean_agent, amazon):
    done = clean_agent.renew(check=0)
    first = amazon.certificates()
    assert list(first.values()) == [done.certificate(NAME)["serial"]]
    tags = {tag["Key"]: tag["Value"] for tag in amazon.requests("ImportCertificate")[0]["body"]
            ["Tags"]}
    host = amazon.host.output(["hostname"])
    assert tags == {"origin-ca-agent/host": host, "origin-ca-agent/certificate": NAME}
    assert "used by nothing yet" in done.stderr
    amazon.change(next(iter(first)), in_use=["arn:aws:elasticloadbalancing:x:loadbalancer/a"])
    done = clean_agent.renew(NAME, force=True, check=0)
    assert "used by nothing yet" not in done.stderr
    assert amazon.certificates() == {next(iter(first)): done.certificate(NAME)["serial"]}
    assert len(amazon.requests("ImportCertificate")) == 2
    assert not clean_agent.renew(check=0).json["changed"]


@pytest.mark.parametrize("key_type", ["ecdsa-p384", "rsa-2048"])
def test_found_again_by_its_tags_when_the_state_is_lost(clean_agent, amazon, key_type):
    """Beside others, on a later page, of a key type that ACM does not list unless it is asked."""
    clean_agent.certificate("other.example.com", targets=["load-balancer"])
    clean_agent.certificate(NAME, **{**KEYS, "key_type": key_type})
    clean_agent.renew(check=0)
    before = set(amazon.certificates())
    amazon.host.remove("/var/lib/origin-ca-agent")
    done = clean_agent.renew(check=0)
    assert set(amazon.certificates()) == before and len(before) == 2
    assert done.certificate(NAME)["serial"] in amazon.certificates().values()


def test_request_is_the_one_that_awscli_sends(clean_agent, amazon):
    clean_agent.renew(check=0)
    ours = amazon.requests("ImportCertificate")[-1]
    live = f"/var/lib/origin-ca-agent/live/{NAME}"
    amazon.host.write("/run/chain.pem", base64.b64decode(ours["body"]["CertificateChain"]))
    amazon.host.run(["/usr/bin/aws", "acm", "import-certificate", "--region", "eu-central-1",
                     "--endpoint-url", ENDPOINT, "--certificate", f"fileb://{live}/cert.pem",
                     "--private-key", f"fileb://{live}/key.pem", "--certificate-chain",
                     "fileb:///run/chain.pem", "--tags",
                     *(f"Key={tag['Key']},Value={tag['Value']}" for tag in ours["body"]["Tags"])],
                    env=ENVIRONMENT)
    theirs = amazon.requests("ImportCertificate")[-1]
    assert ours["body"] == theirs["body"] and ours["path"] == theirs["path"] == "/"
    for name in ("content-type", "x-amz-target", "host"):
        assert ours["headers"][name] == theirs["headers"][name]
    scope = [one["headers"]["authorization"].split(" ")[1].split("/", 1)[1].rstrip(",")
             for one in (ours, theirs)]
    assert scope[0] == scope[1]
    assert set(theirs["signed"]) <= set(ours["signed"])


def test_lost_answer_is_not_imported_twice(clean_agent, amazon):
    amazon.mode("lost ImportCertificate")
    done = clean_agent.renew(check=0)
    assert "looking whether it was done" in done.stderr
    assert list(amazon.certificates().values()) == [done.certificate(NAME)["serial"]]
    done = clean_agent.renew(NAME, force=True, check=0)
    assert list(amazon.certificates().values()) == [done.certificate(NAME)["serial"]]
    assert len(amazon.requests("ImportCertificate")) == 2


@pytest.mark.parametrize("action", ["ListCertificates", "ImportCertificate"])
def test_killed_pass_is_followed_by_one_that_imports_once(clean_agent, amazon, action):
    """Killed while ACM has the request, carried it out, and has not answered: the first import,
    which only its tags tell of, and one under an ARN."""
    for imports in (1, 2):
        amazon.mode(f"hold {action}")
        seen = len(amazon.requests(action))
        process = amazon.host.spawn(["/usr/sbin/origin-ca-agent", "--renew-now", "--force", NAME])
        held = action if imports == 1 or action == "ImportCertificate" else "DescribeCertificate"
        if held == "DescribeCertificate":
            amazon.mode(f"hold {held}")
            seen = len(amazon.requests(held))
        amazon.host.wait(lambda: len(amazon.requests(held)) > seen, 30)
        amazon.host.wait(lambda: held != "ImportCertificate" or amazon.certificates(), 10)
        process.kill()
        process.wait(20)
        amazon.mode()
        done = clean_agent.renew(NAME, check=0)
        assert list(amazon.certificates().values()) == [done.certificate(NAME)["serial"]]
        assert len(amazon.requests("ImportCertificate")) == imports
        assert done.certificate(NAME)["generation"] == imports


def test_throttled_once_goes_on(clean_agent, amazon):
    amazon.mode("once ImportCertificate")
    clean_agent.renew(check=0)
    assert len(amazon.certificates()) == 1


@pytest.mark.parametrize("mode, kind, words, remedy", [
    ("ThrottlingException", "transient", "ThrottlingException", ""),
    ("ServiceUnavailable ListCertificates", "transient", "ServiceUnavailable", ""),
    ("AccessDeniedException ImportCertificate", "authorization", "ImportCertificate",
     "acm:ImportCertificate"),
    ("LimitExceededException ImportCertificate", "configuration", "LimitExceededException",
     "quota"),
    ("ExpiredTokenException", "authorization", "ExpiredTokenException", "run out"),
    ("repeats ImportCertificate", "deploy", "ValidationException", "ACM API Reference"),
    ("MadeUpTomorrowException ImportCertificate", "deploy", "MadeUpTomorrowException",
     "ACM API Reference"),
    ("IncompleteSignature", "authorization", "IncompleteSignature", "proxy"),
    ("MissingAuthenticationToken", "authorization", "MissingAuthenticationToken", "endpoint"),
    ("NotAuthorized ImportCertificate", "authorization", "NotAuthorized", "IAM policy"),
    ("TooManyTagsException ImportCertificate", "configuration", "TooManyTagsException", "50 tags"),
])
def test_failure_is_told_in_the_words_of_aws(clean_agent, amazon, mode, kind, words, remedy):
    amazon.mode(mode)
    error = told(clean_agent.renew(check=1))
    assert error["class"] == kind and words in error["message"], error
    assert remedy in error.get("remedy", "")
    amazon.mode()
    done = clean_agent.renew(check=0)
    assert list(amazon.certificates().values()) == [done.certificate(NAME)["serial"]]


def test_arn_that_is_configured(clean_agent, amazon):
    clean_agent.renew(check=0)
    arn = next(iter(amazon.certificates()))
    other = arn[:-1] + ("0" if arn[-1] != "0" else "1")
    clean_agent.target("load-balancer", **amazon.keys(certificate_arn=other))
    error = told(clean_agent.renew(check=1))
    assert (error["class"], "ResourceNotFoundException" in error["message"]) == (
        "configuration", True)
    clean_agent.target("load-balancer", **amazon.keys(certificate_arn=arn))
    clean_agent.renew(check=0)
    amazon.change(arn, type="AMAZON_ISSUED")
    error = told(clean_agent.renew(NAME, force=True, check=1))
    assert "of type AMAZON_ISSUED" in error["message"]


def access_keys(amazon):
    return {one["headers"]["authorization"].split("Credential=")[1].split("/")[0]
            for one in amazon.requests() if one.get("action")}


def test_credentials_of_the_instance_by_its_metadata_service(clean_agent, usual):
    usual.host.remove(FILE)
    clean_agent.renew(check=0)
    assert access_keys(usual) == {ROLE_ACCESS}
    asked = [one for one in usual.requests() if "metadata" in one]
    assert asked[0]["metadata"] == "/latest/api/token"
    signed = usual.requests("ImportCertificate")[0]["signed"]
    assert {"x-amz-security-token", "x-amz-target", "content-type", "host"} <= set(signed)


def test_credentials_of_the_container_and_of_the_environment(clean_agent, usual):
    usual.host.remove(FILE)
    clean_agent.renew(check=0, env={"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/v2/role"})
    assert access_keys(usual) == {ROLE_ACCESS}
    assert not [one for one in usual.requests() if "metadata" in one]
    usual.host.remove(f"{DIRECTORY}/requests.jsonl")
    clean_agent.renew(NAME, force=True, check=0, env={
        "AWS_ACCESS_KEY_ID": ROLE_ACCESS, "AWS_SECRET_ACCESS_KEY": ROLE_SECRET,
        "AWS_SESSION_TOKEN": ROLE_TOKEN})
    assert access_keys(usual) == {ROLE_ACCESS}
    error = told(clean_agent.renew(NAME, force=True, check=1, env={
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://192.0.2.1/role"}))
    assert error["class"] == "configuration"


def test_profile_and_file_that_others_read(clean_agent, usual):
    usual.host.write(FILE, f"[default]\naws_access_key_id=AKIAWRONG\naws_secret_access_key=x\n"
                      f"[bastion]\naws_access_key_id = {ROLE_ACCESS}\n"
                      f"aws_secret_access_key={ROLE_SECRET}\naws_session_token = {ROLE_TOKEN}\n",
                      mode=0o600, owner=OWNER)
    clean_agent.target("load-balancer", **usual.keys(credentials_file=None, profile="bastion"))
    clean_agent.renew(check=0)
    assert access_keys(usual) == {ROLE_ACCESS}
    clean_agent.target("load-balancer", **usual.keys(credentials_file=None, profile="no-such"))
    error = told(clean_agent.renew(NAME, force=True, check=1))
    assert "no whole credentials in profile no-such" in error["message"]
    usual.host.run(["chmod", "644", FILE])
    error = told(clean_agent.renew(NAME, check=1))
    assert error["class"] == "configuration" and "mode 0644" in error["message"]
    assert any("mode 0644" in one["message"] for one in clean_agent.check().json["findings"])


def test_no_credentials_anywhere_is_told_with_all_places(clean_agent, usual):
    usual.host.remove(FILE)
    error = told(clean_agent.renew(check=1, env={"AWS_EC2_METADATA_DISABLED": "true"}))
    assert error["class"] == "authorization"
    for place in ("environment", FILE, "container", "metadata"):
        assert place in error["message"]
    assert not usual.requests()


def test_wrong_secret_is_refused_by_the_signature(clean_agent, amazon):
    amazon.host.write(FILE, f"[default]\naws_access_key_id = {ACCESS}\n"
                      "aws_secret_access_key = not+the/right+one\n", mode=0o600, owner=OWNER)
    error = told(clean_agent.renew(check=1))
    assert error["class"] == "authorization" and "InvalidSignatureException" in error["message"]
    assert "not+the/right+one" not in json.dumps(error)


def test_file_of_the_target_reaches_the_service_and_every_command(clean_agent, amazon):
    """The unit as it is installed, and commands with no variable of Amazon's: also in the way of
    what root has in its own environment."""
    assert "AWS" not in amazon.host.output(["systemctl", "cat", SERVICE])
    clean_agent.start()
    amazon.host.wait(lambda: len(amazon.certificates()) == 1, 30)
    clean_agent.stop()
    before = amazon.certificates()
    done = clean_agent.renew(NAME, force=True, check=0, env={
        "AWS_ACCESS_KEY_ID": "AKIAOTHER", "AWS_SECRET_ACCESS_KEY": "other", "HOME": "/nowhere"})
    assert list(amazon.certificates()) == list(before)
    assert list(amazon.certificates().values()) == [done.certificate(NAME)["serial"]]
    assert access_keys(amazon) == {ACCESS}
    amazon.host.run(["systemctl", "start", "origin-ca-agent-once.service"])
    assert not [one for one in clean_agent.check().json["findings"]
                if "load-balancer" in one["subject"] and one["level"] == "error"]


def test_file_of_the_target_that_is_missing_is_not_made_up_for(clean_agent, amazon):
    """Not with the instance's role: it would be another one's certificate in the end."""
    amazon.host.remove(FILE)
    error = told(clean_agent.renew(check=1))
    assert error["class"] == "configuration" and FILE in error["message"]
    assert "`credentials_file` of [target load-balancer]" in error["remedy"]
    assert not amazon.requests()
    assert any(FILE in one["message"] for one in clean_agent.check().json["findings"])


def test_service_sees_that_the_file_was_put_right(clean_agent, amazon):
    good = amazon.host.read(FILE)
    amazon.host.write(FILE, good.replace(SECRETS[0], "wrong"), mode=0o600, owner=OWNER)
    clean_agent.start()
    amazon.host.wait(lambda: "InvalidSignatureException" in clean_agent.journal(), 30)
    amazon.host.write(FILE, good, mode=0o600, owner=OWNER)
    amazon.host.wait(lambda: len(amazon.certificates()) == 1, 30)


@pytest.fixture(name="balancer")
def fixture_balancer(clean_agent, amazon):
    """A load balancer whose certificate it is, and shows it."""
    amazon.start_balancer()
    clean_agent.target("load-balancer", **amazon.keys(probe=f"127.0.0.1:{BALANCER_PORT}",
                                                      probe_timeout="3s"))
    yield amazon
    amazon.stop_balancer()


def test_done_when_the_load_balancer_shows_it(clean_agent, balancer):
    for imports in (1, 2):
        done = clean_agent.renew(NAME, force=True, check=0)
        serial = network.handshake(balancer.host, NAME, port=BALANCER_PORT).serial
        assert serial == done.certificate(NAME)["serial"]
        assert done.target(NAME, "load-balancer")["verified_generation"] == imports
        assert len(balancer.requests("ImportCertificate")) == imports


@pytest.mark.parametrize("refuses", [False, True])
def test_former_one_is_imported_again_under_its_arn_when_it_is_not_shown(clean_agent, balancer,
                                                                          refuses):
    former = clean_agent.renew(check=0).certificate(NAME)["serial"]
    arn = next(iter(balancer.certificates()))
    if refuses:
        balancer.stop_balancer()
    else:
        balancer.hold_balancer()
    done = clean_agent.renew(NAME, force=True, check=1)
    error = told(done)
    words = "refused" if refuses else "still the previous certificate"
    assert words in error["message"] and done.target(NAME, "load-balancer")["rolled_back"]
    assert balancer.certificates() == {arn: former}
    imports = [one["body"].get("CertificateArn") for one in balancer.requests("ImportCertificate")]
    assert imports == [None, arn, arn]
    # and when it follows again, the new one is imported once more
    if refuses:
        balancer.start_balancer()
    else:
        balancer.host.remove(f"{DIRECTORY}/held.json")
    done = clean_agent.renew(check=0)
    assert balancer.certificates() == {arn: done.certificate(NAME)["serial"]} != {arn: former}
    assert len(balancer.requests("ImportCertificate")) == 4


def test_load_balancer_that_follows_late_is_waited_for_with_one_import(clean_agent, balancer):
    clean_agent.renew(check=0)
    clean_agent.target("load-balancer", **balancer.keys(probe=f"127.0.0.1:{BALANCER_PORT}",
                                                        probe_timeout="10m"))
    clean_agent.renew(check=0)
    balancer.hold_balancer()
    done = clean_agent.renew(NAME, force=True, check=1)
    assert done.certificate(NAME)["outcome"] == "waiting"
    clean_agent.renew(check=1)
    balancer.host.remove(f"{DIRECTORY}/held.json")
    clean_agent.renew(check=0)
    assert list(balancer.certificates().values()) == [done.certificate(NAME)["serial"]]
    assert len(balancer.requests("ImportCertificate")) == 2
