"""The servers that the other system tests trust: each serves what its snippet names, takes up a
change without failing anybody, refuses what is broken, and can be made to hold on to an old leaf.
Certificates are made by hand; the agent has no part in it."""

import pytest

from apache import Apache
from haproxy import Haproxy
from lighttpd import Lighttpd
from nginx import Nginx
from tomcat import PASSWORD, Tomcat

NAME = "example.com"
KINDS = [Nginx, Apache, Haproxy, Lighttpd, Tomcat]


@pytest.fixture(scope="module", params=KINDS, ids=lambda kind: kind.__name__.lower())
def any_server(request, module_host):
    """Each kind in turn, running, with one certificate by hand; stopped when the next one comes."""
    server = request.param(module_host)
    server.install_by_hand(NAME, NAME, f"*.{NAME}")
    server.add(NAME, snippet=server.snippet_of_hand(NAME))
    server.start()
    yield server
    server.reset()


def renew_by_hand(server, **options):
    """Another certificate in place, and the server told so."""
    pair = server.install_by_hand(NAME, NAME, f"*.{NAME}", **options)
    if isinstance(server, Tomcat):
        server.ssl_reload()
    else:
        server.reload()
    server.wait_served(NAME, pair.serial)
    return pair


def test_wildcard_and_name_are_served_the_certificate_of_the_snippet(any_server):
    first = any_server.served(NAME)
    assert set(first.sans) == {NAME, f"*.{NAME}"}
    assert any_server.served(f"www.{NAME}").serial == first.serial
    assert any_server.ask(NAME) and any_server.ask(f"www.{NAME}")


def test_certificates_and_key_types_change_without_a_failed_request(any_server):
    pid, before = any_server.main_pid(), any_server.served(NAME)
    with any_server.client(NAME) as client:
        for key_type in ("rsa-2048", "ecdsa-p256"):
            renew_by_hand(any_server, key_type=key_type)
        any_server.host.wait(lambda: len(client.leaves) == 3)
    assert client.requests > 10 and not (any_server.loses_nothing and client.failures)
    assert any_server.served(NAME).serial != before.serial
    assert any_server.main_pid() == pid and any_server.active() == "active"


def test_names_get_certificates_of_their_own(any_server):
    pair = any_server.install_by_hand("example.org", "example.org")
    any_server.add("example.org", "example.org",
                   snippet=any_server.snippet_of_hand("example.org"))
    any_server.reload()
    any_server.wait_served("example.org", pair.serial)
    assert any_server.served(NAME).serial != pair.serial
    any_server.remove("example.org")
    any_server.reload()


def test_what_is_broken_elsewhere_is_named_and_can_be_mended(any_server):
    assert any_server.test().returncode == 0
    place = any_server.break_elsewhere()
    done = any_server.test()
    assert done.returncode != 0 and place in done.stdout + done.stderr
    any_server.mend()
    assert any_server.test().returncode == 0


def test_stale_copy_is_shown_until_it_is_let_go(any_server):
    any_server.hold_stale(NAME)
    held = any_server.served(NAME)
    pair = any_server.install_by_hand(NAME, NAME, f"*.{NAME}")
    any_server.reload()
    for _ in range(5):
        assert any_server.served(NAME).serial == held.serial != pair.serial
    any_server.add(NAME, snippet=any_server.snippet_of_hand(NAME))
    any_server.reload()
    any_server.wait_served(NAME, pair.serial)


def test_client_sees_a_server_that_goes_away(any_server):
    with any_server.client(NAME) as client:
        any_server.stop()
        any_server.host.wait(lambda: client.failures, message="the client notices")
    any_server.start()
    any_server.ask(NAME)


def test_tomcat_manager_lets_in_who_may(module_host):
    tomcat = Tomcat(module_host)
    tomcat.install_by_hand(NAME)
    tomcat.add(NAME, NAME, snippet=tomcat.snippet_of_hand(NAME))
    tomcat.start()
    assert tomcat.manager("sslReload").text.startswith("OK -")
    assert tomcat.manager("sslReload?tlsHostName=nobody.example").text.startswith("FAIL -")
    assert tomcat.manager("sslReload", password="wrong").status == 401
    assert tomcat.manager("sslReload", user="visitor", password=PASSWORD).status == 403
    tomcat.reset()


def test_server_that_asks_for_the_edges_certificate_refuses_others(sandbox, host):
    """Authenticated Origin Pulls, as a template will ask for them."""
    apache = Apache(host)
    snippet = apache.self_signed(NAME)
    host.write(snippet, host.read(snippet) + "SSLVerifyClient require\nSSLCACertificateFile "
               f"{sandbox.directory}/authenticated_origin_pull_ca.pem\n")
    apache.add(NAME, snippet=snippet)
    apache.start()
    assert apache.served(NAME).sans == (NAME,)
    with pytest.raises(OSError):
        apache.ask(NAME)
    apache.ask(NAME, client=sandbox.edge())
    with apache.client(NAME, client=sandbox.edge()) as client:
        host.wait(lambda: client.requests > 5)
    assert not client.failures
