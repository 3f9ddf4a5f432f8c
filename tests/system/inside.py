"""One process that stays inside a host and starts the tests' commands there (entered.py).

Entering six namespaces for every command costs more than most commands do, and a file is written in
no time by a process that is already there.
"""

import contextlib
import json
import os
import pathlib
import selectors
import socket
import subprocess
import threading
import time

PROGRAM = pathlib.Path(__file__).resolve().parent / "entered.py"


class InsideError(RuntimeError):
    """What was asked for could not be done; the text is the system's."""


class TimedOut(Exception):
    def __init__(self, stdout, stderr):
        super().__init__("still running")
        self.stdout, self.stderr = stdout, stderr


class Inside:
    """`enter`: a command that enters the host and runs what follows it there."""

    def __init__(self, enter):
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._lock = threading.Lock()
        with theirs:
            # a session of its own: the terminal's ctrl-C is not for it
            self._process = subprocess.Popen([*enter, "/usr/bin/python3", "-IS", str(PROGRAM)],
                                             stdin=theirs, start_new_session=True)

    def close(self):
        """What still runs on our behalf is killed."""
        self._socket.close()
        self._process.wait()

    def _request(self, descriptors, **request):
        """Returns the socket for the answers."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            try:
                with self._lock:
                    socket.send_fds(self._socket, [json.dumps(request).encode()],
                                    [*descriptors, theirs.fileno()])
            except BaseException:
                ours.close()
                raise
        return ours

    @staticmethod
    def _answer(answers):
        data, descriptors, _, _ = socket.recv_fds(answers, 1 << 20, 1)
        if not data:
            raise InsideError("the process inside the host has ended")
        answer = json.loads(data)
        if "error" in answer:
            raise InsideError(answer["error"])
        return answer, descriptors

    def _ask(self, *descriptors, **request):
        with self._request(descriptors, **request) as answers:
            return self._answer(answers)[0]

    # --- files

    def write(self, path, data, mode, owner):
        with memory(data) as file:
            self._ask(file, do="write", path=path, mode=mode, owner=owner)

    def read(self, path):
        with self._request((), do="open", path=path) as answers:
            (descriptor,) = self._answer(answers)[1]
        with open(descriptor, "rb") as file:
            return file.read()

    def exists(self, path):
        return self._ask(do="exists", path=path)["exists"]

    def list(self, path):
        return self._ask(do="list", path=path)["names"]

    def remove(self, path):
        self._ask(do="remove", path=path)

    # --- commands

    def run(self, argv, env, input, timeout):
        """Runs a command to its end, and until nobody holds its output any more. Returns exit code
        (negative: a signal), standard output and standard error (bytes). TimedOut: it was killed,
        with its process group."""
        out, out_theirs = os.pipe()
        err, err_theirs = os.pipe()
        with contextlib.ExitStack() as stack:
            for descriptor in (out, err):
                stack.callback(os.close, descriptor)
            try:
                with memory(input or b"") as stdin:
                    answers = stack.enter_context(self._request(
                        (stdin, out_theirs, err_theirs), do="run", argv=argv, env=env))
            finally:
                os.close(out_theirs)
                os.close(err_theirs)
            return Gathering(out, err, answers).finish(timeout)


class Gathering:
    """The output and the exit code of one command, as they come."""

    def __init__(self, out, err, answers):
        self.out, self.err, self.answers = out, err, answers
        self.text = {out: b"", err: b""}
        self.code = None
        self.selector = selectors.DefaultSelector()
        for source in (out, err, answers):
            self.selector.register(source, selectors.EVENT_READ)

    def finish(self, timeout):
        with self.selector:
            if not self._until(time.monotonic() + timeout):
                self.answers.shutdown(socket.SHUT_WR)   # a message could meet the answer
                self._until(time.monotonic() + 5)       # who left its group may hold the pipes
                raise TimedOut(self.text[self.out], self.text[self.err])
        return self.code, self.text[self.out], self.text[self.err]

    def _until(self, deadline):
        """False when all of it has not come by then."""
        while self.selector.get_map():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            for key, _ in self.selector.select(left):
                self._take(key.fileobj)
        return True

    def _take(self, source):
        if source is self.answers:
            self.code = Inside._answer(source)[0]["code"]
            self.selector.unregister(source)
            return
        piece = os.read(source, 1 << 16)
        self.text[source] += piece
        if not piece:
            self.selector.unregister(source)


@contextlib.contextmanager
def memory(data):
    """A descriptor of a file that is nowhere, to be read from its beginning."""
    descriptor = os.memfd_create("input")
    try:
        with open(os.dup(descriptor), "wb") as file:
            file.write(data)
        os.lseek(descriptor, 0, os.SEEK_SET)
        yield descriptor
    finally:
        os.close(descriptor)
