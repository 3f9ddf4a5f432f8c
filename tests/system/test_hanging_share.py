"""A share whose server is away hangs who touches it, for good: not the pass, nor the lock, nor what
else there is to do."""

import pathlib

import pytest

from iis import NAME, SHARE, STORE_PORT, Iis

FAKE = pathlib.Path(__file__).resolve().parent / "hanging_share.py"
UNIT = "hanging-share.service"
OTHER = "other.example.com"


@pytest.fixture(name="server", scope="module")
def fixture_server(module_host):
    return Iis(module_host)


@pytest.fixture(name="iis")
def fixture_iis(clean_agent, server):
    iis, host = server, server.host
    iis.empty()
    clean_agent.target("iis", **iis.keys(delivery="central-store", probe=f"127.0.0.1:{STORE_PORT}",
                                         probe_timeout="3s", reload_timeout="3s"))
    clean_agent.certificate(NAME, targets=["iis"])
    yield iis
    answer(host)


def hang(host):
    host.run(["systemd-run", "--quiet", "--collect", f"--unit={UNIT}", "/usr/bin/python3",
              str(FAKE), SHARE])
    host.wait(lambda: f" {SHARE} fuse" in host.read("/proc/mounts"))


def answer(host):
    """It is gone: who waited for it goes on, with an error."""
    host.run(["systemctl", "stop", UNIT], check=(0, 5))
    host.run(["umount", "--lazy", SHARE], check=(0, 1, 32))


def hanging(host):
    """Processes of the agent that wait in the kernel and cannot be killed: their numbers."""
    lines = host.output(["ps", "-eo", "pid=,stat=,comm="]).splitlines()
    return [int(line.split()[0]) for line in lines
            if line.split()[1].startswith("D") and "origin-ca" in line]


def test_share_that_hangs_costs_its_own_time_and_nothing_else(clean_agent, iis):
    host = iis.host
    clean_agent.renew(check=0)
    hang(host)
    clean_agent.certificate(OTHER, targets=None)
    done = clean_agent.renew(NAME, OTHER, force=True, check=1)
    assert done.certificate(OTHER)["outcome"] == "issued"
    error = done.target(NAME, "iis")["error"]
    left = hanging(host)
    assert len(left) == 1 and error["class"] == "transient", (left, error)
    assert f"{SHARE} does not answer: process {left[0]} hangs in it" in error["message"]
    assert "umount" in error["remedy"]
    # it holds no lock, and no second one joins it
    done = clean_agent.renew(check=1)
    error = done.target(NAME, "iis")["error"]
    assert f"process {left[0]} of an earlier try still hangs" in error["message"]
    assert hanging(host) == left
    assert done.certificate(OTHER)["outcome"] == "current"
    # nor does `check` hang, which says so
    findings = clean_agent.check().json["findings"]
    assert any(f"{SHARE} does not answer" in one["message"] for one in findings)
    answer(host)
    host.wait(lambda: not hanging(host))
    done = clean_agent.renew(check=0)
    assert iis.served(port=STORE_PORT) == done.certificate(NAME)["serial"]


def test_pass_that_is_killed_takes_its_process_with_it(clean_agent, iis):
    host = iis.host
    hang(host)
    process = host.spawn(["/usr/sbin/origin-ca-agent", "--renew-now", NAME])
    host.wait(lambda: hanging(host), 30)
    process.kill()
    process.wait(20)
    answer(host)
    host.wait(lambda: not host.run(["pgrep", "-x", "origin-ca-agent"], check=False).stdout)
    done = clean_agent.renew(check=0)
    assert iis.served(port=STORE_PORT) == done.certificate(NAME)["serial"]
