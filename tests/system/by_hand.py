"""Certificates as an administrator makes them by hand: what a server has before the agent."""

import dataclasses
import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat, pkcs12)

KEYS = {
    "ecdsa-p256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "ecdsa-p384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "rsa-2048": lambda: rsa.generate_private_key(65537, 2048),
}
PASSWORD = "made-by-hand"       # of keystores


@dataclasses.dataclass(frozen=True)
class Pair:
    key: object
    certificate: x509.Certificate

    @property
    def serial(self):
        """Decimal, as Leaf.serial."""
        return str(self.certificate.serial_number)

    @property
    def key_pem(self):
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()

    @property
    def certificate_pem(self):
        return self.certificate.public_bytes(Encoding.PEM).decode()

    @property
    def keystore(self):
        """PKCS#12 with PASSWORD."""
        return pkcs12.serialize_key_and_certificates(
            b"by-hand", self.key, self.certificate, None,
            BestAvailableEncryption(PASSWORD.encode()))


def pair(*hostnames, key_type="ecdsa-p256", days=30):
    """A key and a self-signed certificate for the hostnames."""
    key = KEYS[key_type]()
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, hostnames[0])])
    now = datetime.datetime.utcnow()
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name)
    builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - datetime.timedelta(hours=1))
    builder = builder.not_valid_after(now + datetime.timedelta(days=days))
    names = x509.SubjectAlternativeName([x509.DNSName(name) for name in hostnames])
    builder = builder.add_extension(names, critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    return Pair(key, builder.sign(key, hashes.SHA256()))
