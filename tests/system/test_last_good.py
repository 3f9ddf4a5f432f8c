"""A drop-in that turns bad while the service runs costs its certificates nothing."""

from agent import CONFIG_DIRECTORY, SERVICE
from origin import NAME
from service import hang

BAD = f"{CONFIG_DIRECTORY}/conf.d/{NAME}.ini"


def test_bad_drop_in_is_told_of_and_its_last_good_definition_goes_on(service):
    """Seen at once, kept over a restart of the service and by the commands, and renewed by."""
    agent, host = service.agent, service.host
    agent.certificate(NAME, targets=None, hostnames=["a.example.com"])
    agent.start()
    service.settled()
    host.write(BAD, f"[certificate {NAME}]\nhostnames = b.example.com\nvaliditi = 7d\n")
    words = ("example.com.ini:3", "validiti", "its last good definition, of 20", "is in force")
    host.wait(lambda: service.says(*words), 60, agent.journal)
    service.settled()
    assert service.status_text().startswith("1 of 1")

    for done in (agent.status(check=3), agent.check(check=3), agent.renew(check=3)):
        told = done.stderr + done.stdout
        assert all(word in told for word in words), told
    assert agent.status(check=3).certificate(NAME)["hostnames"] == ["a.example.com"]
    host.run(["systemctl", "restart", SERVICE])
    service.settled()
    assert service.status_text().startswith("1 of 1")
    agent.renew(NAME, force=True, check=3)
    assert [one["hostnames"] for one in agent.sandbox.issued()] == [["a.example.com"]] * 2
    assert host.stat(agent.state_path("definitions.json")).startswith("600 ")

    host.write(BAD, f"[certificate {NAME}]\nhostnames = b.example.com\n")
    host.wait(lambda: len(agent.sandbox.issued()) == 3, 60, agent.journal)
    service.settled()
    assert agent.sandbox.issued()[-1]["hostnames"] == ["b.example.com"]
    assert agent.status(check=0).json["problems"] == []

    host.remove(BAD)
    host.wait(lambda: "last good" not in host.read(agent.state_path("definitions.json")) and
              NAME not in host.read(agent.state_path("definitions.json")), 60, "it is forgotten")


def test_main_file_that_turns_bad_or_unreadable_stops_nothing(service):
    """[agent] itself is wrong, then its owner's umask hides it: started anew, by commands, by the
    service."""
    agent, host = service.agent, service.host
    main = f"{CONFIG_DIRECTORY}/agent.ini"
    agent.configure(agent={"concurrency": 2})
    agent.certificate(NAME, targets=None)
    agent.start()
    service.settled()
    good = host.read(main)
    mode = host.output(["stat", "-c", "%a", main]).strip()
    breaks = ((lambda: host.write(main, good.replace("concurrency", "concurency")),
               "unknown key \"concurency\""),
              (lambda: (host.write(main, good), host.run(["chmod", "600", main])),
               "Permission denied"))
    for number, (spoil, words) in enumerate(breaks, 2):
        spoil()
        host.run(["systemctl", "restart", SERVICE])
        service.settled()
        assert service.status_text().startswith("1 of 1")
        told = agent.status(check=3)
        assert words in told.stderr + told.stdout and "is in force" in told.stderr + told.stdout
        agent.renew(NAME, force=True, check=3)
        assert len(agent.sandbox.issued()) == number
    host.run(["chmod", mode, main])
    agent.renew(check=0)


def test_pass_that_crashes_is_in_the_status_until_one_ends_well(service):
    """Killed by a signal; a changed file ends the pause at once."""
    agent, host = service.agent, service.host
    hang(service)
    before = len(agent.sandbox.issued())
    agent.start(wait=False)
    host.wait(lambda: len(agent.sandbox.issued()) > before, 60, agent.journal)
    pid, _ = service.children()[0]
    host.run(["kill", "-ABRT", str(pid)])
    host.wait(lambda: service.says("a pass was ended by signal 6"), 60, agent.journal)
    host.wait(lambda: "failed_pass" in agent.status().json, 60, "it is written down")
    told = agent.status().json["failed_pass"]
    assert told["signal"] == 6 and told["failures"] >= 1 and not told["out_of_time"]
    assert told["ended"].startswith("was ended by signal 6 (Aborted")
    assert "signal 6" in agent.command("status").stdout
    agent.sandbox.clear_faults()
    agent.configure()
    host.wait(lambda: service.status_text().startswith("1 of 1"), 60, agent.journal)
    assert "failed_pass" not in agent.status(check=0).json
