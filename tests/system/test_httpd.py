"""Apache as Fedora, RHEL and SUSE name it: httpd.service and a program httpd. The service as it is
installed, so that the agent's own polkit rule and configuration test are what lets it do its work.
"""

import pytest

from agent import USER
from apache import Apache
from conftest import plain_host
from origin import NAME
from test_unprivileged import Stage

TEST = "origin-ca-agent-test@httpd.service"

# Debian's httpd under the other name; nothing is left of apache2.service nor of apachectl.
PROGRAM = """#!/bin/sh
. /etc/apache2/envvars
mkdir -p "$APACHE_RUN_DIR"
exec /usr/libexec/httpd-of-debian "$@"
"""
UNIT = """[Unit]
Description=The Apache HTTP Server
[Service]
ExecStart=/usr/sbin/httpd -DFOREGROUND
ExecReload=/usr/sbin/httpd -k graceful
KillMode=mixed
PrivateTmp=true
"""
RENAME = """set -eu
mv /usr/sbin/apache2 /usr/libexec/httpd-of-debian
rm -f /usr/sbin/apachectl /usr/sbin/apache2ctl /etc/init.d/apache2
rm -f /lib/systemd/system/apache2.service /lib/systemd/system/apache2@.service
systemctl daemon-reload
"""


class Httpd(Apache):
    package_unit = "httpd.service"

    def prepare(self):
        super().prepare()
        self.host.run(["sh", "-c", RENAME])
        self.host.write("/usr/sbin/httpd", PROGRAM, mode=0o755)
        self.host.write("/etc/systemd/system/httpd.service", UNIT)
        self.host.run(["systemctl", "daemon-reload"])

    def test(self):
        return self.host.run(["httpd", "-t"], check=False)


@pytest.fixture(name="stage", scope="module")
def fixture_stage():
    with plain_host() as (host, build):
        stage = Stage(host, build, (Httpd,))
        assert host.run(["systemctl", "cat", "apache2.service"], check=False).returncode != 0
        stage.begin()
        yield stage


def test_httpd_is_found_tested_and_reloaded_by_the_agents_user(stage):
    host, httpd = stage.host, stage.servers["apache"]
    pid = httpd.main_pid()
    tested = host.journal(TEST).count("Finished ")
    assert tested > 0 and "Syntax OK" in host.journal(TEST)
    stage.configure(key_type="rsa-2048")
    stage.wait_issued(2)
    stage.wait_current()
    assert httpd.main_pid() == pid, "reloaded, not restarted"
    assert host.journal(TEST).count("Finished ") > tested
    assert stage.agent.check(check=0).json["findings"]
    refused = stage.run_as(USER, "systemctl", "stop", httpd.unit)
    assert refused.returncode != 0 and httpd.active() == "active"


def test_httpd_that_would_refuse_its_configuration_is_not_reloaded(stage):
    httpd = stage.servers["apache"]
    pid, served = httpd.main_pid(), httpd.served(NAME).serial
    place = httpd.break_elsewhere()
    try:
        stage.configure(key_type="ecdsa-p384")
        stage.wait_issued(3)
        stage.host.wait(lambda: "configuration test failed: " in stage.target_error("apache"), 120,
                        stage.agent.journal, 0.5)
        said = stage.target_error("apache")
        assert "httpd.service" in said and place in said, said
        assert httpd.main_pid() == pid and httpd.served(NAME).serial == served
    finally:
        httpd.mend()
    assert stage.renew()["serial"] == stage.serials()[-1]
    stage.wait_current()


def test_httpd_is_restarted_where_that_is_wanted(stage):
    httpd = stage.servers["apache"]
    pid = httpd.main_pid()
    stage.agent.target("apache", **httpd.agent_keys(), reload="restart")
    stage.configure(key_type="ecdsa-p256")
    stage.wait_issued(4)
    stage.wait_current()
    assert httpd.main_pid() != pid and httpd.active() == "active"
