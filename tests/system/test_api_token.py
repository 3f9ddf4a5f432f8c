"""The API token: what is wrong with it is said with its file's name, and it is shown nowhere."""

import pytest

from agent import CONFIG_DIRECTORY, USER

pytestmark = pytest.mark.calm

NAME = "example.com"
TOKEN_FILE = f"{CONFIG_DIRECTORY}/api-token"


@pytest.fixture
def agent(clean_agent):
    clean_agent.certificate(NAME, targets=None)
    return clean_agent


@pytest.fixture
def sandbox(agent):
    return agent.sandbox


def refused(agent, kind, *words):
    """The pass and `check` both fail with this class and these words."""
    done = agent.renew(check=1)
    error = done.certificate(NAME)["error"]
    assert error["class"] == kind, done
    for word in words:
        assert word in f"{error['message']} -> {error['remedy']}", error
    found = [f"{one['message']} -> {one.get('remedy')}" for one in agent.check(check=1).json
             ["findings"] if one["level"] == "error"]
    assert any(all(word in text for word in words) for text in found), found
    return error


@pytest.mark.parametrize("text,words", [
    ("", ("is empty",)),
    ("v1.0-0123456789abcdef0123-0123456789", ("Origin CA key", "2026-09-30", "make an API token")),
    ("cfk_0123456789abcdef", ("Global API key",)),
    ("one-token\nanother-token", ("more than one line",)),
    ('"quoted-token-0123456789"', ("quote",)),
    ("Bearer token-0123456789", ("space",)),
    ("x" * 5000, ("4096",)),
])
def test_what_cannot_be_a_token_is_refused_without_asking(agent, sandbox, text, words):
    agent.token(text)
    refused(agent, "authorization", TOKEN_FILE, *words)
    assert sandbox.requests() == []


def test_missing_token_is_refused_without_asking(agent, sandbox):
    agent.host.remove(TOKEN_FILE)
    refused(agent, "configuration", TOKEN_FILE, "No such file", "SSL and Certificates > Edit")
    assert sandbox.requests() == []


@pytest.mark.parametrize("mode", [0o604, 0o666, 0o660])
def test_token_that_others_can_read_or_change_is_refused_without_asking(agent, sandbox, mode):
    agent.host.run(["chmod", f"{mode:o}", TOKEN_FILE])
    refused(agent, "configuration", TOKEN_FILE, f"mode {mode:04o}", f"chmod 0600 {TOKEN_FILE}")
    assert sandbox.requests() == []


def test_fifo_in_place_of_the_token_does_not_hang_the_pass(agent, sandbox):
    agent.host.remove(TOKEN_FILE)
    agent.host.run(["mkfifo", "-m", "600", TOKEN_FILE])
    if agent.has_user:
        agent.host.run(["chown", USER, TOKEN_FILE])
    refused(agent, "configuration", TOKEN_FILE, "not a regular file")


@pytest.mark.parametrize("name,words", [
    ("no-such", "Invalid API Token"), ("disabled", "disabled"), ("expired", "expired"),
])
def test_token_that_the_api_refuses_is_named_by_its_file(agent, sandbox, name, words):
    agent.token(sandbox.token_that(name))
    error = agent.renew(check=1).certificate(NAME)["error"]
    assert error["class"] == "authorization"
    assert TOKEN_FILE in error["remedy"] and "CF-Ray" in error["message"]
    assert sandbox.issued() == []
    found = [one for one in agent.check(check=1).json["findings"] if one["level"] == "error"]
    assert [one["subject"] for one in found] == ["[api]"] and words in found[0]["message"], found
    assert "SSL and Certificates > Edit" in found[0]["remedy"]
    assert name != "no-such" or len(sandbox.requests(path="/user/tokens/verify")) == 1


def test_token_that_may_only_read_is_told_which_permission_it_lacks(agent, sandbox):
    agent.token(sandbox.token_that("reads"))
    error = agent.renew(check=1).certificate(NAME)["error"]
    assert error["class"] == "authorization" and "1016" in error["message"]
    assert TOKEN_FILE in error["remedy"] and "SSL and Certificates > Edit" in error["remedy"]
    assert NAME in error["remedy"]
    assert sandbox.issued() == [] and len(sandbox.requests("POST")) == 1


@pytest.mark.parametrize("bad", ["reads", None])
def test_repaired_token_is_tried_at_once_whatever_the_backoff_says(agent, sandbox, bad):
    if bad:
        agent.token(sandbox.token_that(bad))
    else:
        agent.host.remove(TOKEN_FILE)
    agent.renew(check=1)
    before = len(sandbox.requests("POST"))
    agent.scheduled_pass(check=1)
    assert len(sandbox.requests("POST")) == before
    agent.token(sandbox.token)
    agent.scheduled_pass(check=0)
    assert len(sandbox.issued()) == 1


def test_token_that_only_became_readable_by_chmod_is_tried_at_once(agent, sandbox):
    agent.host.run(["chmod", "644", TOKEN_FILE])
    agent.renew(check=1)
    agent.host.run(["chmod", "600", TOKEN_FILE])
    agent.scheduled_pass(check=0)
    assert len(sandbox.issued()) == 1


# --- secrecy

# Of the processes of the service, while a request is under way.
LOOK = r"""
for pid in $(cat /sys/fs/cgroup/system.slice/origin-ca-agent.service/cgroup.procs); do
	tr '\0' '\n' < "/proc/$pid/cmdline"
	tr '\0' '\n' < "/proc/$pid/environ"
done
"""


def test_token_and_private_key_are_shown_nowhere(agent, sandbox):
    """Not in arguments, environments, outputs, the journal, nor in any file but their own."""
    host = agent.host
    sandbox.fault("POST /certificates:hang-after")
    agent.start(wait=False)
    host.wait(sandbox.issued, message="the service asks")
    seen = host.output(["sh", "-c", LOOK])
    assert "pass" in seen.splitlines() and "CREDENTIALS_DIRECTORY" in seen
    sandbox.clear_faults()
    agent.stop()

    sandbox.fault("POST /certificates:error=1012", "GET /zones:10000")
    for arguments in (["--renew-now"], ["status", "--json"], ["check"], ["--renew-now", "--json"]):
        done = agent.command("--verbose", *arguments)
        seen += done.stdout + done.stderr
    assert "1012" in seen and "issued" in seen
    seen += agent.journal()
    secrets = [sandbox.token, *host.read(agent.state_path("live", NAME, "key.pem"))
               .splitlines()[1:-1]]
    for secret in secrets:
        assert secret not in seen
    files = host.output(["grep", "-rlF", sandbox.token, "/etc", "/var/lib"], check=(0, 1, 2))
    assert files.splitlines() == [TOKEN_FILE]
