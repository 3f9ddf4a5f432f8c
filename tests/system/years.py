"""Years of a host in minutes: nginx, the agent and the API, and a clock that a test turns.

The agent is the real one, supervisor and passes; time goes on by jumps to when its timers are due.
Every jump is held against what the server shows before and after it: `dark` are the times in which
that was no valid certificate. The API lives by the clock of the world; the host's can be set wrong.
"""

import contextlib
import json
import os
import pathlib
import random
import stat
import time

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec

from agent import PROGRAM, section
from nginx import Nginx
from product import sandbox_program
from sandbox import Sandbox
from turned import TurnedClock

DAY, HOUR = 86400, 3600
NAMES = ("example.com", "shop.example.net")
UNIT = "years-agent.service"
CONFIG, STATE = "/etc/years/agent.ini", "/srv/years"
SWEEP = 12 * HOUR
ROOTS = ("origin_ca_ecc_root", "origin_ca_rsa_root")


def inner_pid(host, pid):
    """The machine's number of the process that is `pid` inside the host."""
    space = os.readlink(f"/proc/{host.pid}/ns/pid")
    for path in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            status = (path / "status").read_text()
            numbers = next(line for line in status.splitlines() if line.startswith("NSpid:"))
            if numbers.split()[-1] == str(pid) and os.readlink(path / "ns/pid") == space:
                return int(path.name)
        except (OSError, StopIteration):
            continue
    raise LookupError(f"process {pid} is not there")


class Years:
    def __init__(self, host, build, seed):
        self.host, self.random = host, random.Random(seed)
        self.nginx = Nginx(host)
        self.world = TurnedClock(host, build, "world")
        self.clock = TurnedClock(host, build, "host", hurry=True)
        program = self.world.wrapper(host, "/srv/years-sandbox", sandbox_program(build))
        self.sandbox = Sandbox(host, program, "--rate-limit", "none", plain=True, chaos=False)
        self.state = pathlib.Path(f"/proc/{host.pid}/root{STATE}")
        self.pins, self.signers, self.known = [], [], {}
        self.served_until = {}
        self.dark = []                  # (name, from, to)
        self.passes = 0
        self.most_bytes = self.most_files = self.most_generations = 0
        self.pid = None
        self.learn_roots()

    # --- configuration

    def learn_roots(self):
        """The administrator pins what the API publishes now, beside what was pinned before."""
        self.pins = self.pins + [pin for pin in self.sandbox.roots_keys()["root_sha256"]
                                 if pin not in self.pins]
        for name in ROOTS:
            pem = self.host.read(f"{self.sandbox.directory}/{name}.pem").encode()
            key = x509.load_pem_x509_certificate(pem).public_key()
            if isinstance(key, ec.EllipticCurvePublicKey):      # as the leaves have
                self.signers.append(key)
        text = section("agent", {"state_dir": STATE}) + section("api", {
            "endpoint": f"{self.sandbox.endpoint}/client/v4",
            "token_file": self.sandbox.token_file,
            "root_url": f"{self.sandbox.endpoint}/ssl/static", "root_sha256": self.pins})
        for name in NAMES:
            text += section(f"certificate {name}", {"targets": "nginx", "validity": "90d"})
        self.host.write(CONFIG, text)

    def begin(self):
        for name in NAMES:
            self.nginx.add(name, snippet=f"{STATE}/snippets/nginx/{name}.conf")
        self.host.run(["mkdir", "-p", STATE])   # root's, so that root is whom all runs as
        self.start()                    # the placeholder is what nginx can start with
        self.host.run(["systemctl", "start", self.nginx.unit])
        self.host.run([*self.environment(), PROGRAM, "--config", CONFIG, "--renew-now"])
        self.look()
        self.began = self.world.now()

    def environment(self):
        return ["env", *self.clock.words()]

    # --- the agent

    def start(self):
        self.advance(2)         # a pass is known by the second of its end
        before = self.finished()
        self.host.run(["systemd-run", "--quiet", f"--unit={UNIT}", "--service-type=notify",
                       *(f"--setenv={word}" for word in self.clock.words()),
                       PROGRAM, "--config", CONFIG, "run"])
        self.pid = inner_pid(self.host, self.host.show(UNIT, "MainPID"))
        self.await_pass(before)

    def stop(self):
        self.host.run(["systemctl", "stop", UNIT])

    def status(self):
        out = self.host.run([*self.environment(), PROGRAM, "--config", CONFIG, "status", "--json"],
                            check=(0, 1)).stdout
        return json.loads(out)

    def note(self):
        try:
            return json.loads((self.state / "schedule.json").read_bytes())
        except FileNotFoundError:
            return {"finished_at": 0, "next_at": 0}

    def finished(self):
        return self.note()["finished_at"]

    def busy(self):
        return pathlib.Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().strip()

    def await_pass(self, before):
        """Until a pass has ended after the one that ended at `before`, and is reaped."""
        deadline, nudge = time.monotonic() + 60, time.monotonic() + 0.4
        while self.finished() == before or self.busy():
            if time.monotonic() > nudge and not self.busy():
                self.advance(15)        # the timer was set from a later moment than we thought
                nudge = time.monotonic() + 0.4
            if time.monotonic() > deadline:
                raise AssertionError(f"no pass within a minute after {before}: {self.note()}, it "
                                     f"is {self.clock.now():.0f}, processes {self.busy()!r}\n"
                                     + self.journal())
            time.sleep(0.002)
        self.passes += 1

    def journal(self):
        return self.host.journal(UNIT, lines=60)

    # --- time

    def advance(self, seconds, asleep=False):
        """Time goes on for all; what expires meanwhile is dark unless the host is asleep."""
        now, end = self.world.now(), self.world.now() + seconds
        if not asleep:
            for name, until in self.served_until.items():
                if end > until:
                    self.dark.append((name, max(now, until), end))
        for clock in (self.world, self.clock):
            clock.passes(seconds)

    def next_pass(self, limit=None):
        """To the agent's next pass, by its own plan, and to its end."""
        note = self.note()
        due = min(note["next_at"], note["finished_at"] + SWEEP)
        wait = max(due - self.clock.now(), 10) + 2
        if limit is not None and self.world.now() + wait > limit:
            self.advance(max(limit - self.world.now(), 0))
            return False
        self.advance(wait)
        self.await_pass(note["finished_at"])
        return True

    def sleep(self, days):
        """A suspend: the agent looks as soon as it is over, unless nothing fell due meanwhile."""
        note = self.note()
        due = min(note["next_at"], note["finished_at"] + SWEEP)
        self.advance(days * DAY, asleep=True)
        if self.clock.now() > due:
            self.await_pass(note["finished_at"])
        self.look()

    def live(self, until, naps=0):
        """Pass after pass; with `naps` the host is suspended for up to so many days again and
        again, which makes fewer passes of it."""
        while self.world.now() < until:
            if naps:
                days = self.random.uniform(1, naps)
                self.sleep(min(days, max((until - self.world.now()) / DAY, 0.01)))
            elif self.next_pass(limit=until):
                self.look()

    # --- what must hold

    def look(self):
        """What visitors are shown, and what lies on the disk."""
        for name in NAMES:
            leaf = self.nginx.served(name)
            if leaf.sha256 not in self.known:
                certificate = x509.load_pem_x509_certificate(leaf.pem.encode())
                self.verify(certificate)
                self.known[leaf.sha256] = certificate.not_valid_before.timestamp()
            until = leaf.not_after.timestamp()
            assert f"*.{name}" in leaf.sans and name in leaf.sans
            assert self.known[leaf.sha256] <= self.world.now() + 1
            self.served_until[name] = until
        self.weigh()

    def verify(self, certificate):
        """By one of the roots, as Cloudflare does."""
        for signer in self.signers:
            with contextlib.suppress(InvalidSignature):
                signer.verify(certificate.signature, certificate.tbs_certificate_bytes,
                              ec.ECDSA(certificate.signature_hash_algorithm))
                return
        raise AssertionError(f"no root of the API signed {certificate.serial_number}")

    def weigh(self):
        sizes = []
        for path in self.state.rglob("*"):
            with contextlib.suppress(FileNotFoundError):    # a pass may be at work
                entry = path.lstat()
                if stat.S_ISREG(entry.st_mode):
                    sizes.append(entry.st_size)
        self.most_files = max(self.most_files, len(sizes))
        self.most_bytes = max(self.most_bytes, sum(sizes))
        for name in NAMES:
            directory = self.state / "certificates" / name
            count = sum(entry.name.isdigit() and entry.name != "0000"
                        for entry in directory.iterdir())
            self.most_generations = max(self.most_generations, count)

    def issued(self):
        return self.sandbox.issued()

    def serials(self):
        return {name: self.nginx.served(name).serial for name in NAMES}
