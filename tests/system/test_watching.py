"""The running service sees what is written, without being told: inotify on the configuration."""

import subprocess

from agent import CONFIG_DIRECTORY, PROGRAM, SERVICE, STATE_DIRECTORY, USER, section
from origin import NAME

OTHER = "example.net"
DROP = """
import os, sys
os.chdir(sys.argv[1])
for number in range(500):
    with open(".new", "w") as file:
        file.write("; nothing yet\\n")
    os.rename(".new", f"d{number}.ini")
with open("last.ini", "w") as file:
    file.write(f"[certificate {sys.argv[2]}]\\n")
"""


def hostnames(agent):
    return [sorted(one["hostnames"]) for one in agent.sandbox.issued()]


def wait_hostnames(service, *expected):
    """A certificate for exactly these hostnames was asked for."""
    service.host.wait(lambda: sorted(expected) in hostnames(service.agent), 30,
                      lambda: f"{expected}: {hostnames(service.agent)}\n{service.agent.journal()}")
    service.settled()


def start(service):
    service.agent.start()
    service.settled()


def test_drop_ins_are_taken_up_however_they_are_written(service):
    agent, host = service.agent, service.host
    start(service)
    directory = f"{CONFIG_DIRECTORY}/conf.d"

    def shell(command):
        host.run(["sh", "-c", f"cd {directory} && {command}"])

    shell(f"printf '[certificate {OTHER}]\\nhostnames = a.{OTHER}\\n' > other.ini")
    wait_hostnames(service, f"a.{OTHER}")
    shell("sed -i s/a.example/b.example/ other.ini")                # a new file, renamed
    wait_hostnames(service, f"b.{OTHER}")
    shell("mv other.ini other.ini~ && sed s/b.example/c.example/ other.ini~ > other.ini")   # vim
    wait_hostnames(service, f"c.{OTHER}")
    shell("sed s/c.example/d.example/ other.ini > /etc/far.ini && ln -sf /etc/far.ini other.ini")
    wait_hostnames(service, f"d.{OTHER}")
    shell("sed -i s/d.example/e.example/ /etc/far.ini")             # where the link leads
    wait_hostnames(service, f"e.{OTHER}")
    shell("rm other.ini")
    host.wait(lambda: service.status_text().startswith("1 of 1"), message="it is gone")
    assert len(agent.sandbox.issued()) == 6


def test_five_hundred_dropped_files_are_one_pass(service):
    agent, host = service.agent, service.host
    start(service)
    before = service.notices()
    host.run(["/usr/bin/python3", "-c", DROP, f"{CONFIG_DIRECTORY}/conf.d", OTHER])
    wait_hostnames(service, OTHER, f"*.{OTHER}")
    assert service.notices() - before == 1
    assert len(agent.sandbox.issued()) == 2


def test_directories_that_come_later_and_turn(service):
    """conf.d that is not there at first, one behind a link that is turned, and another conf_dir."""
    agent, host = service.agent, service.host
    agent.remove(NAME)
    host.run(["rm", "-rf", f"{CONFIG_DIRECTORY}/conf.d"])
    start(service)
    agent.certificate(OTHER, targets=None)
    wait_hostnames(service, OTHER, f"*.{OTHER}")

    host.run(["mkdir", "-p", "/srv/one", "/srv/two"])
    host.write("/srv/two/x.ini", section(f"certificate {OTHER}", {"hostnames": f"two.{OTHER}"}))
    host.write("/srv/one/x.ini", section(f"certificate {OTHER}", {"hostnames": f"one.{OTHER}"}))
    host.run(["ln", "-s", "one", "/srv/now"])
    agent.configure(agent={"conf_dir": "/srv/now"})
    wait_hostnames(service, f"one.{OTHER}")
    host.run(["sh", "-c", "ln -s two /srv/new && mv -T /srv/new /srv/now"])
    wait_hostnames(service, f"two.{OTHER}")
    assert len(agent.sandbox.issued()) == 3


def test_token_that_is_put_right_is_tried_at_once(service):
    agent = service.agent
    agent.token("x" * 40)
    start(service)
    assert service.status_text().startswith("0 of 1")
    failed = agent.status().certificate(NAME)["last_error"]
    assert failed["class"] == "authorization"
    agent.token(agent.sandbox.token)
    service.host.wait(lambda: service.status_text().startswith("1 of 1"), 30, agent.journal)
    assert len(agent.sandbox.issued()) == 1


def test_own_template_and_named_files_are_watched(service):
    agent, host = service.agent, service.host
    agent.target("own", type="custom", template="/srv/templates/own.mustache", reload="none",
                 probe="none")
    host.write("/srv/templates/own.mustache", "first {{name}}\n")
    agent.certificate(NAME, targets="own")
    start(service)
    snippet = agent.state_path("snippets", "own", f"{NAME}.conf")
    assert "first" in host.read(snippet)
    host.write("/srv/templates/own.mustache", "second {{name}}\n")
    host.wait(lambda: "second" in host.read(snippet), 30, agent.journal)
    assert len(agent.sandbox.issued()) == 1


def test_pair_that_adopt_names_is_watched(service):
    agent, host = service.agent, service.host
    cert, key = "/srv/adopt/cert.pem", "/srv/adopt/key.pem"
    pem, key_pem, serial = agent.sandbox.by_hand([NAME, f"*.{NAME}"])
    for path in (cert, key):
        host.write(path, "not yet\n", owner=f"{USER}:{USER}", mode=0o600)
    agent.certificate(NAME, targets=None, adopt=f"{cert} {key}")
    start(service)
    assert "cannot adopt" in agent.status().certificate(NAME)["last_error"]["message"]
    host.write(cert, pem, owner=f"{USER}:{USER}", mode=0o600)
    host.write(key, key_pem, owner=f"{USER}:{USER}", mode=0o600)
    host.wait(lambda: service.status_text().startswith("1 of 1"), 60, agent.journal)
    assert [one["id"] for one in agent.sandbox.issued()] == [serial]


def test_credential_that_was_replaced_restarts_the_service_once(service):
    agent, host = service.agent, service.host
    agent.configure(api={"token_file": None})
    service.adjust("RestartSec=100ms", "RestartForceExitStatus=75", "SuccessExitStatus=75")
    agent.token("x" * 40)
    start(service)
    pid = service.pid()
    assert agent.status().certificate(NAME)["last_error"]["class"] == "authorization"
    agent.token(agent.sandbox.token)
    host.wait(lambda: service.pid() not in (0, pid), 40, agent.journal)
    host.wait(lambda: service.status_text().startswith("1 of 1"), 30, agent.journal)
    assert service.says("api-token was replaced; starting anew")
    # The next change finds the service as it is: this token is the one that it was given.
    agent.certificate(OTHER, targets=None)
    wait_hostnames(service, OTHER, f"*.{OTHER}")
    assert host.show(SERVICE, "NRestarts", "Result") == {"NRestarts": "1", "Result": "success"}


def test_without_watches_it_says_so_and_goes_on(service):
    """As on a host where other programs have used up what a user may have."""
    agent, host = service.agent, service.host
    agent.give(STATE_DIRECTORY)         # as the service's unit does
    inner = ("echo 2 > /proc/sys/user/max_inotify_watches && "
             f"exec setpriv --ambient-caps=-all --inh-caps=-all {PROGRAM} run")
    process = host.spawn(["unshare", "--mount", "sh", "-c",
                          "mount -o remount,rw,bind /proc/sys && exec setpriv "
                          f"--reuid={USER} --regid={USER} --init-groups unshare --user "
                          f"--map-current-user --keep-caps sh -c '{inner}'"],
                         stderr=subprocess.PIPE, text=True)
    try:
        host.wait(lambda: len(agent.sandbox.issued()) == 1, 60, "it works all the same")
    finally:
        process.kill_group()
        told = process.stderr.read()
        print(told)
    assert "cannot watch /" in told and "sysctl fs.inotify.max_user_watches" in told
    assert "every few minutes" in told
