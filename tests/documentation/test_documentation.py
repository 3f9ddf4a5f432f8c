"""Everything that the program knows is documented, and nothing else is."""

import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest

import tables
from tables import TOP, text

COMPLETIONS = {
    "bash": "etc/completions/origin-ca-agent.bash",
    "zsh": "etc/completions/_origin-ca-agent",
    "fish": "etc/completions/origin-ca-agent.fish",
}


def test_every_key_is_documented_and_every_documented_key_exists():
    known, documented, later = tables.keys(), tables.documented_keys(), tables.later_keys()
    for kind, rows in known.items():
        assert set(documented[kind]) - set(rows) == set(), f"[{kind}]: documented, but unknown"
        missing = set(rows) - set(documented[kind]) - later
        assert missing == set(), f"[{kind}]: not in docs/configuration.md"
        built = {key for key, is_built in rows.items() if is_built}
        assert {key for key in rows if key not in built} <= later, "not built, and not said so"
    everywhere = set().union(*(set(rows) for rows in known.values()))
    assert later <= everywhere


def test_every_documented_key_has_a_default_an_example_and_a_meaning():
    for kind, rows in tables.documented_keys().items():
        for key, cells in rows.items():
            assert all(cells), f"[{kind}] {key}: {cells}"


def test_durations_have_a_unit_in_default_or_example():
    """Who reads "30" does not know what."""
    for kind, rows in tables.documented_keys().items():
        for key, (default, example, _) in rows.items():
            if re.search(r"timeout|splay|_before$|validity", key):
                assert re.search(r"\d+[smhd%]|\d+%", default + example), f"[{kind}] {key}"


def test_the_sample_has_every_key_and_no_other():
    known, documented, sample = tables.keys(), tables.documented_keys(), tables.sample_keys()
    for kind, rows in documented.items():
        assert sample[kind] <= set(known[kind]), f"etc/agent.ini, [{kind}]: unknown"
        assert set(rows) - sample[kind] == set(), f"not in etc/agent.ini, [{kind}]"


def test_ini_page_has_every_key(tmp_path):
    page = subprocess.run(["awk", "-f", TOP / "docs/manual.awk", TOP / "docs/configuration.md"],
                          check=True, stdout=subprocess.PIPE, text=True).stdout
    for kind, rows in tables.documented_keys().items():
        section = re.search(rf"^# \\?\[{kind}.*?\n(.*?)(?=^# |\Z)", page, re.M | re.S).group(1)
        section = section.replace("\\_", "_")
        for key, (default, example, _) in rows.items():
            entry = re.search(rf"^\*?[^\n]*\*{key}\*[^\n]*\n\tDefault: .*?\+\+\nExample: ", section,
                              re.M | re.S)
            assert entry, f"[{kind}] {key}: {default}, {example}"


def test_every_command_is_documented_everywhere():
    shown = {name for name, is_shown in tables.commands().items() if is_shown}
    assert tables.manual_terms("origin-ca-agent.8", "COMMANDS") == shown
    readme = set()
    for cell in re.findall(r"^\| (`[^|]*) \|", text("README.md").split("## Commands")[1], re.M):
        readme |= set(re.findall(r"(?<![\w-])([a-z]+)", re.sub(r"\[.*?\]", "", cell)))
    assert shown - readme - {"renew"} == set(), "README.md, Commands"
    for shell, path in COMPLETIONS.items():
        for name in shown:
            assert re.search(rf"(?<![\w-]){name}(?![\w-])", text(path)), f"{shell}: {name}"


def test_every_option_is_documented_everywhere():
    known = tables.options()
    terms = tables.manual_terms("origin-ca-agent.8", "OPTIONS")
    assert {term[2:] for term in terms if term.startswith("--")} == known
    usage = text("agent/main.c").split("static int usage")[1].split("static const")[0]
    for name in known:
        assert re.search(rf"--{name}(?![\w-])", usage), f"--help: --{name}"
        assert re.search(rf"--{name}(?![\w-])", text(COMPLETIONS["bash"])), f"bash: --{name}"
        assert re.search(rf"--{name}(?![\w-])", text(COMPLETIONS["zsh"])), f"zsh: --{name}"
        assert re.search(rf"-l {name}(?![\w-])", text(COMPLETIONS["fish"])), f"fish: --{name}"


def test_completions_offer_no_option_that_is_not_there():
    known = tables.options()
    for shell in ("bash", "zsh"):
        assert set(re.findall(r"--([a-z][a-z-]+)", text(COMPLETIONS[shell]))) <= known, shell
    assert set(re.findall(r"-l ([a-z-]+) ", text(COMPLETIONS["fish"]))) - {"commands"} <= known | {
        "named", "init"}


def test_sandbox_options_are_documented():
    known = tables.options("tests/sandbox/options.c", least=15)
    terms = tables.manual_terms("origin-ca-sandbox.1", "OPTIONS")
    assert {term[2:] for term in terms if term.startswith("--")} == known


def test_exit_codes_are_documented():
    known = tables.exit_codes()
    assert tables.manual_terms("origin-ca-agent.8", "EXIT STATUS") == known
    readme = re.search(r"^\| exit status .*?\n\n", text("README.md"), re.M | re.S).group(0)
    assert set(re.findall(r"^\| (\d+) \|", readme, re.M)) == known


def test_template_values_are_documented():
    known = tables.template_values()
    terms = tables.manual_terms("origin-ca-agent-templates.5", "VALUES")
    page = tables.manual_section("origin-ca-agent-templates.5", "VALUES")
    of_hostname = {"unicode", "wildcard", "first", "last"}
    assert terms | of_hostname == known
    assert all(f"*{name}*" in page for name in of_hostname)


def test_events_and_message_ids_are_documented_and_in_the_catalog():
    known = tables.events()
    if known is None:
        pytest.skip("this version has no events")
    catalog = set(re.findall(r"^-- ([0-9a-f]{32})$", text("etc/origin-ca-agent.catalog"), re.M))
    assert catalog == set(known), "etc/origin-ca-agent.catalog"
    document = text("docs/configuration.md") + text("README.md") + "".join(
        path.read_text() for path in sorted((TOP / "docs").glob("*.md")))
    for message_id, name in known.items():
        assert message_id in document, f"{name}: MESSAGE_ID {message_id} is in no document"
        assert f"`{name}`" in document, f"event {name} is in no document"
    for message_id in set(re.findall(r"\b[0-9a-f]{32}\b", document)):
        assert message_id in known or re.search(rf"zone_id[^\n]*{message_id}", document), message_id


def test_metrics_are_documented_and_used_right():
    known = tables.metrics()
    if known is None:
        pytest.skip("this version has no metrics")
    documents = "".join(path.read_text() for path in sorted((TOP / "docs").glob("*.md")))
    assert known - set(re.findall(r"origin_ca_[a-z_]+", documents)) == set(), "not documented"
    used = documents + "".join(path.read_text() for folder in ("prometheus", "grafana")
                               for path in sorted((TOP / "etc" / folder).glob("*")))
    written = set(re.findall(r"\borigin_ca_[a-z_]+", used))
    assert {name for name in written if not name.endswith("_root")} <= known    # files


def test_variables_of_the_event_hook_are_documented():
    known = tables.hook_variables()
    if known is None:
        pytest.skip("this version has no event_hook")
    documents = "".join(path.read_text() for path in sorted((TOP / "docs").glob("*.md")))
    assert known <= set(re.findall(r"ORIGIN_CA_[A-Z_]+", documents))


def pages():
    build = pathlib.Path(os.environ.get("ORIGIN_CA_BUILD", TOP / "build/sanitizers"))
    return sorted((build / "docs").glob("*.[158]"))


@pytest.mark.skipif(not shutil.which("scdoc"), reason="scdoc is not installed")
def test_manual_pages_are_without_a_warning():
    assert [page.name for page in pages()] == [
        "origin-ca-agent-templates.5", "origin-ca-agent.8", "origin-ca-agent.ini.5",
        "origin-ca-sandbox.1"]
    for page in pages():
        done = subprocess.run(["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", page],
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, text=True, check=True,
                              env={**os.environ, "MANROFFSEQ": "", "MANWIDTH": "80"})
        assert done.stderr == "", page.name


@pytest.mark.parametrize("shell, words", [
    ("bash", ["bash", "-n"]), ("zsh", ["zsh", "-n"]), ("fish", ["fish", "--no-execute"])])
def test_completions_are_good_shell(shell, words):
    if not shutil.which(words[0]):
        pytest.skip(f"{shell} is not installed")
    subprocess.run([*words, TOP / COMPLETIONS[shell]], check=True)


def test_bash_completes_commands_options_and_names(tmp_path):
    script = f"""
        source {TOP / COMPLETIONS["bash"]}
        _origin_ca_agent_certificates() {{ echo shop.example.com; }}
        try() {{ COMP_WORDS=(origin-ca-agent "$@"); COMP_CWORD=$#; _origin_ca_agent
                 echo "${{COMPREPLY[*]}}"; }}
        try st; try --renew-now sh; try init --tok; try status ""; try init --target ng
    """
    done = subprocess.run(["bash", "-c", script], check=True, stdout=subprocess.PIPE, text=True)
    assert done.stdout.splitlines() == ["status", "shop.example.com", "--token-file",
                                        "shop.example.com", "nginx"]


def test_examples_of_configuration_management_are_well_formed():
    """By the checkers that are at hand; what none is for, as YAML."""
    yaml = pytest.importorskip("yaml")
    for path in [*(TOP / "etc/cloud-init").glob("*.yml"), *(TOP / "etc/ansible").rglob("*.yml")]:
        assert yaml.safe_load(path.read_text()), path
    if shutil.which("terraform"):
        subprocess.run(["terraform", "fmt", "-check", TOP / "etc/terraform"], check=True)


LONG = [f"shop{number}.example.com" for number in range(90)]
WANTED = {"hostnames": ["example.com", "*.example.com"], "targets": "nginx", "reuse_key": True,
          "authenticated_origin_pulls": False}
MANAGED = """[certificate example.com]
hostnames = example.com
    *.example.com
targets = nginx
reuse_key = yes
authenticated_origin_pulls = no
"""
MANAGED_LONG = "\n    ".join(["[certificate long.example.com]\nhostnames = shop0.example.com",
                             *LONG[1:]]) + "\ntargets = nginx\n"
CERTIFICATES = {"example.com": WANTED, "long.example.com": {"hostnames": LONG, "targets": "nginx"}}


def salt_states(**more):
    yaml, jinja2 = pytest.importorskip("yaml"), pytest.importorskip("jinja2")
    # as Salt sets its own up, but for the names that it adds
    state = jinja2.Environment(undefined=jinja2.StrictUndefined).from_string(
        text("etc/salt/init.sls")).render(
            salt={"pillar.get": lambda *_: {"certificates": CERTIFICATES, **more}})
    return yaml.safe_load(state)


def test_salt_writes_lists_and_booleans_as_the_ini_has_them():
    states = salt_states()
    for name, wanted in (("example.com", MANAGED), ("long.example.com", MANAGED_LONG)):
        contents = states[f"/etc/origin-ca-agent/conf.d/{name}.ini"]["file.managed"]
        assert {"contents": f"; Managed by Salt.\n{wanted}"} in contents
    assert states["origin-ca-agent"]["pkg.installed"] == [{"name": "origin-ca-agent"}]
    states = salt_states(package="salt://agent.deb")
    assert states["origin-ca-agent"]["pkg.installed"] == [
        {"sources": [{"origin-ca-agent": "salt://agent.deb"}]}]


def puppet_value(value):
    if isinstance(value, dict):
        pairs = (f"'{key}' => {puppet_value(one)}" for key, one in value.items())
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(puppet_value, value)) + "]"
    return str(value).lower() if isinstance(value, bool) else f"'{value}'"


@pytest.mark.skipif(not shutil.which("puppet"),
                    reason="puppet-agent is not installed: the manifest is not looked at")
def test_puppet_compiles_to_the_same_files(tmp_path):
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules/origin_ca_agent").symlink_to(TOP / "etc/puppet")
    site = tmp_path / "site.pp"
    site.write_text("class { 'origin_ca_agent':\n  token => Sensitive('x'),\n"
                    "  package_file => '/srv/agent.deb',\n"
                    f"  certificates => {puppet_value(CERTIFICATES)},\n}}\n")
    done = subprocess.run(
        ["puppet", "catalog", "compile", "host", "--manifest", site, "--modulepath",
         tmp_path / "modules", "--confdir", tmp_path / "c", "--vardir", tmp_path / "v",
         "--render-as", "json"], check=True, capture_output=True, text=True,
        env={**os.environ, "HOME": str(tmp_path)})
    catalog = json.loads(done.stdout[done.stdout.index("\n{") if done.stdout[0] != "{" else 0:])
    found = {one["title"]: one["parameters"] for one in catalog["resources"]
             if one["type"] in ("File", "Package")}
    for name, wanted in (("example.com", MANAGED), ("long.example.com", MANAGED_LONG)):
        assert found[f"/etc/origin-ca-agent/conf.d/{name}.ini"]["content"] == \
            f"; Managed by Puppet.\n{wanted}"
    assert found["origin-ca-agent"] == {"ensure": "installed", "source": "/srv/agent.deb"}


def test_cloud_init_installs_by_a_script_that_sh_accepts():
    """What it fetches is held against a sum, and no repository is expected to have the package."""
    yaml = pytest.importorskip("yaml")
    data = yaml.safe_load(text("etc/cloud-init/user-data.yml"))
    assert "origin-ca-agent" not in data["packages"] and "curl" in data["packages"]
    script = next(one for one in data["write_files"] if one["path"] == data["runcmd"][0])
    assert script["permissions"] == "0755"
    subprocess.run(["shellcheck", "-"], input=script["content"], text=True, check=True)
    content = script["content"]
    assert content.index("curl") < content.index("sha256sum --check") < content.index("apt-get")


def test_relative_links_of_installed_documents_lead_to_installed_files(tmp_path):
    build = pathlib.Path(os.environ.get("ORIGIN_CA_BUILD", TOP / "build/sanitizers"))
    subprocess.run(["cmake", "--install", build], check=True, stdout=subprocess.DEVNULL,
                   env={**os.environ, "DESTDIR": str(tmp_path)})
    documents = [path for path in tmp_path.rglob("*.md") if "/doc/" in str(path)]
    assert {"README.md", "configuration.md", "monitoring.md", "remote.md"} <= {
        path.name for path in documents}
    for path in documents:
        for link in re.findall(r"\]\(([^)\s]+)\)", path.read_text()):
            file, _, anchor = link.partition("#")
            if re.match(r"[a-z]+:", link):
                continue
            target = path.parent / file if file else path
            assert target.exists(), f"{path.name}: {link}"
            if anchor and target.suffix == ".md":
                headings = re.findall(r"^#+ (.+)$", target.read_text(), re.M)
                anchors = {re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-")
                           for one in headings}
                assert anchor in anchors, f"{path.name}: {link}"


def test_every_variable_of_amazon_that_is_read_is_in_the_manual():
    read = set(re.findall(r'variable\("(AWS_\w+)"\)', tables.text(
        "agent/target/aws_credentials.c")))
    assert len(read) >= 9
    manual = tables.text("docs/origin-ca-agent.8.scd").partition("# ENVIRONMENT")[2]
    assert read <= set(re.findall(r"\*(AWS_\w+)\*", manual))
