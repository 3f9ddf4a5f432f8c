"""Starts origin-ca-sandbox and talks to it; for every test that needs Cloudflare."""

import glob
import http.client
import json
import os
import pathlib
import signal
import ssl
import subprocess
import time

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

SOURCE = pathlib.Path(__file__).resolve().parents[2]


def binary():
    """The program under test: $ORIGIN_CA_SANDBOX, else the newest of the build directories."""
    if os.environ.get("ORIGIN_CA_SANDBOX"):
        return os.environ["ORIGIN_CA_SANDBOX"]
    built = glob.glob(str(SOURCE / "build/*/tests/sandbox/origin-ca-sandbox"))
    assert built, "origin-ca-sandbox is not built"
    return max(built, key=os.path.getmtime)


class Answer:
    """What came back: status, headers (case does not matter), body, and its JSON."""

    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def result(self):
        assert self.status == 200, self.body
        assert self.json["success"] is True
        return self.json["result"]

    @property
    def code(self):
        """The code of the only error."""
        assert self.json["success"] is False
        (error,) = self.json["errors"]
        return error["code"]


class Sandbox:
    def __init__(self, directory, *arguments, listen="127.0.0.1:0"):
        self.directory = pathlib.Path(directory)
        self.log = open(f"{directory}.log", "ab")
        self.process = subprocess.Popen(
            [binary(), "--state", str(directory), "--listen", listen, *arguments],
            stdout=subprocess.PIPE, stderr=self.log, text=True)
        self.line = self.process.stdout.readline().strip()
        assert self.line.startswith("listening on "), self.errors()
        self.address = self.line.removeprefix("listening on ").removesuffix("/client/v4")
        self.scheme, _, place = self.address.partition("://")
        self.host, _, port = place.rpartition(":")
        self.host = self.host.strip("[]")
        self.port = int(port)
        self.token = (self.directory / "token").read_text().strip()
        self.connection = None

    def errors(self):
        return pathlib.Path(self.log.name).read_text(errors="replace")

    def connect(self, timeout=20):
        if self.scheme == "http":
            return http.client.HTTPConnection(self.host, self.port, timeout=timeout)
        context = ssl.create_default_context(cafile=str(self.directory / "ca.pem"))
        return http.client.HTTPSConnection(self.host, self.port, timeout=timeout, context=context)

    def send(self, connection, method, path, body=None, token=None, headers=None):
        if not path.startswith(("/sandbox/", "/ssl/", "/client/")):
            path = "/client/v4" + path
        headers = dict(headers or {})
        if token != "":
            headers.setdefault("Authorization", f"Bearer {token or self.token}")
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        connection.request(method, path, body, headers)
        return Answer(connection.getresponse())

    def request(self, method, path, body=None, token=None, headers=None, timeout=20):
        """On a connection that is kept, and made anew once it was lost."""
        if self.connection is None:
            self.connection = self.connect(timeout)
        try:
            return self.send(self.connection, method, path, body, token, headers)
        except (OSError, http.client.HTTPException):
            self.connection.close()
            self.connection = None
            raise

    def get(self, path, **more):
        return self.request("GET", path, **more)

    def post(self, path, body=None, **more):
        return self.request("POST", path, body, **more)

    def issue(self, *hostnames, csr=None, days=90, request_type="origin-ecc", **more):
        body = {"csr": csr or CSR_P256, "hostnames": list(hostnames or ("example.com",)),
                "request_type": request_type, "requested_validity": days}
        return self.post("/certificates", body, **more)

    def zone(self, name="example.com"):
        return self.get(f"/zones?name={name}").result[0]["id"]

    def fault(self, *specifications, clear=True):
        answer = self.post("/sandbox/faults", {"clear": clear, "add": list(specifications)})
        assert answer.status == 200, answer.body

    def journal(self, name="issued.jsonl"):
        return [json.loads(line) for line in (self.directory / name).read_text().splitlines()]

    def root(self, name):
        return x509.load_pem_x509_certificate((self.directory / name).read_bytes())

    def stop(self, how=signal.SIGTERM, within=20):
        if self.connection is not None:
            self.connection.close()
            self.connection = None
        started = time.monotonic()
        self.process.send_signal(how)
        try:
            code = self.process.wait(within)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        self.process.stdout.close()
        self.log.close()
        self.stopped_in = time.monotonic() - started
        return code


def key_new(kind="p256"):
    if kind.startswith("rsa"):
        return rsa.generate_private_key(65537, int(kind.removeprefix("rsa")))
    curves = {"p256": ec.SECP256R1, "p384": ec.SECP384R1, "secp256k1": ec.SECP256K1}
    return ec.generate_private_key(curves[kind]())


def csr_new(key, name="ignored.invalid"):
    """A request whose subject and names must not turn up in any certificate."""
    builder = x509.CertificateSigningRequestBuilder()
    builder = builder.subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
    builder = builder.add_extension(
        x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    csr = builder.sign(key, hashes.SHA256())
    return csr.public_bytes(serialization.Encoding.PEM).decode()


def leaf_of(result):
    return x509.load_pem_x509_certificate(result["certificate"].encode())


def names_of(leaf):
    extension = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    return extension.value.get_values_for_type(x509.DNSName)


KEY_P256 = key_new()
CSR_P256 = csr_new(KEY_P256)
KEY_RSA = key_new("rsa2048")
CSR_RSA = csr_new(KEY_RSA)
