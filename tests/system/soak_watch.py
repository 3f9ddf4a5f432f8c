"""What must hold at every moment of a soak, looked at from outside while it runs: what visitors are
shown, what lies on disk, and what becomes of the supervisor."""

import collections
import contextlib
import pathlib
import re
import statistics
import threading
import time

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from agent import SERVICE, STATE_DIRECTORY
from crash_servers import Unreadable, same_key
from network import leaf_from_der, tls_context
from server import FILE_IN_SNIPPET

SHOWN = 20                  # broken promises, before more are only counted
GENERATIONS = 8             # directories of one certificate, at most
STATE_SIZE = 256 << 10      # bytes of a state.json, at most
MEMORY_GROWTH = 1024        # KiB of a supervisor between its youth and its old age


class Doors:
    """When servers may refuse: while we restart them ourselves."""

    def __init__(self):
        self.closed, self.changes = collections.Counter(), collections.Counter()

    @contextlib.contextmanager
    def down(self, server):
        self.closed[server.target] += 1
        self.changes[server.target] += 1
        try:
            yield
        finally:
            self.changes[server.target] += 1
            self.closed[server.target] -= 1

    def mark(self, server):
        return self.closed[server.target], self.changes[server.target]

    def excuse(self, server, mark):
        return mark[0] or self.mark(server) != mark


class Watch:
    def __init__(self, host, roots, tell):
        self.host, self.roots, self.tell = host, roots, tell
        self.root = pathlib.Path(f"/proc/{host.pid}/root")
        self.context = tls_context(roots)
        self.doors = Doors()
        self.broken, self.handshakes = [], collections.Counter()
        self.leaves = set()
        self.names = collections.defaultdict(set)       # by server: what visitors ask for
        self.samples = collections.defaultdict(list)    # by supervisor: (descriptors, KiB)
        self.looks = collections.Counter()
        self._sound = {}            # generations that were looked at, by path
        self._end, self._threads = threading.Event(), []

    def break_(self, text):
        if len(self.broken) < SHOWN:
            self.tell(f"BROKEN: {text}")
        self.broken.append(text)

    def start(self, servers):
        work = [(self._visit, server) for server in servers]
        for function, *arguments in [*work, (self._disk,), (self._supervisor,)]:
            self._threads.append(threading.Thread(target=self._guarded,
                                                  args=(function, *arguments)))
            self._threads[-1].start()

    def stop(self):
        self._end.set()
        for thread in self._threads:
            thread.join()

    def _guarded(self, function, *arguments):
        while not self._end.is_set():
            try:
                function(*arguments)
            except Exception as error:
                self.break_(f"{function.__name__}{[str(a) for a in arguments]}: {error!r}")
                self._end.wait(1)

    # --- visitors

    def _visit(self, server):
        for name in sorted(self.names[server]):
            mark = self.doors.mark(server)
            failure = self._shake(server, name)
            if failure and not self.doors.excuse(server, mark) and name in self.names[server]:
                self.break_(f"{server.target}: {name}: {failure}")
            self._end.wait(0.02)
        self._end.wait(0.02)

    def _shake(self, server, name):
        """Verified as Cloudflare does: names, dates, signature, possession of the key."""
        try:
            with self.host.connect(server.port, timeout=30) as plain, self.context.wrap_socket(
                    plain, server_hostname=name) as secure:
                self.leaves.add(leaf_from_der(secure.getpeercert(binary_form=True)).serial)
        except OSError as error:
            return repr(error)
        self.handshakes[server.target] += 1
        return None

    # --- the disk

    def path(self, inside):
        return self.root / inside.lstrip("/")

    def _pair(self, text):
        leaf = x509.load_pem_x509_certificate(text)
        key = re.search(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [^\n]*", text, re.S)
        same_key(serialization.load_pem_private_key(key.group(), None), leaf)

    def _snippet(self, path):
        """A fault of it, or None. Files may go away between two looks: it is read twice."""
        for look in range(2):
            try:
                snippet = path.read_text()
                files = FILE_IN_SNIPPET.findall(snippet)
                if files:
                    self._pair(b"".join(self.path(file).read_bytes() for file in files))
                return None
            except (OSError, ValueError, AttributeError, Unreadable) as error:
                if look or not path.exists():
                    return None if not path.exists() else f"{path}: {error!r}\n{snippet}"
        return None

    def _generation(self, path):
        try:
            files = [path / "cert.pem", path / "key.pem"]
            stamp = tuple((one.st_ino, one.st_ctime_ns) for one in (file.stat() for file in files))
            if self._sound.get(path) == stamp:
                return None
            self._pair(b"".join(file.read_bytes() for file in files))
            self._sound[path] = stamp
        except FileNotFoundError:
            return f"{path} has no pair" if (path / "meta.json").exists() else None
        except (ValueError, AttributeError, Unreadable) as error:
            return f"{path}: {error!r}"
        return None

    def faults_on_disk(self):
        faults = []
        for path in self.path(f"{STATE_DIRECTORY}/snippets").glob("*/[!.]*.conf"):
            faults.append(self._snippet(path))
        for path in self.path(f"{STATE_DIRECTORY}/certificates").glob("*"):
            generations = [one for one in path.glob("[0-9]*") if one.name.isdigit()]
            faults += [self._generation(one) for one in generations]
            if len(generations) > GENERATIONS:
                faults.append(f"{path}: {len(generations)} generations")
            with contextlib.suppress(FileNotFoundError):
                if (path / "state.json").stat().st_size > STATE_SIZE:
                    faults.append(f"{path}/state.json grows: more than {STATE_SIZE} bytes")
        return [fault for fault in faults if fault]

    def _disk(self):
        for fault in self.faults_on_disk():
            self.break_(fault)
        self.looks["disk"] += 1
        self._end.wait(0.5)

    # --- the supervisor

    def children(self, pid):
        text = self.path(f"/proc/{pid}/task/{pid}/children").read_text()
        return [int(word) for word in text.split()]

    def _zombies(self, pid):
        return {child for child in self.children(pid)
                if re.search(r"^State:\s+Z", self.path(f"/proc/{child}/status").read_text(), re.M)}

    def _supervisor(self):
        pid = int(self.host.show(SERVICE, "MainPID"))
        try:
            first = self._zombies(pid)
            self._end.wait(1)
            stays = first & self._zombies(pid)
            if stays:
                self.break_(f"zombies of the supervisor: {stays}")
            if not self.children(pid):
                text = self.path(f"/proc/{pid}/smaps_rollup").read_text()
                pss = re.search(r"^Pss:\s+(\d+)", text, re.M)
                descriptors = len(list(self.path(f"/proc/{pid}/fd").iterdir()))
                self.samples[pid].append((descriptors, int(pss.group(1))))
            self.looks["supervisor"] += 1
        except (FileNotFoundError, ProcessLookupError, AttributeError):
            self._end.wait(0.2)             # it, or a child of it, has just ended

    def growth(self):
        """Faults of supervisors that grew, and a line about them."""
        faults, longest = [], max(self.samples.values(), key=len, default=[])
        for pid, samples in self.samples.items():
            descriptors = [one[0] for one in samples]
            third = max(1, len(samples) // 3)
            young, old = (statistics.median(one[1] for one in part)
                          for part in (samples[:third], samples[-third:]))
            if max(descriptors) > min(descriptors) + 3:
                faults.append(f"supervisor {pid}: {min(descriptors)} to {max(descriptors)} "
                              "descriptors while idle")
            if old > young + MEMORY_GROWTH:
                faults.append(f"supervisor {pid}: PSS from {young:.0f} to {old:.0f} KiB")
        if not longest:
            return [*faults, "no supervisor was seen idle"], ""
        return faults, (f"{len(self.samples)} supervisors; the longest seen idle {len(longest)} "
                        f"times: {max(one[0] for one in longest)} descriptors, "
                        f"PSS {longest[0][1]} to {longest[-1][1]} KiB")

    def wait(self, predicate, timeout):
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if predicate():
                return True
            time.sleep(0.25)
        return False
