"""The API is down, slow, wrong or refuses: what is said, when it is tried again, what it costs."""

import json

import pytest

from host import REPOSITORY

pytestmark = pytest.mark.calm

NAME = "example.com"
ROOTS = REPOSITORY / "tests/unit/data/roots"


@pytest.fixture
def agent(clean_agent):
    """One certificate that no server needs: everything here is about getting it."""
    clean_agent.certificate(NAME, targets=None)
    return clean_agent


@pytest.fixture
def sandbox(agent):
    return agent.sandbox


def posts(sandbox):
    return len(sandbox.requests("POST", "/certificates"))


def failure(done, kind, *words):
    """The error of a pass that failed; class and words must be in it, and it ends with 1."""
    one = done.certificate(NAME)
    assert done.returncode == 1 and done.json["exit_status"] == 1, done
    assert one["outcome"] == "failed" and not one["issued"], done
    assert one["error"]["class"] == kind, done
    text = one["error"]["message"] + " -> " + one["error"].get("remedy", "")
    for word in words:
        assert word in text, text
        assert word in done.stderr, done.stderr
    return one["error"]


def test_unreachable_api_is_transient_and_costs_nothing(agent, sandbox):
    sandbox.stop()
    failure(agent.renew(), "transient", "127.0.0.1 port 8443", "firewall")
    sandbox.start()
    assert agent.renew(check=0).certificate(NAME)["outcome"] == "issued"
    assert len(sandbox.issued()) == 1


def test_tls_certificate_of_a_stranger_is_refused_before_anything_is_sent(agent, sandbox):
    agent.configure(api={"ca_file": f"{sandbox.directory}/origin_ca_ecc_root.pem"})
    failure(agent.renew(), "configuration", "certificate", "ca_file")
    agent.configure(api={"ca_file": None})
    failure(agent.renew(), "configuration", "certificate", "ca_file")
    assert sandbox.requests() == [] and sandbox.issued() == []
    agent.configure()
    assert agent.renew(check=0).certificate(NAME)["issued"]


@pytest.mark.parametrize("kind", ["reset-before", "1100", "1201", "200-false", "429",
                                  "500-html", "503", "slow-body", "bare", "other-date"])
def test_trouble_that_passes_costs_no_second_pass_and_no_second_certificate(agent, sandbox, kind):
    sandbox.fault(f"POST /certificates:{kind}")
    one = agent.renew(check=0).certificate(NAME)
    assert one["outcome"] == "issued" and not one["adopted"]
    assert len(sandbox.issued()) == 1


def test_request_that_may_still_be_at_work_is_not_repeated_in_the_same_pass(agent, sandbox):
    """The API may be slower than our patience: a list that does not show the certificate yet
    proves nothing."""
    agent.configure(api={"timeout": "2s"})
    sandbox.fault("POST /certificates:hang")
    assert agent.renew(check=1).certificate(NAME)["error"]["class"] == "transient"
    assert posts(sandbox) == 1 and sandbox.issued() == []
    assert agent.renew(check=0).certificate(NAME)["outcome"] == "issued"
    assert len(sandbox.issued()) == 1


@pytest.mark.parametrize("kind", ["lose-answer", "hang-after", "502-html-after", "cut-body",
                                  "empty-body"])
def test_certificate_whose_answer_is_lost_is_adopted_in_the_same_pass(agent, sandbox, kind):
    if kind == "hang-after":
        agent.configure(api={"timeout": "2s"})
    sandbox.fault(f"POST /certificates:{kind}:always")
    one = agent.renew(check=0).certificate(NAME)
    assert one["outcome"] == "adopted" and one["issued"]
    assert posts(sandbox) == 1 and len(sandbox.issued()) == 1
    assert one["serial"] in str(sandbox.issued()[0])


@pytest.mark.parametrize("kind,words", [
    ("wrong-key", ("for another key",)),
    ("wrong-names", ("other hostnames", "missing")),
    ("wrong-validity", ("another validity", "asked for 90 days, got 5475", "revoke certificate")),
])
def test_wrong_leaf_is_refused_and_the_next_one_gets_a_new_key(agent, sandbox, kind, words):
    sandbox.fault(f"POST /certificates:{kind}")
    failure(agent.renew(), "bug", "is not what was asked", *words)
    assert agent.generations(NAME) == []
    assert not agent.host.exists(agent.state_path("live", NAME))
    one = agent.renew(check=0).certificate(NAME)
    assert one["outcome"] == "issued" and one["generation"] == 1
    assert len(sandbox.issued()) == 2


def plant_root(agent, name, pem):
    agent.host.write(agent.state_path("roots", name), pem)


def test_leaf_that_no_published_root_signed_is_refused(agent, sandbox):
    """The published roots are Cloudflare's; whoever plays its API cannot sign for them."""
    agent.configure(api={"root_sha256": None, "root_url": None})
    for path in ROOTS.glob("*.pem"):
        plant_root(agent, path.name, path.read_text())
    failure(agent.renew(), "bug", "not signed by the Origin CA", "revoke certificate")
    assert agent.generations(NAME) == [] and len(sandbox.issued()) == 1


def test_root_that_is_not_published_is_ignored_with_a_warning(agent, sandbox):
    agent.configure(api={"root_sha256": None, "root_url": "https://127.0.0.1:9/nobody"})
    plant_root(agent, "sandbox.pem", sandbox.roots())
    sandbox.fault("POST /certificates:not-signed")
    done = agent.renew(check=0)
    assert done.certificate(NAME)["issued"]
    warnings = [line for line in done.stderr.splitlines() if "roots/sandbox.pem" in line]
    assert len(warnings) == 2, done
    for line in warnings:
        assert line.startswith("warning: ") and "not used" in line and "nor pinned" in line


def test_foreign_hostname_is_a_matter_of_the_configuration(agent, sandbox):
    agent.certificate(NAME, targets=None, hostnames=["example.com", "www.elsewhere.test"])
    failure(agent.renew(), "configuration", "1010", "CF-Ray", "www.elsewhere.test")
    assert sandbox.issued() == [] and posts(sandbox) == 1


# --- when it is tried again

def test_backoff_is_kept_on_disk_and_only_renew_now_does_not_wait(agent, sandbox):
    sandbox.fault("POST /certificates:1201:always")
    done = agent.renew()
    failure(done, "transient", "1201")
    asked = posts(sandbox)
    assert asked > 1 and done.certificate(NAME)["retry_at"]
    error = agent.status(NAME).certificate(NAME)["last_error"]
    assert error["class"] == "transient" and error["failures"] == 1
    assert error["next_try"] == done.certificate(NAME)["retry_at"] > error["last_try"]

    sandbox.clear_faults()
    assert agent.scheduled_pass().returncode == 1
    assert posts(sandbox) == asked and sandbox.issued() == []
    agent.renew(check=0)
    assert len(sandbox.issued()) == 1
    assert "last_error" not in agent.status(NAME, check=0).certificate(NAME)


def test_retry_after_is_waited_for_within_a_pass_when_it_is_short(agent, sandbox):
    sandbox.fault("POST /certificates:429=2")
    assert agent.renew(check=0).certificate(NAME)["outcome"] == "issued"
    assert posts(sandbox) == 2


def test_retry_after_that_is_long_ends_the_pass_and_moves_the_next_try(agent, sandbox):
    sandbox.fault("POST /certificates:429=7200")
    agent.renew()
    assert posts(sandbox) == 1
    error = agent.status(NAME).certificate(NAME)["last_error"]
    assert error["class"] == "transient" and "971" in error["message"]
    wait = agent.host.output(["date", "-d", error["next_try"], "+%s"])
    last = agent.host.output(["date", "-d", error["last_try"], "+%s"])
    assert int(wait) - int(last) >= 7200
    agent.scheduled_pass()
    assert posts(sandbox) == 1


def test_changed_definition_is_tried_at_once(agent, sandbox):
    agent.certificate(NAME, targets=None, hostnames=["www.elsewhere.test"])
    agent.renew()
    agent.scheduled_pass()
    assert posts(sandbox) == 1
    agent.certificate(NAME, targets=None, hostnames=["www.example.com"])
    agent.scheduled_pass(check=0)
    assert posts(sandbox) == 2 and len(sandbox.issued()) == 1


@pytest.mark.parametrize("way", ["forced", "undone"])
def test_failure_that_nobody_needs_repaired_any_more_is_forgotten(agent, sandbox, way):
    """Else it would be due for ever: a pass every few seconds, and `status` says stuck."""
    agent.renew(check=0)
    sandbox.fault("POST /certificates:1010:always")
    if way == "forced":
        agent.renew(NAME, force=True, check=1)
    else:
        agent.certificate(NAME, targets=None, hostnames=["www.example.com"])
        agent.renew(check=1)
        agent.certificate(NAME, targets=None)
    done = agent.scheduled_pass(check=0)
    assert "1010" not in "".join(line for line in done.stderr.splitlines()
                                 if "all is well again" not in line)
    assert "last_error" not in agent.status(NAME, check=0).certificate(NAME)
    schedule = json.loads(agent.host.read(agent.state_path("schedule.json")))
    assert schedule["next_reason"] == "full check", schedule
    assert len(sandbox.requests("POST")) == 2


# --- the budget

def test_five_certificates_a_day_are_the_most_whoever_forces_more(agent, sandbox):
    for number in range(5):
        one = agent.renew(NAME, force=True, check=0).certificate(NAME)
        assert one["generation"] == number + 1
    serial = one["serial"]
    failure(agent.renew(NAME, force=True), "bug", "5 certificates were issued", "status")
    assert len(sandbox.issued()) == 5 and posts(sandbox) == 5
    one = agent.renew(NAME, check=0).certificate(NAME)
    assert one["outcome"] == "current" and one["serial"] == serial


def test_budget_also_ends_a_loop_of_wrong_answers(agent, sandbox):
    sandbox.fault("POST /certificates:wrong-names:always")
    for _ in range(7):
        done = agent.renew()
    failure(done, "bug", "5 certificates were issued")
    assert len(sandbox.issued()) == 5


def test_other_certificates_are_issued_while_one_fails(agent, sandbox):
    agent.certificate("foreign", targets=None, hostnames=["www.elsewhere.test"])
    for name in ("example.net", "example.org"):
        agent.certificate(name, targets=None)
    done = agent.renew(check=1)
    outcomes = {one["name"]: one["outcome"] for one in done.json["certificates"]}
    assert outcomes == {"foreign": "failed", "example.com": "issued", "example.net": "issued",
                        "example.org": "issued"}
    assert len(sandbox.issued()) == 3
