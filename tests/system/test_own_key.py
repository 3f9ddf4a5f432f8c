"""The administrator's own private key or request, and keys that are used again."""

import dataclasses

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat, PublicFormat,
    load_pem_private_key)

import by_hand
from agent import CONFIG_DIRECTORY, USER
from origin import NAME, Origin
from nginx import Nginx

KEY = f"{CONFIG_DIRECTORY}/own.key"
CSR = f"{CONFIG_DIRECTORY}/own.csr"
NAMES = (NAME, f"*.{NAME}")
LISTED_LATER = "GET /certificates:429=3600:always"


@dataclasses.dataclass
class Own:
    """What the administrator brings, in the host."""

    origin: Origin
    key: object = None

    def give_key(self, key_type="ecdsa-p256", key=None):
        self.key = key or by_hand.KEYS[key_type]()
        self.write(KEY, self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return self.key

    def give_csr(self, *names, key=None):
        self.key = key or self.key or by_hand.KEYS["ecdsa-p256"]()
        builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
        if names:
            builder = builder.add_extension(
                x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), False)
        self.write(CSR, builder.sign(self.key, hashes.SHA256()).public_bytes(Encoding.PEM))
        return self.key

    def write(self, path, text):
        self.origin.host.write(path, text, mode=0o600, owner=f"{USER}:{USER}")

    def configure(self, **keys):
        self.origin.agent.certificate(NAME, **keys)

    def renew(self, *names, **options):
        done = self.origin.agent.renew(*names, **options)
        return done.certificate(NAME)

    def public(self, file="cert.pem"):
        pem = self.origin.host.read(self.origin.agent.state_path("live", NAME, file), binary=True)
        one = (load_pem_private_key(pem, None) if file == "key.pem"
               else x509.load_pem_x509_certificate(pem))
        return spki(one)

    def has_key(self, key):
        """The newest certificate is for this key, which is served with it."""
        assert self.public() == self.public("key.pem") == spki(key)
        assert self.origin.served() == self.origin.serials()[-1]
        return True


def spki(one):
    return one.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


@pytest.fixture
def own(clean_agent, module_sandbox):
    """nginx runs and includes the snippet; no certificate yet."""
    origin = Origin(clean_agent, Nginx(clean_agent.host), module_sandbox)
    for path in (KEY, CSR):
        origin.host.remove(path)
    origin.nginx.remove_all()
    origin.host.run(["systemctl", "start", origin.nginx.unit])
    origin.nginx.add(NAME, snippet=origin.nginx.self_signed(NAME))
    origin.nginx.reload()
    origin.nginx.add(NAME)
    return Own(origin)


@pytest.fixture
def settled(own):
    """A certificate for an own key, served."""
    own.give_key()
    own.configure(private_key=KEY)
    own.renew(check=0)
    assert own.has_key(own.key)
    return own


def refused(own, *words, check=1):
    """One message, with a remedy and class; the API is asked for nothing."""
    issued = len(own.origin.serials())
    done = own.origin.agent.renew(check=check)
    error = done.certificate(NAME)["error"]
    assert error["class"] == "configuration", done
    text = f"{error['message']} -> {error['remedy']}"
    for word in words:
        assert word in text, text
    assert len(done.stderr.splitlines()) == 1, done.stderr
    status = own.origin.agent.status(check=1)
    assert status.certificate(NAME)["error"]["message"] == error["message"]
    assert len(own.origin.serials()) == issued
    return done.certificate(NAME)


# --- an own key

@pytest.mark.parametrize("key_type", ["ecdsa-p256", "rsa-2048"])
@pytest.mark.parametrize("given", [True, False])
def test_own_key_is_certified_and_served(own, key_type, given):
    key = own.give_key(key_type)
    own.configure(private_key=KEY, key_type=key_type if given else None)
    assert own.renew(check=0)["outcome"] == "issued"
    assert own.has_key(key)
    kind = "origin-rsa" if key_type == "rsa-2048" else "origin-ecc"
    assert own.origin.sandbox.issued()[-1]["request_type"] == kind
    assert not own.origin.agent.renew(NAME, check=0).json["changed"]
    if given:
        own.renew(NAME, force=True, check=0)
        assert own.has_key(key) and len(own.origin.serials()) == 2


def test_own_key_in_its_traditional_form_is_read(own):
    own.key = by_hand.KEYS["ecdsa-p256"]()
    own.write(KEY, own.key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL,
                                         NoEncryption()))
    own.configure(private_key=KEY)
    own.renew(check=0)
    assert own.has_key(own.key)


def encrypted(own):
    own.write(KEY, own.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8,
                                         BestAvailableEncryption(b"secret")))


BAD_KEYS = {
    "absent": (lambda own: own.origin.host.remove(KEY), ("No such file", KEY)),
    "encrypted": (encrypted, ("without a password", "openssl pkey")),
    "garbage": (lambda own: own.write(KEY, "no key\n"), (KEY, "PEM")),
    "certificate": (lambda own: own.write(KEY, by_hand.pair(NAME).certificate_pem), (KEY, "PEM")),
    "directory": (lambda own: own.origin.host.run(["sh", "-c", f"rm {KEY}; mkdir {KEY}"]),
                  (KEY, "regular file")),
    "fifo": (lambda own: own.origin.host.run(["sh", "-c", f"rm {KEY}; mkfifo {KEY}"]),
             (KEY, "regular file")),
    "of somebody else": (lambda own: own.origin.host.run(["chown", "root:root", KEY]),
                         ("Permission denied", f"let {USER} (user ", f"namei -l {KEY}")),
}


def own_findings(own):
    """What `check` finds wrong with the certificate."""
    return [one for one in own.origin.agent.check().json["findings"]
            if one["level"] == "error" and one["subject"] == NAME]


def test_own_key_that_cannot_be_used_is_said_and_the_old_certificate_serves(settled):
    snippet = settled.origin.host.read(settled.origin.nginx.snippet(NAME))
    for spoil, words in BAD_KEYS.values():
        spoil(settled)
        one = refused(settled, *words)
        found = own_findings(settled)
        assert found and all(word in f"{found[0]['message']} -> {found[0]['remedy']}"
                             for word in words), found
        assert one["reissue"] == [] and one["targets"][0]["redeploy"] == []
        assert settled.origin.served() == settled.origin.serials()[0]
        assert settled.origin.host.read(settled.origin.nginx.snippet(NAME)) == snippet
        settled.origin.host.remove(KEY)
        settled.give_key(key=settled.key)
        assert not own_findings(settled)
    # mended, nothing is to be done
    settled.origin.agent.scheduled_pass(check=0)
    assert len(settled.origin.serials()) == 1


def test_own_rsa_key_that_is_gone_is_no_reason_to_change_anything(own):
    """The type is the key's, and while nobody can read it, it is that of the certificate."""
    own.give_key("rsa-2048")
    own.configure(private_key=KEY)
    own.renew(check=0)
    own.origin.host.remove(KEY)
    one = refused(own, KEY)
    assert one["reissue"] == [] and one["targets"][0]["redeploy"] == []


def test_own_key_of_another_type_than_configured_is_refused(own):
    own.give_key("rsa-2048")
    own.configure(private_key=KEY, key_type="ecdsa-p256")
    refused(own, KEY, "rsa-2048", "ecdsa-p256", "leave out `key_type`")


def test_own_key_of_a_type_that_cloudflare_does_not_sign_is_refused(own):
    own.origin.host.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", KEY])
    own.origin.agent.give(KEY)
    own.configure(private_key=KEY)
    refused(own, KEY, "ED25519", "use ECDSA with P-256")


@pytest.mark.parametrize("key_type", ["ecdsa-p256", "rsa-2048"])
def test_key_that_was_replaced_by_another_is_certified_anew(settled, key_type):
    key = settled.give_key(key_type)
    reason = "key" if key_type == "ecdsa-p256" else "key-type"
    plan = settled.renew(dry_run=True, check=1)
    assert plan["reissue"] == [reason]
    assert settled.origin.agent.status(check=1).certificate(NAME)["reissue"] == [reason]
    settled.origin.agent.scheduled_pass(check=0)
    assert settled.has_key(key) and len(settled.origin.serials()) == 2


def test_key_behind_a_link_that_now_leads_elsewhere_is_noticed(settled):
    host = settled.origin.host
    host.run(["sh", "-c", f"mkdir -p /srv/a /srv/b; mv {KEY} /srv/a/key; ln -sfn /srv/a /srv/now; "
                          f"ln -s /srv/now/key {KEY}"])
    settled.origin.agent.scheduled_pass(check=0)
    assert len(settled.origin.serials()) == 1
    other = by_hand.KEYS["ecdsa-p256"]()
    settled.write("/srv/b/key", other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8,
                                                    NoEncryption()))
    settled.origin.agent.scheduled_pass(check=0)
    host.run(["ln", "-sfn", "/srv/b", "/srv/now"])
    settled.origin.agent.scheduled_pass(check=0)
    assert settled.has_key(other) and len(settled.origin.serials()) == 2


def test_own_key_can_be_given_up_and_its_copy_is_not_asked_with_again(settled):
    settled.configure()
    assert settled.renew(NAME, force=True, check=0)["issued"]
    assert settled.public() != spki(settled.key)


# --- an own request

def test_request_without_its_key_gives_der_and_p7b(own):
    key = own.give_csr(*NAMES)
    own.configure(csr=CSR, targets=None, formats=["der", "p7b"])
    assert own.renew(check=0)["outcome"] == "issued"
    assert own.public() == spki(key)
    host, agent = own.origin.host, own.origin.agent
    live = agent.state_path("live", NAME)
    assert {"cert.pem", "fullchain.pem", "cert.der", "cert.p7b", "csr.pem"} <= set(host.list(live))
    assert not {"key.pem", "keystore.p12", "combined.pem"} & set(host.list(live))
    der = host.run(["openssl", "x509", "-inform", "DER", "-in", f"{live}/cert.der", "-noout",
                    "-ext", "subjectAltName"]).stdout
    assert all(f"DNS:{name}" in der for name in NAMES)
    assert not agent.renew(NAME, check=0).json["changed"]
    # the same request again at the renewal, another one at once
    own.renew(NAME, force=True, check=0)
    assert own.public() == spki(key)
    other = own.give_csr(*NAMES, key=by_hand.KEYS["ecdsa-p256"]())
    assert own.renew(dry_run=True, check=1)["reissue"] == ["key"]
    agent.scheduled_pass(check=0)
    assert own.public() == spki(other) and len(own.origin.serials()) == 3


@pytest.mark.parametrize("keys, words", [
    ({}, ("the private key is not on this host", "targets", "nginx")),
    ({"targets": None, "formats": "p12", "keystore_password_file": KEY}, ("p12",)),
    ({"targets": None, "formats": "combined"}, ("combined",)),
])
def test_request_without_its_key_is_refused_for_what_needs_the_key(own, keys, words):
    own.give_csr(*NAMES)
    own.configure(csr=CSR, **keys)
    done = own.origin.agent.renew(check=3)
    text = str(done.json["problems"])
    assert all(word in text for word in words), text
    assert own.origin.serials() == []


def test_request_may_cover_more_than_the_hostnames(own):
    own.give_csr(*NAMES, "more.example.com")
    own.configure(csr=CSR, targets=None)
    own.renew(check=0)
    assert set(own.origin.sandbox.issued()[-1]["hostnames"]) == set(NAMES)


@pytest.mark.parametrize("names, words", [
    ((NAME,), (f"is not for *.{NAME}", "make a request with all names")),
    ((), ("is not for",)),
    (("other.example.com",), (f"is not for {NAME}",)),
])
def test_request_that_does_not_cover_the_hostnames_is_refused(own, names, words):
    own.give_csr(*names)
    own.configure(csr=CSR, targets=None)
    refused(own, CSR, *words)


def test_request_of_the_own_key_is_used(own):
    key = own.give_key()
    own.give_csr(*NAMES)
    own.configure(csr=CSR, private_key=KEY)
    assert own.renew(check=0)["outcome"] == "issued"
    assert own.has_key(key)


def test_request_of_another_key_is_refused(own):
    own.give_key()
    own.give_csr(*NAMES, key=by_hand.KEYS["ecdsa-p256"]())
    own.configure(csr=CSR, private_key=KEY)
    refused(own, CSR, KEY, "make a new request with this key")


def test_request_that_is_garbage_is_refused(own):
    own.write(CSR, "no request\n")
    own.configure(csr=CSR, targets=None)
    refused(own, CSR, "openssl req -new")


def test_request_whose_key_comes_here_later_keeps_its_certificate(own):
    """What needs the key is made once it is here, of the certificate that is there already."""
    key = own.give_csr(*NAMES)
    own.configure(csr=CSR, targets=None)
    own.renew(check=0)
    own.give_key(key=key)
    own.configure(csr=CSR, private_key=KEY, formats="combined")
    plan = own.renew(dry_run=True, check=1)
    assert (plan["reissue"], plan["derive"]) == ([], ["formats"])
    own.origin.agent.scheduled_pass(check=0)
    assert own.has_key(key) and len(own.origin.serials()) == 1
    combined = own.origin.agent.state_path("live", NAME, "combined.pem")
    assert own.origin.host.output(["openssl", "pkey", "-in", combined, "-pubout"])
    # and back: the certificate stays, with the key that is there
    own.configure(csr=CSR, targets=None)
    own.origin.agent.scheduled_pass(check=0)
    assert not own.origin.agent.renew(check=0).json["changed"]
    assert len(own.origin.serials()) == 1


# --- the same key again

def test_reused_key_stays_over_renewals_and_other_hostnames(own):
    own.configure(reuse_key=True)
    own.renew(check=0)
    first = own.public()
    own.renew(NAME, force=True, check=0)
    own.configure(reuse_key=True, hostnames=[NAME, "www.example.com"])
    own.renew(check=0)
    assert own.public() == own.public("key.pem") == first
    assert own.origin.served() == own.origin.serials()[-1]
    own.configure(reuse_key=True, hostnames=[NAME, "www.example.com"], key_type="rsa-2048")
    own.renew(check=0)
    second = own.public()
    own.configure(hostnames=[NAME, "www.example.com"], key_type="rsa-2048")
    own.renew(NAME, force=True, check=0)
    assert len({first, second, own.public()}) == 3 and len(own.origin.serials()) == 5


# --- a lost answer, with a key that older certificates have as well

KINDS = {"reuse_key": {"reuse_key": True}, "private_key": {"private_key": KEY},
         "csr": {"csr": CSR, "targets": None}}


@pytest.fixture(params=KINDS)
def again(request, own):
    """Two certificates of one key, made within a minute: their dates are the same."""
    own.give_csr(*NAMES, key=own.give_key())
    own.configure(**KINDS[request.param])
    own.renew(check=0)
    own.renew(NAME, force=True, check=0)
    own.origin.sandbox.mark()
    return own


def posts(own):
    return len(own.origin.sandbox.requests("POST", "/certificates"))


@pytest.mark.calm
def test_lost_answer_is_adopted_and_no_older_certificate_of_the_key(again):
    again.origin.sandbox.fault("POST /certificates:lose-answer")
    one = again.renew(NAME, force=True, check=0)
    assert one["outcome"] == "adopted" and one["generation"] == 3
    (issued,) = again.origin.serials()
    assert one["serial"] == issued and posts(again) == 1


@pytest.mark.calm
def test_answer_that_stays_lost_is_adopted_by_the_next_pass(again):
    again.origin.sandbox.fault("POST /certificates:lose-answer", LISTED_LATER)
    again.renew(NAME, force=True, check=1)
    again.origin.sandbox.clear_faults()
    one = again.renew(NAME, force=True, check=0)
    assert one["outcome"] == "adopted" and one["generation"] == 3
    (issued,) = again.origin.serials()
    assert one["serial"] == issued and posts(again) == 1


@pytest.mark.calm
def test_request_that_was_never_carried_out_is_not_answered_by_an_older_certificate(again):
    before = again.origin.agent.status().certificate(NAME)["serial"]
    again.origin.sandbox.fault("POST /certificates:reset-before", LISTED_LATER)
    again.renew(NAME, force=True, check=1)
    again.origin.sandbox.clear_faults()
    one = again.renew(NAME, force=True, check=0)
    assert one["outcome"] == "issued" and one["generation"] == 3 and one["serial"] != before
    (issued,) = again.origin.serials()
    assert one["serial"] == issued


@pytest.mark.parametrize("fault", ["lose-answer", "reset-before"])
@pytest.mark.calm
def test_unknown_answer_is_not_taken_from_a_certificate_for_other_days(own, fault):
    """Somebody made a certificate of the same key by hand, for other days."""
    own.give_key()
    own.configure(private_key=KEY, validity="365d")
    own.renew(check=0)
    own.origin.host.remove(own.origin.agent.state_path())
    own.origin.sandbox.mark()
    own.configure(private_key=KEY)
    own.origin.sandbox.fault(f"POST /certificates:{fault}")
    one = own.renew(check=0)
    assert one["outcome"] == {"lose-answer": "adopted", "reset-before": "issued"}[fault]
    (issued,) = own.origin.sandbox.issued()
    assert one["serial"] == issued["id"] and issued["requested_validity"] == 90
