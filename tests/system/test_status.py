"""status: the table, the schema of its JSON, --watch in a terminal, --html in a browser."""

import contextlib
import http.client
import json
import os
import pathlib
import pty
import re
import select
import subprocess
import tempfile
import time

import jsonschema
import pytest

from host import REPOSITORY
from origin import NAME

SCHEMA = json.loads((REPOSITORY / "docs/status.schema.json").read_text(encoding="utf-8"))
LONG = "a-rather-long-name-of-a-certificate.shop"
HOSTILE = "<script>alert('x')</script> & \"quoted\""


@pytest.fixture(name="mixed")
def fixture_mixed(origin):
    """One that is served, one whose server refuses, one that cannot be issued."""
    agent, host = origin.agent, origin.host
    agent.certificate(LONG, hostnames=["long.example.com", "*.long.example.com"], targets=None)
    agent.certificate("denied", hostnames=["denied.unknown-zone.org"])
    agent.renew(check=1)
    path = agent.state_path("certificates", LONG, "state.json")
    state = json.loads(host.read(path))
    now = int(host.output(["date", "+%s"]))
    state["history"].insert(0, {"at": now - 5000000, "last": now - 4000000, "count": 31,
                                "event": "failed", "message": HOSTILE})
    host.write(path, json.dumps(state), mode=0o600)
    return origin


def table(agent, columns=None, **env):
    more = {"COLUMNS": str(columns)} if columns else {}
    done = agent.command("status", check=1, env={"LC_ALL": "C.UTF-8", **more, **env})
    return done.stdout


def test_table_fits_and_says_what_is(mixed):
    agent = mixed.agent
    widths = {}
    for columns in (None, 60, 120):
        lines = table(agent, columns).splitlines()
        rows = [line for line in lines if not line.startswith("    ")][:-1]
        assert len(rows) == 4
        assert all(len(row) <= (columns or 80) for row in rows), rows
        widths[columns] = max(map(len, rows))
    assert widths[120] > widths[60]
    text = table(agent, 120)
    assert "CERTIFICATE" in text and LONG in text and "long.example.com +1" in text
    assert re.search(rf"^✓ {re.escape(NAME)} .*nginx:1 +─+┼─+ in 89 days$", text, re.M), text
    assert "no certificate yet" in text and "stuck for" in text and "1010" in text
    assert "\033" not in text
    assert text.splitlines()[-1].startswith("2 of 3 certificates current and verified; last pass ")
    assert "…" in table(agent)                       # a long name is cut
    plain = agent.command("status", check=1, env={"LC_ALL": "C"}).stdout
    assert plain.isascii() and re.search(r"nginx:1 +-+\|-+ in 89 days", plain)


def test_json_is_as_the_schema_says(mixed):
    agent = mixed.agent
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    closed = json.loads(json.dumps(SCHEMA))
    for part in (closed, closed["properties"]["last_pass"], *closed["$defs"].values()):
        if part.get("type") == "object":
            part["additionalProperties"] = False     # what is not documented is found
    mixed.nginx.hold_stale(NAME)
    agent.renew(NAME, force=True, check=1)
    done = agent.status(check=1)
    jsonschema.validate(done.json, closed)
    states = {one["name"]: one["state"] for one in done.json["certificates"]}
    assert states == {NAME: "failing", LONG: "good", "denied": "lost"}
    assert done.json["exit_status"] == 1 and done.json["last_pass"]["certificates"] == 3
    assert done.certificate("denied")["stuck_since"]
    agent.drop_in("broken", "[certificate broken]\nno_such_key = 1\n")
    broken = agent.status(check=3)
    jsonschema.validate(broken.json, closed)
    agent.remove("broken")
    jsonschema.validate(agent.status(NAME, check=1).json, closed)
    agent.configure(more="[agent\n")
    jsonschema.validate(agent.status(check=3).json, closed)


class Screen:
    """A pseudo-terminal in which a command of the host runs."""

    def __init__(self, host, command, rows, columns):
        self.master, slave = pty.openpty()
        inner = f"stty rows {rows} cols {columns}; exec {command}"
        self.process = host.spawn(["setsid", "-c", "-w", "env", "TERM=xterm",
                                   "LC_ALL=C.UTF-8", "sh", "-c", inner],
                                  stdin=slave, stdout=slave, stderr=slave)
        os.close(slave)
        self.text = ""

    def read(self, until, timeout=60):
        end = time.monotonic() + timeout
        while until not in self.text and time.monotonic() < end:
            ready, _, _ = select.select([self.master], [], [], 0.2)
            if ready:
                with contextlib.suppress(OSError):
                    self.text += os.read(self.master, 65536).decode(errors="replace")
        assert until in self.text, self.text
        seen, self.text = self.text, ""
        return seen

    def type(self, keys):
        os.write(self.master, keys)

    def end(self):
        code = self.process.wait(30)
        os.close(self.master)
        return code


@pytest.mark.parametrize("keys", [b"q", b"\x03"])
def test_watch_shows_changes_and_ends_by_a_key(origin, keys):
    screen = Screen(origin.host, "/usr/sbin/origin-ca-agent status --watch", 6, 40)
    first = screen.read("q: quit")
    assert "\033[?1049h" in first and NAME in first and "nginx:1" in first
    origin.agent.renew(NAME, force=True, check=0)
    assert "nginx:2" in screen.read("nginx:2")
    lines = re.split(r"\r\n", re.sub(r"\033\[[?\d;]*[A-Za-z]", "", first))
    assert len(lines) <= 6 and all(len(line) <= 40 for line in lines), lines
    screen.type(keys)
    assert "\033[?1049l" in screen.read("\033[?1049l")
    assert screen.end() == 0


# --- the page in a browser

CHROMIUM = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync"]

# Runs in the browser, not in the page: widths, and the contrast of each text with what is behind.
MEASURE = """
const bad = [], seen = {};
const parse = text => (text.match(/[\\d.]+/g) || []).map(Number);
const light = ([r, g, b]) => [r, g, b].map(v => (v /= 255) <= .03928 ? v / 12.92
    : ((v + .055) / 1.055) ** 2.4).reduce((s, v, i) => s + v * [.2126, .7152, .0722][i], 0);
const behind = node => {
  for (; node; node = node.parentElement) {
    const colour = parse(getComputedStyle(node).backgroundColor);
    if (colour.length === 3 || colour[3] > 0) return colour;
  }
  return [255, 255, 255];
};
let texts = 0;
for (const node of document.body.querySelectorAll("*")) {
  if (![...node.childNodes].some(c => c.nodeType === 3 && c.data.trim())) continue;
  if (!node.getClientRects().length || node.tagName === "title") continue;
  const style = getComputedStyle(node);
  const one = light(parse(node.closest("svg") ? style.fill : style.color));
  const other = light(behind(node));
  const ratio = (Math.max(one, other) + .05) / (Math.min(one, other) + .05);
  texts++;
  if (ratio < 4.5) bad.push([node.tagName, node.className, ratio]);
  const box = node.getBoundingClientRect();
  if (box.right > innerWidth + 1 || box.left < -1) bad.push(["out", node.outerHTML.slice(0, 80)]);
}
return {bad, texts, wide: document.documentElement.scrollWidth, inner: innerWidth,
        back: parse(getComputedStyle(document.body).backgroundColor),
        pictures: document.querySelectorAll("svg rect").length,
        outside: performance.getEntriesByType("resource").length};
"""


class Browser:
    """Chromium by its driver."""

    def __init__(self, directory):
        self.driver = subprocess.Popen(["chromedriver", "--port=0"], stdout=subprocess.PIPE,
                                       stderr=subprocess.DEVNULL, text=True)
        self.session = None
        for line in self.driver.stdout:
            found = re.search(r"successfully on port (\d+)", line)
            if found:
                self.port = int(found.group(1))
                break
        arguments = [*CHROMIUM, f"--user-data-dir={directory}"]
        options = {"goog:chromeOptions": {"args": arguments}}
        self.session = self.ask("POST", "/session",
                                {"capabilities": {"alwaysMatch": options}})["sessionId"]

    def ask(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        with contextlib.closing(connection):
            path = f"/session/{self.session}{path}" if self.session else path
            connection.request(method, path, json.dumps(body) if body is not None else None,
                               {"Content-Type": "application/json"})
            answer = json.loads(connection.getresponse().read())["value"]
        assert not (isinstance(answer, dict) and answer.get("error")), answer
        return answer

    def tell(self, command, **parameters):
        return self.ask("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def measure(self):
        return self.ask("POST", "/execute/sync", {"script": MEASURE, "args": []})

    def quit(self):
        with contextlib.suppress(Exception):
            if self.session:
                self.ask("DELETE", "")
        self.driver.terminate()
        self.driver.wait(20)


def test_page_is_whole_readable_and_harmless_in_a_browser(mixed, tell):
    done = mixed.agent.command("status", "--html", check=1)
    page = done.stdout
    assert page.startswith("<!DOCTYPE html>") and "<script" not in page and "src=" not in page
    assert "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; &quot;quoted&quot;" in page
    assert not re.search(r"(url\(|@import|href=|https?://)", page)
    with tempfile.TemporaryDirectory(prefix="origin-ca-page.") as directory:
        file = pathlib.Path(directory, "status.html")
        file.write_text(page, encoding="utf-8")
        pictures = pathlib.Path(os.environ.get("ORIGIN_CA_PICTURES", directory))
        browser = Browser(f"{directory}/profile")
        try:
            backs = {}
            for scheme in ("light", "dark"):
                for width in (400, 1200):
                    browser.tell("Emulation.setDeviceMetricsOverride", width=width, height=900,
                                 deviceScaleFactor=1, mobile=False)
                    browser.tell("Emulation.setEmulatedMedia", features=[
                        {"name": "prefers-color-scheme", "value": scheme}])
                    browser.tell("Page.navigate", url=file.as_uri())
                    found = browser.measure()
                    assert found["inner"] == width and found["wide"] <= width, found
                    assert not found["bad"] and found["texts"] > 30, found
                    assert found["pictures"] >= 5 and found["outside"] == 0
                    backs[scheme] = sum(found["back"][:3])
                    shot = browser.tell("Page.captureScreenshot", captureBeyondViewport=True)
                    (pictures / f"status-{scheme}-{width}.png.base64").write_text(shot["data"])
            assert backs["light"] > 600 and backs["dark"] < 150
        finally:
            browser.quit()
    tell(f"the page is {len(page)} bytes")


def test_only_one_way_can_be_had_and_only_of_status(origin):
    agent = origin.agent
    for arguments in (["status", "--html", "--json"], ["check", "--html"], ["check", "--watch"]):
        assert agent.command(*arguments).returncode == 2
