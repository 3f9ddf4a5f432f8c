"""The tables of the program, read from its sources, and what the documents say of them.

Each function gives a set of names. A table that moves or is written in another way makes its
function fail rather than find less: `found` wants at least as many as there once were.
"""

import pathlib
import re

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
# [kind] of the tables of keys, by the file that has them.
KINDS = {"agent": "agent", "api": "api", "target": "target", "certificate": "certificate"}


def text(path):
    return (TOP / path).read_text()


def found(names, least, where):
    names = list(names)
    assert len(names) >= least, f"{where}: only {names}; is the table written in another way now?"
    assert len(set(names)) == len(names), f"{where}: one of {names} twice"
    return set(names)


def table(source, declaration):
    """What is between the braces of an array's initialiser."""
    start = re.search(declaration + r"\s*=\s*\{", source)
    assert start, f"there is no {declaration}"
    depth, at = 1, start.end()
    while depth:
        depth += {"{": 1, "}": -1}.get(source[at], 0)
        at += 1
    return re.sub(r"/\*.*?\*/", "", source[start.end():at - 1], flags=re.S)


# --- the sources

def keys():
    """{kind: {key: built}} of all tables of section keys."""
    result = {}
    for path in sorted((TOP / "agent/config").glob("*.c")):
        source = path.read_text()
        for name in re.findall(r"struct section_key (\w+)\[\]", source):
            assert path.stem in KINDS, f"{path.name} has keys of an unknown section"
            rows = re.findall(r'\{\s*"([a-z_0-9]+)",\s*(\w+)',
                              table(source, rf"struct section_key {name}\[\]"))
            of_kind = result.setdefault(KINDS[path.stem], {})
            of_kind.update({key: setter != "NULL" for key, setter in rows})
    assert set(result) == set(KINDS.values())
    found([key for kind in result for key in [f"{kind}.{one}" for one in result[kind]]], 50, "keys")
    return result


def commands():
    """{name: is it shown}"""
    rows = re.findall(r'\{\s*"([a-z-]+)",\s*(NULL|")', table(
        text("agent/commands/command.c"), r"struct command commands\[\]"))
    found([name for name, _ in rows], 8, "commands")
    return {name: shown != "NULL" for name, shown in rows}


def options(path="agent/main.c", least=17):
    source = text(path)
    rows = re.findall(r'\{\s*"([a-z-]+)",\s*(?:no|required|optional)_argument', source)
    return found(rows, least, path)


def exit_codes():
    rows = re.findall(r"PASS_EXIT_\w+\s*=\s*(\d+)", text("agent/pass/pass.h"))
    return found(rows, 5, "exit codes")


def template_values():
    source = text("agent/target/snippet.c")
    rows = re.findall(r'json_add_(?:format|string|integer|bool|array)\(\s*(?:values|hostname),\s*'
                      r'"(\w+)"', source)
    return found(set(rows), 20, "values of templates")


def events():
    """{MESSAGE_ID: name}, or None while there are no events."""
    path = TOP / "agent/base/event.c"
    if not path.exists():
        return None
    rows = re.findall(r'\{\s*"([a-z-]+)",\s*"([0-9a-f]{32})"', table(
        path.read_text(), r"struct event_type event_types\[EVENT_COUNT\]"))
    found([message_id for _, message_id in rows], 15, "events")
    return {message_id: name for name, message_id in rows}


def metrics():
    """Names, or None while there are none."""
    path = TOP / "agent/pass/metrics.c"
    if not path.exists():
        return None
    return found(set(re.findall(r'"(origin_ca_[a-z_]+)"', path.read_text())), 15, "metrics")


def hook_variables():
    path = TOP / "agent/pass/hook.c"
    if not path.exists():
        return None
    return found(set(re.findall(r'"(ORIGIN_CA_[A-Z_]+)"', path.read_text())), 5, "variables")


# --- the documents

def documented_keys():
    """{kind: {key: (default, example)}} of docs/configuration.md; a cell may name several."""
    result = {}
    document = text("docs/configuration.md")
    for heading, body in re.findall(r"^## (\[.*?)\n(.*?)(?=^## |\Z)", document, re.M | re.S):
        kind = re.match(r"\[(\w+)", heading).group(1)
        rows = re.findall(r"^\| (`[^|]*) \| ([^|]*) \| ([^|]*) \| ([^|]*)", body, re.M)
        of_kind = result.setdefault(kind, {})
        for cell, default, example, meaning in rows:
            for key in re.findall(r"`([a-z_0-9]+)`", cell):
                assert key not in of_kind, f"[{kind}] {key} is documented twice"
                of_kind[key] = (default.strip(), example.strip(), meaning.strip())
    return result


def later_keys():
    """Those that docs/configuration.md says belong to later versions."""
    sentence = re.search(r"^The keys? ((?:`\w+`[, and\n]*)+)belongs? to\s+later versions",
                         text("docs/configuration.md"), re.M)
    return set(re.findall(r"`(\w+)`", sentence.group(1))) if sentence else set()


def sample_keys():
    """{kind: keys} of etc/agent.ini, commented out or not."""
    result, kind = {}, None
    for line in text("etc/agent.ini").splitlines():
        section = re.match(r";?\[(\w+)", line)
        key = re.match(r";?([a-z_0-9]+) =", line)
        if section:
            kind = section.group(1)
        elif key:
            result.setdefault(kind, set()).add(key.group(1))
    return result


def manual_section(page, title):
    """The text of one section of a page in scdoc."""
    match = re.search(rf"^# {title}\n(.*?)(?=^# |\Z)", text(f"docs/{page}.scd"), re.M | re.S)
    assert match, f"{page} has no section {title}"
    return match.group(1)


def manual_terms(page, title):
    """What the section's list explains: "*--force*", "*renew* [_NAME_...]"."""
    terms = set()
    for line in re.findall(r"^\*.*$", manual_section(page, title), re.M):
        terms |= set(re.findall(r"\*(-{0,2}[a-z0-9_-]+)\*", line.split("\t")[0]))
    return terms
