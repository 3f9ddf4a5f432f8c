"""The points of a pass at which it can be interrupted, and which of them a run tries."""

import dataclasses
import itertools
import re

ERRORS = ("EIO", "ENOSPC", "EACCES", "ENOMEM", "EMFILE")

# one of how many points is tried by default: of a kind that no earlier scenario had, and of the
# others
KILLED, FAILING = (6, 24), (9, 72)


@dataclasses.dataclass(frozen=True)
class Point:
    number: int
    call: str
    thing: str

    def kind(self):
        """What makes two points the same: random and growing parts of names left out."""
        thing = re.sub(r"\.[0-9a-f]{8}\.tmp\b", ".X.tmp", self.thing)
        return self.call, re.sub(r"/[0-9]{4}\b", "/N", thing)

    def place(self):
        """The same for all files of one directory."""
        call, thing = self.kind()
        return call, re.sub(r"/[^/ ]*$", "/", thing)

    def __str__(self):
        return f"{self.number} ({self.call} {self.thing})"


def distinct(points, kind):
    """The points without those that merely repeat by what `kind` tells of each: polls and the
    pieces of one conversation. What is said to others counts more often than what they answer."""
    seen, chosen = {}, []
    for point in points:
        what = kind(point)
        seen[what] = seen.get(what, 0) + 1
        if seen[what] <= (4 if point.call.startswith("send") else 1):
            chosen.append(point)
    return chosen


def share(points, kind, known, of_new, of_known, seed):
    """Of the distinct points one of so many of a kind that no scenario had before, but each call
    at least once, and one of so many of the others; which ones changes with the seed. `known` (a
    set) learns the kinds."""
    points = distinct(points, kind)
    new = [point for point in points if kind(point) not in known]
    others = [point for point in points if kind(point) in known]
    one_of_each = {}
    for call in {point.call for point in new}:
        of_call = [point for point in new if point.call == call]
        one_of_each[call] = of_call[seed % len(of_call)]
    known.update(map(kind, new))
    return sorted({*new[seed % of_new::of_new], *one_of_each.values(),
                   *others[seed % of_known::of_known]}, key=lambda point: point.number)


def killed(points, extent, known, seed):
    """[(point, options)] for Lab.crash."""
    if extent == "all":
        return list(itertools.product(points, ((), ("--after",))))
    if extent == "kinds":
        return list(itertools.product(distinct(points, Point.kind), ((), ("--after",))))
    return [(point,) for point in share(points, Point.kind, known, *KILLED, seed)]


def failing(points, extent, known, seed):
    """[(point, error, options)] for Lab.fail."""
    if extent == "all":
        return list(itertools.product(points, ERRORS, ((), ("--onward",))))
    errors = itertools.islice(itertools.cycle(ERRORS), seed % len(ERRORS), None)
    if extent == "kinds":
        return list(zip(distinct(points, Point.kind), errors,
                        itertools.cycle(((), (), ("--onward",)))))
    return list(zip(share(points, Point.place, known, *FAILING, seed), errors))
