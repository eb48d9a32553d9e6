"""Which Secret is made of what the user gives."""

from __future__ import annotations

import io
import shutil
import sys
from pathlib import Path

import pytest
from tests.unit.cli.creation.test_server import server

from nopea.cli.cluster import CommandError
from nopea.cli.creation.login import GitLogin, Given, find_login, make_key, read_file, read_secret
from nopea.cli.creation.server import Login
from nopea.core.objects import RepoKey
from nopea.core.problem import StalledError
from nopea.core.secret import Secret

KEY = RepoKey("shop", "web")
TOKEN, PASSWORD = Secret(b"s3cr3t"), Secret(b"p4ss")
SSH = "ssh://git@git.example/web"
HOSTS = "git.example ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKvqyLMEZ6wTCNjKwPLYHtBdjUFtnwYsbNr0Ohm1ci3F\n"


@pytest.mark.parametrize(
    ("challenge", "given", "data"),
    [
        ("Basic", Given(token=TOKEN), {"username": b"x-access-token", "password": b"s3cr3t"}),
        ("Basic", Given(token=TOKEN, username="oauth2"), {"username": b"oauth2", "password": b"s3cr3t"}),
        ("Basic", Given(password=PASSWORD, username="me"), {"username": b"me", "password": b"p4ss"}),
        ("Bearer", Given(token=TOKEN), {"token": b"s3cr3t"}),
        ("NTLM", Given(token=TOKEN), {"username": b"x-access-token", "password": b"s3cr3t"}),
    ],
)
async def test_the_server_decides_what_is_sent(challenge: str, given: Given, data: dict[str, bytes]) -> None:
    """The values are never in a note."""
    with server(401, challenge) as url:
        found = await find_login(url, given, key=KEY)

    assert found.data == data
    assert "s3cr3t" not in found.note + repr(found) + repr(given)


async def test_what_is_not_needed_is_not_kept() -> None:
    """A server without a login gets no Secret."""
    with server(200) as url:
        found = await find_login(url, Given(token=TOKEN), key=KEY)

    assert found == GitLogin(note="127.0.0.1 asks for no login, so what you gave is not kept.")
    assert found.credentials("web-git", url).digest() == ""


async def test_a_login_that_is_missing_or_of_the_wrong_kind_is_an_error() -> None:
    """The hint names the option."""
    with server(401, "Basic") as basic, server(401, "Bearer") as bearer:
        wrong = [
            (basic, Given(), "--token-stdin"),
            (bearer, Given(password=PASSWORD, username="me"), "--token-stdin"),
            (basic, Given(identity=b"key"), "ssh://git@127.0.0.1"),
            (SSH, Given(), "--deploy-key"),
            (SSH, Given(token=TOKEN), "--ssh-key"),
            (SSH, Given(identity=b"key", known_hosts="other.example ssh-ed25519 AAAA\n"), "ssh-keyscan"),
        ]
        for url, given, hint in wrong:
            with pytest.raises(CommandError) as caught:
                await find_login(url, given, key=KEY)
            assert hint in caught.value.hint


async def test_a_login_does_not_travel_unprotected(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plain http is for this machine only."""

    async def basic(url: str, *, ca: str = "") -> Login:
        del url, ca
        return Login.BASIC

    monkeypatch.setattr("nopea.cli.creation.login.login_of", basic)

    for host in ("git.example", "10.0.0.1", "localhost.example"):
        with pytest.raises(CommandError) as caught:
            await find_login(f"http://{host}/web", Given(token=TOKEN), key=KEY)
        assert caught.value.hint == "Give an https URL."
    for host in ("localhost", "127.0.0.1", "[::1]"):
        assert (await find_login(f"http://{host}/web", Given(token=TOKEN), key=KEY)).data


async def test_a_key_that_cannot_be_used_is_found_before_it_is_kept() -> None:
    """By the controller's own check of the Secret."""
    found = await find_login(SSH, Given(identity=b"ssh-ed25519 AAAA me", known_hosts=HOSTS), key=KEY)

    with pytest.raises(StalledError) as caught:
        found.credentials("web-git", SSH)
    assert "is a public key" in str(caught.value)


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="needs OpenSSH")
async def test_a_deploy_key_is_made() -> None:
    """Of a type that all hosts take; with the name of the GitRepository in the public part."""
    found = await find_login(SSH, Given(deploy_key=True, known_hosts=HOSTS), key=KEY)

    assert found.public_key.startswith("ssh-ed25519 ")
    assert found.public_key.endswith(" nopea shop/web")
    assert found.credentials("web-git", SSH).identity.reveal().startswith(b"-----BEGIN OPENSSH")
    assert b"PRIVATE" in make_key("again")[0]


def test_without_openssh_a_key_can_be_given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The error names the option."""
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(CommandError) as caught:
        make_key("x")
    assert "--ssh-key" in caught.value.hint


@pytest.mark.parametrize("given", [b"", b" \n", b"x" * 70_000])
def test_standard_input_must_have_a_secret(monkeypatch: pytest.MonkeyPatch, given: bytes) -> None:
    """Not an empty one, as of a variable that is not set, and not a whole file."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given)))
    with pytest.raises(CommandError):
        read_secret("Token")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"s3cr3t\n")))
    assert read_secret("Token").reveal() == b"s3cr3t"


def test_files_are_small_and_readable(tmp_path: Path) -> None:
    """Others are an error that names the option."""
    (tmp_path / "big").write_bytes(b"x" * 70_000)
    (tmp_path / "key").write_bytes(b"key")

    assert read_file(tmp_path / "key", "--ssh-key") == b"key"
    for name in ("big", "."):
        with pytest.raises(CommandError) as caught:
            read_file(tmp_path / name, "--ssh-key")
        assert caught.value.message.startswith("--ssh-key: ")
