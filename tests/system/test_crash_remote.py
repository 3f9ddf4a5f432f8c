"""A pass that is killed, or whose system calls fail, at any point, while it brings a certificate to
an origin that is not a service of this host: the origin shows a valid leaf all the time, and one
undisturbed pass ends with the newest one there, imported once a place and issued once.

As test_crash.py, whose variables (ORIGIN_CA_CRASH and others) mean the same here; it takes one host
unless all is to be tried. crash_remote.py has the platforms and what the agent has to do there.
"""

import pytest

import crash_points
from crash_lab import Lab
from crash_remote import SCENARIOS
from crash_run import EXTENT, SEED, hosts, in_all, laboratories, try_all

pytestmark = [pytest.mark.calm, pytest.mark.timeout(900 if EXTENT == "share" else 0)]


@pytest.fixture(scope="module")
def labs(tmp_path_factory):
    with laboratories(tmp_path_factory.mktemp("installed"),
                      hosts(1 if EXTENT == "share" else 2)) as made:
        yield made


@pytest.fixture(scope="module", params=SCENARIOS)
def begun(labs, request):
    """The labs, in the state that a scenario starts from."""
    in_all(labs, lambda lab: lab.begin(request.param()))
    return labs


def some(points):
    """By itself a run takes one of nine of what test_crash.py would: much of a pass is the same for
    all kinds of targets, and is interrupted there."""
    chosen = points[SEED // 9 % 9::9] or points[-1:]
    return chosen if EXTENT == "share" else points


KNOWN = {}


@pytest.fixture
def known(request):
    """The kinds of points that earlier scenarios had in this test."""
    return KNOWN.setdefault(request.function, set())


def test_killed_pass_is_followed_by_one_that_imports_once(begun, known, tell):
    found = begun[0].points()
    points = some(crash_points.killed(found, EXTENT, known, SEED))
    try_all(begun, found, points, Lab.crash, tell)


def test_failing_call_is_followed_by_a_pass_that_imports_once(begun, known, tell):
    found = begun[0].points("--reads")
    points = some(crash_points.failing(found, EXTENT, known, SEED))
    try_all(begun, found, points, Lab.fail, tell)
