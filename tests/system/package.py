"""The Debian and RPM packages of a release build, as CPack makes them."""

import os
import pathlib
import subprocess
import tempfile

import product
from host import REPOSITORY

AGENT = "origin-ca-agent"
SANDBOX = "origin-ca-sandbox"
TARGETS = ("origin-ca-agent", "origin-ca-supervisor", "origin-ca-sandbox", "documentation")


def pack(build, directory, generator="DEB"):
    """Packs what `build` has built into `directory`; {package: path}."""
    product.command(["cpack", "-G", generator, "--config", build / "CPackConfig.cmake", "-B",
                     directory])
    files = sorted(pathlib.Path(directory).glob(f"*.{generator.lower()}"))
    names = (AGENT, SANDBOX)
    return {name: next(file for file in files if file.name.startswith(name)) for name in names}


def release_build(directory, source=REPOSITORY):
    """Another release build, of what a package holds alone; by a compiler that nothing tells to
    write other paths than it was given."""
    plain = ["env", "--unset=CCACHE_BASEDIR", "--unset=CCACHE_NOHASHDIR"]
    product.command(["cmake", "-S", source, "-B", directory, "--preset", "release"])
    product.command([*plain, "cmake", "--build", directory, "--target", *TARGETS])
    return directory


def other_version(package, directory, version):
    """The same package with a higher version and a main file that has another text, as the next
    release would bring it."""
    tree = pathlib.Path(directory) / "next"
    product.command(["dpkg-deb", "--raw-extract", package, tree])
    control = tree / "DEBIAN/control"
    lines = control.read_text().splitlines()
    control.write_text("".join(f"Version: {version}\n" if line.startswith("Version:") else
                               line + "\n" for line in lines))
    main = tree / "etc/origin-ca-agent/agent.ini"
    main.write_text(main.read_text() + "; of the next release\n")
    path = pathlib.Path(directory) / f"{AGENT}_{version}_amd64.deb"
    product.command(["dpkg-deb", "--root-owner-group", "--build", tree, path])
    return path


def lintian(packages):
    """What lintian says: lines of errors and warnings, overridden ones left out."""
    done = subprocess.run(["lintian", "--allow-root", "--no-cfg", "--tag-display-limit", "0",
                           *packages], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False,
                          env={**os.environ, "LC_ALL": "C.UTF-8"})
    return [line for line in done.stdout.splitlines() if line[:2] in ("E:", "W:")] or \
        ([] if done.returncode == 0 else [done.stdout])


def differences(first, second):
    """Which files differ in two packages, or only how they are packed."""
    def listed(path):
        with tempfile.TemporaryDirectory() as tree:
            product.command(["dpkg-deb", "--raw-extract", path, tree])
            return product.command(["sh", "-c", 'cd "$0" && find . -type f -exec sha256sum {} + && '
                                    'find . -printf "%M %t %p\\n"', tree]).splitlines()
    lines = sorted(set(listed(first)) ^ set(listed(second)))
    return f"{first} and {second}:\n" + ("\n".join(lines[:40]) or "the same files")
