"""How a run goes through the points of a scenario: on several hosts at once, and what it tells.

ORIGIN_CA_CRASH, ORIGIN_CA_CRASH_SEED and ORIGIN_CA_CRASH_HOSTS are explained in test_crash.py.
"""

import contextlib
import os
import queue
import random
import threading

import product
from agent import Agent
from conftest import stop_checked
from crash_lab import Lab
from sandbox import Sandbox

EXTENT = os.environ.get("ORIGIN_CA_CRASH", "share")      # or "kinds", "all"
SEED = int(os.environ.get("ORIGIN_CA_CRASH_SEED") or random.randrange(1 << 16))
SHOWN = 5       # broken points, before a test gives up


def hosts(default):
    return int(os.environ.get("ORIGIN_CA_CRASH_HOSTS", default))


@contextlib.contextmanager
def laboratories(root, count, server=None):
    """`count` labs, each on a host of its own with the product from below `root`; server(host):
    the nginx of one."""
    build = product.plain_build_directory()
    product.install(build, root)
    booted, made = [], []
    try:
        for _ in range(count):
            host = product.boot_host(root, build)
            booted.append(host)
            sandbox = Sandbox(host, product.sandbox_program(build), chaos=False)
            made.append(Lab(host, server(host) if server else None, Agent(host, sandbox), sandbox,
                            build / "tests/system/crash-driver"))
        yield made
    finally:
        for host in booted:
            stop_checked(host)


def in_all(labs, work):
    """work(lab) in a thread for each; the first error is raised."""
    errors = []

    def guarded(lab):
        try:
            work(lab)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(lab,)) for lab in labs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def try_all(labs, found, points, attempt, tell):
    """attempt(lab, *point) for each of the points, on whichever lab is free."""
    todo, broken = queue.SimpleQueue(), []
    for point in points:
        todo.put(point)

    def work(lab):
        while len(broken) < SHOWN:
            try:
                point = todo.get_nowait()
            except queue.Empty:
                return
            try:
                attempt(lab, *point)
            except AssertionError as error:
                where, *how = point
                broken.append(f"--- at point {where} {how or ''}:\n{error}")

    in_all(labs, work)
    tell(f"{len(points) - todo.qsize()} points tried of {len(found)} calls, {len(broken)} broken "
         f"(seed {SEED})")
    assert not broken, "\n".join(broken)
