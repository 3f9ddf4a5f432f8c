"""A pass that is killed, or whose system calls fail, at any point: nothing is worse, nothing is
lost, nothing is asked for twice.

For each scenario (crash_scenarios.py) one pass is counted under crash-driver (crash/), then
repeated from the same start for its points: ended there with SIGKILL, or with that call made to
fail. After each, what is left must be harmless, and one undisturbed pass must end with the newest
leaf served, its key beside it, exactly one certificate issued for the one need, and no trace of the
accident (crash_lab.py says what is looked at).

Several hosts work at the same time. The build has no sanitizers: build/release, made when it is
missing, unless ORIGIN_CA_BUILD names another one without.

By itself a run takes a share of the points: every call there is, and of what they are about (for
those that are killed the path, for those that fail its directory) more where no earlier scenario
had it. ORIGIN_CA_CRASH=all takes every point of every scenario, killed before the call and after
it, and failing with every error, once and from there on (hours). ORIGIN_CA_CRASH_HOSTS=N uses N
hosts instead of four.
"""

import itertools
import os
import queue
import threading

import pytest

import product
from agent import Agent
from conftest import stop_checked
from crash_lab import Lab, Point, share
from crash_scenarios import (FirstIssue, LostAnswer, Redeploy, Renewal, Rollback, SecondNeed,
                             TwoRenewal, TwoRollback, Unfinished)
from nginx import Nginx
from sandbox import Sandbox

ALL = os.environ.get("ORIGIN_CA_CRASH") == "all"
HOSTS = int(os.environ.get("ORIGIN_CA_CRASH_HOSTS", "4"))
ERRORS = ("EIO", "ENOSPC", "EACCES", "ENOMEM", "EMFILE")
SHOWN = 5       # broken points, before a test gives up

SCENARIOS = (FirstIssue, Renewal, TwoRenewal, Rollback, TwoRollback, Redeploy, LostAnswer,
             Unfinished)
# one of how many points is tried: of a kind that no earlier scenario had, and of the others
KILLED, FAILING = (2, 8), (3, 24)


@pytest.fixture(scope="module")
def build():
    return product.plain_build_directory()


@pytest.fixture(scope="module")
def labs(build, tmp_path_factory):
    root = tmp_path_factory.mktemp("installed")
    product.install(build, root)
    hosts, made = [], []
    try:
        for _ in range(HOSTS):
            host = product.boot_host(root, build)
            hosts.append(host)
            sandbox = Sandbox(host, product.sandbox_program(build), chaos=False)
            made.append(Lab(host, Nginx(host), Agent(host, sandbox), sandbox,
                            build / "tests/system/crash-driver"))
        yield made
    finally:
        for host in hosts:
            stop_checked(host)


def in_all(labs, work):
    """work(lab) in a thread for each; the first error is raised."""
    errors = []

    def guarded(lab):
        try:
            work(lab)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(lab,)) for lab in labs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def try_all(labs, points, attempt, tell):
    """attempt(lab, *point) for each of the points, on whichever lab is free."""
    todo, broken = queue.SimpleQueue(), []
    for point in points:
        todo.put(point)

    def work(lab):
        while len(broken) < SHOWN:
            try:
                point = todo.get_nowait()
            except queue.Empty:
                return
            try:
                attempt(lab, *point)
            except AssertionError as error:
                where, *how = point
                broken.append(f"--- at point {where} {how or ''}:\n{error}")

    in_all(labs, work)
    tell(f"{len(points) - todo.qsize()} points tried, {len(broken)} broken")
    assert not broken, "\n".join(broken)


KNOWN = {}


@pytest.fixture
def known(request):
    """The kinds of points that earlier scenarios had in this test."""
    return KNOWN.setdefault(request.function, set())


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_killed_pass_leaves_no_harm_and_the_next_one_finishes_its_work(labs, scenario, known,
                                                                       tell):
    in_all(labs, lambda lab: lab.begin(scenario()))
    found = labs[0].points()
    if ALL:
        points = list(itertools.product(found, ((), ("--after",))))
    else:
        points = [(point,) for point in share(found, Point.kind, known, *KILLED)]
    try_all(labs, points, Lab.crash, tell)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_failing_call_leaves_no_harm_and_the_next_pass_finishes_the_work(labs, scenario, known,
                                                                        tell):
    in_all(labs, lambda lab: lab.begin(scenario()))
    found = labs[0].points("--reads")
    if ALL:
        points = list(itertools.product(found, ERRORS, ((), ("--onward",))))
    else:
        points = list(zip(share(found, Point.place, known, *FAILING),
                          itertools.cycle(ERRORS)))
    try_all(labs, points, Lab.fail, tell)


def test_way_back_leads_past_a_snippet_that_no_server_has_read(labs):
    lab = labs[0]
    lab.begin(SecondNeed())
    lab.points()
    assert lab.snippet() == lab.host.read(SecondNeed.COPY)
    assert lab.issued() - lab.issued_before == 1
