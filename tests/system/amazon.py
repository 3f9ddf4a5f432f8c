"""An account of Amazon Web Services, played by fake_acm.py inside a host."""

import json
import pathlib

from cryptography import x509

from agent import USER

PROGRAM = pathlib.Path(__file__).resolve().parent / "fake_acm.py"
BALANCER = PROGRAM.with_name("fake_balancer.py")
UNIT, BALANCER_UNIT, BALANCER_PORT = "fake-acm.service", "fake-balancer.service", 9445
OWNER = f"{USER}:{USER}"
DIRECTORY = "/srv/acm"
ENDPOINT = "http://127.0.0.1:4566"
FILE = "/etc/origin-ca-agent/aws-credentials"
ENVIRONMENT = {"AWS_SHARED_CREDENTIALS_FILE": FILE}
ACCESS, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
ROLE_ACCESS, ROLE_SECRET = "ASIAIOSFODNN7EXAMPLE", "role+secret/K7MDENGbPxRfiCYEXAMPLEKEY"
ROLE_TOKEN = "FwoGZXIvYXdzEBYaD+" + "abcdefgh/012345+" * 24 + "=="      # longer than a line of inih
SECRETS = (SECRET, ROLE_SECRET, ROLE_TOKEN)


class Amazon:
    def __init__(self, host):
        self.host = host
        for address in ("169.254.169.254/32", "169.254.170.2/32"):
            host.run(["ip", "address", "add", address, "dev", "lo"])
        host.write(f"{DIRECTORY}/credentials.json", json.dumps({
            ACCESS: {"secret": SECRET},
            ROLE_ACCESS: {"secret": ROLE_SECRET, "token": ROLE_TOKEN, "role": True}}))
        self.reset()
        self.start()

    def start(self):
        self.host.run(["systemd-run", "--quiet", "--collect", f"--unit={UNIT}",
                       "/usr/bin/python3", str(PROGRAM), DIRECTORY])
        self.host.wait(lambda: self.host.listening(4566))

    def start_balancer(self):
        """A load balancer that shows what ACM has; `stop_balancer`: it refuses connections."""
        self.host.run(["systemd-run", "--quiet", "--collect", f"--unit={BALANCER_UNIT}",
                       "/usr/bin/python3", str(BALANCER), DIRECTORY, str(BALANCER_PORT)])
        self.host.wait(lambda: self.host.listening(BALANCER_PORT))

    def stop_balancer(self):
        self.host.run(["systemctl", "stop", BALANCER_UNIT], check=(0, 5))

    def hold_balancer(self):
        """It goes on showing what it shows now."""
        self.host.write(f"{DIRECTORY}/held.json",
                        self.host.read(f"{DIRECTORY}/certificates.json"))

    def reset(self):
        self.mode()
        for name in ("held.json", "requests.jsonl", "imports.jsonl"):
            self.host.remove(f"{DIRECTORY}/{name}")
        self.host.write(f"{DIRECTORY}/certificates.json", "{}")
        self.host.write(FILE, f"[default]\naws_access_key_id = {ACCESS}\n"
                        f"aws_secret_access_key = {SECRET}\n", mode=0o600, owner=OWNER)

    def mode(self, text=""):
        self.host.write(f"{DIRECTORY}/mode", text)

    def requests(self, action=None):
        path = f"{DIRECTORY}/requests.jsonl"
        if not self.host.exists(path):
            return []
        return [one for one in map(json.loads, self.host.read(path).splitlines())
                if action in (None, one.get("action"))]

    def certificates(self):
        """Serial by ARN."""
        found = json.loads(self.host.read(f"{DIRECTORY}/certificates.json"))
        return {arn: str(x509.load_pem_x509_certificate(one["pem"].encode()).serial_number)
                for arn, one in found.items()}

    def own(self, pair):
        """Imports what somebody else has made, without tags."""
        arn = "arn:aws:acm:eu-central-1:123456789012:certificate/of-somebody-else"
        self.host.write(f"{DIRECTORY}/certificates.json", json.dumps({arn: {
            "tags": [], "in_use": [], "pem": pair.certificate_pem, "key": pair.key_pem}}))

    def change(self, arn, **what):
        """Another type, or who uses it."""
        found = json.loads(self.host.read(f"{DIRECTORY}/certificates.json"))
        found[arn].update(what)
        self.host.write(f"{DIRECTORY}/certificates.json", json.dumps(found))

    @staticmethod
    def keys(**more):
        keys = {"type": "aws-acm", "region": "eu-central-1", "endpoint": ENDPOINT, "probe": "none",
                "credentials_file": FILE, "reload_timeout": "12s", **more}
        return {key: value for key, value in keys.items() if value is not None}
