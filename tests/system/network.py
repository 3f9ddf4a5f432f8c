"""Sockets and TLS handshakes of the test process in a host's network namespace.

A thread can be in another network namespace than its process, and a socket stays in the one it was
made in. So a short-lived thread enters the host's, makes the socket, and the test uses it: no
process to start, a handshake costs milliseconds.
"""

import ctypes
import dataclasses
import datetime
import os
import socket
import ssl
import tempfile
import threading

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)


def in_network(pid, function):
    """Call function() with the network of the process `pid`; returns or raises what it does."""
    result = {}

    def work():
        try:
            descriptor = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
            try:
                if libc.setns(descriptor, CLONE_NEWNET) != 0:
                    code = ctypes.get_errno()
                    raise OSError(code, f"setns: {os.strerror(code)}")
            finally:
                os.close(descriptor)
            result["value"] = function()
        except BaseException as error:
            result["error"] = error

    thread = threading.Thread(target=work, name=f"network of {pid}")
    thread.start()
    thread.join()
    if "error" in result:
        raise result["error"]
    return result["value"]


def connect(pid, address, port, timeout=10):
    return in_network(pid, lambda: socket.create_connection((address, port), timeout))


@dataclasses.dataclass(frozen=True)
class Leaf:
    """What a server proved to hold."""

    serial: str              # decimal, as the agent and Cloudflare write it
    serial_hex: str          # upper case, as openssl prints it
    subject: str
    issuer: str
    sans: tuple
    sha256: str              # of the DER, hexadecimal, lower case
    not_after: datetime.datetime
    key_type: str            # in the agent's words: "ecdsa-p256", "rsa-2048"
    pem: str

    def __getitem__(self, name):
        return getattr(self, name)


def key_type(public):
    if isinstance(public, ec.EllipticCurvePublicKey):
        return f"ecdsa-p{public.curve.key_size}"
    return f"rsa-{public.key_size}"


def leaf_from_der(der):
    certificate = x509.load_der_x509_certificate(der)
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        sans = tuple(names.value.get_values_for_type(x509.DNSName))
    except x509.ExtensionNotFound:
        sans = ()
    return Leaf(
        serial=str(certificate.serial_number),
        serial_hex=f"{certificate.serial_number:X}",
        subject=certificate.subject.rfc4514_string(),
        issuer=certificate.issuer.rfc4514_string(),
        sans=sans,
        sha256=certificate.fingerprint(hashes.SHA256()).hex(),
        not_after=certificate.not_valid_after.replace(tzinfo=datetime.timezone.utc),
        key_type=key_type(certificate.public_key()),
        pem=ssl.DER_cert_to_PEM_cert(der),
    )


def tls_context(ca=None, client=None):
    """Verifies as Cloudflare's Full (strict) does when given roots (PEM text), else takes all.
    `client`: certificate and key (PEM text) to show to a server that asks for them."""
    context = ssl.create_default_context(cadata=ca)
    if client is not None:
        with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
            file.write(client)
            file.flush()
            context.load_cert_chain(file.name)
    if ca is None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def handshake(host, hostname, port=443, address="127.0.0.1", ca=None, client=None, timeout=10):
    """Shake hands with a server inside the host; a wrong certificate raises ssl.SSLError."""
    with host.connect(port, address, timeout) as plain:
        with tls_context(ca, client).wrap_socket(plain, server_hostname=hostname) as secure:
            return leaf_from_der(secure.getpeercert(binary_form=True))
