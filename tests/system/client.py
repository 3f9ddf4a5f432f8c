"""A visitor who keeps asking over HTTPS, while a test does something to the server."""

import collections
import threading
import time

from network import tls_context


def ask(plain, context, hostname):
    """One request on a connected socket. Returns the leaf (DER); OSError unless it is answered."""
    with context.wrap_socket(plain, server_hostname=hostname) as secure:
        leaf = secure.getpeercert(binary_form=True)
        secure.sendall(f"GET / HTTP/1.1\r\nHost: {hostname}\r\nConnection: close\r\n\r\n".encode())
        answer = b""
        while piece := secure.recv(65536):
            answer += piece
    if not answer.startswith(b"HTTP/1.1 200"):
        raise OSError(f"answered {answer[:200]!r}")
    return leaf


class Client:
    """A new connection for each request:

        with nginx.client("example.com") as client:
            agent.renew("example.com", force=True)
        assert not client.failures and client.requests > 0
    """

    def __init__(self, host, hostname, port=443, ca=None, client=None, pause=0.05,
                 workers=2):
        self.host, self.hostname, self.port, self.pause = host, hostname, port, pause
        self.context = tls_context(ca, client)
        self.requests = 0
        self.failures = []                      # what went wrong, and when
        self.leaves = collections.Counter()     # DER of the leaves that were shown
        self._lock = threading.Lock()
        self._end = threading.Event()
        self._threads = [threading.Thread(target=self._work, name=f"client of {hostname}")
                         for _ in range(workers)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        deadline = time.monotonic() + 10
        while not (self.requests or self.failures) and time.monotonic() < deadline:
            time.sleep(0.005)
        return self

    def __exit__(self, *_):
        self._end.set()
        for thread in self._threads:
            thread.join()

    def _ask(self):
        with self.host.connect(self.port) as plain:
            return ask(plain, self.context, self.hostname)

    def _work(self):
        while not self._end.is_set():
            try:
                leaf, failure = self._ask(), None
            except Exception as error:      # whatever a visitor would have seen fail
                leaf, failure = None, f"{time.strftime('%H:%M:%S')} {error!r}"
            with self._lock:
                self.requests += 1
                if failure:
                    self.failures.append(failure)
                else:
                    self.leaves[leaf] += 1
            self._end.wait(self.pause)
