"""The files of a certificate besides PEM: read by others' tools, kept as they should be, and made
anew from the same certificate without asking anybody."""

import re

import pytest

from agent import CONFIG_DIRECTORY
from nginx import Nginx
from origin import NAME, Origin

PASSWORD_FILE = f"{CONFIG_DIRECTORY}/keystore-password"
FORMATS = ["der", "p7b", "p12", "combined"]
FILES = {"der": "cert.der", "p7b": "cert.p7b", "p12": "keystore.p12", "combined": "combined.pem"}
SECRET = ("key.pem", "keystore.p12", "combined.pem")
KEYS = {"formats": FORMATS, "keystore_password_file": PASSWORD_FILE, "owner": "www-data",
        "group": "ssl-cert", "mode": "0640"}


@pytest.fixture(name="settled", scope="module")
def fixture_settled(module_agent, module_sandbox, build_directory):
    """One host for all these tests: its one certificate is made in a pass that is recorded."""
    origin = Origin(module_agent, Nginx(module_agent.host), module_sandbox)
    module_agent.stay_root()     # another owner of files is something that only root can make
    origin.nginx.add(NAME)
    password(origin, "first-password")
    module_agent.certificate(NAME, **KEYS)
    origin.host.run(["systemctl", "stop", origin.nginx.unit])
    origin.calls = record(origin, build_directory)
    origin.host.run(["systemctl", "start", origin.nginx.unit])
    module_agent.renew(check=0)
    return origin


def record(origin, build):
    """The system calls of a pass that change files, as (call, what it is about)."""
    # a program that is traced already cannot look for leaks
    origin.host.run([build / "tests/system/crash-driver", "--count", "--log", "/run/calls", "--",
                     origin.agent.program, "--renew-now"], check=(0, 1),
                    env={"ASAN_OPTIONS": "detect_leaks=0"})
    return [line.split("\t")[1:3] for line in origin.host.read("/run/calls").splitlines()]


def password(origin, text):
    origin.host.write(PASSWORD_FILE, text, mode=0o600)


@pytest.fixture(name="formats")
def fixture_formats(settled):
    """The host in order; at a test's end it is so again, and nothing was issued but the first
    certificate, which is served, and to which live/NAME leads in all its forms."""
    yield settled
    if settled.host.read(PASSWORD_FILE) != "first-password":
        password(settled, "first-password")
        settled.agent.scheduled_pass(check=0)
    in_order(settled)


def in_order(origin):
    assert len(origin.serials()) == 1 and origin.served() == origin.serials()[0]
    one = origin.agent.renew(check=0).certificate(NAME)
    assert one["outcome"] == "current" and one["active_generation"] == one["generation"]
    assert origin.generation() == one["generation"]
    assert origin.host.output(["readlink", live(origin)]).endswith(f"/{one['generation']:04}")


def live(origin, *file):
    return origin.agent.state_path("live", NAME, *file)


def openssl(origin, *arguments, **options):
    return origin.host.output(["openssl", *arguments], **options)


def sha256_of(text):
    (digest,) = re.findall(r"[Ff]ingerprint ?= ?([0-9A-F:]+)", text)
    return digest.replace(":", "").lower()


def leaf_sha256(origin):
    return origin.agent.status().certificate(NAME)["sha256"]


def derived(origin, reason, check=1, run=None):
    """What a look names is done by the next pass: another generation of the same certificate."""
    agent = origin.agent
    before = agent.status(check=check).certificate(NAME)
    planned = agent.renew(dry_run=True, check=check).certificate(NAME)
    assert before["derive"] == planned["derive"] == [reason]
    assert before["reissue"] == planned["reissue"] == []
    done = (run or agent.renew)(check=0)
    one = agent.status(check=0).certificate(NAME)
    assert one["newest_generation"] == before["newest_generation"] + 1
    assert one["serial"] == before["serial"] and one["id"] == before["id"]
    # the generation before may have been repaired by the same pass
    events = [event for event in one["history"] if event["event"] != "repaired"]
    assert [event["event"] for event in events[-2:]] == ["derived", "deployed"]
    assert reason in events[-2]["message"]
    if done.json:
        assert done.certificate(NAME)["derived"] and not done.certificate(NAME)["issued"]
        assert done.json["changed"] and done.json["reloads"] == 1


# --- what others read

def test_owner_and_mode_are_set_before_any_data_is_in_a_file(settled):
    for file in SECRET:
        calls = [call for call, thing in settled.calls if thing.endswith(f"/{file}")]
        assert "write" in calls, settled.calls
        for call in ("fchown", "fchmod"):
            assert calls.index(call) < calls.index("write"), (file, calls)
    assert not [thing for call, thing in settled.calls if call == "chmod"]


def test_every_form_is_as_configured_and_read_by_openssl(formats):
    digest = leaf_sha256(formats)
    for file in (*SECRET, "cert.pem", "cert.der", "cert.p7b", "fullchain.pem"):
        mode = "640" if file in SECRET else "644"
        assert formats.host.stat(live(formats, file), "%a %U:%G") == f"{mode} www-data:ssl-cert"
    der = openssl(formats, "x509", "-inform", "DER", "-in", live(formats, "cert.der"),
                  "-noout", "-fingerprint", "-sha256")
    assert sha256_of(der) == digest

    bag = openssl(formats, "pkcs7", "-in", live(formats, "cert.p7b"), "-print_certs")
    assert bag.count("BEGIN CERTIFICATE") == 2      # leaf and root
    assert "CloudFlare Origin SSL ECC Certificate Authority" in bag
    formats.host.write("/run/roots.pem", formats.sandbox.roots())
    formats.host.write("/run/bag.pem", bag)
    assert openssl(formats, "verify", "-CAfile", "/run/roots.pem", "/run/bag.pem").endswith("OK")

    keystore = openssl(formats, "pkcs12", "-in", live(formats, "keystore.p12"), "-nodes",
                       "-passin", f"file:{PASSWORD_FILE}")
    assert f"friendlyName: {NAME}" in keystore and keystore.count("BEGIN CERTIFICATE") == 1
    formats.host.write("/run/keystore.pem", keystore, mode=0o600)
    for path in ("/run/keystore.pem", live(formats, "combined.pem")):
        assert sha256_of(openssl(formats, "x509", "-in", path, "-noout", "-fingerprint",
                                 "-sha256")) == digest
        assert openssl(formats, "pkey", "-in", path) == formats.host.read(
            live(formats, "key.pem")).rstrip("\n")
    told = formats.host.run(["openssl", "pkcs12", "-in", live(formats, "keystore.p12"), "-info",
                             "-noout", "-passin", f"file:{PASSWORD_FILE}"]).stderr
    assert "AES-256-CBC" in told and "hmacWithSHA256" in told and "MAC: sha256" in told


def test_keystore_and_bag_are_read_by_java(formats):
    keytool = ["keytool", "-J-XX:TieredStopAtLevel=1"]
    told = formats.host.output([*keytool, "-list", "-v", "-storetype", "PKCS12", "-keystore",
                                live(formats, "keystore.p12"), "-storepass:file", PASSWORD_FILE])
    assert "PrivateKeyEntry" in told and f"Alias name: {NAME}" in told
    digest = leaf_sha256(formats).upper()
    assert f"SHA256: {':'.join(digest[at:at + 2] for at in range(0, 64, 2))}" in told
    told = formats.host.output([*keytool, "-printcert", "-file", live(formats, "cert.p7b")])
    assert "Certificate[1]:" in told and "Certificate[2]:" in told


# --- other files of the same certificate

def test_format_that_is_asked_for_later_is_made_without_a_new_certificate(formats):
    formats.agent.certificate(NAME, formats="der")
    formats.agent.scheduled_pass(check=0)
    formats.host.run(["rm", *(live(formats, file) for file in ("combined.pem", "cert.p7b"))])
    formats.agent.certificate(NAME, **KEYS)
    for look in (["status"], ["--renew-now", "--dry-run"]):
        assert "files to be made anew: formats" in formats.agent.command(*look, check=1).stdout
    derived(formats, "formats")
    assert formats.host.stat(live(formats, "combined.pem")) == "640 www-data:ssl-cert"


def test_first_format_is_made_from_pem_alone(formats):
    formats.agent.certificate(NAME)
    formats.host.run(["rm", *(live(formats, file) for file in FILES.values())])
    formats.agent.renew(NAME, check=0)
    number = formats.generation()
    formats.agent.certificate(NAME, formats="der")
    derived(formats, "formats", run=formats.agent.scheduled_pass)
    assert formats.generation() == number + 1
    assert not formats.host.exists(live(formats, "keystore.p12"))
    formats.agent.certificate(NAME, **KEYS)
    formats.agent.scheduled_pass(check=0)


def test_chain_is_switched_on_and_off(formats):
    assert formats.host.read(live(formats, "chain.pem")) == ""
    formats.agent.certificate(NAME, **KEYS, chain="root")
    derived(formats, "chain")
    assert formats.host.read(live(formats, "chain.pem")) in formats.sandbox.roots()
    for file, certificates in (("fullchain.pem", 2), ("combined.pem", 2), ("chain.pem", 1)):
        assert formats.host.read(live(formats, file)).count("BEGIN CERTIFICATE") == certificates
    told = openssl(formats, "pkcs12", "-in", live(formats, "keystore.p12"), "-nokeys",
                   "-passin", f"file:{PASSWORD_FILE}")
    assert told.count("BEGIN CERTIFICATE") == 2
    shown = openssl(formats, "s_client", "-connect", "127.0.0.1:443", "-servername", NAME,
                    "-showcerts", input="", check=False)
    assert shown.count("BEGIN CERTIFICATE") == 2
    formats.agent.certificate(NAME, **KEYS)
    derived(formats, "chain", run=formats.agent.scheduled_pass)
    assert formats.host.read(live(formats, "chain.pem")) == ""


@pytest.mark.parametrize("way", ["scheduled", "now"])
def test_changed_password_makes_another_keystore(formats, way):
    password(formats, "second-password\n")
    derived(formats, "keystore-password",
            run=formats.agent.scheduled_pass if way == "scheduled" else None)
    openssl(formats, "pkcs12", "-in", live(formats, "keystore.p12"), "-noout",
            "-passin", "pass:second-password")


@pytest.mark.parametrize("file", [*FILES.values(), "chain.pem"])
def test_damaged_file_is_made_anew_in_another_generation(formats, file):
    formats.host.run(["sh", "-c", f"echo junk >> {live(formats, file)}"])
    derived(formats, "format-damaged")


def test_damage_is_found_by_the_scheduled_pass_too(formats):
    formats.host.run(["truncate", "-s", "100", live(formats, "keystore.p12")])
    derived(formats, "format-damaged", run=formats.agent.scheduled_pass)


# --- permissions alone

@pytest.mark.parametrize("way", ["scheduled", "now"])
@pytest.mark.parametrize("file, command", [
    ("combined.pem", ["chmod", "644"]), ("keystore.p12", ["chown", "root"]),
    ("cert.der", ["chgrp", "root"]), ("key.pem", ["chmod", "600"])])
def test_drifted_permissions_are_repaired_without_a_reload(formats, file, command, way):
    path = live(formats, file)
    before = formats.host.stat(path), formats.host.stat(path, "%i")
    formats.host.run([*command, path])
    if way == "scheduled":
        done = formats.agent.scheduled_pass(check=0)
    else:
        done = formats.agent.renew(check=0)
        assert done.json["changed"] and done.json["reloads"] == 0
        assert not done.certificate(NAME)["derived"]
    assert "put right" in done.stderr
    assert (formats.host.stat(path), formats.host.stat(path, "%i")) == before


# --- the password's file

@pytest.mark.parametrize("spoil, words", [
    (["rm"], ("No such file",)),
    (["truncate", "-s", "0"], ("is empty", "openssl rand")),
])
def test_unusable_password_file_is_said_once_and_what_is_served_stays(formats, spoil, words):
    number, served = formats.generation(), formats.served()
    formats.host.run([*spoil, PASSWORD_FILE])
    done = formats.agent.renew(check=1)
    one = done.certificate(NAME)
    assert one["error"]["class"] == "configuration" and not one["derived"]
    for word in (PASSWORD_FILE, *words):
        assert word in f"{one['error']['message']} -> {one['error']['remedy']}", one
    assert len(re.findall(re.escape(one["error"]["message"]), done.stderr)) == 1, done.stderr
    assert one["reissue"] == [] and formats.agent.status(check=1).certificate(NAME)["error"]
    assert formats.generation() == number and formats.served() == served
    password(formats, "first-password")
    formats.agent.scheduled_pass(check=0)


def test_missing_password_at_the_first_certificate_asks_nothing(formats):
    """And the server can start all the same, with a placeholder."""
    formats.agent.certificate("shop.example.com", formats="p12",
                              keystore_password_file="/etc/no-such-password")
    formats.nginx.add("shop.example.com")
    done = formats.agent.renew("shop.example.com", check=1)
    error = done.certificate("shop.example.com")["error"]
    assert error["class"] == "configuration" and "/etc/no-such-password" in error["message"]
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert formats.nginx.test().returncode == 0
    formats.agent.remove("shop.example.com")
    formats.nginx.remove("shop.example.com")


def test_files_that_cannot_be_made_anew_are_not_forgotten(formats):
    """The disk is full just then: the next pass, which sees nothing new, looks again."""
    directory = formats.agent.state_path("certificates", NAME)
    formats.host.run(["sh", "-c", f"echo junk >> {live(formats, 'cert.der')}"])
    # a mode would not stop root
    formats.host.run(["chattr", "+i", directory])
    try:
        done = formats.agent.renew(check=1)
        assert "cannot make the files" in done.certificate(NAME)["error"]["message"]
    finally:
        formats.host.run(["chattr", "-i", directory])
    formats.agent.scheduled_pass(check=0)
    assert "junk" not in formats.host.read(live(formats, "cert.der"))
