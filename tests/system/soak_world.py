"""What happens to a host in a soak: everything that administrators, power cuts, other programs and
Cloudflare do to it, picked at random from a seed."""

import contextlib
import dataclasses
import signal
import time

from agent import CONFIG_DIRECTORY, SERVICE, STATE_DIRECTORY, section

TEMPLATES = f"{CONFIG_DIRECTORY}/templates"
PACKAGED = "/usr/share/origin-ca-agent/templates"
ENDS_OF_COMMANDS = (0, 1, 3, 4)     # a pass by hand; 4: another one runs
BACKDATE = 86400                    # seconds: certificates are as old when they come
LIFETIME = 7 * 86400 - BACKDATE     # of what is left of them
MINUTE = 60                         # to which their dates are cut
A_DAY = 5                           # certificates of one name that the agent makes


@dataclasses.dataclass
class Certificate:
    """`needs`: how many certificates may have been issued for it at most."""

    name: str
    servers: list
    variant: int = 0
    key_type: str = "ecdsa-p256"
    needs: int = 1
    since: float = dataclasses.field(default_factory=time.monotonic)
    on_servers: bool = False
    watched: bool = False

    @property
    def hostnames(self):
        return [self.name, *([], [f"www.{self.name}"], [f"*.{self.name}"])[self.variant]]


class World:
    def __init__(self, host, agent, sandbox, servers, watch, rng, renew_after):
        self.host, self.agent, self.sandbox, self.servers = host, agent, sandbox, servers
        self.watch, self.rng, self.tell = watch, rng, watch.tell
        self.renew_after = renew_after      # seconds
        self.certificates, self.gone, self.made = [], [], 0
        self.slow = False                   # whether outages may last

    # --- certificates

    def text(self, one):
        return section(f"certificate {one.name}", {
            "hostnames": one.hostnames, "key_type": one.key_type, "validity": "7d",
            "renew_before": f"{LIFETIME - self.renew_after}s",
            **({"targets": [server.target for server in one.servers]} if one.servers else {})})

    def write(self, one):
        self.agent.drop_in(one.name, self.text(one))

    def add(self, servers=None):
        self.made += 1
        if servers is None:
            servers = self.rng.sample(self.servers, self.rng.randrange(len(self.servers) + 1))
        one = Certificate(f"c{self.made}.example.com", servers,
                          key_type=self.rng.choice(("ecdsa-p256", "rsa-2048")))
        self.certificates.append(one)
        self.write(one)
        return one

    def issued(self, one):
        return [each["id"] for each in self.sandbox.issued() if one.name in each["hostnames"]]

    def allowed(self, one):
        """A renewal falls due so often; its date is cut to the minute."""
        age = time.monotonic() - one.since
        return one.needs + int(age / (self.renew_after - MINUTE))

    def put_on_servers(self):
        """A server gets a block for each certificate whose snippet is there."""
        for one in self.certificates:
            if one.on_servers or not all(self.host.exists(server.snippet(one.name))
                                         for server in one.servers):
                continue
            for server in one.servers:
                server.add(one.name)
                self.reload(server)
            one.on_servers = True

    def reload(self, server):
        if server.test().returncode == 0:
            server.reload(check=False)

    def watch_what_is_current(self):
        if all(one.watched for one in self.certificates):
            return
        status = self.agent.status()
        current = {each["name"] for each in status.json["certificates"] if each["current"]}
        for one in self.certificates:
            if not one.watched and one.on_servers and one.name in current:
                one.watched = True
                for server in one.servers:
                    self.watch.names[server].add(one.name)

    def retire(self, one):
        """No longer wanted: out of the servers' configuration first."""
        self.certificates.remove(one)
        self.gone.append(one)
        for server in one.servers:
            self.watch.names[server].discard(one.name)
            if one.on_servers:
                server.remove(one.name)
                self.reload(server)
        self.agent.remove(one.name)

    def replaced(self, one):
        """What has had many certificates today gives way to another name."""
        self.retire(one)
        self.told_agent(True)
        return f"{one.name} goes, {self.add(one.servers).name} comes"

    # --- what happens

    def told_agent(self, certainly=False):
        if certainly or self.rng.random() < 0.7:
            self.host.run(["systemctl", "reload", SERVICE], check=False)

    def edited_hostnames(self, one):
        one.variant = (one.variant + 1 + self.rng.randrange(2)) % 3
        one.needs += 1
        self.write(one)
        self.told_agent()
        return one.name

    def half_written(self, one):
        """The rest comes a moment later. What is read of it may be another certificate's need."""
        text = self.text(one)
        one.needs += 2
        length = self.rng.randrange(1, len(text))
        self.agent.drop_in(one.name, text[:length])
        self.told_agent()
        self.pause(2)
        self.write(one)
        self.told_agent(True)
        return f"{one.name}, {length} of {len(text)} bytes"

    def bad_drop_in(self, one):
        self.agent.drop_in(one.name, self.text(one) + "validiti = 90d\n")
        self.told_agent()
        self.pause(3)
        self.write(one)
        self.told_agent(True)
        return one.name

    def changed_template(self, kind, end=None):
        text = self.host.read(f"{PACKAGED}/{kind}.mustache")
        end = end or f"# soak {self.rng.randrange(1 << 20)}\n"
        self.host.write(f"{TEMPLATES}/{kind}.mustache", text + end)

    def template_edited(self, _):
        kind = self.rng.choice(self.servers).type
        path = f"{TEMPLATES}/{kind}.mustache"
        how = self.rng.choice(("comment", "broken", "gone"))
        if how == "gone":
            self.host.remove(path)
        else:
            self.changed_template(kind, None if how == "comment" else "{{#open")
        self.told_agent()
        if how == "broken":
            self.pause(2)
            self.host.remove(path)
            self.told_agent(True)
        return f"{kind}: {how}"

    def drift(self, one):
        generation = self.host.run(["readlink", "-f", f"{STATE_DIRECTORY}/live/{one.name}"],
                                   check=False).stdout.strip()
        snippets = [server.snippet(one.name) for server in one.servers]
        snippets = [path for path in snippets if self.host.exists(path)]
        how = self.rng.choice(("chmod", "append", "chown", "delete"))
        if how == "chmod" and generation:
            self.host.run(["chmod", "644", f"{generation}/key.pem"], check=False)
        for path in snippets if how == "append" else ():
            self.host.write(path, self.host.read(path) + "# somebody was here\n")
        for path in snippets if how == "chown" else ():
            self.host.run(["chown", "nobody", path], check=False)
        if how == "delete":
            self.deleted(one, snippets)
        else:
            self.told_agent()
        return f"{one.name}: {how}"

    def deleted(self, one, snippets):
        """A server that reads its configuration in this moment may die of that, also because the
        agent has asked it to a moment ago. It is soon put right, and the server runs again."""
        with contextlib.ExitStack() as stack:
            for server in one.servers:
                stack.enter_context(self.watch.doors.down(server))
            for path in snippets:
                self.host.remove(path)
            self.told_agent(True)
            servers = [server for server in one.servers if self.watch.names[server]]
            if not self.watch.wait(lambda: all(map(self.host.exists, snippets)) and
                                   all(self.host.listening(server.port) for server in servers), 60):
                self.watch.break_(f"{one.name}: its snippets were deleted, and after a minute not "
                                  f"all is back:\n{self.host.journal(lines=60)}")

    def supervisor(self):
        return int(self.host.show(SERVICE, "MainPID"))

    def pass_killed(self, one):
        """At a random moment of one that has something to do."""
        if self.rng.random() < 0.4:
            self.edited_hostnames(one)
        else:
            self.changed_template(self.rng.choice(self.servers).type)
        self.told_agent(True)
        number = self.rng.choice((signal.SIGKILL, signal.SIGKILL, signal.SIGTERM))
        pid = self.supervisor()
        if not pid:             # and 0 is the parent of what the tests run in the host
            return "it was just being started"
        self.host.run(["timeout", "2", "sh", "-c", f"until pkill -0 -P {pid}; do sleep 0.01; done"],
                      check=False)
        self.pause(0.6)
        done = self.host.run(["pkill", f"-{number.name[3:]}", "-P", str(pid)], check=False)
        return f"{number.name}{'' if done.returncode == 0 else ': it had ended'}"

    def supervisor_killed(self, _):
        pid = self.supervisor()
        if pid:
            self.host.run(["kill", "-KILL", str(pid)], check=False)
        return str(pid)

    def service_restarted(self, _):
        self.host.run(["systemctl", "restart", SERVICE], check=False, timeout=120)

    def server_restarted(self, _):
        server = self.rng.choice(self.servers)
        if server.test().returncode != 0:
            return f"{server.target}: not, its configuration has errors"
        hard = self.rng.random() < 0.3
        with self.watch.doors.down(server):
            if hard:
                self.host.run(["systemctl", "kill", "--signal=KILL", server.unit])
                self.pause(1)
            self.host.run(["systemctl", "reset-failed", server.unit], check=False)
            self.host.run(["systemctl", "restart", server.unit], check=False)
            if not self.watch.wait(lambda: self.host.listening(server.port), 30):
                self.watch.break_(f"{server.target} does not start again:\n"
                                  + self.host.journal(server.unit, lines=20))
        return f"{server.target}{' after a crash' if hard else ''}"

    def broken_elsewhere(self, _):
        server = self.rng.choice(self.servers)
        server.break_elsewhere()
        self.told_agent()
        self.pause(3)
        server.mend()
        self.told_agent()
        return server.target

    def api_down(self, _):
        self.sandbox.stop()
        self.pause(40 if self.slow else 4)
        self.api_starts()

    def api_starts(self, rate=20):
        self.sandbox.start("--chaos", str(self.rng.randrange(1 << 32)), "--chaos-rate", str(rate))

    def bad_token(self, _):
        self.agent.token("no-token-that-anybody-would-take-0123456789")
        self.told_agent()
        self.pause(3)
        self.agent.token(self.sandbox.token)
        self.told_agent()

    def by_hand(self, one):
        """A pass besides the service's."""
        names = self.rng.choice(([], [one.name]))
        done = self.agent.renew(*names)
        if done.returncode not in ENDS_OF_COMMANDS:
            self.watch.break_(f"--renew-now: {done}")
        return f"{' '.join(names)}: exit {done.returncode}"

    def forced(self, one):
        one.needs += 1
        done = self.agent.renew(one.name, force=True)
        if done.returncode not in ENDS_OF_COMMANDS:
            self.watch.break_(f"--renew-now --force: {done}")
        return f"{one.name}: exit {done.returncode}"

    # --- all of it

    def pause(self, most):
        time.sleep(self.rng.random() * most)

    HAPPENINGS = (
        (edited_hostnames, 3), (half_written, 2), (bad_drop_in, 2), (template_edited, 3),
        (drift, 4), (pass_killed, 5), (supervisor_killed, 1), (service_restarted, 1),
        (server_restarted, 3), (broken_elsewhere, 2), (api_down, 1), (bad_token, 1), (by_hand, 2),
        (forced, 1))

    NEEDS = (edited_hostnames, half_written, forced, pass_killed)

    def step(self):
        happening = self.rng.choices([one[0] for one in self.HAPPENINGS],
                                     [one[1] for one in self.HAPPENINGS])[0]
        one = self.rng.choice(self.certificates)
        # the agent makes five a day: before it has none left for a renewal
        if happening in World.NEEDS and self.allowed(one) + 2 > A_DAY:
            happening = World.replaced
        told = happening(self, one)
        self.tell(f"{happening.__name__.replace('_', ' ')}{f': {told}' if told else ''}")
        self.put_on_servers()
        self.watch_what_is_current()
        return happening.__name__

    def quiet(self):
        """Nobody does anything any more, and all is as it should be."""
        for server in self.servers:
            self.host.remove(f"{TEMPLATES}/{server.type}.mustache")
            server.mend()
        self.agent.token(self.sandbox.token)
        for one in self.certificates:
            self.write(one)
        with contextlib.suppress(Exception):
            self.sandbox.stop()
        self.sandbox.start()
        self.host.run(["systemctl", "reset-failed", SERVICE], check=False)
        self.host.run(["systemctl", "start", SERVICE], timeout=120)
        self.told_agent(True)
