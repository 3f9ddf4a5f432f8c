"""A full look: what no file shows is seen by a handshake, and not forgotten."""

import json

from origin import NAME


def test_other_configuration_that_somebody_loaded_is_found_by_a_full_look(origin):
    agent, nginx = origin.agent, origin.nginx
    agent.target("nginx", probe_timeout="1s")
    agent.renew(check=0)
    nginx.add(NAME, snippet=nginx.self_signed(NAME))
    nginx.reload()
    nginx.host.wait(lambda: nginx.served(NAME).serial != origin.serials()[0])
    assert not agent.renew(check=0).json["changed"]     # no file of ours has changed
    assert not agent.probe(check=1).json["probes"][0]["holds"]
    dry = agent.renew(NAME, dry_run=True, check=1)
    assert dry.target(NAME)["redeploy"] == ["other-leaf-served"]
    done = agent.renew(NAME, check=1)
    assert "shows another certificate" in done.target(NAME)["error"]["message"]
    assert not agent.status(check=1).certificate(NAME)["current"]
    # and it is not forgotten by a pass that looks at files only
    assert "another certificate" in agent.renew(check=1).target(NAME)["error"]["message"]
    nginx.add(NAME)
    agent.renew(check=0)
    assert origin.served() == origin.serials()[0] and len(origin.serials()) == 1


def test_full_look_is_due_twice_a_day_without_a_name(origin):
    agent, nginx = origin.agent, origin.nginx
    agent.target("nginx", probe_timeout="1s")
    nginx.add(NAME, snippet=nginx.self_signed(NAME))
    nginx.reload()
    nginx.host.wait(lambda: nginx.served(NAME).serial != origin.serials()[0])
    path = agent.state_path("schedule.json")
    note = origin.host.run(["jq", ".full_check_at -= 43201", path]).stdout
    origin.host.write(path, note)
    agent.scheduled_pass(check=1)
    assert agent.status(check=1).certificate(NAME)["targets"][0]["last_error"]
    assert len(origin.serials()) == 1



def test_certificate_that_comes_back_is_looked_at_again(origin):
    agent, nginx = origin.agent, origin.nginx
    agent.target("nginx", probe_timeout="1s")
    agent.certificate("other", targets=None, hostnames=["other.example.com"])
    agent.renew(check=0)

    def settled():
        text = origin.host.read(agent.state_path("settled.json"))
        return {one["name"] for one in json.loads(text)["certificates"]}

    assert settled() == {NAME, "other"}
    agent.remove(NAME)
    agent.scheduled_pass(check=0)
    assert settled() == {"other"}
    # meanwhile nobody looked after it
    nginx.install_by_hand(NAME)
    nginx.add(NAME, snippet=nginx.snippet_of_hand(NAME))
    nginx.reload()
    agent.certificate(NAME)
    done = agent.renew()
    assert "another certificate" in done.target(NAME)["error"]["message"], str(done)
    nginx.let_go(NAME)
    agent.renew(check=0)
    assert settled() == {NAME, "other"} and len(origin.serials()) == 2
