"""From nothing to a certificate that nginx serves, in the orders in which it happens to people."""

import time

import pytest

from origin import NAME

SLOW = "nginx.service.d/slow.conf"


@pytest.fixture(name="agent")
def fixture_agent(clean_agent):
    clean_agent.certificate(NAME)
    return clean_agent


@pytest.fixture(name="nginx")
def fixture_nginx(clean_nginx):
    return clean_nginx


@pytest.fixture(name="sandbox")
def fixture_sandbox(module_sandbox):
    return module_sandbox


@pytest.mark.calm
def test_placeholder_lets_nginx_start_and_is_replaced_by_the_certificate(agent, nginx, sandbox):
    nginx.add(NAME)
    assert nginx.test().returncode != 0      # the file that it includes is not there yet
    sandbox.fault("POST /certificates:1010:always")
    done = agent.renew(check=1)
    assert "1010" in done.certificate(NAME)["error"]["message"]
    assert agent.generations(NAME) == [0]

    nginx.start()
    placeholder = nginx.served(NAME)
    assert placeholder.issuer == placeholder.subject and NAME in placeholder.sans
    status = agent.status().certificate(NAME)
    assert not status["current"] and status["newest_generation"] == 0
    assert "no certificate yet" in agent.command("status", check=1).stdout
    assert not agent.probe(check=1).json["probes"][0]["holds"]
    assert "placeholder" in agent.render(NAME, "nginx", check=0).stdout

    sandbox.clear_faults()
    done = agent.renew(check=0)
    assert done.json["reloads"] == 1 and done.certificate(NAME)["issued"]
    assert nginx.served(NAME, ca=sandbox.roots()).serial == done.certificate(NAME)["serial"]
    assert nginx.served(f"www.{NAME}", ca=sandbox.roots()).serial == done.certificate(
        NAME)["serial"]
    assert len(sandbox.issued()) == 1


def test_certificate_waits_for_a_server_that_does_not_run_yet(agent, nginx, sandbox):
    nginx.add(NAME)
    done = agent.renew(check=1)
    assert "nginx.service is inactive" in done.target(NAME)["error"]["message"]
    assert agent.generations(NAME)[-1] == 1
    nginx.start()
    assert nginx.served(NAME, ca=sandbox.roots()).serial == done.certificate(NAME)["serial"]
    assert agent.renew(check=0).target(NAME)["verified"]
    assert len(sandbox.issued()) == 1


def test_running_nginx_gets_the_certificate_of_a_new_server_block_in_one_pass(
        agent, nginx, sandbox):
    nginx.add("old", "old.example.com", snippet=nginx.self_signed("old.example.com"))
    nginx.start()
    pid = nginx.main_pid()
    nginx.add(NAME)      # on disk, as configuration management leaves it; nobody reloaded
    done = agent.renew(check=0)
    assert done.json["changed"] and done.json["reloads"] == 1
    assert done.certificate(NAME)["outcome"] == "issued"
    assert nginx.served(NAME, ca=sandbox.roots()).serial == done.certificate(NAME)["serial"]
    assert nginx.served("old.example.com").sans == ("old.example.com",)
    assert nginx.main_pid() == pid


def test_missing_include_is_named_and_costs_no_second_certificate(agent, nginx, sandbox):
    agent.target("nginx", probe_timeout="1s")
    nginx.add(NAME, snippet=nginx.self_signed(NAME))
    nginx.start()
    by_hand = nginx.served(NAME)
    done = agent.renew(check=1)
    error = done.target(NAME)["error"]
    assert "another certificate" in error["message"] and by_hand.serial in error["message"]
    assert f"include {nginx.snippet(NAME)};" in error["remedy"]
    assert f"include {nginx.snippet(NAME)};" in done.stderr
    assert nginx.served(NAME) == by_hand
    # the snippet stays for the one who will include it
    assert "/0001/fullchain.pem" in nginx.host.read(nginx.snippet(NAME))
    probe = agent.probe(check=1).json["probes"][0]
    assert not probe["holds"] and probe["hostnames"][0]["shown"] == "other"
    assert probe["hostnames"][0]["serial"] == by_hand.serial

    nginx.add(NAME)
    again = agent.renew(check=0)
    assert not again.certificate(NAME)["issued"]
    assert nginx.served(NAME, ca=sandbox.roots()).serial == done.certificate(NAME)["serial"]
    assert len(sandbox.issued()) == 1
    assert agent.probe(check=0).json["probes"][0]["holds"]


@pytest.fixture(name="slow_nginx")
def fixture_slow_nginx(nginx):
    """It takes up a new configuration five seconds after its reload has ended."""
    nginx.host.unit(SLOW, "[Service]\nExecReload=\nExecReload=/usr/bin/systemd-run --on-active=5 "
                    "--timer-property=AccuracySec=100ms /bin/kill -HUP $MAINPID\n")
    yield nginx
    nginx.host.remove(f"/etc/systemd/system/{SLOW}")
    nginx.host.run(["systemctl", "daemon-reload"])


@pytest.mark.calm
def test_server_that_includes_nothing_is_not_waited_for_and_one_that_does_gets_its_time(
        agent, slow_nginx, sandbox):
    nginx = slow_nginx
    agent.target("nginx", probe_timeout="60s")
    nginx.add(NAME, snippet=nginx.self_signed(NAME))
    nginx.host.write("/etc/nginx/conf.d/note.conf", f"# include {nginx.snippet(NAME)};\n")
    nginx.start()
    began = time.monotonic()
    done = agent.renew(check=1)
    assert time.monotonic() - began < 30
    assert f"include {nginx.snippet(NAME)};" in done.target(NAME)["error"]["remedy"]

    nginx.host.run(["systemctl", "stop", "run-*.timer"])
    nginx.add(NAME)
    began = time.monotonic()
    assert agent.renew(check=0).target(NAME)["verified"]
    assert time.monotonic() - began > 4
    assert nginx.served(NAME, ca=sandbox.roots()).serial == sandbox.issued()[0]["id"]
    assert len(sandbox.issued()) == 1


def test_every_kind_of_key_is_served(agent, nginx, sandbox):
    kinds = {NAME: ("rsa-2048", "rsaEncryption"), "p384.example.com": ("ecdsa-p384", "secp384r1")}
    for name, (key_type, _) in kinds.items():
        agent.certificate(name, key_type=key_type)
        nginx.add(name)
    agent.renew()
    nginx.start()
    agent.renew(check=0)
    for name, (_, words) in kinds.items():
        leaf = nginx.served(name, ca=sandbox.roots())
        text = nginx.host.run(["openssl", "x509", "-noout", "-text"], input=leaf.pem).stdout
        assert words in text
    assert len(sandbox.issued()) == 2
