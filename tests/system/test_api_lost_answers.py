"""An answer is lost for longer than a pass: no second certificate is asked for one need."""

import signal

import pytest

pytestmark = pytest.mark.calm

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
    sandbox.fault("POST /certificates:lose-answer", "GET /certificates:429=3600:always")
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


def work_slowly(agent, sandbox, seconds):
    """A pass whose request the API is at work on; no certificate is made before that is done."""
    agent.configure(api={"timeout": "1m"})
    sandbox.fault(f"POST /certificates:slow-work={seconds}")
    process = agent.host.spawn([agent.program, "--renew-now"])
    agent.host.wait(lambda: sandbox.fault()[0]["used"], message="the API is at work")
    return process


def kill(process, number=signal.SIGKILL):
    process.send_signal(number)
    process.wait(30)


def test_request_still_at_work_when_its_pass_was_killed_is_not_repeated(agent, sandbox):
    """A service that is restarted while it asks: the next pass comes before the certificate is
    made, and a list that does not show it yet proves nothing."""
    kill(work_slowly(agent, sandbox, 3))
    assert sandbox.issued() == []
    adopted_once(agent, sandbox)
    assert posts(sandbox) == 1


def test_request_still_at_work_when_its_pass_was_stopped_is_not_repeated(agent, sandbox):
    """One that was told to stop lives on, and hears no answer all the same."""
    kill(work_slowly(agent, sandbox, 12), signal.SIGTERM)
    assert sandbox.issued() == []
    adopted_once(agent, sandbox)
    assert posts(sandbox) == 1


def test_pass_that_is_stopped_while_it_looks_for_a_lost_answer_asks_for_nothing(agent, sandbox):
    kill(work_slowly(agent, sandbox, 20))
    process = agent.host.spawn([agent.program, "--renew-now"])
    agent.host.wait(lambda: sandbox.requests("GET", "/certificates"), message="it looks")
    kill(process, signal.SIGTERM)
    assert agent.status().certificate(NAME)["history"][-1]["event"] == "stopped"
    assert sandbox.issued() == [] and posts(sandbox) <= 1, "1 once it is answered"
    adopted_once(agent, sandbox)
    assert posts(sandbox) == 1


def test_pass_whose_time_is_over_while_it_looks_for_a_lost_answer_keeps_the_key(agent, sandbox):
    kill(work_slowly(agent, sandbox, 15))
    agent.configure(agent={"pass_timeout": "3s"}, api={"timeout": "1m"})
    error = agent.renew(check=1).certificate(NAME)["error"]
    assert error["class"] == "transient"
    assert sandbox.issued() == []
    agent.configure(api={"timeout": "1m"})
    adopted_once(agent, sandbox)
    assert posts(sandbox) == 1


def test_libcurl_does_not_repeat_a_post_on_a_connection_that_was_used_before(agent, sandbox):
    """A key that was sent before makes the pass read the list first, so that the POST goes over a
    connection that has served; when such a one ends, libcurl by itself sends again."""
    sandbox.fault("POST /certificates:1100:always")
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

def test_lost_certificate_is_found_behind_many_others(agent, sandbox):
    lose(agent, sandbox)
    serials = str(sandbox.issued())
    sandbox.clear_faults()
    sandbox.crowd(NAME, 60)
    sandbox.mark()
    one = agent.renew(check=0).certificate(NAME)
    assert one["outcome"] == "adopted" and one["serial"] in serials
    assert sandbox.issued() == [] and posts(sandbox) == 0


def test_search_ends_though_the_server_ignores_page(agent, sandbox):
    sandbox.crowd(NAME, 51)
    sandbox.mark()
    sandbox.fault("GET /certificates:ignore-page:always", "POST /certificates:1100")
    one = agent.renew(check=0).certificate(NAME)
    assert one["outcome"] == "issued" and len(sandbox.issued()) == 1
    assert len(sandbox.requests("GET", "/certificates")) == 2


# --- a token that cannot look

@pytest.fixture
def blind(agent, sandbox):
    """The agent with a token that may edit certificates but not read zones."""
    agent.token(sandbox.token_that("blind"))
    return agent


def test_zone_id_replaces_the_permission_to_read_zones(blind, sandbox):
    blind.certificate(NAME, targets=None, zone_id=sandbox.zone_id(NAME))
    lose(blind, sandbox)
    sandbox.clear_faults()
    adopted_once(blind, sandbox)
    assert posts(sandbox) == 1


def test_valid_certificate_is_not_asked_for_twice_because_the_list_cannot_be_read(blind, sandbox):
    blind.renew(check=0)
    sandbox.fault("POST /certificates:lose-answer")
    error = blind.renew(NAME, force=True, check=1).certificate(NAME)["error"]
    assert error["class"] == "authorization"
    assert "cannot look for a certificate whose answer was lost" in error["message"]
    assert "zone_id" in error["remedy"] and "Zone > Zone > Read" in error["remedy"]
    blind.renew(NAME, force=True, check=1)
    assert len(sandbox.issued()) == 2

    blind.certificate(NAME, targets=None, zone_id=sandbox.zone_id(NAME))
    one = blind.renew(NAME, force=True, check=0).certificate(NAME)
    assert one["outcome"] == "adopted" and one["generation"] == 2
    assert len(sandbox.issued()) == 2


def test_host_without_any_certificate_asks_anew_and_says_that_it_could_not_look(blind, sandbox):
    sandbox.fault("POST /certificates:lose-answer")
    done = blind.renew(check=0)
    assert "asking anew all the same, because there is no certificate yet" in done.stderr
    assert len(sandbox.issued()) == 2


def test_budget_counts_every_certificate_whose_answer_was_lost_unseen(blind, sandbox):
    sandbox.fault("POST /certificates:lose-answer:always")
    for _ in range(4):
        done = blind.renew(check=1)
    assert len(sandbox.issued()) == 5
    assert "5 certificates were issued" in done.certificate(NAME)["error"]["message"]
