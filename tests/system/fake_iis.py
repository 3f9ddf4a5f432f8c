"""What stands for IIS with its Centralized Certificate Store: `fake_iis.py SHARE PORT PASSWORDFILE`
serves, for each name that it is asked for, the PFX file that IIS looks for in the share."""

import pathlib
import socket
import ssl
import sys
import tempfile
import threading

from cryptography.hazmat.primitives.serialization import (
    Encoding, NoEncryption, PrivateFormat, pkcs12)

import by_hand


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


def main(share, port, password_file):
    share = pathlib.Path(share)
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
