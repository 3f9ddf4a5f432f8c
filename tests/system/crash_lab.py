"""A host where one pass of the agent is interrupted at a chosen system call, and looked at.

A scenario brings the host to a state in which the agent has something to do. The lab keeps a copy
of it, and for each point: puts the copy back, lets crash-driver end the pass there (or make the
call fail), holds what is left against the promises, lets a pass run undisturbed, and holds again.
"""

import dataclasses
import json
import pathlib
import re
import ssl

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from agent import CONFIG_DIRECTORY, PROGRAM, STATE_DIRECTORY
from network import leaf_from_der

NAME = "example.com"
START = "/srv/start"             # the copy of the state directory
LOG = "/run/crash.log"
TEST = "/run/nginx-test"         # what `nginx -t` said, and its exit code
KILLED = 137

# Back to the start: nginx shows its leaf, and no worker knows another one. A reload through systemd
# waits for one that a killed pass has begun. Then the pass, and whether nginx could start after it:
# all in one go, because entering a host costs more than most of this.
ROUND = f"""set -e
rm -rf {STATE_DIRECTORY} {LOG}
cp -a {START} {STATE_DIRECTORY}
eval "$1"
shift
old=$(cat /proc/$(cat /run/nginx.pid)/task/*/children)
systemctl reload nginx.service
for worker in $old; do
	tail --pid="$worker" --sleep-interval=0.01 -f /dev/null
done
set +e
"$@"
code=$?
nginx -t > {TEST} 2>&1
echo $? >> {TEST}
exit $code
"""


@dataclasses.dataclass(frozen=True)
class Point:
    number: int
    call: str
    thing: str

    @property
    def kind(self):
        """What makes two points the same: random and growing parts of names left out."""
        return self.call, re.sub(r"\.[0-9a-f]{8}\.tmp\b", ".X.tmp", self.thing)

    def __str__(self):
        return f"{self.number} ({self.call} {self.thing})"


def distinct(points, repeats=2):
    """The points without those that merely repeat: polls and the pieces of one conversation. What
    is said to others counts more often than what they answer."""
    seen, chosen = {}, []
    for point in points:
        seen[point.kind] = seen.get(point.kind, 0) + 1
        if seen[point.kind] <= repeats * (4 if point.call.startswith("send") else 1):
            chosen.append(point)
    return chosen


class Broken(AssertionError):
    """A promise that did not hold."""


def hold(condition, text, *details):
    if not condition:
        raise Broken("\n".join([text, *map(str, details)]))


def public_bytes(key):
    return key.public_bytes(serialization.Encoding.DER,
                            serialization.PublicFormat.SubjectPublicKeyInfo)


class Lab:
    def __init__(self, host, nginx, agent, sandbox, driver):
        self.host, self.nginx, self.agent, self.sandbox = host, nginx, agent, sandbox
        self.driver = str(driver)
        self.root = pathlib.Path(f"/proc/{host.pid}/root")
        self.ca = sandbox.roots()
        self.scenario = None
        self.issued_before = 0
        self.had_snippet = False

    # --- files, read through the root of PID 1: cheap, and no link is on these paths

    def path(self, inside):
        return self.root / inside.lstrip("/")

    def issued(self):
        path = self.path(f"{self.sandbox.directory}/issued.jsonl")
        return len(path.read_text().splitlines()) if path.exists() else 0

    # --- the state that a scenario starts from

    def begin(self, scenario):
        self.scenario = scenario
        scenario.begin(self)
        self.save()

    def save(self):
        self.host.run(["rm", "-rf", START])
        self.host.run(["cp", "-a", STATE_DIRECTORY, START])
        self.had_snippet = self.snippet() is not None

    # --- one point

    def drive(self, *options):
        """One pass under the driver, from the start."""
        self.issued_before = self.issued()
        return self.host.run(["sh", "-c", ROUND, "round", self.scenario.spoil, self.driver, "--log",
                              LOG, "--from", STATE_DIRECTORY, *options, "--", PROGRAM,
                              "--renew-now", "--json", NAME], check=False)

    def points(self, *options):
        """All points of an undisturbed pass."""
        done = self.drive("--count", *options)
        hold(done.returncode == self.scenario.undisturbed, "the pass that is counted goes wrong",
             done.returncode, done.stdout, done.stderr)
        return self.log()

    def log(self):
        """The points of the last pass under the driver."""
        lines = self.path(LOG).read_text().splitlines()
        return [Point(int(number), call, thing) for number, call, thing in
                (line.split("\t", 2) for line in lines)]

    def crash(self, point, options=()):
        done = self.drive("--at", str(point.number), *options)
        reached = len(self.log()) >= point.number
        hold(done.returncode == KILLED or not reached, "the pass was not killed", done)
        self.harmless()
        self.recovers()

    def fail(self, point, error, options=()):
        done = self.drive("--at", str(point.number), "--fail", error, "--reads", *options)
        told = f"exit {done.returncode}", done.stdout, done.stderr
        hold(done.returncode in (0, 1, 3, 4), "the pass did not end in order", *told)
        hold(done.returncode == 0 or done.stderr.strip(), "it failed and did not say why", *told)
        try:
            self.harmless()
            if done.returncode == 0:
                self.current()
            self.recovers()
        except Broken as error:
            raise Broken(f"{error}\n--- the pass with the failing call said\n" +
                         "\n".join(told)) from None

    # --- the promises

    def snippet(self):
        path = self.path(self.nginx.snippet(NAME))
        return path.read_text() if path.exists() else None

    def pair(self, snippet):
        """The leaf (DER) that a snippet names; its key must be the one that is named with it."""
        paths = [re.search(rf'^{word} "(.*)";$', snippet, re.M) for word in
                 ("ssl_certificate", "ssl_certificate_key")]
        hold(all(paths), "a snippet that names no pair:", snippet)
        leaf_path, key_path = (self.path(match.group(1)) for match in paths)
        try:
            leaf = x509.load_pem_x509_certificate(leaf_path.read_bytes())
            key = serialization.load_pem_private_key(key_path.read_bytes(), None)
        except (OSError, ValueError) as error:
            raise Broken(f"the snippet names what cannot be read: {error}\n{snippet}") from error
        hold(public_bytes(leaf.public_key()) == public_bytes(key.public_key()),
             "the snippet names a key and a leaf that do not belong together:", snippet)
        return leaf.public_bytes(serialization.Encoding.DER)

    def served(self, ca):
        try:
            return self.nginx.served(NAME, ca=ca)
        except (ssl.SSLError, OSError) as error:
            raise Broken(f"nginx serves no leaf that a visitor would take: {error!r}") from error

    def harmless(self):
        """What must hold at any moment: after a crash, after a failure."""
        snippet = self.snippet()
        hold(snippet or not self.had_snippet, "the snippet is gone")
        if snippet:
            self.pair(snippet)
        self.served(self.ca if self.scenario.trusted else None)
        test = self.path(TEST).read_text()
        hold(test.endswith("\n0\n"), "nginx would not start any more:", test)

    def current(self):
        """What exit code 0 claims."""
        leaf = leaf_from_der(self.pair(self.snippet() or ""))
        served = self.served(self.ca)
        hold(served.sha256 == leaf.sha256, "served is not what the snippet names:", served, leaf)
        directory = f"{STATE_DIRECTORY}/certificates/{NAME}"
        newest = max(path.name for path in self.path(directory).iterdir() if path.name.isdigit())
        hold(f"{directory}/{newest}/" in self.snippet(), f"generation {newest} is newer than",
             self.snippet())
        hold(set(served.sans) == set(self.scenario.hostnames), "the leaf has other names", served)
        issued = self.issued() - self.issued_before
        hold(issued == self.scenario.issues, f"{issued} certificates were issued, not "
             f"{self.scenario.issues}")

    def recovers(self):
        """One pass undisturbed, and all is as if nothing had happened."""
        if self.scenario.mend:
            self.host.run(["sh", "-c", self.scenario.mend])
        done = self.agent.renew(NAME)
        hold(done.returncode == 0, "the pass afterwards does not end well:", done)
        self.current()
        active = done.certificate(NAME)["serial"]
        hold(active == self.served(self.ca).serial, "another serial is told than served:", done)
        left = [str(path) for path in self.path(STATE_DIRECTORY).rglob("*")
                if path.name.startswith(".") or path.name.endswith(".tmp")
                or path.name.startswith("rollback.") or path.name == "pending"]
        hold(not left, "left behind:", *left)
        state = json.loads(self.path(f"{STATE_DIRECTORY}/certificates/{NAME}/state.json")
                           .read_text())
        hold(state["active"] == state["newest"], "not all is recorded as done:", state)
