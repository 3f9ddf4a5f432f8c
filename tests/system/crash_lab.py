"""A host where one pass of the agent is interrupted at a chosen system call, and looked at.

A scenario brings the host to a state in which the agent has something to do. The lab keeps a copy
of it, and for each point: puts the copy back, lets crash-driver end the pass there (or make the
call fail), holds what is left against the promises, lets a pass run undisturbed, and holds again.
"""

import json
import os
import pathlib
import re
import ssl

from agent import PROGRAM, STATE_DIRECTORY
from crash_points import Point
from crash_servers import Unreadable, seen
from network import leaf_from_der
from nginx import Nginx

NAME = "example.com"
START = "/srv/start"             # the copy of the state directory
LOG = "/run/crash.log"
TEST = "/run/server-test"        # what `nginx -t` said, and its exit code, for each server
KILLED = 137

# Back to the start: the servers show their leaf, and no process of theirs knows another one. Then
# the pass, and whether the servers could start after it: all in one go, because entering a host
# costs more than most of this.
ROUND = f"""set -e
rm -rf {STATE_DIRECTORY} {LOG}
cp -a {START} {STATE_DIRECTORY}
eval "$1"
test=$2
shift 2
set +e
"$@"
code=$?
eval "$test" > {TEST} 2>&1
exit $code
"""


class Broken(AssertionError):
    """A promise that did not hold."""


def hold(condition, text, *details):
    if not condition:
        raise Broken("\n".join([text, *map(str, details)]))


class Lab:
    def __init__(self, host, nginx, agent, sandbox, driver):
        self.host, self.nginx, self.agent, self.sandbox = host, nginx, agent, sandbox
        self.driver = str(driver)
        self.root = pathlib.Path(f"/proc/{host.pid}/root")
        self.ca = sandbox.roots()
        self.scenario = None
        # asked before the target nginx
        self.other = Nginx(host, "front", 8444) if nginx else None
        self.tomcat = None              # started by the first scenario that wants it
        self.origins = {}               # the same of origins elsewhere, by their kind
        self.servers = []               # of the scenario, and how they are looked at
        self.seen = {}
        self.issued_before = 0
        self.driven = None              # what the pass under the driver came to
        self.had_snippet = {}           # a server and whether it had one at the start

    # --- files, read through the root of PID 1: cheap, and no link is on these paths

    def path(self, inside):
        return self.root / inside.lstrip("/")

    def issued(self):
        path = self.path(f"{self.sandbox.directory}/issued.jsonl")
        return len(path.read_text().splitlines()) if path.exists() else 0

    # --- the state that a scenario starts from

    def begin(self, scenario):
        self.scenario = scenario
        self.servers = scenario.servers(self)
        scenario.begin(self)
        self.save()

    def save(self):
        self.host.run(["rm", "-rf", START])
        self.host.run(["cp", "-a", STATE_DIRECTORY, START])
        self.seen = {server: seen(server) for server in self.servers}
        self.had_snippet = {server: self.snippet(server) is not None for server in self.servers}

    # --- one point

    def drive(self, *options):
        """One pass under the driver, from the start."""
        self.issued_before = self.issued()
        back = "\n".join([self.scenario.spoil, *(one.back for one in self.seen.values())])
        test = "".join(one.test for one in self.seen.values())
        self.driven = self.host.run(["sh", "-c", ROUND, "round", back, test, self.driver, "--log",
                                     LOG, "--from", STATE_DIRECTORY, *options, "--", PROGRAM,
                                     "--renew-now", "--json", NAME], check=False)
        return self.driven

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
                self.current(told=done.stderr)
            self.recovers()
        except Broken as error:
            raise Broken(f"{error}\n--- the pass with the failing call said\n" +
                         "\n".join(told)) from None

    # --- the promises

    def snippet(self, server=None):
        path = self.path((server or self.nginx).snippet(NAME))
        return path.read_text() if path.exists() else None

    def pair(self, server, snippet):
        """The leaf (DER) that a snippet names; its key must be the one that is named with it."""
        try:
            return self.seen[server].leaf(self.path, snippet)
        except Unreadable as error:
            raise Broken(f"{server.target}: the snippet names {error}\n{snippet}") from error

    def served(self, server, ca):
        try:
            return server.served(NAME, ca=ca)
        except (ssl.SSLError, OSError) as error:
            raise Broken(f"{server.target} serves no leaf that a visitor would take: "
                         f"{error!r}") from error

    def harmless(self):
        """What must hold at any moment: after a crash, after a failure."""
        self.scenario.rest(self)
        for server in self.servers:
            snippet = self.snippet(server)
            hold(snippet or not self.had_snippet[server], f"{server.target}: the snippet is gone")
            if snippet:
                self.pair(server, snippet)
            self.served(server, self.ca if self.scenario.trusted else None)
        test = self.path(TEST).read_text()
        hold(re.findall(r"^\d+$", test, re.M) == ["0"] * len(self.servers),
             "a server would not start any more:", test)

    def current(self, told=""):
        """What exit code 0 claims; `told`: what was said besides."""
        directory = f"{STATE_DIRECTORY}/certificates/{NAME}"
        newest = max(path.name for path in self.path(directory).iterdir() if path.name.isdigit())
        for server in self.servers:
            snippet = self.snippet(server) or ""
            leaf = leaf_from_der(self.pair(server, snippet))
            served = self.served(server, self.ca)
            hold(served.sha256 == leaf.sha256, f"{server.target}: served is not what the snippet "
                 "names:", served, leaf)
            hold(self.seen[server].names(snippet, f"{directory}/{newest}"),
                 f"generation {newest} is newer than", snippet)
            hold(set(served.sans) == set(self.scenario.hostnames), "the leaf has other names",
                 served)
        live = os.readlink(self.path(f"{STATE_DIRECTORY}/live/{NAME}"))
        hold(live.endswith(f"/{newest}"), f"generation {newest} is newer than live", live)
        try:
            self.scenario.also(self, self.path(f"{directory}/{newest}"))
        except (AssertionError, OSError, ValueError) as error:
            hold(self.scenario.may_wait and self.scenario.may_wait in told,
                 f"not all is as it is wanted: {error!r}")
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
        for server in self.servers:
            hold(active == self.served(server, self.ca).serial,
                 f"another serial is told than {server.target} serves:", done)
        left = [str(path) for path in self.path(STATE_DIRECTORY).rglob("*")
                if path.name.startswith(".") or path.name.endswith(".tmp")
                or path.name.startswith("rollback.") or path.name == "pending"]
        hold(not left, "left behind:", *left)
        state = json.loads(self.path(f"{STATE_DIRECTORY}/certificates/{NAME}/state.json")
                           .read_text())
        hold(state["active"] == state["newest"], "not all is recorded as done:", state)
