"""The product inside a host: built, installed as on a user's machine, and ready to run there."""

import fcntl
import os
import pathlib
import re
import shlex
import shutil
import subprocess

from host import REPOSITORY, Host

# Done by the package's maintainer scripts on a user's machine.
POSTINST = """
for file in "$root"/usr/lib/sysusers.d/origin-ca-agent*.conf; do
	[ ! -e "$file" ] || systemd-sysusers --root="$root" "${file##*/}"
done
"""


# How a service with sanitizers is stopped: stop.sh says why. Where it is inside a host.
STOP_PROGRAM = "usr/lib/origin-ca-agent-tests/stop"
STOP = f"/bin/sh /{STOP_PROGRAM}"


class BuildError(RuntimeError):
    pass


def command(argv, **environment):
    """Run a tool of the build on the machine; an error shows all it said."""
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, env={**os.environ, **environment})
    if done.returncode != 0:
        raise BuildError(f"{shlex.join(map(str, argv))}: exit {done.returncode}\n{done.stdout}")
    return done.stdout


def bring_up_to_date(build, *arguments):
    """Once at a time: the workers of pytest-xdist would build in one another's way."""
    with open(build / "tests.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        command(["cmake", "--build", build, *arguments])


def build_directory():
    """The build under test, brought up to date: tests of a stale program prove nothing."""
    build = pathlib.Path(os.environ.get("ORIGIN_CA_BUILD", "build/sanitizers"))
    if not build.is_absolute():
        build = REPOSITORY / build
    if not (build / "CMakeCache.txt").exists():
        raise BuildError(f"{build} is not configured: run 'cmake --preset {build.name}', "
                         "or name a build directory in ORIGIN_CA_BUILD")
    bring_up_to_date(build)
    return build


def plain_build_directory():
    """A build without sanitizers, for what they would only slow down: the one under test if it has
    none, else build/release, of which only what is installed and tests/system is built."""
    build = pathlib.Path(os.environ.get("ORIGIN_CA_BUILD", "build/sanitizers"))
    build = build if build.is_absolute() else REPOSITORY / build
    if not (build / "CMakeCache.txt").exists() or cache_entry(build, "ORIGIN_CA_SANITIZE"):
        build = REPOSITORY / "build/release"
        if not (build / "CMakeCache.txt").exists():
            command(["cmake", "-S", REPOSITORY, "--preset", "release"])
    bring_up_to_date(build, "--target", "origin-ca-agent", "origin-ca-supervisor",
                     "origin-ca-sandbox", "crash-driver", "turned-clock", "documentation")
    return build


def cache_entry(build, name):
    match = re.search(rf"^{name}(?::\w+)?=(.*)$", (build / "CMakeCache.txt").read_text(), re.M)
    return match.group(1) if match else ""


def install(build, root):
    """`cmake --install` below `root`; with sanitizers, the units are fitted for them."""
    if cache_entry(build, "CMAKE_INSTALL_PREFIX") != "/usr":
        raise BuildError(f"{build}: CMAKE_INSTALL_PREFIX is not /usr: use a preset")
    command(["cmake", "--install", build], DESTDIR=str(root))
    # the tree becomes the host's root directory: the modes of a package's directories, whatever
    # umask and mktemp made of them
    for directory in (root, *(path for path in root.rglob("*") if path.is_dir())):
        if directory.stat().st_mode & 0o777 == 0o700:
            directory.chmod(0o755)
    (root / STOP_PROGRAM).parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(pathlib.Path(__file__).with_name("stop.sh"), root / STOP_PROGRAM)
    if cache_entry(build, "ORIGIN_CA_SANITIZE"):
        for unit in root.glob("usr/lib/systemd/system/origin-ca-*.service"):
            lines = fit_for_sanitizers(unit.read_text())
            if lines:
                drop_in = root / "etc/systemd/system" / f"{unit.name}.d/90-sanitizers.conf"
                drop_in.parent.mkdir(parents=True, exist_ok=True)
                drop_in.write_text("\n".join(["[Service]", *lines, ""]))


def fit_for_sanitizers(unit):
    """Lines for the [Service] section of a unit (its text) whose program has sanitizers.

    LeakSanitizer stops the threads of its process with ptrace(2) at exit; where the filter of
    system calls forbids that the program hangs. One entry that allows it adds to an allow list and
    takes away from a deny list. Shadow memory is terabytes of address space, never touched."""
    lines = []
    if re.search(r"^SystemCallFilter=", unit, re.M):
        lines.append("SystemCallFilter=ptrace")
    if re.search(r"^Type=notify", unit, re.M):
        lines.append(f"ExecStop={STOP}")
    if re.search(r"^LimitAS=", unit, re.M):
        lines.append("LimitAS=infinity")
    return lines


def sandbox_program(build):
    """Where origin-ca-sandbox is; the build directory is visible inside, too."""
    return build / "tests/sandbox/origin-ca-sandbox"


def boot_host(tree, build=None, **options):
    pre = options.pop("pre", "")
    shared = [*options.pop("bind_ro", ())]
    if build and REPOSITORY not in build.resolve().parents:
        shared.append(build.resolve())
    return Host(add=tree, bind_ro=shared, pre=POSTINST + pre, **options)
