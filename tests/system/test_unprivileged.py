"""The service as it is installed: its own user, no capability, the whole sandbox, and a build
without sanitizers, so that nothing of it is relaxed. The whole job, for four servers at once.
"""

import re

import pytest

import product
from agent import CONFIG_DIRECTORY, SERVICE, STATE_DIRECTORY, USER, Agent
from apache import Apache
from conftest import plain_host
from haproxy import Haproxy
from nginx import Nginx
from origin import NAME
from sandbox import Sandbox
from tomcat import CREDENTIALS, Tomcat

ONCE = "origin-ca-agent-once.service"
TIMER = "origin-ca-agent.timer"
TOKEN = f"{CONFIG_DIRECTORY}/api-token"
SECRETS = re.compile(r"key\.pem$|\.p12$|combined\.pem$|keystore-password$|state\.json$|\.xml$")


class Stage:
    def __init__(self, host, build, kinds=(Nginx, Apache, Haproxy, Tomcat)):
        self.host = host
        self.servers = {kind.type: kind(host) for kind in kinds}
        self.sandbox = Sandbox(host, product.sandbox_program(build), "--rate-limit", "none",
                               chaos=False)
        self.agent = Agent(host, self.sandbox)
        self.agent.configure(api={"token_file": None})
        self.token()
        if Tomcat in kinds:
            self.servers["tomcat"].grant_manager()
        for server in self.servers.values():
            self.agent.target(server.target, **self.keys(server))
        self.configure()

    def begin(self):
        """The first certificate, served by all."""
        self.agent.start()
        self.wait_issued(1)
        for server in self.servers.values():
            self.host.wait(lambda path=server.snippet(NAME): self.host.exists(path), 30)
        self.host.wait(lambda: "next:" in self.host.show(SERVICE, "StatusText"), 60)
        for server in self.servers.values():
            server.add(NAME)
            server.start()
        self.agent.reload()
        self.wait_current()

    def token(self):
        self.host.write(TOKEN, self.sandbox.token + "\n", mode=0o600, owner="root:root")

    @staticmethod
    def keys(server):
        return server.agent_keys(ssl_reload=True) if server.type == "tomcat" \
            else server.agent_keys()

    def configure(self, **keys):
        self.agent.certificate(NAME, targets=list(self.servers), **keys)

    def serials(self):
        return [one["id"] for one in self.sandbox.issued()]

    def wait_issued(self, count):
        self.host.wait(lambda: len(self.serials()) == count, 60, self.agent.journal)

    def wait_current(self, seconds=120):
        def current():
            status = self.agent.status().certificate(NAME)
            return status["current"] and status["serial"] == self.serials()[-1]
        self.host.wait(current, seconds, lambda: f"current\n{self.agent.journal()}", 0.5)
        roots = self.sandbox.roots()
        for server in self.servers.values():
            assert server.served(NAME, ca=roots).serial == self.serials()[-1], server.type
        self.refill()

    def refill(self):
        """As if a day had passed: more certificates may be asked for."""
        path = self.agent.state_path("certificates", NAME, "state.json")
        self.host.write(path, self.host.run(["jq", ".issues = []", path]).stdout, mode=0o600)

    def renew(self, **options):
        """By root, and when no pass of the service has the lock."""
        done = []

        def free():
            done[:] = [self.agent.renew(NAME, **options)]
            return done[0].returncode != 4
        self.host.wait(free, 60, interval=0.3)
        assert done[0].returncode == 0, done[0]
        return done[0].certificate(NAME)

    def run_as(self, user, *argv, **options):
        return self.host.run(["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups",
                              *argv], **{"check": False, **options})

    def target_error(self, name):
        target = next(one for one in self.agent.status().certificate(NAME)["targets"]
                      if one["name"] == name)
        return (target.get("last_error") or {}).get("message", "")


@pytest.fixture(name="stage", scope="module")
def fixture_stage():
    with plain_host() as (host, build):
        stage = Stage(host, build)
        stage.begin()
        yield stage


def test_service_has_a_user_no_capability_and_an_exposure_of_at_most_1_5(stage, tell):
    host, pid = stage.host, stage.host.show(SERVICE, "MainPID")
    status = dict(line.split(":", 1) for line in host.read(f"/proc/{pid}/status").splitlines())
    uid = host.output(["id", "-u", USER])
    assert status["Uid"].split() == [uid] * 4
    assert {status[f"Cap{one}"].strip("\t0") for one in ("Inh", "Prm", "Eff", "Bnd", "Amb")} == {""}
    assert status["NoNewPrivs"].strip() == "1" and status["Seccomp"].strip() == "2"
    for unit in (SERVICE, ONCE):
        text = host.run(["systemd-analyze", "security", "--no-pager", unit]).stdout
        figure = float(re.search(r"Overall exposure level .*: ([\d.]+)", text).group(1))
        tell(f"{unit}: exposure {figure}")
        assert figure <= 1.5, text
        assert not [line for line in host.show(unit, "DropInPaths").split() if "sanitizers" in line]


def test_renewal_reaches_all_servers_and_tomcat_in_both_modes(stage):
    tomcat = stage.servers["tomcat"]
    pids = {name: server.main_pid() for name, server in stage.servers.items()}
    stage.configure(key_type="rsa-2048")
    stage.agent.reload()
    stage.wait_issued(2)
    stage.wait_current()
    assert pids == {name: server.main_pid() for name, server in stage.servers.items()}
    assert stage.host.stat(tomcat.snippet(NAME)) == f"640 {USER}:tomcat"

    stage.agent.target("tomcat", **tomcat.agent_keys())
    stage.configure()
    stage.agent.reload()
    stage.wait_issued(3)
    stage.wait_current()
    assert tomcat.main_pid() != pids.pop("tomcat")
    assert pids == {name: stage.servers[name].main_pid() for name in pids}


def test_server_is_not_restarted_into_a_configuration_that_somebody_broke(stage):
    tomcat, nginx = stage.servers["tomcat"], stage.servers["nginx"]
    pid, served = tomcat.main_pid(), tomcat.served(NAME).serial
    broken = tomcat.break_elsewhere()
    try:
        stage.configure(key_type="ecdsa-p384")
        stage.agent.reload()
        stage.wait_issued(4)
        stage.host.wait(lambda: "configuration test failed: " in stage.target_error("tomcat"), 120,
                        stage.agent.journal, 0.5)
        assert broken in stage.target_error("tomcat"), stage.target_error("tomcat")
        assert tomcat.main_pid() == pid and tomcat.served(NAME).serial == served
        place = nginx.break_elsewhere()
        done = stage.agent.check(check=1)
        told = {one["subject"]: one for one in done.json["findings"] if one["level"] == "error"}
        assert set(told) == {"[target nginx]", "[target tomcat]"}, done
        assert place in told["[target nginx]"]["message"]
        assert "[emerg]" in told["[target nginx]"]["message"]
    finally:
        tomcat.mend()
        nginx.mend()
    assert stage.renew()["serial"] == stage.serials()[-1]
    stage.wait_current()


def test_root_leaves_no_file_that_the_service_cannot_replace(stage):
    stage.configure(hostnames=[NAME])
    assert stage.renew(force=True)["issued"]
    theirs = stage.host.output(["find", STATE_DIRECTORY, "-not", "-user", USER])
    assert theirs == ""
    stage.agent.reload()
    stage.wait_current()


def test_nobody_reads_writes_or_makes_the_agent_act(stage):
    host = stage.host
    files = host.output(["find", STATE_DIRECTORY, "-type", "f"]).split()
    secrets = [path for path in files if SECRETS.search(path)]
    assert len(secrets) > 6
    for path in (*secrets, TOKEN, CREDENTIALS, "/run/credentials/" + SERVICE + "/api-token"):
        assert stage.run_as("nobody", "cat", path).returncode != 0, path
        assert host.exists(path), path
    places = (STATE_DIRECTORY, CONFIG_DIRECTORY, "/usr/share/origin-ca-agent")
    writable = stage.run_as("nobody", "find", *places, "-not", "-type", "l", "-writable").stdout
    assert writable == ""
    for argv in (["systemctl", "reload", SERVICE], ["systemctl", "restart", SERVICE],
                 ["systemctl", "start", "origin-ca-agent-test@nginx.service"],
                 ["systemctl", "reload", "nginx.service"], ["systemctl", "start", ONCE],
                 ["kill", "-HUP", host.show(SERVICE, "MainPID")]):
        assert stage.run_as("nobody", *argv).returncode != 0, argv
    # what is planted where anybody may write is neither followed nor in the way
    for place in ("/tmp", "/var/tmp"):
        for name in ("api-token", "lock", f"{NAME}.conf", "origin-ca-agent"):
            stage.run_as("nobody", "ln", "-s", "/etc/shadow", f"{place}/{name}")
    shadow = host.stat("/etc/shadow", "%a %U:%G %Y")
    stage.renew(force=True)
    assert host.stat("/etc/shadow", "%a %U:%G %Y") == shadow
    stage.wait_current()


def test_planted_links_in_the_state_directory_are_not_followed(stage):
    """Even by who could plant them there."""
    host, victim = stage.host, "/srv/victim"
    host.write(victim, "untouched\n", mode=0o644)
    for path in (stage.servers["nginx"].snippet(NAME), f"{STATE_DIRECTORY}/schedule.json",
                 stage.servers["tomcat"].snippet(NAME).replace(".xml", ".p12")):
        host.run(["ln", "-sfn", victim, path])
    stage.renew()
    assert host.read(victim) == "untouched\n" and host.stat(victim) == "644 root:root"
    stage.wait_current()


def test_agents_user_may_reload_the_listed_servers_and_nothing_else(stage):
    host = stage.host
    host.unit("other.service", "[Service]\nExecStart=/bin/sleep infinity\nExecReload=/bin/true\n")
    host.run(["systemctl", "start", "other.service"])
    may = [["reload", "nginx.service"], ["try-restart", "haproxy.service"],
           ["start", "apache2.service"], ["start", "origin-ca-agent-test@haproxy.service"]]
    may_not = [["restart", "nginx.service"], ["stop", "nginx.service"], ["kill", "nginx.service"],
               ["reload", "other.service"], ["try-restart", "other.service"],
               ["stop", "other.service"], ["restart", "systemd-journald.service"],
               ["start", "origin-ca-agent-test@other.service"], ["stop", SERVICE],
               ["restart", "origin-ca-agent-test@nginx.service"], ["daemon-reload"],
               ["enable", "nginx.service"], ["mask", "other.service"], ["poweroff"],
               ["set-property", "nginx.service", "CPUWeight=1"]]
    for arguments in may:
        assert stage.run_as(USER, "systemctl", *arguments).returncode == 0, arguments
    for arguments in may_not:
        done = stage.run_as(USER, "systemctl", "--no-ask-password", *arguments)
        assert done.returncode != 0, (arguments, done)
    assert host.active("other.service") == host.active("nginx.service") == "active"


def findings(stage, status, **options):
    done = stage.agent.check(check=status, **options)
    return [one for one in done.json["findings"] if one["level"] == "error"]


def test_check_tells_what_the_agent_may_not_and_its_remedies_help(stage):
    host, agent = stage.host, stage.agent
    assert findings(stage, 0) == []

    host.run(["gpasswd", "--delete", USER, "tomcat"])
    group = [one for one in findings(stage, 1) if "group" in one["message"]]
    assert [one["subject"] for one in group] == ["[target tomcat]"]
    host.run(["sh", "-c", group[0]["remedy"]])
    assert findings(stage, 0) == []

    rule = "/usr/share/polkit-1/rules.d/origin-ca-agent.rules"
    host.run(["mv", rule, "/srv/"])
    host.run(["systemctl", "stop", "polkit.service"])
    missing = findings(stage, 1)
    assert all(rule in one["remedy"] for one in missing if "may not" in one["message"])
    assert {one["subject"] for one in missing} >= {"[target nginx]", "[target apache]"}
    host.run(["mv", f"/srv/{rule.rpartition('/')[2]}", rule])
    host.run(["systemctl", "stop", "polkit.service"])

    agent.target("other", type="nginx", unit="other.service", probe="none",
                 snippet_dir="/etc/other-snippets", group="root", reload="restart")
    agent.certificate("other.example.com", targets=["other"])
    told = {one["remedy"]: one for one in findings(stage, 1) if one["subject"] == "[target other]"}
    assert len(told) == 4, told
    for remedy in told:
        if remedy.startswith("write "):
            path, text = re.fullmatch(r"write (\S+): (.*)", remedy).groups()
            host.write(path, text + "\n")
            host.run(["systemctl", "stop", "polkit.service"])
        elif remedy.startswith("systemctl edit"):
            line = re.search(r"ReadWritePaths=[^;]*", remedy).group()
            host.unit(f"{SERVICE}.d/paths.conf", f"[Service]\n{line}\n")
        elif remedy.startswith("install -d"):
            host.run(["sh", "-c", remedy])
        else:
            assert remedy.startswith("usermod --append --groups root")
            agent.target("other", type="nginx", unit="other.service", probe="none",
                         snippet_dir="/etc/other-snippets", reload="restart")
    assert [one for one in findings(stage, 0) if one["subject"] == "[target other]"] == []
    agent.remove("other.example.com")
    agent.remove("target-other")


def test_service_without_a_token_starts_says_so_and_takes_it_up(stage):
    host, agent = stage.host, stage.agent
    agent.stop()
    host.remove(TOKEN)
    stage.configure(key_type="ecdsa-p256", hostnames=[NAME, f"www.{NAME}"])
    agent.start()
    host.wait(lambda: "there is no API token" in agent.journal(), 60, agent.journal)
    assert host.active(SERVICE) == "active"
    host.wait(lambda: "there is no API token" in agent.status().stdout, 30)
    before = len(stage.serials())
    process = host.show(SERVICE, "MainPID")
    stage.token()       # and nobody restarts anything
    stage.wait_issued(before + 1)
    stage.wait_current()
    assert "api-token was replaced; starting anew to be given it" in agent.journal()
    assert host.active(SERVICE) == "active" and host.show(SERVICE, "MainPID") != process


def test_timer_does_the_same_without_a_daemon(stage):
    host, agent = stage.host, stage.agent
    host.run(["systemctl", "start", TIMER])
    assert host.active(SERVICE) == "inactive" and host.active(TIMER) == "active"
    assert host.show(TIMER, "Persistent", "Unit") == {"Persistent": "yes", "Unit": ONCE}
    before = len(stage.serials())
    stage.configure(key_type="rsa-2048", hostnames=[NAME])
    host.run(["systemctl", "start", ONCE], timeout=180)
    assert len(stage.serials()) == before + 1
    stage.wait_current()
    assert findings(stage, 0) == []
    host.run(["systemctl", "start", SERVICE])
    assert host.active(TIMER) == "inactive" and host.active(SERVICE) == "active"
