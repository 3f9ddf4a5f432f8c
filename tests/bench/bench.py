#!/usr/bin/python3
"""Measures what the project promises about cost, and prints each figure beside its bound.

usage: bench.py BUILD_DIRECTORY [--short]

Issuing is compared, in pairs, with minimal-issue (the least that anybody could write for the same
job); the rest has absolute bounds. Exit status 1 when a bound is broken; with --short, which also
runs on machines that others use at the same time, when it is broken by a factor of three.
"""
import argparse
import json
import os
import pathlib
import shutil
import signal
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

RATIO_BOUND = 1.5
SHORT_SLACK = 3
IDLE_PASS_BOUND_MS = 60
PSS_BOUND_KIB = 4096
LIST_BOUND_S = 2
LIST_PEAK_BOUND_MIB = 40
LISTED = 10000
MANY = 1000
ZONE = "example.com"
CROWDED = "example.net"


class Sandbox:
    """An origin-ca-sandbox without its rate limit: what is measured is the agent."""

    def __init__(self, build, directory):
        self.directory = pathlib.Path(directory)
        self.process = subprocess.Popen(
            [build / "tests/sandbox/origin-ca-sandbox",
             "--listen", "127.0.0.1:0", "--state", directory,
             "--zone", f"{ZONE},{CROWDED}", "--rate-limit", "none"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True)
        line = self.process.stdout.readline()
        while line and not line.startswith("listening on "):
            line = self.process.stdout.readline()
        if not line:
            sys.exit("the sandbox did not start")
        self.endpoint = line.split()[-1]

    def crowd(self, hostname, count):
        """Certificates of somebody else, at once."""
        request = urllib.request.Request(
            self.endpoint.removesuffix("/client/v4") + "/sandbox/crowd",
            json.dumps({"hostname": hostname, "count": count}).encode())
        context = ssl.create_default_context(cafile=self.directory / "ca.pem")
        with urllib.request.urlopen(request, context=context, timeout=600) as answer:
            assert json.load(answer)["result"]["made"] == count

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)


def fresh(directory):
    """Empty. What was there goes aside: file systems make new files slowly for some seconds after
    thousands were removed, which no first run of either program has to pay for."""
    if directory.exists():
        directory.rename(tempfile.mkdtemp(prefix="former.", dir=directory.parent))
    directory.mkdir()


def configure(directory, sandbox, count):
    """A fresh state directory and `count` certificates for one target that is not reloaded."""
    fresh(directory)
    text = [
        "[agent]", f"state_dir = {directory}/state", (sandbox.directory / "agent.ini").read_text(),
        "[target nginx]", f"template = {TEMPLATE}", "reload = none", "probe = none",
    ]
    for number in range(count):
        text += [f"[certificate host{number:04}.{ZONE}]", "targets = nginx"]
    (directory / "agent.ini").write_text("\n".join(text) + "\n", encoding="utf-8")


def timed(argv):
    start = time.monotonic()
    result = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                            check=False)
    seconds = time.monotonic() - start
    if result.returncode != 0:
        sys.exit(f"{argv[0]} ended with {result.returncode}:\n{result.stdout[-4000:]}")
    return seconds


def sync():
    """What the run before left to be written must not be paid by the next one."""
    os.sync()


class Report:
    def __init__(self, slack):
        self.broken = 0
        self.slack = slack

    def row(self, what, value, bound, unit):
        self.broken += value > bound * self.slack
        verdict = "ok  " if value <= bound else "OVER"
        print(f"{verdict} {what}: {value:.2f} {unit} (bound {bound:g})",
              flush=True)


def bench_issue(report, build, work, sandbox, count, pairs):
    agent, minimal = [], []
    out = work / "minimal"
    for _ in range(pairs):
        fresh(out)
        sync()
        minimal.append(timed([build / "tests/bench/minimal-issue", sandbox.endpoint,
                              f"{sandbox.directory}/ca.pem", f"{sandbox.directory}/token", out,
                              str(count), ZONE]))
        configure(work / "agent", sandbox, count)
        sync()
        agent.append(timed([build / "agent/origin-ca-agent", "--config", work / "agent/agent.ini",
                            "--renew-now"]))
    ratio = statistics.median(a / b for a, b in zip(agent, minimal))
    print(f"     {count} certificate(s): agent {statistics.median(agent) * 1000:.1f} ms, "
          f"minimal program {statistics.median(minimal) * 1000:.1f} ms, {pairs} pairs, medians")
    report.row(f"issuing {count}, agent / minimal program", ratio, RATIO_BOUND, "times")


def bench_nothing_due(report, build, work, sandbox):
    """1000 certificates, all current: what a timer or a handler of a configuration tool costs."""
    command = [build / "agent/origin-ca-agent", "--config", work / "agent/agent.ini", "--renew-now"]
    before = (pathlib.Path(sandbox.directory) / "requests.jsonl").stat().st_size
    times = [timed(command) for _ in range(9)][1:]
    after = (pathlib.Path(sandbox.directory) / "requests.jsonl").stat().st_size
    report.row(f"pass with nothing due over {MANY}", statistics.median(times) * 1000,
               IDLE_PASS_BOUND_MS, "ms")
    report.row("requests of those passes, bytes of the sandbox's journal", after - before, 0, "")


def bench_list(report, build, work, sandbox):
    """All certificates of a crowded zone, while this host holds a thousand of another."""
    sandbox.crowd(f"www.{CROWDED}", LISTED)
    times, peaks = [], []
    for _ in range(3):
        with open(work / "list.json", "w+", encoding="utf-8") as out:
            start = time.monotonic()
            process = subprocess.Popen(
                [build / "agent/origin-ca-agent", "--config", work / "agent/agent.ini", "list",
                 "--json", "--zone", CROWDED], stdout=out)
            _, status, usage = os.wait4(process.pid, 0)
            times.append(time.monotonic() - start)
            peaks.append(usage.ru_maxrss / 1024)
            out.seek(0)
            found = {one["id"] for one in json.load(out)["certificates"]}
        if status or len(found) != LISTED:
            sys.exit(f"list ended with {status} and {len(found)} certificates")
    report.row(f"list of {LISTED} certificates", statistics.median(times), LIST_BOUND_S, "s")
    report.row("its peak of memory (RSS)", max(peaks), LIST_PEAK_BOUND_MIB, "MiB")


def smaps_pss(pid):
    for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    raise RuntimeError("no Pss")


def switches(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return sum(int(line.split()[1]) for line in text.splitlines() if "ctxt_switches" in line)


def ticks(pid):
    """Processor time, user and system, in the kernel's ticks."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def children(pid):
    return pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()


def bench_idle(report, build, work, seconds):
    """Nothing is due and nothing changes, while a directory of as many drop-ins is watched. Without
    a service manager there is no watchdog, so not a single wake-up is due."""
    drop_ins = work / "agent/conf.d"
    drop_ins.mkdir()
    for number in range(MANY):
        (drop_ins / f"{number:04}.ini").write_text("; nothing\n", encoding="ascii")
    process = subprocess.Popen([build / "agent/origin-ca-agent",
                                "--config", work / "agent/agent.ini", "run"])
    try:
        deadline = time.monotonic() + 30
        time.sleep(0.5)
        while children(process.pid) and time.monotonic() < deadline:
            time.sleep(0.1)
        time.sleep(0.5)
        report.row(f"idle supervisor with {MANY} certificates, PSS", smaps_pss(process.pid),
                   PSS_BOUND_KIB, "KiB")
        before, ticks_before = switches(process.pid), ticks(process.pid)
        time.sleep(seconds)
        report.row(f"wake-ups in {seconds} s idle", switches(process.pid) - before, 0, "")
        report.row(f"processor time in {seconds} s idle", ticks(process.pid) - ticks_before, 0,
                   "ticks")
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--short", action="store_true")
    options = parser.parse_args()
    build = options.build.resolve()
    report = Report(SHORT_SLACK if options.short else 1)
    # On a disk, not on tmpfs: fsync is part of the job.
    work = pathlib.Path(tempfile.mkdtemp(prefix="origin-ca-bench.", dir="/var/tmp"))
    sandbox = Sandbox(build, tempfile.mkdtemp(prefix="sandbox.", dir=work))
    try:
        bench_issue(report, build, work, sandbox, 1, 11 if options.short else 41)
        bench_issue(report, build, work, sandbox, MANY, 3 if options.short else 7)
        bench_nothing_due(report, build, work, sandbox)
        bench_list(report, build, work, sandbox)
        bench_idle(report, build, work, 10 if options.short else 60)
    finally:
        sandbox.stop()
        shutil.rmtree(work, ignore_errors=True)
    return 1 if report.broken else 0


TEMPLATE = pathlib.Path(__file__).resolve().parents[2] / "templates/nginx.mustache"

if __name__ == "__main__":
    sys.exit(main())
