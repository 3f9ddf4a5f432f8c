"""Origins that are not a service of a crash_lab.Lab's host, and what the agent has to do there when
it is interrupted. The platforms are played by fake_cpanel.py, fake_acm.py and fake_iis.py; each
writes down what it has imported."""

import json
import pathlib
import re

from cryptography import x509
from cryptography.hazmat.primitives import hashes

import amazon
import by_hand
import hosting
import iis
import network
from agent import CONFIG_DIRECTORY, STATE_DIRECTORY
from crash_lab import NAME
from crash_scenarios import Scenario
from crash_servers import STAMP, NginxSeen
from server import SNIPPETS

FIRST = (NAME, f"shop.{NAME}")
LATER = (NAME, f"www.{NAME}", f"shop.{NAME}")
PATIENT, IMPATIENT = "20s", "1s"        # probe_timeout
TAKEN_BACK = re.compile(r'"rolled_back":\s*true')
CONNECTED = ("01", "08")                # /proc/net/tcp: ESTABLISHED, CLOSE_WAIT


class Origin(NginxSeen):
    """One on a platform: what all servers of a lab can (`served`, `snippet`), and what the lab
    needs to know of it (crash_servers.py). Its snippet names key and leaf as nginx' does."""

    type = target = None
    directory = journal = None      # of the platform: all that it knows; what it imported
    api_port = port = None          # where it is told, and where it shows what it has
    test = "echo 0\n"               # it is not started by what the agent leaves here

    def __init__(self, host):
        self.host = host
        self.start = f"/srv/start.{self.target}"
        self.back = ""

    def keys(self):
        raise NotImplementedError

    def places(self, hostnames):
        """Where a certificate for these is imported: all hostnames of each place."""
        raise NotImplementedError

    def snippet(self, name):
        return f"{SNIPPETS}/{self.target}/{name}.conf"

    def served(self, hostname, **options):
        return network.handshake(self.host, hostname, port=self.port, **options)

    def keep_start(self):
        """What it has now is what each round begins with: the agent is shown files that it knows
        (crash_servers.py), the platform what it had, and nothing has been imported."""
        forget = f"rm -f {self.journal} {self.directory}/requests.jsonl\n"
        stamp = STAMP.format(snippet=self.snippet(NAME),
                             state=f"{STATE_DIRECTORY}/certificates/{NAME}/state.json")
        state = f"{STATE_DIRECTORY}/certificates/{NAME}/state.json"
        self.host.run(["sh", "-euc", f"{forget}rm -rf {self.start}\n"
                       f"cp -a {self.directory} {self.start}"])
        self.back = (f"[ ! -e {state} ] || {{ {stamp} }}\n"
                     f"find {self.directory} -mindepth 1 -delete\n"
                     f"cp -a {self.start}/. {self.directory}/\n{forget}")
        return self

    def imports(self, path):
        """The leaves (SHA-256) that were imported, in order, by place."""
        found = {}
        if path(self.journal).exists():
            for one in map(json.loads, path(self.journal).read_text().splitlines()):
                found.setdefault(one["place"], []).append(one["sha256"])
        return found

    def busy(self):
        """Whether the platform still works at what somebody asked for."""
        ports = {f"{port:04X}" for port in (self.api_port, self.port)}
        lines = pathlib.Path(f"/proc/{self.host.pid}/net/tcp").read_text().splitlines()[1:]
        words = [line.split() for line in lines]
        return any(word[1].split(":")[1] in ports and word[3] in CONNECTED for word in words)


class Cpanel(Origin):
    type, target = "cpanel", "hosting"
    directory, journal = hosting.DIRECTORY, f"{hosting.DIRECTORY}/imports.jsonl"
    api_port, port = 2083, 443

    def __init__(self, host):
        super().__init__(host)
        self.account = hosting.Hosting(host)

    def reset(self):
        self.account.reset()

    def hold(self):
        self.account.hold()

    def keys(self):
        return self.account.keys(allow_ecdsa=True)

    def places(self, hostnames):
        return {website: set(domains) & set(hostnames) for website, domains
                in hosting.WEBSITES.items() if set(domains) & set(hostnames)}


class Acm(Origin):
    """Its load balancer has somebody else's certificate until there is one of the agent's."""

    type, target = "aws-acm", "load-balancer"
    directory, journal = amazon.DIRECTORY, f"{amazon.DIRECTORY}/imports.jsonl"
    api_port, port = 4566, amazon.BALANCER_PORT

    def __init__(self, host):
        super().__init__(host)
        self.account = amazon.Amazon(host)
        self.account.start_balancer()
        self.before = by_hand.pair(*LATER)

    def reset(self):
        self.account.reset()
        self.account.own(self.before)

    def keys(self):
        return self.account.keys(probe=f"127.0.0.1:{self.port}")

    def places(self, hostnames):
        """One, under whichever ARN the agent has."""
        found = json.loads(self.host.read(f"{self.directory}/certificates.json"))
        return {arn: set(hostnames) for arn, one in found.items() if one["tags"]}


class Store(Origin):
    """IIS' Centralized Certificate Store."""

    type, target = "iis", "iis"
    directory, journal = iis.SHARE, "/srv/iis-imports.jsonl"
    api_port = port = iis.STORE_PORT

    def __init__(self, host):
        super().__init__(host)
        self.iis = iis.Iis(host, self.journal)

    def reset(self):
        self.iis.empty()

    def keys(self):
        return self.iis.keys(delivery="central-store", probe=f"127.0.0.1:{self.port}")

    def places(self, hostnames):
        return {f"{hostname}.pfx": {hostname} for hostname in hostnames}


class Remote(Scenario):
    """A certificate is served by an origin elsewhere, and another one is needed: it is issued,
    delivered and shown. It must be imported once a place, whatever happened: a second time only
    where the one before was taken back meanwhile."""

    hostnames = LATER
    origin = None

    def servers(self, lab):
        if self.origin not in lab.origins:
            lab.origins[self.origin] = self.origin(lab.host)
        return [lab.origins[self.origin]]

    def before(self, lab):
        lab.sandbox.clear_faults()
        lab.agent.reset()
        lab.agent.give(STATE_DIRECTORY)
        lab.agent.configure(agent={"concurrency": 1}, api={"timeout": "5s"})
        for origin in lab.servers:
            origin.reset()
            self.target(lab, origin, PATIENT)

    @staticmethod
    def target(lab, origin, timeout):
        lab.agent.target(origin.target, **{**origin.keys(), "probe_timeout": timeout})

    def certificate(self, lab, hostnames):
        lab.agent.certificate(NAME, hostnames=hostnames, **self.keys,
                              targets=[origin.target for origin in lab.servers])

    def serve_first(self, lab):
        self.certificate(lab, FIRST)
        lab.agent.renew(NAME, check=0)

    def need(self, lab):
        self.certificate(lab, self.hostnames)

    def rest(self, lab):
        for origin in lab.servers:
            lab.host.wait(lambda one=origin: not one.busy(), 30,
                          f"{origin.target} has done what it was asked for")

    def also(self, lab, generation):
        leaf = x509.load_pem_x509_certificate((generation / "cert.pem").read_bytes())
        wanted = leaf.fingerprint(hashes.SHA256()).hex()
        # what was taken back is imported once more
        again = self.undisturbed == 1 or TAKEN_BACK.search(lab.driven.stdout)
        for origin in lab.servers:
            places = origin.places(self.hostnames)
            assert places, "there is nothing there"
            # a share is watched, and the watcher may be a moment late
            lab.host.wait(lambda one=origin, all_places=places: self.has(lab, one, all_places,
                                                                          wanted), 5,
                          lambda one=origin: f"{wanted} is there: {one.imports(lab.path)}")
            imports = origin.imports(lab.path)
            assert set(imports) == set(places), f"imported elsewhere: {imports}"
            for place, hostnames in places.items():
                self.hold_once(imports[place], wanted, again, bool(hostnames & set(FIRST)))
                for hostname in hostnames:
                    assert origin.served(hostname, ca=lab.ca).sha256 == wanted, hostname

    @staticmethod
    def has(lab, origin, places, wanted):
        imports = origin.imports(lab.path)
        return all(imports.get(place, [None])[-1] == wanted for place in places)

    @staticmethod
    def hold_once(imported, wanted, again, had_one):
        """All that was imported at one place. Of what is taken back, a place that had nothing
        before keeps what it has got, and gets it anew with the others."""
        expected = [[wanted]]
        if again and had_one:
            expected.append([wanted, *(one for one in imported[1:2] if one != wanted), wanted])
        elif again:
            expected.append([wanted, wanted])
        assert imported in expected, f"imported {imported}, wanted is {wanted}"


class First(Remote):
    """The first one: what was there before is somebody else's."""

    trusted = False

    def serve_first(self, lab):
        """Nothing."""


class CpanelRenewal(Remote):
    origin = Cpanel


class CpanelFirst(First):
    origin = Cpanel


class NotShown(Remote):
    """cPanel takes the certificate, and the websites go on showing the one before: that comes back.
    Then they follow."""

    origin = Cpanel
    undisturbed = 1
    TARGET = f"{CONFIG_DIRECTORY}/conf.d/target-{Cpanel.target}.ini"
    spoil = f"cp {TARGET}.impatient {TARGET}"
    mend = f"rm {hosting.DIRECTORY}/held.json; cp {TARGET}.patient {TARGET}"

    def need(self, lab):
        super().need(lab)
        origin = lab.servers[0]
        origin.hold()
        for timeout, name in ((PATIENT, "patient"), (IMPATIENT, "impatient")):
            self.target(lab, origin, timeout)
            lab.host.write(f"{self.TARGET}.{name}", lab.host.read(self.TARGET))


class FirstNotShown(NotShown, First):
    """The same of the first one: what comes back is what cPanel alone has the key of."""


class AcmRenewal(Remote):
    origin = Acm


class AcmFirst(First):
    """Imported anew, to be found by its tags."""

    origin = Acm


class StoreRenewal(Remote):
    origin = Store


SCENARIOS = (CpanelRenewal, CpanelFirst, NotShown, FirstNotShown, AcmRenewal, AcmFirst,
             StoreRenewal)
