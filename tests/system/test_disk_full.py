"""The state directory cannot be written: nothing is asked of Cloudflare, and nothing is lost."""

import pytest

NAME = "example.com"
MOUNT = "/srv/small"


@pytest.fixture
def small(clean_agent):
    """Mounts a file system of the options given for the state directory; full() fills it."""
    agent = clean_agent
    agent.certificate(NAME, targets=None)
    mounted = []

    def mount(options="size=1m", **keys):
        agent.host.run(["mkdir", "-p", MOUNT])
        agent.host.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", MOUNT])
        mounted.append(MOUNT)
        agent.configure(agent={"state_dir": f"{MOUNT}/state", **keys})
        return agent

    yield mount
    for path in mounted:
        agent.host.run(["umount", path])


def fill(agent, path=MOUNT):
    """To the last byte."""
    agent.host.run(["sh", "-c", f"! cat /dev/zero > {path}/ballast"])


def free(agent, path=MOUNT):
    agent.host.remove(f"{path}/ballast")


def posts(agent):
    return len(agent.sandbox.requests("POST"))


def local_failure(done, *words):
    """Class local, exit 1; whether a certificate or the whole pass failed."""
    assert done.returncode == 1 and done.json["exit_status"] == 1, done
    error = done.json.get("error") or done.certificate(NAME)["error"]
    assert error["class"] == "local", done
    for word in words:
        assert word in error["message"] and word in done.stderr, done
    return error


def test_full_disk_on_the_first_day_asks_for_no_certificate(small):
    agent = small()
    fill(agent)
    local_failure(agent.renew(), "No space left on device", MOUNT)
    assert posts(agent) == 0
    free(agent)
    assert agent.renew(check=0).certificate(NAME)["outcome"] == "issued"
    assert len(agent.sandbox.issued()) == 1


def test_no_inodes_left_asks_for_no_certificate(small):
    agent = small("nr_inodes=9")      # enough to begin with
    local_failure(agent.renew(), "No space left on device", MOUNT)
    assert posts(agent) == 0
    agent.host.run(["mount", "-o", "remount,nr_inodes=100", MOUNT])
    assert agent.renew(check=0).certificate(NAME)["outcome"] == "issued"
    assert len(agent.sandbox.issued()) == 1


def test_full_disk_keeps_the_certificate_that_is_there(small):
    agent = small()
    agent.renew(check=0)
    live = f"{MOUNT}/state/live/{NAME}"
    before = agent.host.read(f"{live}/fullchain.pem") + agent.host.read(f"{live}/key.pem")
    fill(agent)
    local_failure(agent.renew(NAME, force=True), "No space left on device")
    assert posts(agent) == 1
    after = agent.host.read(f"{live}/fullchain.pem") + agent.host.read(f"{live}/key.pem")
    assert after == before
    free(agent)
    one = agent.renew(NAME, force=True, check=0).certificate(NAME)
    assert one["generation"] == 2 and len(agent.sandbox.issued()) == 2


def test_pass_with_nothing_due_is_well_on_a_full_disk(small):
    agent = small()
    agent.renew(check=0)
    fill(agent)
    done = agent.renew(check=0)
    assert done.certificate(NAME)["outcome"] == "current" and done.json["changed"] is False


def test_disk_that_fills_up_while_the_api_is_asked_has_room_for_the_answer(small):
    agent = small()
    agent.sandbox.fault("POST /certificates:slow-body=2")
    process = agent.host.spawn([agent.program, "--renew-now"])
    agent.host.wait(agent.sandbox.issued, message="the certificate is made")
    fill(agent)
    process.wait(60)
    assert "BEGIN CERTIFICATE" in agent.host.read(
        f"{MOUNT}/state/certificates/{NAME}/0001/fullchain.pem")
    free(agent)
    one = agent.renew(check=0).certificate(NAME)
    assert one["generation"] == 1 and one["serial"] == agent.sandbox.issued()[0]["id"]
    assert len(agent.sandbox.issued()) == 1 and posts(agent) == 1


def test_full_disk_under_the_snippets_keeps_the_new_certificate_for_later(small):
    agent = small()
    agent.configure()
    agent.target("nginx", snippet_dir=f"{MOUNT}/snippets", reload="none", probe="none")
    agent.certificate(NAME)
    fill(agent)
    done = agent.renew(check=1)
    (target,) = done.certificate(NAME)["targets"]
    assert target["error"]["class"] == "local"
    assert f"{MOUNT}/snippets" in target["error"]["message"]
    assert "No space left on device" in target["error"]["message"]
    free(agent)
    one = agent.renew(check=0).certificate(NAME)
    assert one["outcome"] == "deployed" and len(agent.sandbox.issued()) == 1
    assert f"/certificates/{NAME}/0001/" in agent.host.read(f"{MOUNT}/snippets/{NAME}.conf")


def test_read_only_state_asks_for_no_certificate(small):
    agent = small()
    agent.host.run(["mount", "-o", "remount,ro", MOUNT])
    local_failure(agent.renew(), "Read-only file system", MOUNT)
    assert posts(agent) == 0
    agent.host.run(["mount", "-o", "remount,rw", MOUNT])
    agent.renew(check=0)

    agent.host.run(["mount", "-o", "remount,ro", MOUNT])
    local_failure(agent.renew(NAME, force=True), "Read-only file system", MOUNT)
    assert posts(agent) == 1
    assert agent.status(NAME, check=0).certificate(NAME)["current"]


def test_user_without_rights_is_told_and_asks_for_no_certificate(small):
    agent = small("size=1m,mode=755")
    error = local_failure(agent.renew(user="www-data"), "Permission denied", f"{MOUNT}/state")
    assert error["remedy"]
    found = [one for one in agent.check(check=1, user="www-data").json["findings"]
             if one["level"] == "error"]
    assert f"{MOUNT}/state" in str(found) and "Permission denied" in str(found)
    assert posts(agent) == 0


def test_file_in_the_way_of_the_state_directory_is_named(small):
    agent = small()
    agent.host.write(f"{MOUNT}/state", "not a directory\n")
    local_failure(agent.renew(), f"{MOUNT}/state", "Not a directory")
    assert posts(agent) == 0
