"""Fixtures of the system tests: hosts, and their journals in the report of a test that fails."""

import contextlib
import os
import pathlib
import tempfile
import weakref

import pytest

import cost
import product
import share
from agent import SERVICE, Agent
from nginx import Nginx
from origin import NAME, Origin
from sandbox import CHAOS, TOKENS, Sandbox
from service import Service

LIVE_HOSTS = weakref.WeakSet()

# hooks; pytest finds them by their names
pytest_runtest_teardown = cost.pytest_runtest_teardown
pytest_sessionfinish = cost.pytest_sessionfinish
pytest_testnodedown = cost.pytest_testnodedown


def pytest_collection_modifyitems(config, items):
    if items and os.geteuid() != 0:
        pytest.exit("the system tests boot hosts in namespaces: run them as root", 2)
    if CHAOS:
        calm = [item for item in items if item.get_closest_marker("calm")]
        config.hook.pytest_deselected(items=calm)
        items[:] = [item for item in items if item not in calm]
    items[:], others = share.today(items)
    config.hook.pytest_deselected(items=others)
    cost.order(items)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if not report.failed:
        return
    for number, host in enumerate(list(LIVE_HOSTS)):
        if host.pid is None:
            continue
        try:
            text = host.journal(lines=200)
        except Exception as error:
            text = f"(the journal cannot be read: {error})"
        report.sections.append((f"journal of host {number + 1}, last 200 lines", text))


def pytest_terminal_summary(terminalreporter):
    """What tests have to say beyond passed or failed: the fixture `tell`."""
    for outcome in ("passed", "failed"):
        for report in terminalreporter.getreports(outcome):
            for name, value in report.user_properties:
                if name == "told" and report.when == "call":
                    terminalreporter.write_line(f"{report.nodeid}: {value}")
    if CHAOS:
        terminalreporter.write_line(f"the sandboxes misbehaved: ORIGIN_CA_CHAOS={CHAOS}")
    if share.SHORT:
        terminalreporter.write_line(f"one day's share of {share.DAYS}: ORIGIN_CA_SYSTEM=short "
                                    f"ORIGIN_CA_DAY={share.DAY}")
    cost.tell(terminalreporter)


def stop_checked(host):
    """Stops the host; what a sanitizer found in a service fails the test."""
    if host.pid is None:
        return
    try:
        reports = host.sanitizer_reports()
    finally:
        LIVE_HOSTS.discard(host)
        host.stop()
    assert not reports, f"sanitizers reported in the host's journal:\n{reports}"


def boot(tree, build, **options):
    host = product.boot_host(tree, build, **options)
    LIVE_HOSTS.add(host)
    return host


@contextlib.contextmanager
def plain_host():
    """A host with the product as it is packaged, without sanitizers; and its build."""
    build = product.plain_build_directory()
    with tempfile.TemporaryDirectory(prefix="origin-ca-installed.") as directory:
        root = pathlib.Path(directory)
        product.install(build, root)
        host = boot(root, build)
        try:
            yield host, build
        finally:
            stop_checked(host)


@pytest.fixture
def tell(record_property):
    """tell(TEXT): a line about the test at the end of the run, passed or failed."""
    return lambda text: record_property("told", text)


@pytest.fixture(scope="session")
def build_directory():
    return product.build_directory()


@pytest.fixture(scope="session")
def installed_root(build_directory):
    """The product as `cmake --install` puts it, in a tree that is laid over every host's root."""
    with tempfile.TemporaryDirectory(prefix="origin-ca-installed.") as directory:
        root = pathlib.Path(directory)
        product.install(build_directory, root)
        yield root


@pytest.fixture
def host(installed_root, build_directory):
    """A freshly booted host with the product installed."""
    host = boot(installed_root, build_directory)
    yield host
    stop_checked(host)


@pytest.fixture(scope="module")
def module_host(installed_root, build_directory):
    """A host shared by the tests of one module: for tests that leave no traces."""
    host = boot(installed_root, build_directory)
    yield host
    stop_checked(host)


@pytest.fixture
def make_host(installed_root, build_directory):
    """Boots as many hosts as a test asks for; options are those of Host."""
    hosts = []

    def make(**options):
        hosts.append(boot(installed_root, build_directory, **options))
        return hosts[-1]

    yield make
    errors = []
    for host in hosts:
        try:
            stop_checked(host)
        except Exception as error:
            errors.append(error)
    if errors:
        raise errors[0]


@pytest.fixture
def sandbox(host, build_directory):
    """origin-ca-sandbox, listening inside `host`."""
    return Sandbox(host, product.sandbox_program(build_directory))


@pytest.fixture
def make_sandbox(build_directory):
    """Starts sandboxes with options of the test's own: make_sandbox(host, "--fault", ...)."""
    def make(host, *arguments, **options):
        return Sandbox(host, product.sandbox_program(build_directory), *arguments, **options)

    return make


@pytest.fixture
def nginx(host):
    """nginx of `host`, not started, without Debian's default site."""
    return Nginx(host)


@pytest.fixture
def clean_nginx(clean_agent):
    """nginx of `clean_agent`'s host as on the first day: stopped, no server blocks, no leftovers
    of a failed start, Debian's unit."""
    nginx = Nginx(clean_agent.host)
    nginx.reset()
    return nginx


@pytest.fixture
def origin(clean_agent, module_sandbox):
    """A host where all is well: nginx runs and serves a certificate for example.com."""
    origin = Origin(clean_agent, Nginx(clean_agent.host), module_sandbox)
    origin.settle()
    return origin


@pytest.fixture
def agent(host, sandbox):
    """The agent of `host`, configured for `sandbox`, with no certificates yet."""
    return Agent(host, sandbox)


@pytest.fixture(scope="module")
def module_sandbox(module_host, build_directory):
    """A sandbox in `module_host`, with tokens that may less; without a rate limit, as many tests
    ask it."""
    return Sandbox(module_host, product.sandbox_program(build_directory), "--rate-limit", "none",
                   tokens=TOKENS)


@pytest.fixture(scope="module")
def module_agent(module_host, module_sandbox):
    return Agent(module_host, module_sandbox)


@pytest.fixture
def clean_agent(module_agent, module_sandbox):
    """The agent of `module_host` as on the first day: no certificates, no state, the default
    configuration; its sandbox behaves, and counts from here on."""
    if module_sandbox.host.active(module_sandbox.unit) != "active":
        module_sandbox.start()
    module_sandbox.clear_faults()
    module_sandbox.mark()
    module_agent.reset()
    return module_agent


@pytest.fixture
def service(clean_agent):
    """The service, not started, with one certificate that needs no server."""
    clean_agent.certificate(NAME, targets=None)
    service = Service(clean_agent)
    service.host.run(["journalctl", "--rotate", "--vacuum-time=1s"])
    yield service
    clean_agent.stop()
    service.host.remove(f"/etc/systemd/system/{SERVICE}.d/50-test.conf")
    service.host.run(["systemctl", "daemon-reload"])
    service.host.run(["systemctl", "reset-failed"], check=False)
