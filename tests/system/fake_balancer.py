"""What stands for a load balancer that has a certificate of ACM's: `fake_balancer.py DIRECTORY
PORT` shows, at each handshake, what fake_acm.py holds in DIRECTORY/certificates.json, or what
`held.json` does while that is there: one that does not follow. Of several it is given the one that
has tags as soon as there is one: the agent's."""

import json
import pathlib
import socket
import ssl
import sys
import tempfile
import threading


def context_of(directory):
    held = directory / "held.json"
    found = json.loads((held if held.exists() else directory / "certificates.json").read_text())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile(suffix=".pem") as file:
        one = max(found.values(), key=lambda one: bool(one["tags"]))
        file.write((one["pem"] + one["key"]).encode())
        file.flush()
        context.load_cert_chain(file.name)
    return context


def main(directory, port):
    listener = socket.create_server(("127.0.0.1", int(port)), backlog=64)

    def one(plain):
        try:
            with context_of(pathlib.Path(directory)).wrap_socket(plain, server_side=True) as tls:
                tls.recv(1)
        except (OSError, ValueError):
            plain.close()           # it has no certificate yet

    while True:
        plain, _ = listener.accept()
        threading.Thread(target=one, args=(plain,), daemon=True).start()


if __name__ == "__main__":
    main(*sys.argv[1:])
