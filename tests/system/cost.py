"""What each test file costs in processor time, its hosts and all that ran in them included: hooks
for conftest.py, which tell it at the end of a run. A host is counted when it has stopped."""

import resource

import pytest

# What takes longest begins first: a file that begins last, and long, is waited for by all.
LONGEST = ("package", "crash", "unprivileged", "many_servers", "idle", "own_key",
           "matrix_tomcat_restart", "server_fixtures", "years", "tomcat", "events", "cpanel",
           "three_servers", "service", "matrix_tomcat_ssl_reload", "formats", "cloudflare_side",
           "awaited", "origin_pulls", "aws_acm", "apache", "inventory", "init", "restore",
           "rollback", "check", "service_over_time", "unit", "many_certificates", "two_servers",
           "crash_remote", "stop", "iis", "httpd", "last_good", "clock")

costs = {}          # of this process, by file
state = {"spent": 0.0}


def rank(file):
    """Of the name of a test file: 0 is the one that takes longest, and many are not told apart."""
    name = file.removeprefix("test_").removesuffix(".py")
    return LONGEST.index(name) if name in LONGEST else len(LONGEST)


def order(items):
    """Sorts the tests: the files of LONGEST, then the others as they come."""
    items.sort(key=lambda item: rank(item.path.name))


def spent():
    return sum(usage.ru_utime + usage.ru_stime for usage in map(
        resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)))


def note(file):
    now = spent()
    costs[file] = costs.get(file, 0) + now - state["spent"]
    state["spent"] = now


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_teardown(item):
    yield
    note(item.path.name)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session):
    """A worker of pytest-xdist hands its costs over."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["costs"] = costs


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    for file, seconds in (getattr(node, "workeroutput", None) or {}).get("costs", {}).items():
        costs[file] = costs.get(file, 0) + seconds


def tell(terminalreporter):
    if not costs:
        return
    terminalreporter.write_sep("-", f"processor time: {sum(costs.values()):.0f} s")
    for file, seconds in sorted(costs.items(), key=lambda one: -one[1]):
        terminalreporter.write_line(f"{seconds:7.1f} s  {file}")
