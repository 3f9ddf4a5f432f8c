"""origin-ca-agent as a user of the host runs it: files in /etc, commands, exit codes."""

import dataclasses
import json

CONFIG_DIRECTORY = "/etc/origin-ca-agent"
STATE_DIRECTORY = "/var/lib/origin-ca-agent"
PROGRAM = "/usr/sbin/origin-ca-agent"
SERVICE = "origin-ca-agent.service"
USER = "origin-ca-agent"
CHAOTIC_PASSES = 12


@dataclasses.dataclass
class Result:
    """What a command did. `json` is None where there was nothing to parse."""

    argv: list
    returncode: int
    stdout: str
    stderr: str
    json: object

    def certificate(self, name):
        return next(one for one in self.json["certificates"] if one["name"] == name)

    def target(self, name, target="nginx"):
        """What is said of one target of a certificate."""
        return next(one for one in self.certificate(name)["targets"] if one["name"] == target)

    def transient(self):
        """Whether something failed that will be well in a moment."""
        return any(one.get("error", {}).get("class") == "transient"
                   for certificate in self.json.get("certificates", ())
                   for one in (certificate, *certificate.get("targets", ())))

    def add(self, before):
        """An earlier pass for the same needs did its part."""
        earlier = {one["name"]: one for one in before.json["certificates"]}
        for one in self.json["certificates"]:
            one["issued"] |= earlier[one["name"]]["issued"]
        self.json["changed"] |= before.json["changed"]
        self.json["reloads"] += before.json["reloads"]

    def __str__(self):
        return (f"{' '.join(self.argv)}: exit {self.returncode}\n--- stdout\n{self.stdout}\n"
                f"--- stderr\n{self.stderr}")


def section(title, keys):
    """An INI section; a list becomes indented continuation lines."""
    lines = [f"[{title}]"]
    for key, value in keys.items():
        if isinstance(value, (list, tuple)):
            value = "\n    ".join(map(str, value))
        elif isinstance(value, bool):
            value = "yes" if value else "no"
        lines.append(f"{key} = {value}")
    return "\n".join(lines) + "\n"


def without_remedy(json_value):
    """What is said to be wrong, will not go away by itself, and has no word of what to do."""
    if isinstance(json_value, list):
        for item in json_value:
            yield from without_remedy(item)
    elif isinstance(json_value, dict):
        wrong = json_value.get("class", "transient") not in ("transient", "none") \
            or json_value.get("warning") is False
        if wrong and json_value.get("message") and not json_value.get("remedy"):
            yield json_value
        for item in json_value.values():
            yield from without_remedy(item)


class Agent:
    program = PROGRAM

    def __init__(self, host, sandbox=None):
        self.host, self.sandbox = host, sandbox
        self.has_user = host.run(["getent", "passwd", USER], check=False).returncode == 0
        if sandbox:
            self.roots = sandbox.roots_keys()
            self.token(sandbox.token)
            host.write(f"{CONFIG_DIRECTORY}/sandbox-ca.pem", sandbox.root)
        self.configure()

    # --- configuration

    def token(self, text):
        owner = f"{USER}:{USER}" if self.has_user else None
        self.host.write(f"{CONFIG_DIRECTORY}/api-token", text + "\n", mode=0o600, owner=owner)

    def configure(self, agent=None, api=None, more=""):
        """Writes agent.ini: [agent] and [api] for the sandbox; keys given override them, None
        removes one."""
        keys = {}
        if self.sandbox:
            keys = {
                "endpoint": f"{self.sandbox.endpoint}/client/v4",
                "ca_file": f"{CONFIG_DIRECTORY}/sandbox-ca.pem",
                "token_file": f"{CONFIG_DIRECTORY}/api-token",
                **self.roots,
            }
        keys.update(api or {})
        keys = {key: value for key, value in keys.items() if value is not None}
        text = section("agent", agent) if agent else ""
        text += section("api", keys) if keys else ""
        self.host.write(f"{CONFIG_DIRECTORY}/agent.ini", text + more)

    def drop_in(self, name, text):
        """Writes conf.d/NAME.ini."""
        self.host.write(f"{CONFIG_DIRECTORY}/conf.d/{name}.ini", text)

    def certificate(self, name, **keys):
        """A drop-in with one certificate, as configuration management would write it; a key that
        is None is not written (targets=None: a certificate that nobody serves)."""
        keys.setdefault("targets", "nginx")
        keys = {key: value for key, value in keys.items() if value is not None}
        self.drop_in(name, section(f"certificate {name}", keys))

    def target(self, name, **keys):
        self.drop_in(f"target-{name}", section(f"target {name}", keys))

    def join(self, *groups):
        """The agent's user may read what is these groups', and give them files."""
        self.host.run(["usermod", "--append", "--groups", ",".join(groups), USER])

    def give(self, path):
        """A file or directory becomes the agent's user's own; a directory is made."""
        self.host.run(["sh", "-euc", '[ -e "$1" ] || mkdir -p "$1"; chown "$2:" "$1"', "give",
                       path, USER])

    def stay_root(self):
        """On a host where all is root's: no service, root's own passes only."""
        self.host.run(["install", "-d", "-o", "root", "-g", "root", "-m", "711", STATE_DIRECTORY])

    def remove(self, name):
        self.host.remove(f"{CONFIG_DIRECTORY}/conf.d/{name}.ini")

    def reset(self):
        """As on the first day: no drop-ins, no state, and the configuration for the sandbox."""
        self.stop()
        self.host.run(["rm", "-rf", f"{CONFIG_DIRECTORY}/conf.d", f"{CONFIG_DIRECTORY}/templates",
                       STATE_DIRECTORY])
        if self.sandbox:
            self.token(self.sandbox.token)
        self.configure()

    # --- commands

    def command(self, *arguments, check=None, timeout=120, env=None, user=None):
        """Run the program. check: None: any exit code is fine; else the code(s) that must come."""
        argv = [PROGRAM, *map(str, arguments)]
        whole = argv if user is None else [
            "setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", *argv]
        done = self.host.run(whole, check=False if check is None else check, timeout=timeout,
                             env=env)
        parsed = json.loads(done.stdout) if "--json" in argv and done.stdout.strip() else None
        helpless = list(without_remedy(parsed))
        assert not helpless, f"nobody is told what to do: {helpless}"
        return Result(argv, done.returncode, done.stdout, done.stderr, parsed)

    def scheduled_pass(self, **options):
        """What the service runs when something is due: waits for splay and backoff."""
        return self.command("pass", **options)

    def renew(self, *names, force=False, dry_run=False, check=None, **options):
        arguments = ["--renew-now", "--json"]
        arguments += ["--force"] if force else []
        arguments += ["--dry-run"] if dry_run else []
        if not self.sandbox or not self.sandbox.chaotic or dry_run:
            return self.command(*arguments, *names, check=check, **options)
        return self._renew_until_calm(arguments, names, check, options)

    def _renew_until_calm(self, arguments, names, check, options):
        """With a sandbox that misbehaves at random: a few passes, until what is left to be said is
        not the API's. The result tells what all of them together did."""
        done = self.command(*arguments, *names, **options)
        first = done
        for _ in range(CHAOTIC_PASSES):
            if not done.json or not done.transient():
                break
            # what was forced is due now, and must not be issued a second time
            arguments = [word for word in arguments if word != "--force"]
            done = self.command(*arguments, *names, **options)
            done.add(first)
        wanted = (check,) if isinstance(check, int) else check
        assert wanted is None or done.returncode in wanted, str(done)
        return done

    def check(self, **options):
        return self.command("check", "--json", **options)

    def status(self, *names, **options):
        return self.command("status", "--json", *names, **options)

    def probe(self, *names, **options):
        return self.command("probe", "--json", *names, **options)

    def render(self, name, target, **options):
        return self.command("render", name, target, **options)

    # --- the service

    def start(self, wait=True):
        """Start origin-ca-agent.service; returns when it has said READY=1, or at once."""
        self.host.run(["systemctl", "start", *([] if wait else ["--no-block"]), SERVICE])

    def stop(self):
        self.host.run(["systemctl", "stop", SERVICE])

    def reload(self):
        self.host.run(["systemctl", "reload", SERVICE])

    def journal(self):
        return self.host.journal(SERVICE)

    # --- what is on disk

    def state_path(self, *parts):
        return "/".join((STATE_DIRECTORY, *parts))

    def state(self, name):
        return json.loads(self.host.read(self.state_path("certificates", name, "state.json")))

    def generations(self, name):
        """The numbers of the generations that are there."""
        directory = self.state_path("certificates", name)
        if not self.host.exists(directory):
            return []
        return sorted(int(entry) for entry in self.host.list(directory) if entry.isdigit())
