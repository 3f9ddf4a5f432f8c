"""What stands for AWS Certificate Manager: `fake_acm.py DIRECTORY`, run inside a host.

On 127.0.0.1:4566 the calls of ACM's published API that importing needs. Each request's signature is
recomputed by botocore; one that differs, or leaves out a header that AWS wants signed, is refused
as AWS does. On 169.254.169.254:80 the metadata service (version 2), on 169.254.170.2:80 that of
containers, where the host has these addresses.

In DIRECTORY: credentials.json, certificates.json, requests.jsonl (without keys), imports.jsonl
(what was imported), `mode` ("KIND [ACTION]", read anew at each call).
"""

import base64
import datetime
import http.server
import json
import pathlib
import sys
import threading
import time
import uuid

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

REGION, PORT = "eu-central-1", 4566
ROLE = "origin-ca-agent-role"
METADATA_TOKEN = "metadata-token-0123456789"


class Refused(Exception):
    def __init__(self, kind, message, status=400):
        super().__init__(message)
        self.kind, self.status = kind, status


def public(key):
    return key.public_bytes(serialization.Encoding.DER,
                            serialization.PublicFormat.SubjectPublicKeyInfo)


class Manager:
    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.lock = threading.Lock()

    def read(self, name):
        return json.loads((self.directory / name).read_text())

    def mode(self, action):
        path = self.directory / "mode"
        words = path.read_text().split() if path.exists() else []
        return words[0] if words and words[1:] in ([], [action]) else ""

    def note(self, **what):
        with self.lock, (self.directory / "requests.jsonl").open("a") as file:
            file.write(json.dumps(what) + "\n")

    def check_signature(self, handler, body):
        """AWS's own arithmetic, by botocore, over what was really sent."""
        text = handler.headers.get("Authorization", "")
        if not text.startswith("AWS4-HMAC-SHA256 "):
            raise Refused("MissingAuthenticationToken", "Missing Authentication Token", 403)
        parts = dict(part.strip().split("=", 1) for part in text.split(" ", 1)[1].split(","))
        access_key, day, region, service, last = parts["Credential"].split("/")
        known = self.read("credentials.json").get(access_key)
        token = handler.headers.get("X-Amz-Security-Token")
        if known is None or (known.get("token") or None) != token:
            raise Refused("UnrecognizedClientException",
                          "The security token included in the request is invalid.")
        signed = parts["SignedHeaders"].split(";")
        wanted = {"host", "x-amz-date"} | {name.lower() for name in handler.headers
                                           if name.lower().startswith("x-amz-")}
        if not wanted <= set(signed):
            raise Refused("InvalidSignatureException", f"not signed: {wanted - set(signed)}")
        request = AWSRequest(handler.command, f"http://{handler.headers['Host']}{handler.path}",
                             data=body, headers={name: handler.headers[name] for name in signed})
        request.context["timestamp"] = handler.headers["X-Amz-Date"]
        auth = SigV4Auth(Credentials(access_key, known["secret"], token), "acm", REGION)
        right = auth.signature(auth.string_to_sign(request, auth.canonical_request(request)),
                               request)
        if (region, service, last, day) != (REGION, "acm", "aws4_request",
                                            handler.headers["X-Amz-Date"][:8]):
            raise Refused("InvalidSignatureException", "Credential should be scoped to a valid "
                          "region.")
        if right != parts["Signature"]:
            raise Refused("InvalidSignatureException", "The request signature we calculated does "
                          "not match the signature you provided.")
        return signed

    # --- the calls

    def certificate(self, arn):
        found = self.read("certificates.json").get(arn)
        if found is None:
            raise Refused("ResourceNotFoundException",
                          f"Could not find certificate {arn}.")
        return found

    def import_certificate(self, body):
        leaf, key, chain = (base64.b64decode(body.get(name, ""), validate=True) for name in
                            ("Certificate", "PrivateKey", "CertificateChain"))
        arn = body.get("CertificateArn")
        if arn and body.get("Tags"):
            raise Refused("ValidationException", "Tagging is not permitted on re-import.")
        if arn:
            self.certificate(arn)
        try:
            leaf = x509.load_pem_x509_certificate(leaf)
            key = serialization.load_pem_private_key(key, None)
        except ValueError as error:
            raise Refused("ValidationException", "The certificate field contains more than one "
                          "certificate, or is not PEM.") from error
        if public(leaf.public_key()) != public(key.public_key()):
            raise Refused("ValidationException", "The private key does not match the certificate.")
        if leaf.not_valid_after < datetime.datetime.utcnow():
            raise Refused("ValidationException", "The certificate has expired.")
        if leaf.issuer != leaf.subject:
            if not chain or x509.load_pem_x509_certificate(chain).subject != leaf.issuer:
                raise Refused("ValidationException", "Provided certificate chain is not valid.")
        with self.lock:
            certificates = self.read("certificates.json")
            arn = arn or f"arn:aws:acm:{REGION}:123456789012:certificate/{uuid.uuid4()}"
            kept = certificates.get(arn, {"tags": body.get("Tags", []), "in_use": []})
            certificates[arn] = {**kept, "pem": leaf.public_bytes(
                serialization.Encoding.PEM).decode(), "key": key.private_bytes(
                    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                    serialization.NoEncryption()).decode()}
            path = self.directory / "certificates.json.new"
            path.write_text(json.dumps(certificates))
            path.rename(self.directory / "certificates.json")
            with (self.directory / "imports.jsonl").open("a") as file:
                file.write(json.dumps({"place": arn, "sha256": leaf.fingerprint(
                    hashes.SHA256()).hex()}) + "\n")
        return {"CertificateArn": arn}

    def describe_certificate(self, body):
        found = self.certificate(body["CertificateArn"])
        leaf = x509.load_pem_x509_certificate(found["pem"].encode())
        digits = f"{leaf.serial_number:x}"
        digits = digits.zfill(len(digits) + len(digits) % 2)
        return {"Certificate": {
            "CertificateArn": body["CertificateArn"], "Type": found.get("type", "IMPORTED"),
            "Serial": ":".join(digits[i:i + 2] for i in range(0, len(digits), 2)),
            "Status": "ISSUED", "InUseBy": found["in_use"],
            "NotAfter": leaf.not_valid_after.timestamp()}}

    def list_certificates(self, body):
        """One a page. Without `Includes` only the old RSA types, as AWS does."""
        types = body.get("Includes", {}).get("keyTypes", ["RSA_1024", "RSA_2048"])
        listed = []
        for arn, found in sorted(self.read("certificates.json").items()):
            key = x509.load_pem_x509_certificate(found["pem"].encode()).public_key()
            kind = (f"RSA_{key.key_size}" if isinstance(key, rsa.RSAPublicKey)
                    else {256: "EC_prime256v1", 384: "EC_secp384r1"}[key.key_size])
            if kind in types:
                listed.append({"CertificateArn": arn, "KeyAlgorithm": kind,
                               "Type": found.get("type", "IMPORTED")})
        at = int(body.get("NextToken", "0"))
        answer = {"CertificateSummaryList": listed[at:at + 1]}
        if at + 1 < len(listed):
            answer["NextToken"] = str(at + 1)
        return answer

    def list_tags_for_certificate(self, body):
        return {"Tags": self.certificate(body["CertificateArn"])["tags"]}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    manager = None

    def log_message(self, *arguments):
        pass

    def say(self, status, text, kind="application/x-amz-json-1.1", headers=()):
        data = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)


class Acm(Handler):
    CALLS = {
        "ImportCertificate": "import_certificate", "DescribeCertificate": "describe_certificate",
        "ListCertificates": "list_certificates",
        "ListTagsForCertificate": "list_tags_for_certificate"}

    def do_POST(self):
        manager = self.manager
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        action = self.headers.get("X-Amz-Target", "").removeprefix("CertificateManager.")
        mode, signed, refused = manager.mode(action), [], None
        try:
            signed = manager.check_signature(self, body)
        except Refused as refusal:
            refused = refusal
        parsed = json.loads(body)
        shown = {name: value for name, value in parsed.items() if name != "PrivateKey"}
        manager.note(action=action, body=shown, mode=mode, signed=signed, path=self.path,
                     headers={name.lower(): value for name, value in self.headers.items()})
        try:
            if refused:
                raise refused
            self.answer(action, mode, parsed)
        except Refused as refusal:
            self.say(refusal.status, json.dumps({"__type": refusal.kind,
                                                 "message": str(refusal)}))

    def answer(self, action, mode, body):
        if mode == "slow":
            time.sleep(20)
        if mode.endswith("Exception") or mode in (
                "IncompleteSignature", "MissingAuthenticationToken", "NotAuthorized"):
            raise Refused(mode, f"{mode} of the stand-in")
        if mode == "ServiceUnavailable":
            raise Refused(mode, "later", 503)
        if mode == "once":          # throttled once
            (self.manager.directory / "mode").write_text("")
            raise Refused("ThrottlingException", "Rate exceeded")
        if mode == "repeats":
            raise Refused("ValidationException",
                          "bad: " + base64.b64decode(body["PrivateKey"]).decode())
        answer = getattr(self.manager, self.CALLS[action])(body)
        if mode in ("lost", "hold"):
            time.sleep(20 if mode == "hold" else 0)
            self.close_connection = True
            return
        self.say(200, json.dumps(answer))


class Metadata(Handler):
    def role(self):
        return next((key, one) for key, one in self.manager.read("credentials.json").items()
                    if one.get("role"))

    def give(self):
        key, one = self.role()
        self.say(200, json.dumps({"Code": "Success", "AccessKeyId": key, "Token": one["token"],
                                  "SecretAccessKey": one["secret"],
                                  "Expiration": "2030-01-01T00:00:00Z"}), "text/plain")

    def do_PUT(self):
        self.manager.note(metadata=self.path, headers=dict(self.headers))
        ttl = self.headers.get("X-aws-ec2-metadata-token-ttl-seconds")
        if self.path != "/latest/api/token" or not ttl:
            return self.say(400, "", "text/plain")
        return self.say(200, METADATA_TOKEN, "text/plain")

    def do_GET(self):
        self.manager.note(metadata=self.path, headers=dict(self.headers))
        base = "/latest/meta-data/iam/security-credentials/"
        if self.headers.get("X-aws-ec2-metadata-token") != METADATA_TOKEN:
            return self.say(401, "", "text/plain")      # version 1 is switched off
        if self.path == base:
            return self.say(200, ROLE, "text/plain")
        return self.give() if self.path == base + ROLE else self.say(404, "", "text/plain")


class Container(Metadata):
    def do_GET(self):
        self.manager.note(container=self.path, headers=dict(self.headers))
        return self.give() if self.path == "/v2/role" else self.say(404, "", "text/plain")


def main(directory):
    Handler.manager = Manager(directory)
    for address, port, handler in (("169.254.169.254", 80, Metadata),
                                   ("169.254.170.2", 80, Container)):
        try:
            server = http.server.ThreadingHTTPServer((address, port), handler)
        except OSError:
            continue            # this host has no such address
        threading.Thread(target=server.serve_forever, daemon=True).start()
    http.server.ThreadingHTTPServer(("127.0.0.1", PORT), Acm).serve_forever()


if __name__ == "__main__":
    main(sys.argv[1])
