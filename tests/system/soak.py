"""A host that is left alone with its agent while everything happens to it (soak_world.py), and is
looked at from outside all the time (soak_watch.py). Run by tests/soak.sh, which tells the options.

At the end nobody does anything any more, and within a bound all is current and verified."""

import argparse
import collections
import pathlib
import random
import sys
import tempfile
import time

import product
from agent import SERVICE, STATE_DIRECTORY, Agent
from apache import Apache
from haproxy import Haproxy
from nginx import Nginx
from sandbox import Sandbox
from soak_watch import Watch
from soak_world import A_DAY, BACKDATE, MINUTE, World

BEGAN = time.monotonic()
CERTIFICATES = (("nginx",), ("apache",), ("haproxy",), ("nginx", "apache"),
                ("nginx", "apache", "haproxy"), ())
SETTLES = 60                # seconds for the first certificates, without trouble
CONVERGES = 90              # and for the end, once the last backoff is over
LEFTOVERS = ("-name", ".*", "-o", "-name", "*.tmp", "-o", "-name", "rollback*", "-o", "-name",
             "pending")


def tell(text):
    print(f"{time.monotonic() - BEGAN:7.1f} s  {text}", flush=True)


def options():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--renew-after", type=int, required=True)
    return parser.parse_args()


def make_world(host, build, given):
    rng = random.Random(given.seed)
    sandbox = Sandbox(host, product.sandbox_program(build), "--rate-limit", "none", "--backdate",
                      str(BACKDATE), chaos=False)
    agent = Agent(host, sandbox)
    servers = [Nginx(host), Apache(host), Haproxy(host)]
    agent.configure(agent={"splay": "0s"}, api={"timeout": "5s"})
    for server in servers:
        agent.target(server.target, **server.agent_keys(), probe_timeout="10s")
    watch = Watch(host, sandbox.roots(), tell)
    world = World(host, agent, sandbox, servers, watch, rng, given.renew_after)
    world.slow = given.seconds > 600
    by_name = {server.target: server for server in servers}
    for targets in CERTIFICATES:
        world.add([by_name[target] for target in targets])
    return world


def settle(world):
    """All is served, before anything happens."""
    world.agent.renew(check=1)
    for one in world.certificates:
        for server in one.servers:
            server.add(one.name)
        one.on_servers = True
    for server in world.servers:
        server.start()
    world.agent.renew(check=0)
    world.watch_what_is_current()
    assert all(one.watched for one in world.certificates), world.agent.status()
    world.agent.start()


def live(world, seconds):
    happened, end = collections.Counter(), time.monotonic() + seconds
    while time.monotonic() < end:
        happened[world.step()] += 1
        world.pause(8 if world.slow else 0.5)
    return happened


def current(world):
    status = world.agent.status()
    told = {one["name"]: one for one in status.json["certificates"]}
    return all(told.get(one.name, {}).get("current") for one in world.certificates)


def current_with_servers(world):
    """What is delivered only now, the administrator includes only now."""
    world.put_on_servers()
    return current(world)


def current_by_hand(world):
    world.put_on_servers()
    world.agent.renew()
    return current(world)


def converge(world):
    """By the service alone; what it still waits for, an administrator need not."""
    world.quiet()
    alone = world.watch.wait(lambda: current_with_servers(world),
                             CONVERGES if world.slow else 15)
    tell("quiet: " + ("all is current" if alone else "the agent still waits; a pass by hand"))
    if not alone and not world.watch.wait(lambda: current_by_hand(world), CONVERGES):
        world.watch.break_(f"does not converge:\n{world.agent.renew()}\n{world.agent.status()}")
    world.watch_what_is_current()


def judge(world):
    """What can only be said at the end."""
    watch, host = world.watch, world.host
    world.agent.stop()
    done = world.agent.renew()
    if done.returncode != 0:
        watch.break_(f"the last pass: {done}")
    for one in world.certificates:
        issued, allowed = len(world.issued(one)), world.allowed(one)
        if issued > min(allowed, A_DAY):
            watch.break_(f"{one.name}: {issued} certificates for at most {allowed} needs")
        newest = done.certificate(one.name)["serial"]
        for server in one.servers:
            served = server.served(one.name, ca=watch.roots).serial
            if served != newest:
                watch.break_(f"{server.target} serves {served} for {one.name}, not {newest}")
    for one in world.gone:
        if len(world.issued(one)) > A_DAY:
            watch.break_(f"{one.name}: {len(world.issued(one))} certificates in a day")
    left = host.output(["find", STATE_DIRECTORY, "-mindepth", "1", "(", *LEFTOVERS, ")"])
    gone = [f"/{one.name}/" for one in world.gone]
    left = [path for path in left.splitlines() if not any(name in path for name in gone)]
    if left:
        watch.break_(f"left behind: {left}")
    for fault in [*watch.faults_on_disk(), *watch.growth()[0]]:
        watch.break_(fault)
    if host.sanitizer_reports():
        watch.break_(host.sanitizer_reports())


def main():
    given = options()
    assert given.renew_after > MINUTE
    tell(f"seed {given.seed}: ORIGIN_CA_SOAK={given.seed} does the same again")
    build = product.plain_build_directory()
    with tempfile.TemporaryDirectory(prefix="origin-ca-soak.") as root:
        product.install(build, pathlib.Path(root))
        with product.boot_host(root, build) as host:
            world = make_world(host, build, given)
            settle(world)
            tell("all is served; from now on things happen")
            world.sandbox.stop()
            world.api_starts()
            world.watch.start(world.servers)
            try:
                happened = live(world, given.seconds)
                converge(world)
            finally:
                world.watch.stop()
            judge(world)
            report(world, happened)
            if world.watch.broken:
                print(host.journal(SERVICE, lines=150))
    sys.exit(1 if world.watch.broken else 0)


def report(world, happened):
    watch = world.watch
    tell("happened: " + ", ".join(f"{name.replace('_', ' ')} {count}"
                                  for name, count in happened.most_common()))
    tell(f"issued: {len(world.sandbox.issued())} certificates for {world.made} names; "
         f"{len(watch.leaves)} leaves were shown; {len(world.sandbox.requests())} requests")
    tell("handshakes: " + ", ".join(f"{name} {count}" for name, count in
                                    watch.handshakes.items())
         + f"; {watch.looks['disk']} looks at the disk; {watch.growth()[1]}")
    tell(f"soak: {len(watch.broken)} broken promises (seed {options().seed})")


if __name__ == "__main__":
    main()
