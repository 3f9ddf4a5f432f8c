"""Wrong configurations through the real program: one message with place, cause and remedy."""

import pytest

from agent import CONFIG_DIRECTORY, SERVICE

GOOD = "example.net"
CONF_D = f"{CONFIG_DIRECTORY}/conf.d"


@pytest.fixture
def agent(clean_agent):
    """One certificate that is well; each test adds what is not."""
    clean_agent.certificate(GOOD, targets=None)
    return clean_agent


def served_all_the_same(agent, done):
    assert done.returncode == 3 and done.json["exit_status"] == 3, done
    assert done.certificate(GOOD)["outcome"] == "issued" and len(agent.sandbox.issued()) == 1


def only_problem(agent, place, *words):
    """A pass tells of exactly one error, and serves the rest."""
    done = agent.renew()
    served_all_the_same(agent, done)
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1 and errors[0].startswith(f"error: {place}: "), done.stderr
    for word in words:
        assert word in errors[0], errors[0]


# Of a drop-in: its text, where `SITE` is a name that no other has; the line; words of the message.
MISTAKES = [
    ("[certificate SITE]\nhostname = a.example.com\n", 2, ["unknown", 'did you mean "hostnames"?']),
    ("[certifcate SITE]\n", 1, ["certifcate", "did you mean [certificate SITE]?"]),
    ("[certificate SITE]\nvalidity = 91d\n", 2, ["91d", "90d", "365d"]),
    ("[certificate SITE]\nvalidity = soon\n", 2, ["soon", "90d"]),
    ("[certificate SITE]\nkey_type = dsa\n", 2, ["dsa", "ecdsa-p256"]),
    ("[certificate SITE]\nhostnames = 192.0.2.1\n", 2, ["192.0.2.1", "IP address"]),
    ("[certificate SITE]\nhostnames = *.*.SITE\n", 2, ["*.*.SITE", "leftmost label"]),
    ("[certificate SITE]\nhostnames = www..SITE\n", 2, ["www..SITE"]),
    ("[certificate SITE]\nhostnames =\n\tSITE\n\twww.SITE\n\tSITE.\n", 5, ["lines 3 and 5"]),
    ("[certificate SITE]\nzone_id = 12\n", 2, ["zone_id", "32"]),
    ("[certificate SITE]\ntargets = ngnix\n", 2, ["ngnix", 'did you mean "nginx"?']),
    ("[certificate SITE]\napi = other\n", 2, ["[api other]"]),
    ("[certificate SITE]\nowner = nobody-here\n", 2, ["nobody-here"]),
    ("[certificate SITE]\nmode = 0666\n", 2, ["0666"]),
    ("[certificate SITE]\nrenew_before = 100d\n", 2, ["100 days", "90 days"]),
    ("[certificate SITE]\nvalidity = 90d\nvalidity = 30d\n", 3, ["lines 2 and 3"]),
    ("[certificate SITE]\nhostnames = SITE\n  validity = 90d\n", 3, ["first column"]),
    ("[certificate SITE]\njust words\n", 2, ["key = value", "indent"]),
    ("[certificate SITE\nvalidity = 90d\n", 1, ['no "]"']),
    ("[certificate .hidden]\n", 1, [".hidden"]),
    ("[certificate ../../etc]\n", 1, ["../../etc"]),
    ("[certificate GOOD]\n", 1, ["a second", f"{CONF_D}/{GOOD}.ini:1"]),
    ("key = value\n", 1, ["before the first section header"]),
    ("[agent]\nconcurrency = 2\n", 1, ["[agent]", "agent.ini"]),
    ("[api SITE]\ntoken = secret\n", 2, ["token", 'did you mean "token_file"?']),
    ("[api SITE]\nendpoint = http://api.cloudflare.com\n", 2, ["https"]),
    ("[target SITE]\ntype = lighttpd\n", 2, ["lighttpd", "nginx"]),
    ("[target SITE]\ntype = nginx\nprobe = 443\n", 3, ["443", "127.0.0.1:443"]),
    ("[target SITE]\ntype = nginx\nreload = maybe\n", 3, ["maybe", "restart"]),
    # how a server takes up what is new, and what needs a key
    ("[target SITE]\ntype = custom\nunit = x.service\n", 1, ["template", "NAME.mustache"]),
    ("[target SITE]\ntype = tomcat\ngroup = 0\nmode = 0644\n", 4, ["password", "0640"]),
    ("[target SITE]\ntype = tomcat\ngroup = 0\nreload = ssl-reload\n", 4,
     ["manager_credentials_file", "manager-script"]),
    ("[target SITE]\ntype = nginx\nreload_command = docker kill web\n", 3, ["absolute path"]),
    ("[certificate SITE]\nformats = p12\n", 2, ["keystore_password_file"]),
    ("[certificate SITE]\ncsr = /r\ntargets = nginx\n", 3, ["private_key", "nginx"]),
    ("[api SITE]\nroot_sha256 =\n  00\n", 3, ["SHA-256", "64"]),
    # what is cut by the INI library must never be half-read
    ("[certificate SITE]\nhostnames = " + " ".join(f"h{i}.SITE" for i in range(100)) + "\n", 2,
     ["bytes", "198", "indented"]),
    ("[certificate SITE]\nhostnames = SITE\n\t" + " ".join(f"h{i}.SITE" for i in range(30)) + "\n",
     3, ["bytes", "198"]),
    ("[certificate " + "a" * 41 + "]\n", 1, ["40"]),
    ("[certificate " + "b" * 60 + "]\n", 1, ["40"]),
    ("[certificate SITE]\n" + "k" * 60 + " = 1\n", 2, ["k" * 40]),
    ("[certificate SITE]\nhostnames =\n" + "".join(f"\th{i}.SITE\n" for i in range(101)), None,
     ["101", "100"]),
]

def check_mistakes(agent, mistakes):
    """All of them at once: [(text, line or None, words)]; each gets one message at its place."""
    for number, (text, _, _) in enumerate(mistakes):
        text = text.replace("SITE", f"s{number}.example.com").replace("GOOD", GOOD)
        agent.drop_in(f"mistake-{number:02}", text)
    done = agent.renew()
    served_all_the_same(agent, done)
    findings = agent.check(check=3).json["findings"]
    wrong = []
    for number, (_, line, words) in enumerate(mistakes):
        path = f"{CONF_D}/mistake-{number:02}.ini"
        problems = [one for one in done.json["problems"] if one["file"] == path]
        lines = [one for one in done.stderr.splitlines() if one.startswith(f"error: {path}")]
        found = [one for one in findings if one["subject"].startswith(path)]
        words = [word.replace("SITE", f"s{number}.example.com") for word in words]
        if not (len(problems) == len(lines) == len(found) == 1
                and line in (None, problems[0]["line"])
                and lines[0].startswith(f"error: {path}:{problems[0]['line']}: ")
                and all(word in lines[0] for word in words)
                and found[0]["level"] == "error" and problems[0]["message"] in lines[0]
                # a message that says what the line has to be is its own remedy
                and (problems[0]["remedy"] in lines[0]
                     or problems[0]["remedy"].startswith("correct that line; "))):
            wrong.append(f"{path}: wanted line {line}, {words}, got {problems} {lines} {found}")
    assert not wrong, "\n".join(wrong)


def test_each_mistake_is_told_once_with_place_cause_and_remedy(agent):
    check_mistakes(agent, MISTAKES)


def test_defaults_are_accepted_as_they_are_written(agent):
    agent.certificate(GOOD, targets=None, reuse_key="no", formats="pem", chain="none",
                      revoke_superseded="never", ssl_mode="unmanaged",
                      authenticated_origin_pulls="no")
    assert agent.renew(check=0).json["problems"] == []


def test_hundred_names_on_indented_lines_are_one_certificate(agent):
    names = [f"host-{number}.example.com" for number in range(100)]
    agent.certificate("hundred", targets=None, hostnames=names)
    agent.renew(check=0)
    assert sorted(agent.status("hundred", check=0).certificate("hundred")["hostnames"]) == \
        sorted(names)


def test_line_is_read_whole_or_refused(agent):
    names = [f"n{number:02}.{GOOD}" for number in range(11)]
    names[-1] = "x" * (198 - len("hostnames = " + " ".join(names))) + names[-1]
    line = "hostnames = " + " ".join(names)
    agent.drop_in("long", f"[certificate long]\n{line}\n")
    assert len(line) == 198 and agent.renew(check=0).certificate("long")["outcome"] == "issued"
    assert agent.status("long").certificate("long")["hostnames"] == names
    agent.drop_in("long", f"[certificate long]\n{line},\n")
    done = agent.renew(check=3)
    assert f"{CONF_D}/long.ini:2: the line is 199 bytes long" in done.stderr


def test_two_sections_that_differ_after_49_bytes_are_both_refused(agent):
    """The INI library cuts there: both would be one section, with the keys of both."""
    same = "very-long-name-of-a-certificate-that-goes-on-and-on"
    agent.drop_in("two", f"[certificate {same}-one]\nhostnames = one.example.com\n"
                  f"[certificate {same}-two]\nhostnames = two.example.com\n")
    done = agent.renew()
    served_all_the_same(agent, done)
    assert [one["line"] for one in done.json["problems"]] == [1, 3]
    assert [one["name"] for one in done.json["certificates"]] == [GOOD]


# --- files

def test_only_finished_drop_ins_are_read(agent):
    wrong = "[certificate nonsense]\nno_such_key = 1\n"
    for name in ("a.ini~", ".b.ini", "c.ini.dpkg-new", "d.ini.dpkg-old", "e.ini.rpmsave",
                 ".f.ini.swp", "g.ini.tmp", "h.dpkg-dist.ini", ".i.ini.Xa1b2c"):
        agent.host.write(f"{CONF_D}/{name}", wrong)
    done = agent.renew(check=0)
    assert done.json["problems"] == [] and len(done.json["certificates"]) == 1


def test_file_that_is_not_read_because_of_its_name_is_warned_of(agent):
    agent.host.write(f"{CONF_D}/shop.conf", "[certificate shop.example.com]\n")
    agent.host.write(f"{CONF_D}/README", "what this is\n")
    done = agent.renew(check=0)
    (problem,) = done.json["problems"]
    assert problem["warning"] and "shop.conf" in problem["message"] and ".ini" in problem["message"]
    assert "warning: " in done.stderr


@pytest.mark.parametrize("content,place,words", [
    (b"[certificate a.example.com]\nhostnames = \xff\xfe.example.com\n", ":2", ["UTF-8"]),
    (b"[certificate a.example.com]\nhostnames = a\x00b.example.com\n", ":2", ["NUL"]),
    (b"[certificate a.example.com]\nhostnames = a\x1b[31m.example.com\n", ":2", ["control"]),
    (b"\xff\xfe[\x00c\x00e\x00r\x00t\x00]\x00\n\x00", "", ["UTF-16", "save it as UTF-8"]),
])
def test_file_that_is_no_text_is_refused_by_place(agent, content, place, words):
    agent.host.write(f"{CONF_D}/binary.ini", content)
    only_problem(agent, f"{CONF_D}/binary.ini{place}", *words)


def test_drop_in_that_cannot_be_read_is_named_and_the_others_are_served(agent):
    agent.host.run(["mkdir", f"{CONF_D}/directory.ini"])
    only_problem(agent, f"{CONF_D}/directory.ini", "directory")


# --- the main file: without it there is nothing to go on with

@pytest.mark.parametrize("text,words", [
    ("[agent]\nconcurrency = many\n", ["agent.ini:2", "many"]),
    ("[agent]\nstate_dir = relative/path\n", ["agent.ini:2", "relative/path", "absolute"]),
    ("[agent]\npass_timeout = 0\n", ["agent.ini:2", "pass_timeout"]),
    ("[agent]\nconcurency = 8\n", ["agent.ini:2", 'did you mean "concurrency"?']),
])
def test_broken_agent_section_stops_everything_with_one_message(agent, text, words):
    agent.host.write(f"{CONFIG_DIRECTORY}/agent.ini", text)
    done = agent.renew(check=3)
    assert done.json["error"]["class"] == "configuration"
    assert len(done.stderr.splitlines()) == 1
    for word in words:
        assert word in done.stderr
    assert agent.sandbox.requests() == []


def test_missing_main_file_is_told_with_its_path(agent):
    agent.host.remove(f"{CONFIG_DIRECTORY}/agent.ini")
    for arguments in (["--renew-now"], ["check"], ["status"], ["run"]):
        done = agent.command(*arguments, check=3)
        text = done.stdout + done.stderr
        assert f"{CONFIG_DIRECTORY}/agent.ini" in text and "No such file" in text
    agent.host.run(["systemctl", "start", SERVICE], check=1)
    assert "agent.ini" in agent.journal()


def test_wrong_usage_ends_with_2_and_asks_nobody(agent):
    for arguments in ([], ["renw"], ["--no-such-option"], ["--renew-now", "--force"],
                      ["render", GOOD], ["--renew-now", "no-such-name"], ["check", "--dry-run"]):
        done = agent.command(*arguments, check=2)
        assert done.stdout == "" and done.stderr
    assert agent.sandbox.requests() == []
