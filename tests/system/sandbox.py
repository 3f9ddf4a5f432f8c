"""origin-ca-sandbox, the local Origin CA API, as a service of a host."""

import contextlib
import dataclasses
import http.client
import json
import os
import ssl

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from network import leaf_from_der, tls_context
from product import STOP

UNIT = "origin-ca-sandbox.service"
CHAOS = os.environ.get("ORIGIN_CA_CHAOS")       # a seed

# What tokens may, by a name for them; the first is the one that the agent gets.
TOKENS = {
    "whole": "all",
    "reads": "ssl:read,zone:read",
    "blind": "ssl:edit",                # without Zone > Zone > Read
    "disabled": "all,status=disabled",
    "expired": "all,status=expired",
    "issues": "ssl:edit,zone:read",     # what the README asks for, and nothing more
    "com": "all,zone=example.com",      # two accounts, as far as the agent can tell
    "org": "all,zone=example.org",
}


@dataclasses.dataclass
class Answer:
    status: int
    headers: dict
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def result(self):
        """What a successful answer is about."""
        assert self.status == 200 and self.json["success"] is True, self.body
        return self.json["result"]


class Sandbox:
    """`arguments`: more options, e.g. "--fault", "POST /certificates:lose-answer". With
    ORIGIN_CA_CHAOS=SEED in the environment it misbehaves at random, unless `chaos=False`."""

    def __init__(self, host, program, *arguments, directory="/srv/sandbox", port=8443, zones=None,
                 chaos=True, plain=False, unit=UNIT, tokens=None):
        self.host, self.program, self.directory, self.port = host, str(program), directory, port
        self.unit = unit
        self.scheme = "http" if plain else "https"
        self.endpoint = f"{self.scheme}://127.0.0.1:{port}"
        self.token_file = f"{directory}/token"
        self.ca_file = f"{directory}/ca.pem"
        self.arguments = ["--state", directory, "--listen", f"127.0.0.1:{port}"]
        if zones:
            self.arguments += ["--zone", ",".join(zones)]
        for name, words in (tokens or {}).items():
            self.arguments += ["--token", f"{self.token_that(name)}:{words},name={name}"]
        if plain:
            self.arguments.append("--plain")
        self.chaotic = bool(CHAOS and chaos)
        if self.chaotic:
            self.arguments += ["--chaos", CHAOS]
        self.arguments += arguments
        self._root = None
        self._issued_before = self._requests_before = 0
        self.start()

    def start(self, *more):
        """`more`: options of this start only."""
        self.host.run(["rm", "-f", f"{self.directory}/endpoint"])
        self.host.run(["systemd-run", "--quiet", "--collect", f"--unit={self.unit}",
                       "--service-type=exec", f"--property=ExecStop={STOP}", self.program,
                       *self.arguments, *more])
        self.host.wait(self._ready, 20, lambda: f"{self.unit} listens:\n"
                       + self.host.journal(self.unit))
        return self

    def _ready(self):
        return self.host.exists(f"{self.directory}/endpoint") and self.host.listening(self.port)

    def stop(self):
        self.host.run(["systemctl", "stop", self.unit], check=(0, 5))    # 5: it is not there

    def restart(self, *more):
        """What was issued, the roots and the token stay; faults that were ordered do not."""
        self.stop()
        self.start(*more)

    @property
    def token(self):
        return self.host.read(self.token_file).strip()

    @staticmethod
    def token_that(name):
        """One of `tokens`, as the agent would send it."""
        return f"{name}-token-of-the-sandbox-0123456789abcdef"

    @property
    def root(self):
        """The root that its own TLS certificate is signed by (PEM)."""
        if self._root is None:
            self._root = self.host.read(self.ca_file)
        return self._root

    def roots(self):
        """Both Origin CA roots (PEM): what Cloudflare's Full (strict) verifies a leaf with."""
        paths = (f"/ssl/static/origin_ca_{name}_root.pem" for name in ("ecc", "rsa"))
        return "".join(self.request("GET", path).body.decode() for path in paths)

    def roots_keys(self):
        """What the agent's [api] section needs to know to fetch and believe the sandbox's roots:
        both Origin CA roots, and the CA of Authenticated Origin Pulls."""
        names = ("origin_ca_ecc_root", "origin_ca_rsa_root", "authenticated_origin_pull_ca")
        pins = [leaf_from_der(ssl.PEM_cert_to_DER_cert(self.host.read(
            f"{self.directory}/{name}.pem"))).sha256 for name in names]
        return {"root_url": f"{self.endpoint}/ssl/static", "root_sha256": pins}

    def edge(self):
        """Certificate and key (PEM) that Cloudflare's edge shows to an origin that asks for them:
        for `client=` of Server.served(), ask() and client()."""
        return "".join(self.host.read(f"{self.directory}/origin_pull_client.{suffix}")
                       for suffix in ("pem", "key"))

    def _connect(self, timeout):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        plain = self.host.connect(self.port, timeout=timeout)
        connection.sock = plain
        if self.scheme == "https":
            connection.sock = tls_context(self.root).wrap_socket(plain, server_hostname="127.0.0.1")
        return contextlib.closing(connection)

    def _ask(self, connection, method, path, body, token):
        if not path.startswith(("/sandbox/", "/client/", "/ssl/")):
            path = "/client/v4" + path
        headers = {"Authorization": f"Bearer {token or self.token}"}
        if body is not None:
            body = json.dumps(body)
            headers["Content-Type"] = "application/json"
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        return Answer(response.status, dict(response.headers), response.read())

    def request(self, method, path, body=None, token=None, timeout=20):
        """One request; a path without a leading /sandbox/ is below /client/v4."""
        with self._connect(timeout) as connection:
            return self._ask(connection, method, path, body, token)

    def crowd(self, hostname, count):
        """Makes certificates that are somebody else's, until a zone has `count` more."""
        key = ec.generate_private_key(ec.SECP256R1())
        csr = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
        csr = csr.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()
        body = {"csr": csr, "hostnames": [hostname], "request_type": "origin-ecc",
                "requested_validity": 90}
        token = self.token
        with self._connect(20) as connection:
            for _ in range(count):
                assert self._ask(connection, "POST", "/certificates", body, token).status == 200

    def by_hand(self, hostnames, key=None, days=5475, token=None):
        """A certificate as somebody made it in the dashboard: (PEM, PEM of its key, serial)."""
        key = key or rsa.generate_private_key(65537, 2048)
        csr = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
        csr = csr.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()
        kind = "origin-rsa" if isinstance(key, rsa.RSAPrivateKey) else "origin-ecc"
        made = self.request("POST", "/certificates", {
            "csr": csr, "hostnames": hostnames, "request_type": kind,
            "requested_validity": days}, token=token).result
        text = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                 serialization.NoEncryption()).decode()
        return made["certificate"].rstrip("\n") + "\n", text, made["id"]

    def _journal(self, name):
        path = f"{self.directory}/{name}.jsonl"
        if not self.host.exists(path):
            return []
        return [json.loads(line) for line in self.host.read(path).splitlines()]

    def mark(self):
        """issued() and requests() forget what was before: for tests that share a sandbox."""
        self._issued_before = len(self._journal("issued"))
        self._requests_before = len(self._journal("requests"))

    def issued(self):
        """All certificates ever made, the oldest first, as the sandbox recorded them."""
        return self._journal("issued")[self._issued_before:]

    def revoked(self):
        """The ids of all that was ever revoked."""
        return [one["id"] for one in self._journal("revoked")]

    def setting(self, zone, name, value=None):
        """A setting of a zone, after changing it when there is a `value`."""
        path = f"/zones/{self.zone_id(zone)}/settings/{name}"
        if value is not None:
            self.request("PATCH", path, {"value": value})
        return self.request("GET", path).result["value"]

    def requests(self, method=None, path=None):
        """What was asked, the oldest first; `path` without /client/v4. Status 0: no answer."""
        return [one for one in self._journal("requests")[self._requests_before:]
                if method in (None, one["method"])
                and path in (None, one["path"].removeprefix("/client/v4"))]

    def zone_id(self, name):
        """Asked until it answers, when it misbehaves at random."""
        while True:
            with contextlib.suppress(OSError, http.client.HTTPException, ValueError,
                                     AssertionError):
                return self.request("GET", f"/zones?name={name}").result[0]["id"]
            assert self.chaotic, f"{name} is no zone"

    def stats(self):
        return self.request("GET", "/sandbox/stats").result

    def fault(self, *specifications, clear=False):
        """Misbehave from now on: "METHOD PATH:KIND[=VALUE][:COUNT|:always]"."""
        body = {"add": list(specifications), "clear": clear}
        return self.request("POST", "/sandbox/faults", body).result

    def clear_faults(self):
        return self.fault(clear=True)

    def clock(self, offset):
        """The sandbox's clock against the host's, in seconds."""
        return self.request("POST", "/sandbox/clock", {"offset": offset}).result
