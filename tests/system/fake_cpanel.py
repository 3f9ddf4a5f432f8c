"""What stands for a hosting account with cPanel: run inside a host, `fake_cpanel.py DIRECTORY`.

On port 2083, over TLS, the calls of UAPI that its published documentation describes: SSL's
install_ssl, installed_hosts and fetch_key_and_cabundle_for_certificate, DomainInfo's list_domains.
On port 443 the account's websites, each with the certificate that is installed for it.

In DIRECTORY: account.json (user, token, websites with their domains), installed.json,
requests.jsonl, where each call is written down (without keys), and imports.jsonl, where each
certificate is that was installed. `mode` says how to misbehave: "KIND [FUNCTION]", read anew at
each call. While there is a held.json, the websites show what was installed when it was copied.
"""

import hashlib
import json
import pathlib
import socket
import ssl
import sys
import tempfile
import threading
import time
import urllib.parse

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

LOGIN = """<!DOCTYPE html>
<html><head><title>cPanel Login</title></head><body><form id="login_form" action="/login/"
method="post"><input name="user"><input name="pass" type="password"></form></body></html>"""
API_PORT, SITE_PORT = 2083, 443


def public(key):
    return key.public_bytes(serialization.Encoding.DER,
                            serialization.PublicFormat.SubjectPublicKeyInfo)


class Refused(Exception):
    """What cPanel puts into `errors`."""


class Account:
    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.lock = threading.Lock()

    def read(self, name):
        return json.loads((self.directory / name).read_text())

    @property
    def installed(self):
        return self.read("installed.json")

    @property
    def shown(self):
        """What the websites show."""
        return self.read("held.json" if (self.directory / "held.json").exists()
                         else "installed.json")

    def website(self, domain):
        for server, domains in self.read("account.json")["websites"].items():
            if domain in domains:
                return server
        raise Refused(f"You do not own the domain “{domain}”.")

    def mode(self, function):
        path = self.directory / "mode"
        words = path.read_text().split() if path.exists() else []
        return words[0] if words and words[1:] in ([], [function]) else ""

    def note(self, function, parameters, mode):
        shown = {name: hashlib.sha256(value.encode()).hexdigest() if name == "key" else value
                 for name, value in parameters.items()}
        with self.lock, (self.directory / "requests.jsonl").open("a") as file:
            line = {"function": function, "parameters": shown, "mode": mode}
            file.write(json.dumps(line) + "\n")

    # --- the calls

    def install_ssl(self, parameters):
        for name in ("domain", "cert", "key"):
            if not parameters.get(name):
                raise Refused(f"Provide the “{name}” parameter for the “install_ssl” function.")
        server = self.website(parameters["domain"])
        try:
            leaf = x509.load_pem_x509_certificate(parameters["cert"].encode())
            key = serialization.load_pem_private_key(parameters["key"].encode(), None)
        except ValueError as error:
            raise Refused("The certificate could not be parsed.") from error
        if public(leaf.public_key()) != public(key.public_key()):
            raise Refused("The given key does not match the certificate.")
        sha256 = leaf.fingerprint(hashes.SHA256()).hex()
        with self.lock:
            installed = self.installed
            installed["keys"][sha256] = {
                "key": parameters["key"], "cab": parameters.get("cabundle", "")}
            installed["websites"][server] = parameters["cert"]
            path = self.directory / "installed.json.new"
            path.write_text(json.dumps(installed))
            path.rename(self.directory / "installed.json")
            with (self.directory / "imports.jsonl").open("a") as file:
                file.write(json.dumps({"place": server, "sha256": sha256}) + "\n")
        return {"domain": parameters["domain"], "servername": server, "html": "",
                "message": f"The SSL certificate is now installed onto the domain “{server}”."}

    def installed_hosts(self, _):
        hosts, websites = [], self.read("account.json")["websites"]
        for server, pem in self.installed["websites"].items():
            leaf = x509.load_pem_x509_certificate(pem.encode())
            names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
            hosts.append({
                "certificate": {
                    "domains": names.get_values_for_type(x509.DNSName), "is_self_signed": 0,
                    "id": server.replace(".", "_") + "_" + f"{leaf.serial_number:x}"[:10],
                    "not_after": int(leaf.not_valid_after.timestamp())},
                "certificate_text": pem, "docroot": f"/home/shop/{server}", "ip": "127.0.0.1",
                "domains": websites[server], "fqdns": [*websites[server], f"mail.{server}"],
                "mail_sni_status": 1, "needs_sni": 1, "servername": server})
        return hosts

    def fetch_key_and_cabundle_for_certificate(self, parameters):
        pem = parameters["certificate"]
        leaf = x509.load_pem_x509_certificate(pem.encode())
        known = self.installed["keys"].get(leaf.fingerprint(hashes.SHA256()).hex())
        if known is None:
            raise Refused("There is no key for this certificate.")
        return {"crt": pem, "key": known["key"], "cab": known["cab"], "domain": "example.com"}

    def list_domains(self, _):
        websites = self.read("account.json")["websites"]
        servers = list(websites)
        others = [name for server in servers for name in websites[server] if name != server]
        return {"main_domain": servers[0], "addon_domains": servers[1:], "sub_domains": [],
                "parked_domains": others}


class Api:
    FUNCTIONS = {"SSL/install_ssl", "SSL/installed_hosts", "DomainInfo/list_domains",
                 "SSL/fetch_key_and_cabundle_for_certificate"}

    def __init__(self, account):
        self.account = account

    def answer(self, head, body):
        """Status line and headers, body, and how many bytes of it are sent (None: all)."""
        method, path = head.split(" ")[:2]
        function = path.removeprefix("/execute/")
        parameters = dict(urllib.parse.parse_qsl(body, keep_blank_values=True))
        mode = self.account.mode(function)
        self.account.note(function, parameters, mode)
        account = self.account.read("account.json")
        wanted = f"authorization: cpanel {account['user']}:{account['token']}".lower()
        lines = [line.strip().lower() for line in head.splitlines()]
        if mode == "login-page":
            return "200 OK", "text/html", LOGIN, None
        if wanted not in lines or mode == "refuse-token":
            return "401 Unauthorized", "text/html", "<html>Access denied</html>", None
        if mode == "redirect":
            return "301 Moved\r\nLocation: https://127.0.0.1:2083/cpsess/", "text/html", "", None
        if mode == "busy":
            return "503 Busy\r\nRetry-After: 77", "text/html", "<html>busy</html>", None
        if mode == "slow":
            time.sleep(20)
        if method != "POST" or function not in self.FUNCTIONS:
            return "404 Not Found", "text/html", "<html>no such page</html>", None
        status, errors, data = 1, None, None
        try:
            if mode == "mismatch" and "key" in parameters:
                parameters["key"] = self.account.read("other-key.json")
            if mode == "says":
                raise Refused("Your key is " + parameters.get("key", account["token"]))
            data = getattr(self.account, function.split("/")[1])(parameters)
        except Refused as refusal:
            status, errors = 0, [str(refusal)]
        if mode == "hold":
            time.sleep(20)
        text = json.dumps({"status": status, "errors": errors, "messages": None, "data": data,
                           "metadata": {}, "warnings": None})
        cut = len(text) // 2 if mode == "cut" else 0 if mode == "lost" else None
        return "200 OK", "application/json", text, cut

    def serve(self, connection):
        connection.settimeout(30)
        text = b""
        while b"\r\n\r\n" not in text:
            piece = connection.recv(65536)
            if not piece:
                return
            text += piece
        head, body = text.split(b"\r\n\r\n", 1)
        length = next((int(line.split(b":")[1]) for line in head.splitlines()
                       if line.lower().startswith(b"content-length:")), 0)
        while len(body) < length:
            body += connection.recv(65536)
        status, kind, answer, cut = self.answer(head.decode(), body.decode())
        data = answer.encode()
        if cut == 0:
            return
        connection.sendall(f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: "
                           f"{len(data)}\r\nConnection: close\r\n\r\n".encode() + data[:cut])


def site_context(account):
    """The certificate of the website that is asked for, as it is shown at this moment."""
    def choose(connection, name, context):
        try:
            installed = account.shown
            pem = installed["websites"][account.website(name)]
        except (Refused, KeyError):
            return
        leaf = x509.load_pem_x509_certificate(pem.encode())
        key = installed["keys"][leaf.fingerprint(hashes.SHA256()).hex()]["key"]
        with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
            file.write(pem + "\n" + key)
            file.flush()
            chosen = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            chosen.load_cert_chain(file.name)
        connection.context = chosen

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(account.directory / "panel.pem")
    context.sni_callback = choose
    return context


def listen(port, context, serve):
    listener = socket.create_server(("127.0.0.1", port), backlog=64)

    def one(plain):
        try:
            with context.wrap_socket(plain, server_side=True) as connection:
                serve(connection)
        except OSError:
            pass

    while True:
        plain, _ = listener.accept()
        threading.Thread(target=one, args=(plain,), daemon=True).start()


def main(directory):
    account = Account(directory)
    panel = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    panel.load_cert_chain(account.directory / "panel.pem")
    threading.Thread(target=listen, daemon=True, args=(
        SITE_PORT, site_context(account), lambda connection: connection.recv(1))).start()
    listen(API_PORT, panel, Api(account).serve)


if __name__ == "__main__":
    main(sys.argv[1])
