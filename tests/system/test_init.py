"""`init`, the first run: by questions on a terminal, and by options."""

import signal

import pytest

from agent import CONFIG_DIRECTORY, PROGRAM, SERVICE
from origin import NAME
from terminal import terminal

TOKEN = f"{CONFIG_DIRECTORY}/api-token"
DROP_IN = f"{CONFIG_DIRECTORY}/conf.d/{NAME}.ini"
GIVEN = "/srv/token"
SAMPLE = "; as the package installs it\n[agent]\n\n[api]\n"


@pytest.fixture(name="first")
def fixture_first(clean_agent, clean_nginx, module_sandbox):
    """A host on its first day: nginx runs with a certificate made by hand, a token is at hand."""
    agent, host = clean_agent, clean_agent.host
    host.remove(TOKEN)
    host.write(f"{CONFIG_DIRECTORY}/agent.ini", SAMPLE)
    host.write(GIVEN, module_sandbox.token + "\n", 0o600)
    clean_nginx.install_by_hand(NAME)
    clean_nginx.add(NAME, snippet=clean_nginx.snippet_of_hand(NAME))
    clean_nginx.start()
    yield agent
    host.run(["systemctl", "disable", "--now", SERVICE], check=False)


def options(agent, *more):
    """Of an unattended run against the sandbox."""
    return ["init", "--endpoint", f"{agent.sandbox.endpoint}/client/v4", "--ca-file",
            f"{CONFIG_DIRECTORY}/sandbox-ca.pem", *more]


def files(host):
    return host.output(["find", CONFIG_DIRECTORY, "-type", "f", "-printf",
                        "%p %i %m %u:%g %s %C@\\n"])


def test_options_bring_a_certificate_and_the_second_time_nothing_changes(first, clean_nginx):
    host, sandbox = first.host, first.sandbox
    words = options(first, "--hostnames", f"{NAME} *.{NAME}", "--token-file", GIVEN, "--yes",
                    "--no-enable")
    done = first.command(*words, check=0)
    assert "Cloudflare accepts the token" in done.stdout and f"Zone {NAME} is active" in done.stdout
    assert sandbox.token not in done.stdout + done.stderr
    assert f"put `include {clean_nginx.snippet(NAME)};`" in done.stdout
    assert host.read(TOKEN).strip() == sandbox.token
    group = "640 root:origin-ca-agent" if first.has_user else "600 root:root"
    assert host.stat(TOKEN) == group and host.stat(DROP_IN) == "644 root:root"
    assert host.read(f"{CONFIG_DIRECTORY}/agent.ini") == SAMPLE, "its owner's"
    assert len(sandbox.issued()) == 1
    assert host.show(SERVICE, "UnitFileState") == "disabled"

    clean_nginx.add(NAME)
    first.renew(check=0)
    serial = clean_nginx.served(NAME).serial
    assert serial == sandbox.issued()[0]["id"]

    before = files(host)
    done = first.command(*words, check=0)
    assert f"{NAME} is served and verified" in done.stdout
    assert files(host) == before and len(sandbox.issued()) == 1


def test_questions_on_a_terminal_bring_a_served_certificate_and_the_service(first, clean_nginx):
    host, sandbox = first.host, first.sandbox
    first.configure()       # an [api] of their own
    with terminal(host, [PROGRAM, "init"]) as typed:
        typed.answer("Hostnames", "bad_name..com")
        typed.answer("Hostnames", f"{NAME}, *.{NAME}")
        typed.expect("Servers that run here: nginx.")
        typed.answer("[nginx]: ", "ngin")
        typed.expect('there is no target "ngin"')
        typed.answer("[nginx]: ", "")
        typed.expect("API token")
        host.wait(lambda: not typed.shows_typing(), message="what is typed is not shown")
        typed.type("two words")
        typed.expect("holds a space")
        typed.answer("API token (it is not shown)", sandbox.token)
        typed.expect(f"the certificate's section goes to {DROP_IN}")
        assert not host.exists(DROP_IN) and not host.exists(TOKEN)
        typed.answer("[Y/n]: ", "")
        typed.expect(f"include {clean_nginx.snippet(NAME)};")
        typed.expect("Is it done?")
        clean_nginx.add(NAME)
        typed.type("y")
        typed.answer("Start the agent", "yes")
        assert typed.end() == 0, typed.text
        assert typed.shows_typing() and sandbox.token not in typed.text
        assert f"{NAME} is served and verified" in typed.text
    assert clean_nginx.served(NAME, ca=sandbox.roots()).serial == sandbox.issued()[0]["id"]
    assert host.active(SERVICE) == "active" and len(sandbox.issued()) == 1
    assert host.show(SERVICE, "UnitFileState") == "enabled"
    assert first.renew(check=0).json["changed"] is False, "the lock is free, nothing is left"


def test_signal_while_the_token_is_typed_gives_the_terminal_back_and_writes_nothing(first):
    before = files(first.host)
    with terminal(first.host, [PROGRAM, "init", "--hostnames", NAME]) as typed:
        typed.answer("[nginx]: ", "")
        typed.expect("API token (")
        first.host.wait(lambda: not typed.shows_typing())
        typed.process.send_signal(signal.SIGINT)
        assert typed.end() != 0 and typed.shows_typing()
    assert files(first.host) == before


def test_end_of_input_and_a_no_write_nothing(first):
    before = files(first.host)
    with terminal(first.host, [PROGRAM, *options(first, "--hostnames", NAME, "--token-file",
                                                 GIVEN, "--target", "nginx")]) as typed:
        typed.answer("Write that", "no")
        assert typed.end() == 1
        assert "nothing was written" in typed.text
    with terminal(first.host, [PROGRAM, "init"]) as typed:
        typed.expect("Hostnames")
        typed.type("\x04")          # end of file, on a line of its own
        assert typed.end() == 2
    assert files(first.host) == before and first.sandbox.issued() == []


@pytest.mark.parametrize("words, code, said", [
    ([], 2, "--hostnames"),
    (["--hostnames", "example.com 192.0.2.1"], 2, "192.0.2.1"),
    (["--hostnames", NAME, "--target", "ngnix"], 2, 'no target "ngnix"'),
    (["--hostnames", NAME], 2, "--token-file"),
    (["--hostnames", NAME, "--token-file", "/nowhere"], 2, "/nowhere"),
    (["--hostnames", "a" * 41 + ".example.com", "--token-file", GIVEN], 2, "--name"),
    (["--hostnames", "example.invalid", "--token-file", GIVEN], 1, "example.invalid"),
    (["--hostnames", NAME, "--token-file", GIVEN, "--endpoint", "http://192.0.2.1/"], 2,
     "endpoint"),
    (["--hostnames", NAME, "--token-file", GIVEN, "--json"], 2, "--json"),
])
def test_what_cannot_be_done_is_told_and_nothing_is_written(first, words, code, said):
    before = files(first.host)
    line = words if "--endpoint" in words else options(first)[1:] + words
    done = first.host.run([PROGRAM, "init", *line, "--yes"], check=code)
    assert said in done.stderr, done.stderr
    assert files(first.host) == before and first.sandbox.issued() == []


def test_token_that_cloudflare_refuses_is_not_written(first):
    sandbox, host = first.sandbox, first.host
    before = files(host)
    for name in ("disabled", "expired"):
        host.write("/srv/bad", sandbox.token_that(name) + "\n", 0o600)
        done = host.run([PROGRAM, *options(first, "--hostnames", NAME, "--token-file", "/srv/bad",
                                           "--yes")], check=1)
        assert f"the API token {'is disabled' if name == 'disabled' else 'has expired'}" \
            in done.stderr
    host.write("/srv/bad", "0123456789012345678901234567890123456789\n", 0o600)
    done = host.run([PROGRAM, *options(first, "--hostnames", NAME, "--token-file", "/srv/bad",
                                       "--yes")], check=1)
    assert "/srv/bad" in done.stderr
    assert files(host) == before and sandbox.issued() == []


def test_files_that_are_there_are_kept_unless_told_otherwise(first):
    host, sandbox = first.host, first.sandbox
    words = options(first, "--hostnames", NAME, "--token-file", "-", "--yes", "--no-enable")
    other = "other-token-0123456789012345678901234567890123"
    host.write(TOKEN, other + "\n", 0o600)
    done = host.run([PROGRAM, *words], check=2, input=sandbox.token)
    assert f"{TOKEN} holds another token" in done.stderr and host.read(TOKEN) == other + "\n"
    host.remove(TOKEN)
    host.write(DROP_IN, "; mine\n")
    done = host.run([PROGRAM, *words], check=2, input=sandbox.token)
    assert f"{DROP_IN} is there" in done.stderr and "--force" in done.stderr
    assert host.read(DROP_IN) == "; mine\n" and not host.exists(TOKEN)
    first.drop_in("sites", f"[certificate {NAME}]\n")
    host.remove(DROP_IN)
    done = host.run([PROGRAM, *words], check=2, input=sandbox.token)
    assert "sites.ini:1" in done.stderr and not host.exists(TOKEN)
    first.remove("sites")
    host.write(DROP_IN, "; mine\n")
    host.write(TOKEN, other + "\n", 0o600)
    host.run([PROGRAM, *words, "--force"], input=sandbox.token)
    assert host.read(TOKEN).strip() == sandbox.token and "[certificate" in host.read(DROP_IN)
    assert host.stat(TOKEN) == "600 root:root"


def test_drop_in_that_the_whole_configuration_refuses_is_taken_back(first):
    """Two accounts of one name: only the files together show it."""
    first.drop_in("account", f"[api {NAME}]\nendpoint = https://192.0.2.1/\n")
    before = files(first.host)
    done = first.host.run([PROGRAM, *options(first, "--hostnames", NAME, "--token-file", GIVEN,
                                             "--yes")], check=1)
    assert "a second [api" in done.stderr and "nothing was written" in done.stderr
    assert [line.split()[0] for line in files(first.host).splitlines()] == \
        [line.split()[0] for line in before.splitlines()]


def test_whoever_is_not_root_is_told_so_before_anything_is_asked(first):
    done = first.host.run(["setpriv", "--reuid=nobody", "--clear-groups", PROGRAM, "init"],
                          check=1)
    assert "sudo origin-ca-agent init" in done.stderr
