"""A pass that is killed, or whose system calls fail, at any point: nothing is worse, nothing is
lost, nothing is asked for twice.

For each scenario (crash_scenarios.py) one pass is counted under crash-driver (crash/), then
repeated from the same start for its points: ended there with SIGKILL, or with that call made to
fail. After each, what is left must be harmless, and one undisturbed pass must end with the newest
leaf served, its key beside it, exactly one certificate issued for the one need, and no trace of the
accident (crash_lab.py says what is looked at).

Several hosts work at the same time. The build has no sanitizers: build/release, made when it is
missing, unless ORIGIN_CA_BUILD names another one without.

By itself a run takes a share of the points (crash_points.py), another one each time: every call
there is, and of what they are about (for those that are killed the path, for those that fail its
directory) more where no earlier scenario had it. Its seed is told with the number of points;
ORIGIN_CA_CRASH_SEED=N takes the same share again.

ORIGIN_CA_CRASH=kinds takes every call with every object once, killed before it and after it, and
failing with one of the errors (some hours). ORIGIN_CA_CRASH=all takes every point of every
scenario, killed before the call and after it, and failing with every error, once and from there on
(days). ORIGIN_CA_CRASH_HOSTS=N uses N hosts instead of two.
"""

import pytest

import crash_points
import share
from crash_lab import Lab
from crash_run import EXTENT, SEED, hosts, in_all, laboratories, try_all
from crash_scenarios import (Derive, FirstIssue, Keystore, LostAnswer, Redeploy, Renewal, Rollback,
                             Roots, SecondNeed, TwoRenewal, TwoRollback, Unfinished)
from nginx import Nginx

pytestmark = [pytest.mark.calm, pytest.mark.timeout(900 if EXTENT == "share" else 0)]

SCENARIOS = (FirstIssue, Renewal, TwoRenewal, Rollback, TwoRollback, Redeploy, LostAnswer,
             Unfinished, Derive, Roots, Keystore)


@pytest.fixture(scope="module")
def labs(tmp_path_factory):
    with laboratories(tmp_path_factory.mktemp("installed"), hosts(2), Nginx) as made:
        yield made


@pytest.fixture(scope="module", params=share.half(SCENARIOS))
def begun(labs, request):
    """The labs, in the state that a scenario starts from."""
    labs = labs[:request.param.hosts]
    in_all(labs, lambda lab: lab.begin(request.param()))
    return labs


KNOWN = {}


@pytest.fixture
def known(request):
    """The kinds of points that earlier scenarios had in this test."""
    return KNOWN.setdefault(request.function, set())


def test_killed_pass_leaves_no_harm_and_the_next_one_finishes_its_work(begun, known, tell):
    found = begun[0].points()
    try_all(begun, found, crash_points.killed(found, EXTENT, known, SEED), Lab.crash, tell)


def test_failing_call_leaves_no_harm_and_the_next_pass_finishes_the_work(begun, known, tell):
    found = begun[0].points("--reads")
    try_all(begun, found, crash_points.failing(found, EXTENT, known, SEED), Lab.fail, tell)


def test_way_back_leads_past_a_snippet_that_no_server_has_read(labs):
    lab = labs[0]
    lab.begin(SecondNeed())
    lab.points()
    assert lab.snippet() == lab.host.read(SecondNeed.COPY)
    assert lab.issued() - lab.issued_before == 1
