"""Fixtures for the sandbox's own tests."""

import pathlib

import pytest

from sandbox_driver import Sandbox


@pytest.fixture
def start(tmp_path):
    """Starts sandboxes; at the end each must have ended well, without a sanitizer's word."""
    running = []

    def starter(*arguments, name="state", **more):
        sandbox = Sandbox(tmp_path / name, *arguments, **more)
        running.append(sandbox)
        return sandbox

    yield starter
    for sandbox in running:
        if sandbox.process.poll() is None:
            assert sandbox.stop() == 0, sandbox.errors()
    for log in pathlib.Path(tmp_path).glob("*.log"):
        text = log.read_text(errors="replace")
        assert "Sanitizer" not in text and "runtime error" not in text, text


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """One sandbox for all tests of a file that change nothing for the others."""
    directory = tmp_path_factory.mktemp("shared") / "state"
    sandbox = Sandbox(
        directory, "--rate-limit", "none",
        "--token", "main-token-with-every-permission-0000000",
        "--token", "read-token-that-may-not-edit-00000000000:ssl:read,zone:read,name=reader",
        "--token", "edit-token-for-certificates-only-0000000:ssl:edit,name=editor",
        "--token", "zone-token-for-one-zone-only-0000000000:zone=example.net,name=narrow",
        "--token", "none-token-without-permissions-00000000:none,name=nobody",
        "--token", "dead-token-that-was-disabled-0000000000:status=disabled",
        "--token", "old--token-that-has-expired-00000000000:status=expired",
        "--token", "cfat_account-token-0000000000000000000000:name=account",
        "--zone", "example.com,example.org,example.net,xn--fsq.example",
        "--zone", "sub.example.com,pending.example:pending")
    yield sandbox
    assert sandbox.stop() == 0, sandbox.errors()
    text = pathlib.Path(f"{directory}.log").read_text(errors="replace")
    assert "Sanitizer" not in text and "runtime error" not in text, text
