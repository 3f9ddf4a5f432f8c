"""Years in minutes (years.py): suspends, restarts, clocks that are set wrong both ways, a month
without the API, new roots in 2029.

Two minutes are three years with the change of the roots, at fewer looks. ORIGIN_CA_YEARS=15 lives
through fifteen years, sweep by sweep, with an outage that outlasts the certificates as well.
ORIGIN_CA_YEARS_SEED=N repeats a run.
"""

import datetime
import os
import secrets
import time

import pytest

import product
from years import DAY, HOUR, NAMES, ROOTS, STATE, UNIT, Years

YEARS = int(os.environ.get("ORIGIN_CA_YEARS", "0"))
pytestmark = pytest.mark.timeout(6 * 3600 if YEARS else 900)
SEED = int(os.environ.get("ORIGIN_CA_YEARS_SEED", secrets.randbelow(1 << 31)))
NAPS = 0 if YEARS else 6                # days between looks
END_OF_ROOTS = datetime.datetime(2029, 8, 15, 17, tzinfo=datetime.timezone.utc).timestamp()
LIFETIME, WINDOW = 90 * DAY, 29.7 * DAY
SPLAY = WINDOW / 10


@pytest.fixture(name="years", scope="module")
def fixture_years(tmp_path_factory):
    build = product.plain_build_directory()
    root = tmp_path_factory.mktemp("installed")
    product.install(build, root)
    with product.boot_host(root, build) as host:
        yield Years(host, build, SEED)


def restart_agent(years):
    before = years.finished()
    years.stop()
    years.host.run(["systemctl", "reset-failed", UNIT], check=False)
    years.start()
    assert years.finished() != before


def reboot(years):
    """Off for days, with all that runs."""
    years.stop()
    years.host.run(["systemctl", "stop", years.nginx.unit])
    years.advance(years.random.uniform(0.1, 8) * DAY, asleep=True)
    years.host.run(["systemctl", "start", years.nginx.unit])
    years.start()


def suspend(years):
    years.sleep(years.random.uniform(1, 20))


def wrong_clock(years, seconds):
    """For a day; nothing is issued, what is served stays."""
    issued, served, before = len(years.issued()), years.serials(), years.finished()
    with years.clock.wrong_by(seconds):
        years.advance(6)
        years.await_pass(before)
        for _ in range(3):
            years.next_pass()
        before = years.finished()
        years.advance(DAY)
        years.await_pass(before)
        assert len(years.issued()) == issued and years.serials() == served
        before = years.finished()
    years.advance(6)
    years.await_pass(before)


def clock_ahead(years):
    wrong_clock(years, years.random.uniform(0.05, 3000) * DAY)


def clock_back(years):
    wrong_clock(years, -years.random.uniform(0.05, 400) * DAY)


def clock_of_1970(years):
    wrong_clock(years, -int(years.clock.now() - 3 * DAY))


def small_step(years):
    """What nobody would notice."""
    seconds = years.random.uniform(-1, 1) * 50 * 60
    with years.clock.wrong_by(seconds):
        years.next_pass()


HAPPENINGS = (restart_agent, reboot, suspend, clock_ahead, clock_back, clock_of_1970, small_step)


def lives(years, until):
    """An ordinary life until then."""
    while years.world.now() < until:
        pause = years.random.uniform(15, 60 if NAPS else 90) * DAY
        years.live(min(until, years.world.now() + pause), NAPS)
        if years.world.now() < until:
            years.random.choice(HAPPENINGS)(years)
            years.look()


def outage(years, days, looks):
    """The API is not there; the agent follows its own plan for `looks` passes at a time."""
    end = years.world.now() + days * DAY
    years.sandbox.stop()
    while years.world.now() < end:
        for _ in range(looks):
            if not years.next_pass(limit=end):
                break
        if NAPS and years.world.now() < end:
            before = years.finished()
            years.advance(min(4 * DAY, end - years.world.now()))
            years.await_pass(before)
        years.look()
    years.sandbox.start()
    back = years.world.now()
    return back


def new_roots(years):
    """From one day to the next all is signed by roots that nobody here has seen; days later the
    administrator pins them."""
    years.sandbox.stop()
    for name in ROOTS:
        for suffix in ("pem", "key"):
            years.host.remove(f"{years.sandbox.directory}/{name}.{suffix}")
    years.sandbox.start()
    before = {one["id"] for one in years.issued()}
    deadline = years.world.now() + LIFETIME

    def refused():
        return [one for one in years.status()["certificates"]
                if "not signed by the Origin CA" in
                one.get("last_error", {}).get("message", "")]

    # One is enough: the other may fall due weeks later, when this one has ended.
    while not refused() and years.world.now() < deadline:
        years.live(years.world.now() + 2 * DAY, NAPS)
    assert refused(), years.status()
    years.live(years.world.now() + 4 * DAY, NAPS)
    told = refused()
    for one in told:
        assert "add its SHA-256 to root_sha256" in one["last_error"]["remedy"]
        assert one["last_error"]["stuck_since"]
    fresh = [one for one in years.issued() if one["id"] not in before]
    assert len(fresh) == len(told), "no certificate more while nobody knows the roots"
    last = years.finished()
    years.learn_roots()
    years.advance(2)            # a pass is known by the second of its end
    years.host.run(["systemctl", "kill", "--signal=HUP", "--kill-whom=main", UNIT])
    years.await_pass(last)
    years.host.wait(lambda: {one["id"] for one in fresh} <= set(years.serials().values()), 20,
                    lambda: f"{years.serials()} {fresh}\n{years.journal()}")
    years.look()


def timestamp(text):
    text = text.replace("Z", "+00:00")
    return datetime.datetime.fromisoformat(text).timestamp()


def intervals(years, name):
    """Between two certificates for a name."""
    moments = [timestamp(one["issued_at"]) for one in years.issued() if name in one["hostnames"]]
    return [(later - earlier) / DAY for earlier, later in zip(moments, moments[1:])]


def test_no_gap_no_loop_no_growth(years, tell):
    started = time.monotonic()
    tell(f"ORIGIN_CA_YEARS_SEED={SEED}")
    print(f"ORIGIN_CA_YEARS_SEED={SEED}")
    years.begin()
    end = years.began + (YEARS or 3) * 365.25 * DAY

    # A month without the API in which all fall due, and which is over when half a day is left.
    years.live(min(years.served_until.values()) - 30.5 * DAY, NAPS)
    issued = len(years.issued())
    assert issued == len(NAMES)
    back = outage(years, 30, looks=4 if YEARS else 2)
    assert len(years.issued()) == issued
    while len(years.issued()) < issued + len(NAMES):
        years.next_pass()
        assert years.world.now() < back + 7 * HOUR, years.journal()
    years.look()
    assert years.dark == []

    lives(years, END_OF_ROOTS)
    assert years.dark == []
    new_roots(years)
    assert years.dark == []

    if YEARS > 4:
        lives(years, END_OF_ROOTS + 3 * 365 * DAY)
        assert years.dark == []
        # One that outlasts every certificate: dark from the end of each until an hour after it.
        ends = dict(years.served_until)
        issued = len(years.issued())
        back = outage(years, 100, looks=50)
        while len(years.issued()) < issued + len(NAMES):
            years.next_pass()
        years.look()
        for name in NAMES:
            times = [(first, last) for one, first, last in years.dark if one == name]
            assert times[0][0] == pytest.approx(ends[name], abs=2)
            assert times[-1][1] <= back + HOUR + 60, "an emergency is tried hourly"
        years.dark.clear()
        lives(years, end)
    assert years.dark == []

    counts = {name: len(intervals(years, name)) + 1 for name in NAMES}
    gaps = [gap for name in NAMES for gap in intervals(years, name)]
    lived = (years.world.now() - years.began) / DAY
    tell(f"{lived / 365.25:.1f} years, {years.passes} passes, certificates {counts}, "
         f"{min(gaps):.1f} to {max(gaps):.1f} days between two; at most {years.most_generations} "
         f"generations, {years.most_files} files, {years.most_bytes} bytes; "
         f"{time.monotonic() - started:.0f} s")
    # Renewed in the last third and never before it, whatever happened.
    first = (LIFETIME - WINDOW) / DAY
    assert all(first - 0.1 <= gap for gap in gaps), gaps
    assert all(gap <= 90 for gap in gaps if not YEARS), gaps
    for count in counts.values():
        assert count <= lived / first + 1
        assert count >= lived / (first + SPLAY / DAY + 20) - 1
    assert years.most_generations <= 4 and years.most_files < 80
    assert years.most_bytes < 256 * 1024, f"{STATE} grows"
