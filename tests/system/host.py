"""A throw-away host for tests: a real systemd in namespaces of its own (sdboot.sh).

    with Host() as host:
        host.unit("hello.service", "[Service]\\nExecStart=/bin/echo hello\\nType=oneshot\\n")
        host.run(["systemctl", "start", "hello.service"])
        assert "hello" in host.journal("hello.service")

What the machine has installed is there; what is written inside is gone after stop().  Only a
loopback interface of its own exists inside.  README.md tells the pitfalls.
"""

import os
import pathlib
import re
import select
import shlex
import signal
import subprocess
import tempfile
import threading
import time

import network
from inside import Inside, InsideError, TimedOut

HERE = pathlib.Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# A sanitizer's finding ends the program with this code, so that no test takes it for a result.
SANITIZER_EXIT = 99
SANITIZER_ENVIRONMENT = {
    "ASAN_OPTIONS": f"exitcode={SANITIZER_EXIT}:detect_leaks=1:strict_string_checks=1:"
    "detect_stack_use_after_return=1:check_initialization_order=1",
    "LSAN_OPTIONS": f"exitcode={SANITIZER_EXIT}",
    "UBSAN_OPTIONS": f"exitcode={SANITIZER_EXIT}:print_stacktrace=1:halt_on_error=1",
}
SANITIZER_REPORT = re.compile(
    r"ERROR: (Address|Leak|Memory|Thread)Sanitizer|runtime error: |LeakSanitizer has encountered"
)
# grep's pattern for the journal, with the lines after it that tell where
SANITIZER_GREP = "ERROR: [A-Za-z]*Sanitizer|runtime error: |LeakSanitizer has encountered"


class CommandError(AssertionError):
    """A command inside the host did not do what the test needs; shows all that it printed."""

    def __init__(self, argv, outcome, stdout, stderr):
        self.argv, self.outcome, self.stdout, self.stderr = argv, outcome, stdout, stderr
        parts = [f"{shlex.join(map(str, argv))}: {outcome}"]
        for name, text in (("stdout", stdout), ("stderr", stderr)):
            if isinstance(text, bytes):
                text = text.decode(errors="replace")
            parts.append(f"--- {name}\n{text}" if text else f"--- {name}: nothing")
        super().__init__("\n".join(parts))


class Process(subprocess.Popen):
    """A command that runs inside; signals go to the command, not to the nsenter around it."""

    def inner_pid(self):
        """The command's pid as the machine sees it, or None once it has ended."""
        try:
            path = f"/proc/{self.pid}/task/{self.pid}/children"
            return int(pathlib.Path(path).read_text().split()[0])
        except (OSError, IndexError):
            return None

    def send_signal(self, sig):
        deadline = time.monotonic() + 5
        while self.poll() is None:
            pid = self.inner_pid()
            if pid is not None:
                try:
                    os.kill(pid, sig)
                except ProcessLookupError:
                    pass
                return
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.args}: nsenter has started nothing")
            time.sleep(0.005)

    def kill_group(self):
        """SIGKILL to the command and to what stayed in its process group. The command first:
        without its nsenter it would become a child of the machine's init, and systemd-shutdown
        waits 10 s for a process of its own namespace whose end nobody tells it."""
        if self.poll() is None:
            inner = self.inner_pid()
            if inner is not None:
                try:
                    os.kill(inner, signal.SIGKILL)
                    os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
                except ProcessLookupError:
                    pass
            os.killpg(self.pid, signal.SIGKILL)   # not reaped yet: the number is still ours
            self.wait()

    def end(self, timeout=10):
        """SIGTERM, then SIGKILL to the whole group; returns the exit code."""
        if self.poll() is None:
            self.terminate()
            try:
                self.wait(timeout)
            except subprocess.TimeoutExpired:
                self.kill_group()
        code = self.wait()
        for stream in (self.stdin, self.stdout, self.stderr):
            if stream:
                stream.close()
        return code


class Host:
    """One booted host. `lower`: overlay layers; `add`: a tree laid over the root, as a package is
    unpacked; `bind`: directories shared read-write, `bind_ro`: read-only (the checkout always is);
    `pre`: shell code that runs before PID 1 with the new root in $root."""

    def __init__(self, lower="/", add=None, bind=(), bind_ro=(), pre="", boot_timeout=60):
        self.pid = None
        self._spawned = []
        self._entered, self._starting = None, threading.Lock()
        self._log = tempfile.TemporaryFile("w+")
        environment = {
            "PATH": PATH,
            "LANG": "C.UTF-8",
            "SD_LOWER": str(lower),
            "SD_ADD": str(add or ""),
            "SD_BIND": " ".join(map(str, bind)),
            "SD_BIND_RO": " ".join(map(str, (REPOSITORY, *bind_ro))),
            "SD_PRE": self._sanitizer_defaults() + pre,
            "SD_TIMEOUT": str(boot_timeout),
        }
        # a session of its own: the terminal's ctrl-C must not end it before the fixtures do
        self._driver = subprocess.Popen(
            [str(HERE / "driver.sh")], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=self._log, env=environment, start_new_session=True, text=True,
        )
        self.driver_pid = self._driver.pid      # in the names of all that it makes
        line = ""
        if select.select([self._driver.stdout], [], [], boot_timeout + 30)[0]:
            line = self._driver.stdout.readline()
        if not line.startswith("init "):
            self.stop(check=False)
            raise RuntimeError(f"the host did not boot:\n{self._driver_log()}")
        self.pid = int(line.split()[1])

    @staticmethod
    def _sanitizer_defaults():
        words = " ".join(f'"{name}={value}"' for name, value in SANITIZER_ENVIRONMENT.items())
        return (
            'mkdir -p "$root/etc/systemd/system.conf.d"\n'
            f"printf '%s\\n' '[Manager]' 'DefaultEnvironment={words}' "
            '> "$root/etc/systemd/system.conf.d/90-sanitizers.conf"\n'
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def _driver_log(self):
        self._log.flush()
        self._log.seek(0)
        return self._log.read()

    # --- commands

    @staticmethod
    def _variables(env):
        return {"container": "sdtest", "HOME": "/root", "LANG": "C.UTF-8", "PATH": PATH,
                **SANITIZER_ENVIRONMENT, **(env or {})}

    def _enter(self, argv, env):
        if self.pid is None:
            raise RuntimeError("the host is stopped")
        words = [f"{name}={value}" for name, value in self._variables(env).items()]
        return ["nsenter", "-t", str(self.pid), "-a", "--", "env", "-i", *words, *map(str, argv)]

    def _inside(self):
        """The process inside that runs and writes for us, from the first use on."""
        with self._starting:
            if self._entered is None:
                self._entered = Inside(self._enter([], None))
        return self._entered

    def _file(self, what, path, *arguments):
        """One of the file operations of Inside; its failure is the test's."""
        __tracebackhide__ = True
        try:
            return getattr(self._inside(), what)(path, *arguments)
        except InsideError as error:
            raise CommandError([what, path], str(error), "", "") from None

    def run(self, argv, check=True, input=None, timeout=60, env=None, binary=False):
        """Run a command inside to its end. check: True: must exit 0; a number or a collection of
        numbers: must exit with (one of) these; False: whatever it exits with. A sanitizer's
        finding is an error always."""
        __tracebackhide__ = True      # the caller's line is what a failing test should show
        if isinstance(input, str):
            input = input.encode()
        argv = [str(word) for word in argv]
        try:
            code, stdout, stderr = self._inside().run(argv, self._variables(env), input, timeout)
        except TimedOut as late:
            raise CommandError(argv, f"still running after {timeout} s", late.stdout,
                               late.stderr) from None
        report = stderr.decode(errors="replace")
        if not binary:
            stdout, stderr = stdout.decode(errors="replace"), report
        if code == SANITIZER_EXIT or SANITIZER_REPORT.search(report):
            raise CommandError(argv, f"a sanitizer's finding (exit {code})", stdout, stderr)
        if check is True:
            check = (0,)
        elif check is not False and isinstance(check, int):
            check = (check,)
        if check is not False and code not in check:
            wanted = " or ".join(map(str, check))
            raise CommandError(argv, f"exit {code}, wanted {wanted}", stdout, stderr)
        return subprocess.CompletedProcess(argv, code, stdout, stderr)

    def output(self, argv, **options):
        """Standard output of a command, without the last newline."""
        return self.run(argv, **options).stdout.rstrip("\n")

    def spawn(self, argv, env=None, **options):
        """Start a command inside; it is ended with the host at the latest."""
        options.setdefault("stdin", subprocess.DEVNULL)
        options.setdefault("text", True)
        process = Process(self._enter(argv, env), start_new_session=True, **options)
        self._spawned.append(process)
        return process

    # --- files (always through the host's own root: an absolute symlink must not lead outside)

    def write(self, path, text, mode=0o644, owner=None):
        """Replace a file at once; directories above it are made. owner: "user:group"."""
        data = text.encode() if isinstance(text, str) else text
        self._file("write", path, data, mode, owner)

    def read(self, path, binary=False):
        data = self._file("read", path)
        return data if binary else data.decode(errors="replace")

    def exists(self, path):
        """Whether the name exists, be it a symlink to nowhere."""
        return self._file("exists", path)

    def list(self, path):
        """The names in a directory, sorted."""
        return self._file("list", path)

    def stat(self, path, form="%a %U:%G"):
        """Mode, owner and group ("640 root:www-data"), or what stat(1)'s format says."""
        return self.output(["stat", "-c", form, "--", path])

    def remove(self, path):
        """A file or a whole tree, if it is there."""
        self._file("remove", path)

    # --- systemd

    def unit(self, name, text):
        """Write a unit of the host (a drop-in: "x.service.d/y.conf") and reload systemd."""
        self.write(f"/etc/systemd/system/{name}", text)
        self.run(["systemctl", "daemon-reload"])

    def show(self, unit, *properties):
        """Properties of a unit; one: its value, several: a dict."""
        out = self.output(["systemctl", "show", "-p", ",".join(properties), unit])
        values = dict(line.split("=", 1) for line in out.splitlines() if "=" in line)
        return values[properties[0]] if len(properties) == 1 else values

    def active(self, unit):
        return self.show(unit, "ActiveState")

    def journal(self, unit=None, lines=None, output="short-precise"):
        self.run(["journalctl", "--sync"], check=False)
        command = ["journalctl", "--no-pager", "--quiet", f"--output={output}"]
        command += ["-u", unit] if unit else []
        command += ["-n", str(lines)] if lines else []
        return self.run(command).stdout

    def sanitizer_reports(self):
        """What sanitizers of services wrote to the journal; empty when all is well."""
        self.run(["journalctl", "--sync"], check=False)
        journal = "journalctl --no-pager --quiet -o short"
        script = f"{journal} | grep -E -A 40 '{SANITIZER_GREP}' || true"
        return self.run(["sh", "-c", script]).stdout

    # --- network

    def connect(self, port, address="127.0.0.1", timeout=10):
        """A TCP socket of this process whose other end is inside the host."""
        return network.connect(self.pid, address, port, timeout)

    def listening(self, port, address="127.0.0.1"):
        try:
            self.connect(port, address, timeout=2).close()
            return True
        except OSError:
            return False

    # --- time

    @staticmethod
    def wait(predicate, timeout=20, message=None, interval=0.02):
        """Poll until the predicate is true and return what it returned."""
        __tracebackhide__ = True
        deadline = time.monotonic() + timeout
        while True:
            value = predicate()
            if value:
                return value
            if time.monotonic() > deadline:
                what = message() if callable(message) else message
                raise AssertionError(f"not within {timeout} s: {what or predicate}")
            time.sleep(interval)

    # --- end

    def stop(self, check=True):
        """Power the host off and end everything that was started for it."""
        if self._driver is None:
            return
        driver, self._driver = self._driver, None
        for process in self._spawned:
            process.kill_group()
            process.end()
        self._spawned.clear()
        if self._entered is not None:
            self._entered.close()
            self._entered = None
        self.pid = None
        try:
            driver.stdin.close()
            code = driver.wait(90)
        except subprocess.TimeoutExpired:
            os.killpg(driver.pid, signal.SIGKILL)
            code = driver.wait()
        driver.stdout.close()
        if check and code != 0:
            raise RuntimeError(f"the host did not stop cleanly (exit {code}):\n"
                               f"{self._driver_log()}")
