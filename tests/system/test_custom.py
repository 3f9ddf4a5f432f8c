"""Servers that the agent does not know: a template of the user's own, and a unit or a command. The
lighttpd of the documentation, word for word, and what a reload_command may and may not do."""

import json
import pathlib
import re

import pytest

from host import REPOSITORY
from lighttpd import ENABLED, Lighttpd
from origin import NAME

TEMPLATE = "/etc/origin-ca-agent/templates/lighttpd.mustache"
COMMAND = "/srv/my server/ctl"
TOLD = "/srv/told/told.json"

# What the program sees of the world, then what the test wants it to do.
SCRIPT = """#!/usr/bin/python3
import json, os, sys, time
with open("{told}", "a") as file:
    json.dump({{"argv": sys.argv, "environment": dict(os.environ), "directory": os.getcwd(),
               "leader": os.getpgrp() == os.getpid(), "input": os.readlink("/proc/self/fd/0"),
               "descriptors": sorted(int(fd) for fd in os.listdir("/proc/self/fd")
                                     if os.path.exists("/proc/self/fd/" + fd))}}, file)
    file.write("\\n")
{body}
"""
RELOADS = """
print("one line\\x1b[31m\\n\\nof output", flush=True)
print("told to stderr", file=sys.stderr, flush=True)
os.execv("/usr/bin/systemctl", ["systemctl", "reload", "nginx.service"])
"""


def documented(heading):
    """The code blocks below a heading of the documentation."""
    text = pathlib.Path(REPOSITORY, "docs/configuration.md").read_text(encoding="utf-8")
    section = re.search(rf"^## {heading}$(.*?)^## ", text, re.M | re.S).group(1)
    return re.findall(r"^```\w*\n(.*?)^```$", section, re.M | re.S)


@pytest.fixture(name="lighttpd")
def fixture_lighttpd(clean_agent):
    """Configured as the documentation has it, with its first certificate."""
    host = clean_agent.host
    configuration, template, socket = documented("Any other server")
    lighttpd = Lighttpd(host, port=443)
    clean_agent.drop_in("lighttpd", configuration)
    clean_agent.join("www-data")
    host.write(TEMPLATE, template)
    done = clean_agent.renew(check=1)
    assert "lighttpd.service is inactive" in done.target(NAME, "lighttpd")["error"]["message"]
    shown = clean_agent.render(NAME, "lighttpd", check=0).stdout
    assert shown == host.read(lighttpd.snippet(NAME))
    host.write(f"{ENABLED}/10-tls.conf", 'server.modules += ( "mod_openssl" )\n' + socket)
    host.run(["systemctl", "start", lighttpd.unit])
    host.wait(lambda: host.listening(443))
    clean_agent.renew(check=0)
    yield lighttpd
    host.run(["systemctl", "stop", lighttpd.unit])
    host.remove(f"{ENABLED}/10-tls.conf")


def test_lighttpd_of_the_documentation_is_renewed_and_survives_a_template(
        lighttpd, clean_agent, module_sandbox):
    agent, host, roots = clean_agent, lighttpd.host, module_sandbox.roots()
    pid = lighttpd.main_pid()
    done = agent.renew(NAME, force=True, check=0)
    assert done.json["reloads"] == 1 and lighttpd.main_pid() == pid
    serial = module_sandbox.issued()[-1]["id"]
    assert lighttpd.served(NAME, ca=roots).serial == serial
    # what it cannot read ends it, a moment after its reload: it comes back with what it had
    host.write(TEMPLATE, host.read(TEMPLATE) + "server.modules +=\n")
    done = agent.renew(NAME, force=True, check=1)
    target = done.target(NAME, "lighttpd")
    assert target["rolled_back"]
    assert f"{lighttpd.snippet(NAME)} line: " in target["error"]["message"]
    assert "fails as well" not in target["error"]["message"]
    assert lighttpd.active() == "active"
    assert lighttpd.served(NAME, ca=roots).serial == serial


@pytest.fixture(name="told")
def fixture_told(origin):
    """nginx, reloaded by a program of the administrator's; told() is what it saw at its calls."""
    origin.host.remove(TOLD)
    origin.agent.give(TOLD.rpartition("/")[0])
    origin.agent.target("nginx", reload_command=[f'"{COMMAND}"', '--message "two $(touch /srv/x)"',
                                                 'reload'], reload_timeout="2s")
    program(origin, RELOADS)
    return lambda: [json.loads(line) for line in origin.host.read(TOLD).splitlines()]


def program(origin, body):
    origin.host.write(COMMAND, SCRIPT.format(told=TOLD, body=body), mode=0o755)


def test_command_is_run_as_it_is_written_and_sees_nothing_of_us(origin, told):
    done = origin.agent.renew(NAME, force=True, check=0,
                              env={"SECRET": "of the caller", "LD_PRELOAD": ""})
    assert done.json["reloads"] == 1 and origin.served() == origin.serials()[1]
    call, = told()
    assert call["argv"] == [COMMAND, "--message", "two $(touch /srv/x)", "reload"]
    assert not origin.host.exists("/srv/x")
    assert set(call["environment"]) - {"LC_CTYPE"} == {"PATH", "LANG", "ORIGIN_CA_TARGET"}
    assert call["environment"]["ORIGIN_CA_TARGET"] == "nginx"
    assert call["directory"] == "/" and call["leader"] and call["input"] == "/dev/null"
    assert set(call["descriptors"]) <= {0, 1, 2, 3}     # 3: the file that it writes this to
    for line in ("one line", "of output", "told to stderr"):
        assert f"nginx: reload_command: {line}" in done.stderr
    assert "\033" not in done.stderr


def test_command_that_fails_has_its_snippet_taken_back_and_its_words_told(origin, told):
    before = origin.host.read(origin.nginx.snippet(NAME))
    program(origin, "print('the cluster has no quorum')\nsys.exit(3)")
    done = origin.agent.renew(NAME, force=True, check=1)
    error = done.target(NAME)["error"]
    assert f"{COMMAND} exited with status 3: the cluster has no quorum" in error["message"]
    assert origin.host.read(origin.nginx.snippet(NAME)) == before
    assert origin.served() == origin.serials()[0] and len(told()) == 2   # forth and back
    program(origin, RELOADS)        # mended: the schedule tries it at once
    origin.agent.scheduled_pass(check=0)
    assert origin.served() == origin.serials()[1] and len(origin.serials()) == 2


def test_command_that_hangs_is_ended_with_all_that_it_started(origin, told):
    origin.agent.target("nginx", reload_command=f'"{COMMAND}"', reload_timeout="1s")
    program(origin, """
print("waiting for the cluster", flush=True)
if os.fork() == 0:
    os.execv("/bin/sleep", ["the-grandchild", "1000"])
time.sleep(1000)
""")
    done = origin.agent.renew(NAME, force=True, check=1)
    error = done.target(NAME)["error"]
    assert "did not end within 1000 ms" in error["message"]
    assert "waiting for the cluster" in error["message"] and "reload_timeout" in error["remedy"]
    assert origin.host.run(["pgrep", "-f", "the-grandchild|my server"], check=1)
    assert origin.generation() == 1 and origin.served() == origin.serials()[0]
    assert len(told()) == 2


@pytest.mark.parametrize("content, words", [
    (None, "write the program's whole path"),
    ("#!/no/such/interpreter\n", "#!"),
    ("no program\n", "no program for this machine"),
])
def test_command_that_cannot_be_run_is_a_matter_of_configuration(origin, told, content, words):
    if content is None:
        origin.host.remove(COMMAND)
    else:
        origin.host.write(COMMAND, content, mode=0o755)
    done = origin.agent.renew(NAME, force=True, check=1)
    error = done.target(NAME)["error"]
    assert error["class"] == "configuration" and COMMAND in error["message"]
    assert words in error["remedy"]
    assert origin.served() == origin.serials()[0]
    program(origin, RELOADS)
    origin.agent.scheduled_pass(check=0)
    assert origin.served() == origin.serials()[1] and len(told()) == 1


def test_output_of_a_command_is_in_the_services_journal(origin):
    packaged = origin.host.read("/usr/share/origin-ca-agent/templates/nginx.mustache")
    origin.agent.target("nginx", reload_command="/usr/bin/echo said by it", probe="none")
    origin.agent.renew(check=0)
    origin.host.write("/etc/origin-ca-agent/templates/nginx.mustache", packaged + "# more\n")
    origin.agent.start()
    origin.host.wait(lambda: "nginx: reload_command: said by it" in origin.agent.journal())
    origin.agent.stop()
