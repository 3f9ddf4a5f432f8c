"""The harness itself: a host is real, separate, and gone without a trace."""

import os
import pathlib
import re
import signal
import ssl
import subprocess
import threading

import pytest

import network
import product
from host import CommandError, Host

LEAK = """#include <stdlib.h>
#include <sys/prctl.h>
static void *lost;
int main(void)
{
	prctl(PR_SET_DUMPABLE, 0);
	lost = malloc(10);
	lost = NULL;
	return 0;
}
"""
STRICT = """[Service]
Type=oneshot
TimeoutStartSec=20
ExecStart=/usr/bin/leak
DynamicUser=yes
CapabilityBoundingSet=
MemoryDenyWriteExecute=yes
PrivateUsers=yes
ProcSubset=pid
ProtectProc=invisible
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
"""


def leftovers(driver):
    """Directories, cgroups and mounts of the host that a driver of this pid made."""
    pattern = f"sdtest.{driver}.*"
    found = {str(path) for path in pathlib.Path("/tmp").glob(pattern)}
    for line in pathlib.Path("/proc/mounts").read_text().splitlines():
        _, place, kind, *_ = line.split()
        if kind == "cgroup2":
            found |= {str(path) for path in pathlib.Path(place).glob(pattern)}
        elif f"sdtest.{driver}." in place:
            found.add(place)
    return found


def test_pid_1_is_a_running_systemd(module_host):
    assert module_host.output(["cat", "/proc/1/comm"]) == "systemd"
    assert module_host.output(["systemctl", "is-system-running"]) == "running"


def test_command_tells_exit_code_and_both_streams(module_host):
    done = module_host.run(["sh", "-c", "cat; echo err >&2; exit 3"], check=False, input="in\n")
    assert (done.returncode, done.stdout, done.stderr) == (3, "in\n", "err\n")
    assert module_host.run(["false"], check=(0, 1)).returncode == 1


def test_devices_are_the_machines_and_keep_its_modes(module_host):
    before = os.stat("/dev/null").st_mode
    done = module_host.run(["chmod", "600", "/dev/null"], check=False)
    assert done.returncode != 0 and "Read-only" in done.stderr
    assert os.stat("/dev/null").st_mode == before
    module_host.run(["sh", "-c", "echo nothing > /dev/null && head -c 3 /dev/urandom > /dev/zero"])


def test_command_that_fails_shows_what_it_printed(module_host):
    with pytest.raises(CommandError) as caught:
        module_host.run(["sh", "-c", "echo to-stdout; echo to-stderr >&2; exit 7"])
    text = str(caught.value)
    assert "exit 7" in text and "to-stdout" in text and "to-stderr" in text


def test_command_that_hangs_is_ended_with_its_children(module_host):
    with pytest.raises(CommandError, match="still running after 0.5 s"):
        module_host.run(["sh", "-c", "echo begun; sleep 4711 & sleep 4711"], timeout=0.5)
    assert "sleep 4711" not in module_host.output(["ps", "-eo", "args"])


def test_command_has_no_descriptors_of_the_harness_and_its_daemon_holds_up_nobody(module_host):
    script = "ls /proc/self/fd; sleep 4716 > /dev/null 2>&1 &"
    listed = module_host.run(["sh", "-c", script], timeout=20).stdout.split()
    assert listed == ["0", "1", "2", "3"]       # 3: the directory that ls reads
    module_host.run(["pkill", "-f", "sleep 4716"])


def test_commands_that_run_at_once_keep_their_output_apart(module_host):
    found = {}

    def work(number):
        script = f"sleep 0.0{number % 5}; yes {number} | head -c 300000; exit {number}"
        found[number] = module_host.run(["sh", "-c", script], check=number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number in range(8):
        assert set(found[number].stdout.split()) == {str(number)}
        assert len(found[number].stdout) == 300000


def test_signal_and_missing_program_are_told_like_exit_codes(module_host):
    assert module_host.run(["sh", "-c", "kill -9 $$"], check=False).returncode == -signal.SIGKILL
    done = module_host.run(["no-such-program"], check=127)
    assert "No such file or directory" in done.stderr
    with pytest.raises(CommandError, match="/srv/nothing"):
        module_host.read("/srv/nothing")


def test_written_file_has_content_mode_and_owner(module_host):
    module_host.write("/srv/a directory/file", "ä\n", mode=0o640, owner="root:www-data")
    assert module_host.read("/srv/a directory/file") == "ä\n"
    assert module_host.stat("/srv/a directory/file") == "640 root:www-data"
    assert module_host.list("/srv/a directory") == ["file"]
    module_host.write("/srv/bytes", b"\xff\x00")
    assert module_host.read("/srv/bytes", binary=True) == b"\xff\x00"
    module_host.remove("/srv/bytes")
    assert not module_host.exists("/srv/bytes")


def test_nothing_written_inside_reaches_the_machine(module_host):
    module_host.write("/etc/origin-ca-harness-mark", "inside\n")
    assert module_host.exists("/etc/origin-ca-harness-mark")
    assert not os.path.exists("/etc/origin-ca-harness-mark")


def test_checkout_cannot_be_written_from_inside(module_host):
    here = pathlib.Path(__file__).resolve()
    assert module_host.read(str(here)) == here.read_text()
    with pytest.raises(CommandError, match="Read-only file system"):
        module_host.run(["touch", str(here.parent / "mark")])


def test_unit_runs_and_its_journal_is_read(module_host):
    module_host.unit("hello.service", "[Service]\nType=oneshot\nExecStart=/bin/echo h-e-l-l-o\n")
    module_host.run(["systemctl", "start", "hello.service"])
    assert "h-e-l-l-o" in module_host.journal("hello.service")
    assert module_host.show("hello.service", "Result") == "success"
    assert module_host.active("hello.service") == "inactive"


def test_spawned_command_gets_signals(module_host):
    script = "trap 'exit 5' TERM; echo up; while :; do sleep 0.02; done"
    process = module_host.spawn(["sh", "-c", script], stdout=subprocess.PIPE)
    assert process.stdout.readline() == "up\n"
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 5
    process.end()


def test_waiting_in_vain_fails_with_the_message(module_host):
    assert module_host.wait(lambda: "value", 1) == "value"
    with pytest.raises(AssertionError, match="not within 0.1 s: the moon"):
        module_host.wait(lambda: False, 0.1, "the moon")


def test_sanitizers_finding_is_seen_in_a_command_and_in_a_strict_unit(host, tmp_path):
    source, program = tmp_path / "leak.c", tmp_path / "leak"
    source.write_text(LEAK)
    product.command(["gcc", "-g", "-fsanitize=address", "-o", program, source])
    host.write("/usr/bin/leak", program.read_bytes(), mode=0o755)
    with pytest.raises(CommandError, match="a sanitizer's finding(.|\n)*LeakSanitizer"):
        host.run(["leak"], check=False)
    assert not host.sanitizer_reports()
    host.unit("leak.service", STRICT + "\n".join(product.fit_for_sanitizers(STRICT)))
    host.run(["systemctl", "start", "leak.service"], check=1)
    assert "LeakSanitizer: detected memory leaks" in host.sanitizer_reports()
    assert host.show("leak.service", "ExecMainStatus") == "99"
    # the report is wanted here: the fixture must not find it again
    host.run(["sh", "-c", "rm -rf /run/log/journal/*; systemctl restart systemd-journald"])


def test_handshake_reaches_a_server_inside_only(module_host):
    module_host.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                     "ec_paramgen_curve:P-256", "-nodes", "-keyout", "/srv/key", "-out",
                     "/srv/cert", "-subj", "/CN=inside", "-addext",
                     "subjectAltName=DNS:inside.example"])
    server = module_host.spawn(["openssl", "s_server", "-accept", "127.0.0.1:4433", "-quiet",
                                "-key", "/srv/key", "-cert", "/srv/cert"])
    module_host.wait(lambda: module_host.listening(4433), message="openssl s_server listens")
    leaf = network.handshake(module_host, "inside.example", 4433)
    assert leaf.subject == "CN=inside" and leaf.sans == ("inside.example",)
    serial = module_host.output(["openssl", "x509", "-in", "/srv/cert", "-noout", "-serial"])
    assert serial.split("=")[1].lstrip("0") == leaf.serial_hex
    roots = module_host.read("/srv/cert")
    assert network.handshake(module_host, "inside.example", 4433, ca=roots).sha256 == leaf.sha256
    with pytest.raises(ssl.SSLCertVerificationError):
        network.handshake(module_host, "other.example", 4433, ca=roots)
    server.end()


def test_two_hosts_at_once_are_apart(make_host):
    first, second = make_host(), make_host()
    first.write("/srv/mark", "first")
    assert not second.exists("/srv/mark")
    script = "import socket,time; s=socket.create_server(('127.0.0.1',8080)); time.sleep(600)"
    first.spawn(["/usr/bin/python3", "-c", script])
    first.wait(lambda: first.listening(8080), message="the first host listens")
    assert not second.listening(8080)
    names = [host.output(["cat", "/etc/machine-id", "/proc/sys/kernel/random/boot_id"])
             for host in (first, second)]
    assert len(set(" ".join(names).split())) == 4


def test_stopped_host_leaves_nothing(installed_root):
    with Host(add=installed_root) as host:
        assert leftovers(host.driver_pid)
        host.unit("stay.service", "[Service]\nExecStart=/bin/sleep 4712\n")
        host.run(["systemctl", "start", "stay.service"])
        entered = host.spawn(["sleep", "4713"])
        daemon = ["sh", "-c", "setsid sleep 4714 > /dev/null 2>&1 &"]
        host.run(daemon)
        pid = host.pid
        inside = pathlib.Path(f"/proc/{pid}/ns/pid").readlink()
    assert not os.path.exists(f"/proc/{pid}")
    assert entered.poll() is not None
    assert inside not in namespaces()
    assert not leftovers(host.driver_pid)
    with pytest.raises(RuntimeError, match="stopped"):
        host.run(["true"])


def namespaces():
    """The pid namespaces that any process of the machine is in."""
    found = set()
    for path in pathlib.Path("/proc").glob("[0-9]*/ns/pid"):
        try:
            found.add(path.readlink())
        except OSError:
            pass
    return found


def test_host_dies_with_tests_that_are_killed():
    here = str(pathlib.Path(__file__).resolve().parent)
    script = ("import sys, time; sys.path.insert(0, sys.argv[1]); from host import Host\n"
              "host = Host(); print(host.pid, host.driver_pid, flush=True); time.sleep(600)")
    tests = subprocess.Popen(["/usr/bin/python3", "-c", script, here], stdout=subprocess.PIPE,
                             text=True)
    pid, driver = map(int, tests.stdout.readline().split())
    assert leftovers(driver)
    tests.kill()
    tests.wait()
    tests.stdout.close()
    Host.wait(lambda: not os.path.exists(f"/proc/{pid}") and not leftovers(driver), 60,
              lambda: f"nothing is left of pid {pid}: {leftovers(driver)}")


def test_host_that_cannot_boot_says_why_and_leaves_nothing():
    with pytest.raises(RuntimeError, match="did not boot:(.|\n)*mount: ") as caught:
        Host(lower="/nonexistent", boot_timeout=20)
    driver = re.search(r"/tmp/sdtest\.([0-9]+)\.", str(caught.value)).group(1)
    assert not leftovers(driver)
