"""A hosting account with cPanel, played by fake_cpanel.py inside a host."""

import json
import pathlib

from cryptography import x509

import by_hand
import network
from agent import USER as AGENT

PROGRAM = pathlib.Path(__file__).resolve().parent / "fake_cpanel.py"
UNIT = "fake-cpanel.service"
DIRECTORY = "/srv/cpanel"
USER, TOKEN = "shop", "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
TOKEN_FILE = "/etc/origin-ca-agent/cpanel-token"
WEBSITES = {"example.com": ["example.com", "www.example.com"], "shop.example.com":
            ["shop.example.com"], "example.net": ["example.net"]}


class Hosting:
    """`before`: what the websites had before the agent came (by_hand.Pair by website)."""

    def __init__(self, host):
        self.host = host
        self.before = {name: by_hand.pair(*domains, key_type="rsa-2048")
                       for name, domains in WEBSITES.items()}
        self.panel = by_hand.pair("localhost", key_type="rsa-2048")
        host.write(f"{DIRECTORY}/panel.pem", self.panel.certificate_pem + self.panel.key_pem,
                   mode=0o600)
        host.write(f"{DIRECTORY}/ca.pem", self.panel.certificate_pem)
        host.write(f"{DIRECTORY}/other-key.json",
                   json.dumps(by_hand.pair("other.example", key_type="rsa-2048").key_pem))
        host.write(f"{DIRECTORY}/account.json", json.dumps(
            {"user": USER, "token": TOKEN, "websites": WEBSITES}))
        self.reset()
        self.start()

    def start(self):
        self.host.run(["systemd-run", "--quiet", "--collect", f"--unit={UNIT}",
                       "/usr/bin/python3", str(PROGRAM), DIRECTORY])
        self.host.wait(lambda: self.host.listening(2083) and self.host.listening(443))

    def stop(self):
        self.host.run(["systemctl", "stop", UNIT], check=(0, 5))

    def reset(self):
        """The websites have what they had before; it behaves, and has been asked nothing."""
        self.mode()
        for name in ("requests.jsonl", "imports.jsonl", "held.json"):
            self.host.remove(f"{DIRECTORY}/{name}")
        self.host.write(f"{DIRECTORY}/installed.json", json.dumps({
            "websites": {name: pair.certificate_pem for name, pair in self.before.items()},
            "keys": {network.leaf_from_der(pair.certificate.public_bytes(
                by_hand.Encoding.DER)).sha256: {"key": pair.key_pem, "cab": ""}
                for pair in self.before.values()}}))
        self.host.write(TOKEN_FILE, TOKEN + "\n", mode=0o600, owner=f"{AGENT}:{AGENT}")

    def mode(self, text=""):
        """How to misbehave, see fake_cpanel.py: "cut SSL/install_ssl"."""
        self.host.write(f"{DIRECTORY}/mode", text)

    def hold(self):
        """The websites go on showing what they show now, whatever is installed."""
        self.host.write(f"{DIRECTORY}/held.json", self.host.read(f"{DIRECTORY}/installed.json"))

    def requests(self, function=None):
        path = f"{DIRECTORY}/requests.jsonl"
        if not self.host.exists(path):
            return []
        return [one for one in map(json.loads, self.host.read(path).splitlines())
                if function in (None, one["function"])]

    def installs(self):
        """Domains that something was installed for, in order."""
        return [one["parameters"]["domain"] for one in self.requests("SSL/install_ssl")]

    def installed(self, website):
        """Serial of what cPanel says is installed."""
        pem = json.loads(self.host.read(f"{DIRECTORY}/installed.json"))["websites"][website]
        return str(x509.load_pem_x509_certificate(pem.encode()).serial_number)

    def served(self, hostname):
        return network.handshake(self.host, hostname).serial

    @staticmethod
    def keys(**more):
        """Of a target of type cpanel."""
        return {"type": "cpanel", "url": "https://localhost:2083", "user": USER,
                "token_file": TOKEN_FILE, "ca_file": f"{DIRECTORY}/ca.pem",
                "probe_timeout": "3s", "reload_timeout": "10s", **more}
