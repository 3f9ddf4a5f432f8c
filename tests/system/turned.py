"""A host whose clock a test turns: for the programs that are started with clock/turned_clock.c."""

import contextlib
import mmap
import struct
import time


class TurnedClock:
    """`wall`: seconds that the wall clock is ahead of this machine's; `boot`: the same of the time
    since boot. `environment` is for the programs that shall live by it; with `hurry` they do not
    sleep out what they wait for between two tries."""

    def __init__(self, host, build, name, hurry=False):
        path = f"/run/turned-clock-{name}"
        host.write(path, bytes(16))
        with open(f"/proc/{host.pid}/root{path}", "r+b") as file:
            self._map = mmap.mmap(file.fileno(), 16)
        self.wall = self.boot = 0
        self.environment = {"LD_PRELOAD": f"{build}/tests/system/libturned-clock.so",
                            "TURNED_CLOCK": path}
        if hurry:
            self.environment["TURNED_CLOCK_HURRY"] = "1"

    def now(self):
        return time.time() + self.wall

    def _write(self):
        self._map[:] = struct.pack("=qq", self.wall, self.boot)

    def passes(self, seconds):
        """Time goes on, or the host was suspended for so long."""
        self.wall += int(seconds)
        self.boot += int(seconds)
        self._write()

    def set(self, seconds):
        """Somebody sets the wall clock, so many seconds ahead of this machine's."""
        self.wall = int(seconds)
        self._write()

    @contextlib.contextmanager
    def wrong_by(self, seconds):
        """Set wrong, and right again at the end."""
        right = self.wall
        self.set(right + seconds)
        try:
            yield
        finally:
            self.set(self.wall - int(seconds))

    def words(self):
        """For env(1) and systemd-run --setenv=."""
        return [f"{name}={value}" for name, value in self.environment.items()]

    def wrapper(self, host, path, program):
        """A script that runs `program` by this clock. Returns its path."""
        words = " ".join(self.words())
        host.write(path, f'#!/bin/sh\nexec env {words} {program} "$@"\n', mode=0o755)
        return path
