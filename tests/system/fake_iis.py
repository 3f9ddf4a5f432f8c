"""What stands for IIS with its Centralized Certificate Store: `fake_iis.py SHARE PORT PASSWORDFILE
[JOURNAL]` serves, for each name that it is asked for, the PFX file that IIS looks for in the share.
JOURNAL gets a line for each file that was put in place there by a rename."""

import ctypes
import json
import os
import pathlib
import socket
import ssl
import struct
import sys
import tempfile
import threading

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import (
    Encoding, NoEncryption, PrivateFormat, pkcs12)

import by_hand

IN_MOVED_TO = 0x80


def context_of(pem):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile(suffix=".pem") as file:
        file.write(pem)
        file.flush()
        context.load_cert_chain(file.name)
    return context


def pem_of(path, password):
    key, certificate, _ = pkcs12.load_key_and_certificates(path.read_bytes(), password)
    return (certificate.public_bytes(Encoding.PEM)
            + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def watch(share, journal, password_file):
    """Which files come into the share (inotify), and the leaf in each."""
    libc = ctypes.CDLL(None, use_errno=True)
    events = libc.inotify_init1(os.O_CLOEXEC)
    if events < 0 or libc.inotify_add_watch(events, os.fsencode(share), IN_MOVED_TO) < 0:
        raise OSError(ctypes.get_errno(), "inotify")
    header = struct.Struct("iIII")

    def follow():
        while True:
            data = os.read(events, 65536)
            while data:
                length = header.unpack_from(data)[3]
                name = data[header.size:header.size + length].rstrip(b"\0").decode()
                data = data[header.size + length:]
                if not name.endswith(".pfx"):
                    continue
                password = pathlib.Path(password_file).read_text().strip().encode()
                leaf = pkcs12.load_key_and_certificates((share / name).read_bytes(), password)[1]
                with open(journal, "a", encoding="utf-8") as file:
                    file.write(json.dumps({"place": name, "sha256": leaf.fingerprint(
                        hashes.SHA256()).hex()}) + "\n")

    threading.Thread(target=follow, daemon=True).start()


def main(share, port, password_file, journal=None):
    share = pathlib.Path(share)
    if journal:
        watch(share, journal, password_file)
    nobody = by_hand.pair("no-such-binding.invalid")

    def choose(connection, name, _):
        password = pathlib.Path(password_file).read_text().strip().encode()
        for file in (f"{name}.pfx", f"_.{name.split('.', 1)[1]}.pfx"):
            if (share / file).exists():
                try:
                    connection.context = context_of(pem_of(share / file, password))
                except ValueError:
                    pass            # a file with another password: IIS serves nothing for it
                return

    context = context_of((nobody.certificate_pem + nobody.key_pem).encode())
    context.sni_callback = choose
    listener = socket.create_server(("127.0.0.1", int(port)), backlog=64)

    def one(plain):
        try:
            with context.wrap_socket(plain, server_side=True) as connection:
                connection.recv(1)
        except OSError:
            pass

    while True:
        plain, _ = listener.accept()
        threading.Thread(target=one, args=(plain,), daemon=True).start()


if __name__ == "__main__":
    main(*sys.argv[1:])
