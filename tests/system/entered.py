"""Runs inside a host, on behalf of inside.py: starts commands and touches files there.

Standard input is a socket (SOCK_SEQPACKET). Each request is one message, JSON with descriptors; the
last one is a socket for the answers to this request. When its other end is shut down or closed the
command is killed, when standard input is, all are. Alone in its process, without threads, and
without anything but Python's own library.
"""

import grp
import json
import os
import pwd
import selectors
import shutil
import signal
import socket
import tempfile

MESSAGE = 1 << 20
DESCRIPTORS = 8


class Entered:
    def __init__(self, requests):
        self.requests = requests
        self.selector = selectors.DefaultSelector()
        self.selector.register(requests, selectors.EVENT_READ, self.request)
        self.running = {}       # pid: the socket that waits for its exit code

    def serve(self):
        try:
            while True:
                for key, _ in self.selector.select():
                    key.data()
        finally:
            for pid in self.running:
                os.killpg(pid, signal.SIGKILL)

    def request(self):
        data, descriptors, _, _ = socket.recv_fds(self.requests, MESSAGE, DESCRIPTORS)
        if not data:
            raise SystemExit
        for descriptor in descriptors:      # no command gets another one's
            os.set_inheritable(descriptor, False)
        answers = socket.socket(fileno=descriptors.pop())
        message = json.loads(data)
        try:
            done = getattr(self, f"do_{message.pop('do')}")(answers, *descriptors, **message)
        except (OSError, LookupError) as error:
            done = {"error": str(error)}
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
        if done is not None:
            self.answer(answers, done)

    @staticmethod
    def answer(answers, done, descriptors=()):
        with answers:
            try:
                socket.send_fds(answers, [json.dumps(done).encode()], descriptors)
            except BrokenPipeError:
                pass            # nobody waits for it any more

    # --- commands

    def do_run(self, answers, stdin, stdout, stderr, argv, env):
        """Answers when the command has ended: {"code": what waitpid(2) makes of it}."""
        program = argv[0]
        if "/" not in program:
            program = shutil.which(program, path=env.get("PATH")) or program
        try:
            pid = os.posix_spawn(
                program, argv, env, setsid=True, setsigdef=[signal.SIGPIPE, signal.SIGXFSZ],
                file_actions=[(os.POSIX_SPAWN_DUP2, stdin, 0), (os.POSIX_SPAWN_DUP2, stdout, 1),
                              (os.POSIX_SPAWN_DUP2, stderr, 2)])
        except OSError as error:
            os.write(stderr, f"{argv[0]}: {error.strerror}\n".encode())
            return {"code": 127}        # as env(1) says it
        ended = os.pidfd_open(pid)
        self.running[pid] = answers
        self.selector.register(ended, selectors.EVENT_READ, lambda: self.ended(pid, ended))
        self.selector.register(answers, selectors.EVENT_READ, lambda: self.told(pid))
        return None

    def told(self, pid):
        """The end of who waits for a running command, or of its patience: the socket is at its end.
        """
        if pid not in self.running:
            return              # it has just ended by itself
        os.killpg(pid, signal.SIGKILL)
        self.selector.unregister(self.running[pid])

    def ended(self, pid, descriptor):
        # what it left in its process group stays, as after a command in a terminal
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        self.selector.unregister(descriptor)
        os.close(descriptor)
        answers = self.running.pop(pid)
        if answers.fileno() in self.selector.get_map():
            self.selector.unregister(answers)
        self.answer(answers, {"code": code})

    # --- files

    def do_write(self, answers, data, path, mode, owner):
        """Atomic: owner and mode are set before the name exists, so that who watches the directory
        sees whole files. Without `owner` a file that is replaced stays whose it was, as when root
        edits it."""
        directory, name = os.path.split(path)
        before = os.lstat(path) if os.path.isfile(path) and not os.path.islink(path) else None
        os.makedirs(directory, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(prefix=f".{name}.", dir=directory)
        try:
            with open(descriptor, "wb") as file, open(os.dup(data), "rb") as source:
                shutil.copyfileobj(source, file)
                file.flush()
                if owner:
                    os.fchown(descriptor, *owner_ids(owner))
                elif before:
                    os.fchown(descriptor, before.st_uid, before.st_gid)
                os.fchmod(descriptor, mode)
            os.rename(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise
        return {}

    def do_open(self, answers, path):
        """Answers with a descriptor to read from."""
        with open(path, "rb") as file:
            self.answer(answers, {}, [file.fileno()])

    def do_exists(self, answers, path):
        return {"exists": os.path.lexists(path)}

    def do_list(self, answers, path):
        return {"names": sorted(os.listdir(path))}

    def do_remove(self, answers, path):
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        elif os.path.lexists(path):
            os.unlink(path)
        return {}


def owner_ids(owner):
    """"user:group" or "user", names or numbers."""
    user, _, group = owner.partition(":")
    uid = int(user) if user.isdigit() else pwd.getpwnam(user).pw_uid
    if not group:
        return uid, -1
    return uid, int(group) if group.isdigit() else grp.getgrnam(group).gr_gid


def main():
    requests = socket.socket(fileno=os.dup(0))
    null = os.open("/dev/null", os.O_RDWR)
    os.dup2(null, 0)
    Entered(requests).serve()


if __name__ == "__main__":
    main()
