"""Microsoft IIS, played by fake_iis.py inside a host: a share that is mounted there, and servers
that read what is in it, at once (the Centralized Certificate Store) or when a script has been
run."""

import pathlib
import re

import network
from agent import USER

NAME = "example.com"
SHARE, MACHINE = "/srv/share", "/srv/machine"
PASSWORD, PASSWORD_FILE = "Geheim-und-lang-0123456789", "/etc/origin-ca-agent/iis.password"
FAKE = pathlib.Path(__file__).resolve().parent / "fake_iis.py"
STORE_PORT, MACHINE_PORT = 9443, 9444
SCRIPT = f"{SHARE}/{NAME}.ps1"


class Iis:
    """`SHARE` as the agent's host has it mounted; at STORE_PORT a server with the store on it, at
    MACHINE_PORT one without, whose own certificates are what a script imported. `journal`: a file
    that is told what came into the share."""

    def __init__(self, host, *journal):
        self.host = host
        host.run(["mkdir", "-p", SHARE, MACHINE])
        host.run(["chown", f"{USER}:", SHARE])
        host.write(PASSWORD_FILE, PASSWORD + "\n", mode=0o600, owner=f"{USER}:{USER}")
        for directory, port, *more in ((SHARE, STORE_PORT, *journal), (MACHINE, MACHINE_PORT)):
            host.run(["systemd-run", "--quiet", f"--unit=fake-iis-{port}.service",
                      "/usr/bin/python3", str(FAKE), directory, str(port), PASSWORD_FILE, *more])
            host.wait(lambda port=port: host.listening(port))

    def empty(self):
        self.host.run(["find", SHARE, MACHINE, "-mindepth", "1", "-delete"])

    def placed(self):
        """The generation that the script in the share is of, and when it was placed there."""
        if not self.host.exists(SCRIPT):
            return None
        found = re.search(r"^# Generation (\d+)", self.host.read(SCRIPT), re.M)
        return int(found.group(1)), self.host.stat(SCRIPT, "%i %y")

    def run_script(self):
        """What the script does on Windows, by what stands in it: imports the file of its name and
        gives it to the bindings of its host names."""
        text = self.host.read(SCRIPT)
        name = re.search(r"^\$name = '([^']+)'", text, re.M).group(1)
        assert "Join-Path" in text and f"Generation 0" not in text
        hostnames = re.findall(r"'([^']+)'", re.search(r"^\$hostnames = @\((.*)\)", text,
                                                       re.M).group(1))
        for hostname in hostnames:
            file = ("_" + hostname[1:] if hostname.startswith("*.") else hostname) + ".pfx"
            self.host.run(["sh", "-euc", 'cp "$1" "$2.new"; mv "$2.new" "$2"', "import",
                           f"{SHARE}/{name}.pfx", f"{MACHINE}/{file}"])

    def served(self, hostname=NAME, port=MACHINE_PORT):
        return network.handshake(self.host, hostname, port=port).serial

    @staticmethod
    def keys(**more):
        """Of a target whose certificates are imported by a script."""
        return {"type": "iis", "delivery": "script", "directory": SHARE,
                "password_file": PASSWORD_FILE, "probe": f"127.0.0.1:{MACHINE_PORT}",
                "probe_timeout": "1h", **more}
