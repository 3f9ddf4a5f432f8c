"""The helpers that the other system tests trust: sandbox, nginx and its client, agent."""

import pytest


@pytest.mark.calm
def test_sandbox_counts_misbehaves_and_keeps_what_it_issued(sandbox):
    assert sandbox.issued() == []
    sandbox.fault("GET /zones:1100:2")
    assert [sandbox.request("GET", "/zones").status for _ in range(3)] == [400, 400, 200]
    assert sandbox.stats()["issued"] == 0
    root = sandbox.roots()
    assert root.count("BEGIN CERTIFICATE") == 2
    sandbox.restart()
    assert sandbox.roots() == root
    sandbox.stop()
    with pytest.raises(OSError):
        sandbox.request("GET", "/zones")


def test_sandbox_is_stopped_by_its_own_command_also_after_a_daemon_reload(sandbox):
    """Else systemd's SIGCONT can meet LeakSanitizer's SIGSTOP, and both wait for ever."""
    sandbox.host.run(["systemctl", "daemon-reload"])
    show = sandbox.host.show(sandbox.unit, "ExecStop")
    assert "/bin/sh /usr/lib/origin-ca-agent-tests/stop ;" in show
    sandbox.stop()
    journal = sandbox.host.output(["journalctl", "--no-pager", "-o", "cat", "_PID=1"])
    assert "unknown escape" not in journal
    assert f"{sandbox.unit}: Control process exited" not in journal


def test_client_sees_a_server_that_goes_away_and_a_leaf_that_changes(nginx):
    snippet = nginx.self_signed("example.com")
    nginx.add("example.com", snippet=snippet)
    nginx.start()
    first = nginx.served("example.com")
    assert first.sans == ("example.com",)
    with nginx.client("example.com") as client:
        nginx.self_signed("example.com")
        nginx.reload()
        nginx.host.wait(lambda: nginx.served("example.com").sha256 != first.sha256)
        nginx.host.wait(lambda: len(client.leaves) == 2)
        assert not client.failures and client.requests > 2
        nginx.stop()
        nginx.host.wait(lambda: client.failures, message="the client notices")


def test_agent_gets_a_certificate_that_nginx_serves(agent, nginx, sandbox):
    nginx.add("example.com")
    agent.certificate("example.com")
    assert agent.renew("example.com").certificate("example.com")["issued"]
    nginx.start()
    done = agent.renew(check=0)
    (issued,) = sandbox.issued()
    served = nginx.served("www.example.com", ca=sandbox.roots())
    assert set(served.sans) == {"example.com", "*.example.com"}
    assert done.certificate("example.com")["serial"] == served.serial
    assert served.serial in str(issued)
    assert agent.generations("example.com")[-1] == 1
    assert agent.state("example.com")


def test_agent_tells_a_bad_drop_in_by_exit_code_and_file(agent):
    agent.drop_in("broken", "[certificate example.com]\nno_such_key = 1\n")
    done = agent.renew()
    assert done.returncode == 3
    assert "no_such_key" in done.stderr and "broken.ini" in done.stderr
