"""A terminal that a test types on: a command of a host with a pty as its standard streams."""

import contextlib
import os
import pty
import select
import termios
import time


class Terminal:
    def __init__(self, host, argv):
        self.master, slave = pty.openpty()
        self.text = ""          # all that was shown so far
        self._seen = 0
        self.process = host.spawn(argv, stdin=slave, stdout=slave, stderr=slave)
        os.close(slave)

    def _read(self, seconds):
        if not select.select([self.master], [], [], max(seconds, 0))[0]:
            return False
        try:
            data = os.read(self.master, 1 << 16)
        except OSError:         # the other side is closed
            return False
        self.text += data.decode(errors="replace")
        return bool(data)

    def expect(self, words, timeout=60):
        """Waits until `words` are shown, behind what was waited for before."""
        __tracebackhide__ = True
        deadline = time.monotonic() + timeout
        while words not in self.text[self._seen:]:
            if not self._read(deadline - time.monotonic()):
                raise AssertionError(f"{words!r} was not shown:\n{self.text[self._seen:]}\n"
                                     f"--- all\n{self.text}")
        self._seen = self.text.index(words, self._seen) + len(words)

    def type(self, line):
        os.write(self.master, line.encode() + b"\n")

    def answer(self, question, line):
        self.expect(question)
        self.type(line)

    def shows_typing(self):
        return bool(termios.tcgetattr(self.master)[3] & termios.ECHO)

    def end(self, timeout=60):
        """Reads to the end; the exit code."""
        deadline = time.monotonic() + timeout
        while self.process.poll() is None and time.monotonic() < deadline:
            self._read(0.05)
        while self._read(0):
            pass
        return self.process.wait(1)

    def close(self):
        self.process.end()
        os.close(self.master)


@contextlib.contextmanager
def terminal(host, argv):
    opened = Terminal(host, argv)
    try:
        yield opened
    finally:
        opened.close()
