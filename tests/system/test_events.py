"""Told in time: the journal's fields and catalog, event_hook, metrics, alert rules, dashboard."""

import json
import re
import subprocess
import time

import pytest

from agent import SERVICE, USER
from host import REPOSITORY
from origin import NAME

HOOK = "/srv/hook"
TOLD = "/srv/told"
METRICS = "/var/lib/origin-ca-agent/metrics.prom"
RECORDS = f"""#!/bin/sh
env | grep -v '^_=' | sort | tr '\\n' '\\001' >> {TOLD}
echo >> {TOLD}
echo "told of $ORIGIN_CA_EVENT"
"""


def source(path):
    return (REPOSITORY / path).read_text(encoding="utf-8")


def events():
    """name, MESSAGE_ID of all rows of the table."""
    return re.findall(r'=\s*\{\s*"([a-z-]+)",\s*"([0-9a-f]{32})"', source("agent/base/event.c"))


def metrics():
    return re.findall(r'\]\s*=\s*\{\s*"(origin_ca_\w+)"', source("agent/pass/metrics.c"))


class Watch:
    """What the journal has of the agent's since the last look."""

    def __init__(self, host):
        self.host, self.cursor = host, None
        self.fresh()

    def fresh(self):
        argv = ["journalctl", "-o", "json", "-t", "origin-ca-agent", "--show-cursor", "-q"]
        argv += [f"--after-cursor={self.cursor}"] if self.cursor else []
        text = self.host.run(argv, check=(0, 1)).stdout
        entries = []
        for line in text.splitlines():
            if line.startswith("-- cursor: "):
                self.cursor = line.removeprefix("-- cursor: ")
            elif line.startswith("{"):
                entries.append(json.loads(line))
        return entries

    def events(self):
        return [one["ORIGIN_CA_EVENT"] for one in self.fresh() if "ORIGIN_CA_EVENT" in one]


def scheduled(host):
    """A pass as the supervisor starts it: standard error is the journal."""
    host.run(["systemd-run", "--quiet", "--wait", "--collect", "--unit=one-pass",
              "--property=SyslogIdentifier=origin-ca-agent", "/usr/sbin/origin-ca-agent", "pass"],
             check=(0, 1))


def hook(host):
    """The hook, and where it writes as the agent's user."""
    host.write(HOOK, RECORDS, mode=0o755)
    host.write(TOLD, "", owner=f"{USER}:{USER}")


def told(host):
    """What the hook was told: a dictionary each."""
    return [dict(item.split("=", 1) for item in line.split("\1") if item)
            for line in host.read(TOLD).splitlines()]


def edit(origin, program):
    path = origin.agent.state_path("certificates", NAME, "state.json")
    text = origin.host.run(["jq", "-c", program, path]).stdout
    origin.host.write(path, text, mode=0o600)


def test_story_of_a_certificate_is_in_the_journal_once_and_with_fields(origin):
    host = origin.host
    watch = Watch(host)
    origin.agent.certificate(NAME, validity="365d")
    origin.agent.start()
    host.wait(lambda: "served by nginx" in origin.agent.journal(), 60, origin.agent.journal)
    origin.agent.stop()
    entries = watch.fresh()
    (issued,) = [one for one in entries if one.get("ORIGIN_CA_EVENT") == "issued"]
    (deployed,) = [one for one in entries if one.get("ORIGIN_CA_EVENT") == "deployed"]
    assert issued["MESSAGE_ID"] == dict(events())["issued"] and issued["PRIORITY"] == "5"
    assert issued["ORIGIN_CA_CERTIFICATE"] == NAME and issued["ORIGIN_CA_GENERATION"] == "2"
    assert issued["ORIGIN_CA_SERIAL"] == origin.served()
    assert deployed["ORIGIN_CA_TARGET"] == "nginx" and "ORIGIN_CA_CLASS" not in deployed
    assert deployed["_SYSTEMD_UNIT"] == SERVICE
    messages = [one["MESSAGE"] for one in entries]
    assert len(messages) == len(set(messages)), messages


def test_failure_is_told_once_repeated_daily_and_its_end_is_told(origin):
    host, sandbox = origin.host, origin.sandbox
    origin.agent.configure(agent={"event_hook": HOOK})
    hook(host)
    origin.agent.certificate(NAME, validity="365d")
    sandbox.fault("POST /certificates:1016:always")
    watch = Watch(host)
    scheduled(host)
    (failed,) = [one for one in watch.fresh() if one.get("ORIGIN_CA_EVENT") == "failed"]
    kind = failed["ORIGIN_CA_CLASS"]
    assert failed["PRIORITY"] == "3" and failed["ORIGIN_CA_RAY"] in failed["MESSAGE"]
    host.run(["journalctl", "--update-catalog"])         # as the packages do
    explained = host.output(["journalctl", "-x", "-n", "40", "-t", "origin-ca-agent"])
    assert "What to do: " in explained
    assert f"Subject: The API token does not do for {NAME}" in explained
    (event,) = told(host)
    assert (event["ORIGIN_CA_EVENT"], event["ORIGIN_CA_CLASS"]) == ("failed", kind)
    assert event["ORIGIN_CA_REPEATED"] == "no" and event["ORIGIN_CA_HOSTNAMES"].split()[0] == NAME
    assert sandbox.token not in json.dumps(event)

    # the same again: nobody is told, whether it waits or is tried
    scheduled(host)
    edit(origin, ".issue.next = 1")
    scheduled(host)
    assert watch.events() == [] and len(told(host)) == 1
    history = origin.agent.status(check=1).certificate(NAME)["history"]
    assert history[-1]["event"] == "failed" and history[-1]["count"] == 2

    # a day later it is still so
    edit(origin, ".alarms[0].told -= 86400")
    scheduled(host)
    (event,) = told(host)[1:]
    assert event["ORIGIN_CA_REPEATED"] == "yes" and watch.events() == ["failed"]

    sandbox.clear_faults()
    origin.agent.renew(check=0)
    names = [one["ORIGIN_CA_EVENT"] for one in told(host)[2:]]
    assert names == ["issued", "deployed", "recovered"]
    scheduled(host)
    assert len(told(host)) == 5


def test_end_that_comes_near_and_is_over_is_told_and_repeated(origin):
    host, sandbox = origin.host, origin.sandbox
    origin.agent.configure(agent={"event_hook": HOOK})
    origin.agent.certificate(NAME, validity="7d")
    sandbox.restart("--backdate", str(int(6.2 * 86400)))
    origin.agent.renew(check=0)
    sandbox.restart()
    sandbox.fault("POST /certificates:1016:always")
    hook(host)
    watch = Watch(host)

    def pass_tells():
        """A pass, and the events of journal and hook, which are the same."""
        before = len(told(host))
        scheduled(host)
        new = {one["ORIGIN_CA_EVENT"]: one for one in told(host)[before:]}
        entries = {one["ORIGIN_CA_EVENT"]: one for one in watch.fresh()
                   if "ORIGIN_CA_EVENT" in one}
        assert set(entries) == set(new) and len(told(host)) == before + len(new)
        for name, one in entries.items():
            assert (name, one["MESSAGE_ID"]) in events()
            assert one["MESSAGE_ID"] == new[name]["ORIGIN_CA_MESSAGE_ID"]
            assert one["PRIORITY"] == new[name]["ORIGIN_CA_PRIORITY"]
        return new

    def later(seconds):
        edit(origin, f'(.alarms[] | select(.scope == "expiry")).told -= {seconds}')

    new = pass_tells()
    assert set(new) == {"failed", "expiring"}
    one = new["expiring"]
    assert "is not renewed yet" in one["ORIGIN_CA_MESSAGE"] and one["ORIGIN_CA_PRIORITY"] == "3"
    assert one["ORIGIN_CA_REPEATED"] == "no" and one["ORIGIN_CA_SERIAL"] == origin.served()
    assert pass_tells() == {}
    later(86400)
    new = pass_tells()
    assert set(new) == {"expiring"} and new["expiring"]["ORIGIN_CA_REPEATED"] == "yes"

    # it is over
    edit(origin, f".leaf.not_after = {int(time.time()) - 60}")
    new = pass_tells()
    assert set(new) == {"expired"}, new
    one = new["expired"]
    assert "error 526" in one["ORIGIN_CA_MESSAGE"] and one["ORIGIN_CA_PRIORITY"] == "2"
    assert one["ORIGIN_CA_REPEATED"] == "no"
    edit(origin, ".leaf.not_after -= 7500")     # "1 min", then "2 h 6 min": no news
    assert pass_tells() == {}
    later(3600)
    new = pass_tells()
    assert set(new) == {"expired"} and new["expired"]["ORIGIN_CA_REPEATED"] == "yes"

    sandbox.clear_faults()
    before = len(told(host))
    origin.agent.renew(check=0)
    names = [one["ORIGIN_CA_EVENT"] for one in told(host)[before:]]
    assert names == ["issued", "deployed", "recovered"]


def test_revocation_at_cloudflare_is_told_once(origin):
    host, agent = origin.host, origin.agent
    agent.configure(agent={"event_hook": HOOK})
    agent.renew(check=0)
    hook(host)
    watch = Watch(host)
    old = origin.served()
    origin.sandbox.request("DELETE", f"/certificates/{old}")
    edit(origin, "del(.revocation_at)")
    note = agent.state_path("schedule.json")
    host.write(note, host.run(["jq", "-c", ".full_check_at = 1", note]).stdout, mode=0o600)
    scheduled(host)
    names = ["revoked", "issued", "deployed"]
    entries = [one for one in watch.fresh() if "ORIGIN_CA_EVENT" in one]
    assert [one["ORIGIN_CA_EVENT"] for one in entries] == names
    assert [one["ORIGIN_CA_EVENT"] for one in told(host)] == names
    assert entries[0]["MESSAGE_ID"] == dict(events())["revoked"]
    assert f"serial {old}" in entries[0]["MESSAGE"] and origin.served() != old
    scheduled(host)
    assert watch.events() == [] and len(told(host)) == 3


def test_rollback_is_told_with_its_target(origin):
    host, nginx = origin.host, origin.nginx
    hook(host)
    origin.agent.configure(agent={"event_hook": [HOOK, '"two words"']})
    nginx.hold_stale(NAME)
    origin.agent.renew(NAME, force=True, check=1)
    nginx.let_go(NAME)
    events_told = {one["ORIGIN_CA_EVENT"]: one for one in told(host)}
    assert set(events_told) == {"issued", "rolled-back"}
    back = events_told["rolled-back"]
    assert back["ORIGIN_CA_TARGET"] == "nginx" and back["ORIGIN_CA_CLASS"] == "deploy"
    assert set(back) <= {"PATH", "LANG", "PWD", *(
        name for name in re.findall(r"ORIGIN_CA_\w+", source("agent/pass/hook.h")))}
    origin.agent.renew(check=0)
    assert [one["ORIGIN_CA_EVENT"] for one in told(host)[2:]] == ["deployed", "recovered"]


@pytest.mark.parametrize("body, words", [
    ("exit 7", "exited with status 7"),
    ("sleep 300 & exit 1", "exited with status 1"),         # it holds the pipe
    ("sleep 300 & sleep 300", "did not end"),
    ("yes", "did not end"),
    ("kill -9 $$", "SIGKILL"),
])
def test_hook_that_fails_or_hangs_is_told_and_holds_nothing_up(origin, body, words):
    host = origin.host
    host.write(HOOK, f"#!/bin/sh\n{body}\n", mode=0o755)
    origin.agent.configure(agent={"event_hook": HOOK, "pass_timeout": "12s"})
    begun = time.monotonic()
    done = origin.agent.renew(NAME, force=True, check=0)
    assert time.monotonic() - begun < 30
    assert words in done.stderr and "event_hook" in done.stderr
    assert done.certificate(NAME)["outcome"] == "issued"
    assert len(done.stderr) < 20000
    host.run(["pkill", "-x", "sleep"], check=(0, 1))


def test_hook_that_is_not_there_is_told_with_the_remedy(origin):
    origin.agent.configure(agent={"event_hook": "/nowhere/notify"})
    done = origin.agent.renew(NAME, force=True, check=0)
    assert "event_hook /nowhere/notify" in done.stderr and "whole path" in done.stderr


def values(text):
    return dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))


def promtool(*arguments, **options):
    done = subprocess.run(["promtool", *map(str, arguments)], capture_output=True, text=True,
                          check=False, timeout=120, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_metrics_are_what_promtool_accepts_and_say_what_is(origin):
    host, agent = origin.host, origin.agent
    agent.certificate("other", hostnames="other.example.com", targets=None)
    agent.renew(check=0)
    text = host.read(METRICS)
    promtool("check", "metrics", input=text)
    assert host.stat(METRICS).startswith("644 ")
    assert {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")} == \
        set(metrics())
    now = values(text)
    one = agent.status(check=0).certificate(NAME)
    expires = int(host.output(["date", "-d", one["not_after"], "+%s"]))
    assert int(now[f'origin_ca_certificate_not_after_seconds{{certificate="{NAME}"}}']) == expires
    target = f'{{certificate="{NAME}",target="nginx"}}'
    assert now[f"origin_ca_target_served_generation{target}"] == "1"
    assert int(now[f"origin_ca_target_not_after_seconds{target}"]) == expires
    assert now["origin_ca_certificates"] == "2" and now["origin_ca_pass_exit_status"] == "0"
    assert abs(int(now['origin_ca_clock_offset_seconds{api=""}'])) <= 2
    assert 0 < float(now["origin_ca_pass_duration_seconds"]) < 60

    # a pass over one keeps what is known of the other, and of the API; so does one with no work
    del now["origin_ca_pass_duration_seconds"], now["origin_ca_pass_end_seconds"]
    for names in (["other"], []):
        agent.renew(*names, check=0)
        then = values(host.read(METRICS))
        promtool("check", "metrics", input=host.read(METRICS))
        same = {key for key in now if "pass_" not in key}
        assert {key: then[key] for key in same} == {key: now[key] for key in same}

    # what failed is counted, and the counter outlives the pass
    origin.sandbox.fault("POST /certificates:1016:always")
    for _ in range(2):
        agent.renew(NAME, force=True, check=1)
    then = values(host.read(METRICS))
    failures = {key: int(value) for key, value in then.items() if "failures_total" in key
                and NAME in key}
    assert sum(failures.values()) == 2 and len(failures) == 6
    assert int(then[f'origin_ca_certificate_stuck_since_seconds{{certificate="{NAME}"}}']) > 0

    # one that is no longer configured is not told of
    agent.remove("other")
    origin.sandbox.clear_faults()
    agent.renew(check=0)
    assert "other" not in host.read(METRICS)


def test_metrics_file_can_be_elsewhere_and_a_place_that_cannot_be_written_is_a_warning(origin):
    host, agent = origin.host, origin.agent
    host.run(["install", "-d", "-o", USER, "/srv/textfile"])
    agent.configure(agent={"metrics_file": "/srv/textfile/origin-ca.prom"})
    agent.renew(check=0)
    promtool("check", "metrics", input=host.read("/srv/textfile/origin-ca.prom"))
    agent.configure(agent={"metrics_file": "/srv/nowhere/origin-ca.prom"})
    done = agent.renew(check=0)
    assert "warning: cannot open /srv/nowhere" in done.stderr
    assert "ReadWritePaths" in done.stderr


def test_metrics_that_could_not_be_written_are_not_carried_over(origin):
    host, agent = origin.host, origin.agent
    host.run(["install", "-d", "-o", USER, "/srv/textfile"])
    agent.configure(agent={"metrics_file": "/srv/textfile/origin-ca.prom"})
    origin.sandbox.fault("POST /certificates:1016:always")
    agent.certificate(NAME, validity="365d")
    agent.renew(check=1)

    def stuck():
        return int(values(host.read("/srv/textfile/origin-ca.prom")).get(
            f'origin_ca_certificate_stuck_since_seconds{{certificate="{NAME}"}}', 0))

    assert stuck() > 0
    origin.sandbox.clear_faults()
    host.run(["chown", "root", "/srv/textfile"])
    assert "warning: cannot" in agent.renew(check=0).stderr and stuck() > 0
    host.run(["chown", USER, "/srv/textfile"])
    agent.scheduled_pass(check=0)
    assert stuck() == 0
    # from here on, passes without work write them, too
    before = host.read("/srv/textfile/origin-ca.prom")
    agent.scheduled_pass(check=0)
    assert stuck() == 0 and host.read("/srv/textfile/origin-ca.prom") != before


def test_each_message_id_is_explained_by_the_catalog(origin):
    origin.host.run(["journalctl", "--update-catalog"])
    ids = [message_id for _, message_id in events()]
    assert len(ids) == len(set(ids)) >= 20
    listed = origin.host.output(["journalctl", "--list-catalog", *ids])
    assert len(listed.splitlines()) == len(ids)
    assert listed.count("origin-ca-agent:") == len(ids)
    assert set(re.findall(r"^-- ([0-9a-f]{32})$", source("etc/origin-ca-agent.catalog"),
                          re.M)) == set(ids)


def test_rules_hold_and_dashboard_and_documentation_know_each_metric():
    rules = REPOSITORY / "etc/prometheus/origin-ca-agent.rules.yml"
    promtool("check", "rules", rules)
    promtool("test", "rules", REPOSITORY / "tests/prometheus.yml")
    dashboard = source("etc/grafana/origin-ca-agent.json")
    panels = json.loads(dashboard)["panels"]
    assert all(target["expr"] for panel in panels for target in panel["targets"])
    for text in (dashboard, rules.read_text(encoding="utf-8"), source("docs/monitoring.md")):
        assert set(re.findall(r"origin_ca_\w+", text)) <= set(metrics())
    documented = source("docs/monitoring.md")
    assert all(f"`{name}`" in documented for name in metrics())
    for name, message_id in events():
        assert f"| `{name}` | `{message_id}` |" in documented
