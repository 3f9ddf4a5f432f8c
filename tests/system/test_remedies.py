"""The remedies of the most frequent messages: each is provoked, what is printed is done to the
letter, and then all is well. What a remedy names (a command, a path, a line of configuration) is
taken from its text, so that a remedy that went wrong would fail here."""

import re
import shlex

import pytest

from agent import CONFIG_DIRECTORY
from origin import NAME

TOKEN = f"{CONFIG_DIRECTORY}/api-token"


@pytest.fixture(name="web")
def fixture_web(clean_agent, clean_nginx):
    """nginx that serves a certificate made by hand; nothing of the agent's yet."""
    clean_nginx.install_by_hand(NAME)
    clean_nginx.add(NAME, snippet=clean_nginx.snippet_of_hand(NAME))
    clean_nginx.start()
    clean_agent.certificate(NAME, targets=None)
    return clean_agent, clean_nginx


def error_of(done, kind, target=None):
    """What a pass says went wrong, in the words that people get as well."""
    found = done.target(NAME, target)["error"] if target else (
        done.json.get("error") or done.certificate(NAME)["error"])
    assert found["class"] == kind, done
    assert found["message"] in done.stderr and found["remedy"] in done.stderr, done
    return found["message"], found["remedy"]


def problem_of(done):
    problem, = [one for one in done.json["problems"] if not one["warning"]]
    assert problem["message"] in done.stderr and problem["remedy"] in done.stderr
    return problem


def quoted(remedy, pattern):
    match = re.search(pattern, remedy)
    assert match, f"{pattern!r} is not in the remedy {remedy!r}"
    return match.group(1)


def edit(host, path, old, new):
    text = host.read(path)
    assert old in text
    host.write(path, text.replace(old, new))


def all_is_well(agent, *names):
    """And only one certificate was issued on the way."""
    agent.renew(*names, check=0)
    assert len(agent.sandbox.issued()) == 1


def test_unknown_key(web):
    agent, _ = web
    agent.certificate(NAME, targets=None, validty="90d")
    problem = problem_of(agent.renew(check=3))
    edit(agent.host, problem["file"], "validty", quoted(problem["remedy"], 'did you mean "(.*)"'))
    all_is_well(agent)


def test_target_that_does_not_exist(web):
    agent, nginx = web
    agent.certificate(NAME, targets="ngnix")
    problem = problem_of(agent.renew(check=3))
    edit(agent.host, problem["file"], "ngnix", quoted(problem["remedy"], 'did you mean "(.*)"'))
    nginx.add(NAME)
    agent.renew()
    all_is_well(agent)


def test_line_that_is_too_long(web):
    agent, _ = web
    names = [f"a-rather-long-name-of-a-host-{number}.{NAME}" for number in range(6)]
    agent.drop_in(NAME, f"[certificate {NAME}]\nhostnames = {' '.join(names)}\n")
    problem = problem_of(agent.renew(check=3))
    assert problem["remedy"] == "continue the value on further lines that are indented"
    agent.drop_in(NAME, f"[certificate {NAME}]\nhostnames =\n" +
                  "".join(f"    {name}\n" for name in names))
    all_is_well(agent)


def test_token_that_is_not_there(web):
    agent, _ = web
    agent.configure(api={"token_file": None})
    agent.host.remove(TOKEN)
    _, remedy = error_of(agent.renew(check=1), "configuration")
    path, mode = re.search(r"write it to (\S+) with mode (\d+)", remedy).groups()
    agent.host.write(path, agent.sandbox.token + "\n", int(mode, 8))
    all_is_well(agent)


def test_token_that_others_may_read(web):
    agent, _ = web
    agent.host.run(["chmod", "0644", TOKEN])
    _, remedy = error_of(agent.renew(check=1), "configuration")
    agent.host.run(shlex.split(quoted(remedy, r"(chmod 0600 \S+)")))
    all_is_well(agent)


def test_token_that_cloudflare_does_not_accept(web):
    agent, _ = web
    agent.token(agent.sandbox.token_that("expired"))
    _, remedy = error_of(agent.renew(check=1), "authorization")
    path = quoted(remedy, r"the token in (\S+) is active, not expired")
    assert "SSL and Certificates > Edit" in remedy
    agent.host.write(path, agent.sandbox.token + "\n", 0o600)
    all_is_well(agent)


def test_token_that_may_read_but_not_edit(web):
    agent, _ = web
    agent.token(agent.sandbox.token_that("reads"))
    _, remedy = error_of(agent.renew(check=1), "authorization")
    path = quoted(remedy, r"the token in (\S+) can read this zone but not edit it: give it the "
                          r"permission Zone > SSL and Certificates > Edit")
    agent.host.write(path, agent.sandbox.token + "\n", 0o600)
    all_is_well(agent)


def test_name_that_is_in_no_zone(web):
    agent, _ = web
    agent.certificate(NAME, targets=None, hostnames=["www.exmaple.com"])
    _, remedy = error_of(agent.renew(check=1), "configuration")
    assert quoted(remedy, r"one of these is misspelt.*: (\S+)$") == "www.exmaple.com"
    agent.certificate(NAME, targets=None, hostnames=["www.example.com"])
    all_is_well(agent)


def test_disk_that_is_full(web):
    agent, _ = web
    host, mount = agent.host, "/srv/small"
    host.run(["mkdir", "-p", mount])
    host.run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=755", "tmpfs", mount])
    try:
        agent.configure(agent={"state_dir": f"{mount}/state"})
        host.run(["sh", "-c", f"! cat /dev/zero > {mount}/ballast"])
        _, remedy = error_of(agent.renew(check=1), "local")
        path = quoted(remedy, r"make room on the file system that holds (\S+)")
        where = host.output(["sh", "-c", f"p={path}; while [ ! -e $p ]; do p=${{p%/*}}; done; "
                             "df --output=target $p | tail -n 1"])
        assert agent.sandbox.issued() == []
        host.remove(f"{where}/ballast")
        all_is_well(agent)
    finally:
        host.run(["umount", mount])


def test_certificate_that_the_server_does_not_include(web):
    agent, nginx = web
    agent.certificate(NAME)
    message, remedy = error_of(agent.renew(check=1), "deploy", "nginx")
    assert "shows another certificate" in message
    include = quoted(remedy, r"put `(include \S+;)` in the server block of that name")
    edit(agent.host, f"/etc/nginx/conf.d/{NAME}.conf",
         f"include {nginx.snippet_of_hand(NAME)};", include)
    all_is_well(agent)
    assert nginx.served(NAME, ca=agent.sandbox.roots()).serial == agent.sandbox.issued()[0]["id"]


def test_server_that_does_not_run(web):
    agent, nginx = web
    agent.certificate(NAME)
    nginx.add(NAME)
    agent.host.run(["systemctl", "stop", "nginx"])
    _, remedy = error_of(agent.renew(check=1), "deploy", "nginx")
    agent.host.run(shlex.split(quoted(remedy, r"(systemctl start \S+)")))
    all_is_well(agent)


def test_unit_that_is_masked(web):
    agent, nginx = web
    agent.certificate(NAME)
    nginx.add(NAME)
    agent.host.run(["systemctl", "stop", "nginx"])
    agent.host.run(["mkdir", "-p", "/run/systemd/system"])
    agent.host.run(["systemctl", "mask", "--runtime", "nginx"])
    try:
        message, remedy = error_of(agent.renew(check=1), "deploy", "nginx")
        assert "nginx.service is masked" in message
        command = quoted(remedy, r"(systemctl unmask \S+) && ")
        agent.host.run([*shlex.split(command), "--runtime"])     # as it was masked
        agent.host.run(shlex.split(quoted(remedy, r"&& (systemctl start \S+)")))
        all_is_well(agent)
    finally:
        agent.host.run(["systemctl", "unmask", "--runtime", "nginx"])


def test_unit_that_cannot_reload(web):
    agent, nginx = web
    host = agent.host
    agent.certificate(NAME)
    nginx.add(NAME)
    agent.renew()
    host.unit("nginx.service.d/none.conf", "[Service]\nExecReload=\n")
    try:
        agent.renew(NAME, force=True)
        _, remedy = error_of(agent.renew(check=1), "configuration", "nginx")
        agent.target("nginx", **dict([quoted(remedy, r"set `(reload = restart)`").split(" = ")]))
        agent.renew(check=0)
        assert nginx.served(NAME).serial == agent.sandbox.issued()[-1]["id"]
    finally:
        host.remove("/etc/systemd/system/nginx.service.d/none.conf")
        host.run(["systemctl", "daemon-reload"])


def test_somebody_elses_line_that_the_server_refuses(web):
    agent, nginx = web
    agent.certificate(NAME)
    nginx.add(NAME)
    agent.renew(check=0)
    place = nginx.break_elsewhere()
    agent.renew(NAME, force=True)
    message = agent.renew(check=1).target(NAME)["error"]["message"]
    path = quoted(message, rf"({re.escape(place.rsplit(':', 1)[0])})")
    agent.host.remove(path)
    agent.renew(check=0)
    assert nginx.served(NAME).serial == agent.sandbox.issued()[-1]["id"]
