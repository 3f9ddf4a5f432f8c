"""Files for IIS: one PFX per name for its Centralized Certificate Store, or a PFX and a script.
They are read by three programs that we did not write; what IIS would do with them is done by a
server that serves the PFX file that it finds, as the store does."""

import json
import pathlib
import re

import pytest

import by_hand
import network
from agent import USER

NAME = "example.com"
NAMES = ["example.com", "*.example.com", "www.example.org"]
SHARE = "/srv/share"
PASSWORD, PASSWORD_FILE = "Geheim-und-lang-0123456789", "/etc/origin-ca-agent/iis.password"
FILES = ["_.example.com.pfx", "example.com.pfx", "www.example.org.pfx"]
FAKE = pathlib.Path(__file__).resolve().parent / "fake_iis.py"
PORT = 9443


def keys(**more):
    return {"type": "iis", "directory": SHARE, "password_file": PASSWORD_FILE,
            "probe": f"127.0.0.1:{PORT}", "probe_timeout": "3s", **more}


@pytest.fixture(name="share", scope="module")
def fixture_share(module_host):
    """A mounted share, and who serves what is in it."""
    module_host.run(["mkdir", "-p", SHARE])
    module_host.run(["chown", f"{USER}:", SHARE])
    module_host.write(PASSWORD_FILE, PASSWORD + "\n", mode=0o600, owner=f"{USER}:{USER}")
    module_host.run(["systemd-run", "--quiet", "--unit=fake-iis.service", "/usr/bin/python3",
                     str(FAKE), SHARE, str(PORT), PASSWORD_FILE])
    module_host.wait(lambda: module_host.listening(PORT))
    return module_host


@pytest.fixture(name="iis")
def fixture_iis(clean_agent, share):
    share.run(["find", SHARE, "-mindepth", "1", "-delete"])
    clean_agent.target("iis", **keys())
    clean_agent.certificate(NAME, targets=["iis"], hostnames=NAMES)
    yield share
    assert PASSWORD not in share.journal()


def serial(host, hostname=NAME):
    return network.handshake(host, hostname, port=PORT).serial


def read_by_all(host, path, alias=NAME, legacy=False):
    """The serial (hexadecimal) that OpenSSL, keytool and certtool each find in the file."""
    environment = {"PASSWORD": PASSWORD}
    shown = host.output(["sh", "-c", f"openssl pkcs12 -in {path} -passin env:PASSWORD -nokeys "
                         "-clcerts | openssl x509 -noout -serial"], env=environment)
    found = [shown.removeprefix("serial=")]
    # the private key is in it, and is the certificate's
    host.run(["sh", "-c", f"openssl pkcs12 -in {path} -passin env:PASSWORD -nocerts -nodes | "
              "openssl pkey -noout -check"], env=environment)
    java = host.output(["keytool", "-list", "-v", "-storetype", "PKCS12", "-keystore", path,
                        "-storepass:env", "PASSWORD", "-alias", alias], env=environment)
    assert "PrivateKeyEntry" in java
    found.append(re.search(r"Serial number: ([0-9a-f]+)", java).group(1).upper())
    tls = host.output(["sh", "-c", f'certtool --p12-info --inder --infile {path} '
                       '--password "$PASSWORD"'], env=environment)
    assert ("3DES" in tls) == legacy and ("AES-256" in tls) == (not legacy), tls
    host.write("/run/leaf.pem", re.search(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----"
                                          r"\n", tls, re.S).group())
    shown = host.output(["certtool", "--certificate-info", "--infile", "/run/leaf.pem"])
    found.append(re.search(r"Serial Number \(hex\): ([0-9a-f]+)", shown).group(1).upper())
    return {one.lstrip("0") for one in found}


def test_one_file_a_name_read_by_all_and_served(clean_agent, iis):
    done = clean_agent.renew(check=0)
    assert iis.list(SHARE) == FILES
    wanted = f"{int(done.certificate(NAME)['serial']):X}"
    for file in FILES:
        assert read_by_all(iis, f"{SHARE}/{file}") == {wanted}
    assert iis.stat(f"{SHARE}/{FILES[0]}").startswith("600 ")
    for hostname in ("example.com", "any.example.com", "www.example.org"):
        assert serial(iis, hostname) == done.certificate(NAME)["serial"]
    assert not clean_agent.renew(check=0).json["changed"]


def test_old_windows_gets_3des_without_a_new_certificate(clean_agent, iis, module_sandbox):
    clean_agent.renew(check=0)
    before = serial(iis)
    clean_agent.target("iis", **keys(keystore_encryption="3des"))
    done = clean_agent.renew(check=0)
    assert done.certificate(NAME)["serial"] == before and len(module_sandbox.issued()) == 1
    wanted = f"{int(before):X}"
    for file in FILES:
        assert read_by_all(iis, f"{SHARE}/{file}", legacy=True) == {wanted}


def test_rotation_replaces_each_file_at_once(clean_agent, iis):
    clean_agent.renew(check=0)
    first = {file: iis.stat(f"{SHARE}/{file}", "%i") for file in FILES}
    done = clean_agent.renew(NAME, force=True, check=0)
    assert serial(iis) == done.certificate(NAME)["serial"]
    assert all(iis.stat(f"{SHARE}/{file}", "%i") != first[file] for file in FILES)
    assert iis.list(SHARE) == FILES      # and no temporary file is left


def test_what_was_there_before_comes_back(clean_agent, iis):
    """Nobody serves the new file: what the store had is put back, byte by byte."""
    clean_agent.target("iis", **keys(probe="127.0.0.1:9", probe_timeout="1s"))
    iis.write(f"{SHARE}/example.com.pfx", by_hand.pair(NAME).keystore, mode=0o600,
              owner=f"{USER}:{USER}")
    before = iis.read(f"{SHARE}/example.com.pfx", binary=True)
    clean_agent.renew(check=1)
    assert iis.read(f"{SHARE}/example.com.pfx", binary=True) == before
    clean_agent.target("iis", **keys())
    done = clean_agent.renew(check=0)
    assert serial(iis) == done.certificate(NAME)["serial"]
    # a later one that is not served goes back to the one before it
    clean_agent.target("iis", **keys(probe="127.0.0.1:9", probe_timeout="1s"))
    before = {file: iis.read(f"{SHARE}/{file}", binary=True) for file in FILES}
    clean_agent.renew(NAME, force=True, check=1)
    assert {file: iis.read(f"{SHARE}/{file}", binary=True) for file in FILES} == before


def test_share_that_is_not_mounted_is_not_written_beside(clean_agent, iis):
    clean_agent.target("iis", **keys(directory="/srv/nobody-mounted-it"))
    error = clean_agent.renew(check=1).target(NAME, "iis")["error"]
    assert "/srv/nobody-mounted-it" in error["message"] and "mount the share" in error["remedy"]
    assert not iis.exists("/srv/nobody-mounted-it")


def test_file_that_somebody_replaced_is_put_right(clean_agent, iis):
    done = clean_agent.renew(check=0)
    iis.write(f"{SHARE}/example.com.pfx", by_hand.pair(NAME).keystore)
    iis.run(["sh", "-c", f"printf '%s' {by_hand.PASSWORD} > /run/other.password"])
    clean_agent.renew(NAME, check=0)
    assert serial(iis) == done.certificate(NAME)["serial"]


def test_script_and_its_pfx(clean_agent, iis):
    clean_agent.target("iis", **keys(delivery="script", probe="none"))
    done = clean_agent.renew(check=0)
    assert iis.list(SHARE) == ["example.com.pfx", "example.com.ps1"]
    script = iis.read(f"{SHARE}/example.com.ps1")
    assert "$name = 'example.com'" in script and PASSWORD not in script
    assert "@('example.com', '*.example.com', 'www.example.org')" in script
    assert script.count("(") == script.count(")") and script.count("{") == script.count("}")
    assert read_by_all(iis, f"{SHARE}/example.com.pfx") == {
        f"{int(done.certificate(NAME)['serial']):X}"}
    clean_agent.renew(NAME, force=True, check=0)
    assert "Generation 2." in iis.read(f"{SHARE}/example.com.ps1")


def test_der_and_p7b_for_who_imports_by_hand(clean_agent, iis):
    clean_agent.certificate(NAME, targets=["iis"], hostnames=NAMES, formats=["der", "p7b"])
    done = clean_agent.renew(check=0)
    live = f"/var/lib/origin-ca-agent/live/{NAME}"
    shown = iis.output(["sh", "-c", f"openssl pkcs7 -in {live}/cert.p7b -print_certs | "
                        "openssl x509 -noout -serial; "
                        f"openssl x509 -inform der -in {live}/cert.der -noout -serial"])
    wanted = f"{int(done.certificate(NAME)['serial']):X}"
    assert {line.removeprefix("serial=").lstrip("0") for line in shown.splitlines()} == {wanted}


def test_what_must_be_written_is_told(clean_agent, iis):
    clean_agent.target("iis", type="iis", region="x")
    problems = clean_agent.renew(check=3).json["problems"]
    text = json.dumps(problems)
    for key in ("directory", "password_file", "probe"):
        assert f'needs \\"{key}\\"' in text
    assert '\\"region\\" has no effect on a target of type iis' in text
    assert iis.list(SHARE) == []
