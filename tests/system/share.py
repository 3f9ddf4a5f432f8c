"""What a run takes when it does not take everything (ORIGIN_CA_SYSTEM=short, as continuous
integration runs): a share, another one each day; what is left out today is in one of the next
days' runs."""

import os
import pathlib
import time
import zlib

import cost

SHORT = os.environ.get("ORIGIN_CA_SYSTEM") == "short"
# Of this process and of all workers of pytest-xdist, which get it from here, also at midnight.
DAY = int(os.environ.setdefault("ORIGIN_CA_DAY", str(int(time.time() // 86400))))
# What every run takes: the main job, what must never go wrong, and how it is run.
ALWAYS = ("first_certificate", "rotation", "rollback", "restore", "owed", "service", "stop",
          "unprivileged", "crash")
DAYS = 4        # in which all the others have their turn


def choice(name, choices):
    """Today's one of `choices` for `name`, in a list; all when everything is run."""
    choices = list(choices)
    today = choices[(zlib.crc32(name.encode()) + DAY) % len(choices)]
    return [today] if SHORT else choices


def half(things):
    """Every second one, the others on the next day; all when everything is run."""
    return list(things)[DAY % 2::2] if SHORT else list(things)


def turns():
    """The day of each test file in the circle of DAYS, by its name; those that cost most are
    dealt out first. None: every day."""
    files = sorted(path.name for path in pathlib.Path(__file__).parent.glob("test_*.py"))
    always = {f"test_{name}.py" for name in ALWAYS}
    in_turn = sorted((name for name in files if name not in always), key=cost.rank)
    return {**dict.fromkeys(always), **{name: n % DAYS for n, name in enumerate(in_turn)}}


def today(items):
    """(the tests that a run takes today, the others)"""
    if not SHORT:
        return items, []
    days = turns()
    chosen = {name for name, day in days.items() if day in (None, DAY % DAYS)}
    return ([item for item in items if item.path.name in chosen],
            [item for item in items if item.path.name not in chosen])
