"""What a crash_lab.Lab needs to know of a server, beyond what all tests do: how it is brought back
to showing what its files say, whether it could start, and which leaf its files hold."""

import re

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12

from agent import STATE_DIRECTORY
from server import FILE_IN_SNIPPET
from tomcat import MANAGER_PORT, PASSWORD, USER


class Unreadable(Exception):
    """What the snippet names is not a key and its leaf."""


def same_key(key, leaf):
    """The leaf (DER), when the key is its own."""
    def public(of):
        return of.public_key().public_bytes(serialization.Encoding.DER,
                                            serialization.PublicFormat.SubjectPublicKeyInfo)

    if public(key) != public(leaf):
        raise Unreadable("a key and a leaf that do not belong together")
    return leaf.public_bytes(serialization.Encoding.DER)


class NginxSeen:
    """A reload, and no worker knows another certificate. A reload through systemd waits for one
    that a killed pass has begun."""

    def __init__(self, server):
        self.server = server
        self.back = f"""
old=$(cat /proc/$(cat /run/{server.target}.pid)/task/*/children)
systemctl reload {server.unit}
for worker in $old; do
	tail --pid="$worker" --sleep-interval=0.01 -f /dev/null
done
"""
        self.test = f"nginx -t -c {server.directory}/nginx.conf\necho $?\n"

    def leaf(self, path, snippet):
        """The leaf (DER) that a snippet names, its key beside it."""
        files = FILE_IN_SNIPPET.findall(snippet)
        if not files:
            raise Unreadable("no files")
        try:
            text = b"".join(path(file).read_bytes() for file in files)
            leaf = x509.load_pem_x509_certificate(text)      # the first one in it
            key = serialization.load_pem_private_key(
                re.search(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [^\n]*", text,
                          re.S).group(), None)
        except (OSError, ValueError, AttributeError) as error:
            raise Unreadable(f"what cannot be read: {error}") from error
        return same_key(key, leaf)

    def names(self, snippet, generation):
        return f"{generation}/" in snippet


# The agent knows the files that it left by their inodes, and has Tomcat restarted for a snippet
# that somebody else put there, as a copy would be.
STAMP = """
stamp=$(stat -c '%d %i %s %.9Z %f %u %g' {snippet} | while read -r d i s c m u g; do
	printf '%x:%x:%d:%s:%o:%d:%d' $d $i $s ${{c%.*}}${{c#*.}} 0x$m $u $g
done)
jq --arg stamp "$stamp" '.targets[].snippet_stamp = $stamp' {state} > /run/stamped
cat /run/stamped > {state}
"""


class TomcatSeen:
    """Its manager has the keystore read again; the process stays."""

    def __init__(self, server):
        self.server = server
        name = next(iter(server.sites))
        stamp = STAMP.format(snippet=server.snippet(name),
                             state=f"{STATE_DIRECTORY}/certificates/{name}/state.json")
        self.back = (f"{stamp}curl --fail --silent --show-error --user {USER}:{PASSWORD} "
                     f"http://127.0.0.1:{MANAGER_PORT}/manager/text/sslReload | grep '^OK -'\n")
        self.test = f"systemctl is-active {server.unit}\necho $?\n"

    def leaf(self, path, snippet):
        keystore = re.search(r'certificateKeystoreFile="([^"]+)"', snippet)
        password = re.search(r'certificateKeystorePassword="([^"]+)"', snippet)
        if not keystore or not password:
            raise Unreadable("no keystore")
        try:
            key, leaf, _ = pkcs12.load_key_and_certificates(
                path(keystore.group(1)).read_bytes(), password.group(1).encode())
        except (OSError, ValueError) as error:
            raise Unreadable(f"what cannot be read: {error}") from error
        return same_key(key, leaf)

    def names(self, snippet, generation):
        """The keystore's path is the same for all generations."""
        return True


def seen(server):
    """Of an origin that is not on this host: itself (crash_remote.py)."""
    kinds = {"nginx": NginxSeen, "tomcat": TomcatSeen}
    return kinds[server.type](server) if server.type in kinds else server.keep_start()
