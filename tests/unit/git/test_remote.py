"""Communication with a Git server: credentials, limits, redirects, and what is stored."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pygit2
import pytest
from pygit2.enums import CredentialType
from tests.git import faulty
from tests.git.faulty import FaultyServer
from tests.gitserver import Origin

from nopea.git.failure import GitFailure
from nopea.git.protocol import ErrorKind
from nopea.git.remote import Line, RemoteAddress, Session, TooManyObjectsError, create_repository

SECRET = b"hunter2"


def address(url: str = "https://git.example/shop.git", **raw: Any) -> RemoteAddress:
    """Return an address as in a request; by default it has no credentials."""
    empty = {
        "username": "",
        "password": b"",
        "token": b"",
        "identity": b"",
        "identity_password": b"",
        "proxy": "",
        "has_own_proxy": False,
    }
    return RemoteAddress.parse({"url": url, **empty, **raw})


def session(used: RemoteAddress, *, seconds: float = 60, max_bytes: int = 1000) -> Session:
    """Return the callbacks for libgit2."""
    return Session(used, ends_at=time.monotonic() + seconds, max_bytes=max_bytes)


def progress(*, received: int = 0, total: int = 0) -> SimpleNamespace:
    """Return what libgit2 reports while it receives a pack."""
    return SimpleNamespace(received_bytes=received, total_objects=total)


def test_an_address_does_not_show_credentials() -> None:
    """A traceback with local variables contains no credential."""
    assert "hunter2" not in repr(address("https://robot:hunter2@git.example/", password=SECRET, token=SECRET))


def test_only_a_file_url_is_local() -> None:
    """libgit2 cannot make a shallow fetch from a file URL."""
    assert address("file:///srv/shop.git").local
    assert not address().local


@pytest.mark.parametrize("raw", [{"password": SECRET}, {"token": SECRET}], ids=["a password", "a token"])
def test_what_was_sent_at_once_is_not_given_again(raw: dict[str, Any]) -> None:
    """A server that asks has rejected what every request carries, so the operation ends."""
    callbacks = session(address(username="robot", **raw))

    with pytest.raises(GitFailure) as failure:
        callbacks.credentials("https://git.example", None, CredentialType.USERPASS_PLAINTEXT)

    assert failure.value.kind is ErrorKind.AUTHENTICATION
    assert "does not accept" in failure.value.message


def test_a_key_is_given_once() -> None:
    """A server that asks again has rejected the key, so the operation ends."""
    callbacks = session(address("ssh://git@git.example/shop.git", identity=SECRET))
    asked = CredentialType.SSH_KEY

    assert isinstance(callbacks.credentials("", "git", asked), pygit2.KeypairFromMemory)
    with pytest.raises(GitFailure) as failure:
        callbacks.credentials("", "git", asked)

    assert failure.value.kind is ErrorKind.AUTHENTICATION


@pytest.mark.parametrize(
    ("raw", "asked"),
    [
        ({}, CredentialType.USERPASS_PLAINTEXT),
        ({"password": SECRET}, CredentialType.SSH_KEY),
        ({"identity": SECRET}, CredentialType.USERPASS_PLAINTEXT),
    ],
    ids=["without any", "a password for SSH", "a key for HTTP"],
)
def test_a_credential_of_another_kind_is_not_given(raw: dict[str, Any], asked: CredentialType) -> None:
    """If the Secret has no credential of the requested kind, the kind of the failure is AUTHENTICATION."""
    with pytest.raises(GitFailure) as failure:
        session(address(**raw)).credentials("ssh://git.example", "git", asked)

    assert failure.value.kind is ErrorKind.AUTHENTICATION


def test_asking_for_the_user_does_not_count_as_asking_for_the_key() -> None:
    """SSH asks for the user first, then for the key."""
    callbacks = session(address("ssh://git.example/shop.git", identity=b"a key"))

    assert isinstance(callbacks.credentials("", None, CredentialType.USERNAME), pygit2.Username)
    assert callbacks.credentials("", "git", CredentialType.SSH_KEY) is not None


def test_a_token_goes_into_the_authorization_header() -> None:
    """A token is sent as a bearer token."""
    assert session(address(token=SECRET)).custom_headers() == ["Authorization: Bearer hunter2"]
    assert session(address()).custom_headers() is None


@pytest.mark.parametrize(
    ("url", "kind"),
    [("https://git.invalid/x", ErrorKind.CERTIFICATE), ("ssh://git.invalid/x", ErrorKind.HOST_KEY)],
)
def test_only_a_verified_host_is_trusted(url: str, kind: ErrorKind) -> None:
    """The default of pygit2 would accept any SSH host."""
    assert session(address(url)).certificate_check(None, True, b"git.invalid")
    with pytest.raises(GitFailure) as failure:
        session(address(url)).certificate_check(None, False, b"git.invalid")

    assert failure.value.kind is kind


def test_a_pack_within_its_limits_is_accepted() -> None:
    """Bytes, time and objects are all within their limits."""
    callbacks = session(address())
    callbacks.max_objects = 10

    callbacks.transfer_progress(progress(received=1000, total=10))


def test_a_pack_over_the_limit_in_bytes_is_too_big() -> None:
    """The received bytes count, not the announced size."""
    with pytest.raises(GitFailure) as failure:
        session(address()).transfer_progress(progress(received=1001))

    assert failure.value.kind is ErrorKind.TOO_BIG


def test_a_pack_after_the_deadline_is_a_timeout() -> None:
    """A slow server is stopped in the child, so the parent does not have to kill it."""
    with pytest.raises(GitFailure) as failure:
        session(address(), seconds=-1).transfer_progress(progress(received=1))

    assert failure.value.kind is ErrorKind.TIMEOUT


def test_a_pack_with_too_many_objects_is_stopped_at_its_header() -> None:
    """The fetch is then started again without history, before the objects are received."""
    callbacks = session(address())
    callbacks.max_objects = 10

    with pytest.raises(TooManyObjectsError):
        callbacks.transfer_progress(progress(total=11))


def test_the_refs_of_a_repository_are_listed_by_full_name(tmp_path: Path) -> None:
    """Branches, tags and HEAD are listed with their ids, and the branch that HEAD points to."""
    origin = Origin(tmp_path / "shop.git")
    commit = origin.commit({"a.yaml": "name: a\n"})
    origin.tag("v1", commit)
    create_repository(tmp_path / "scratch")
    line = Line(address=address(f"file://{origin.path}"), ends_at=time.monotonic() + 60, max_bytes=1000)

    refs = line.talk(pygit2.Repository(str(tmp_path / "scratch"))).refs()

    assert refs.ids == {"HEAD": commit, "refs/heads/main": commit, "refs/tags/v1": commit}
    assert refs.default == "refs/heads/main"


@pytest.mark.parametrize("old", [False, True])
def test_a_redirect_to_another_host_is_not_followed(tmp_path: Path, old: bool) -> None:
    """The other host is not contacted, also by a mirror that was made when redirects were followed."""
    create_repository(tmp_path / "scratch")
    if old:
        del pygit2.Repository(str(tmp_path / "scratch")).config["http.followRedirects"]
    with FaultyServer(faulty.hang_up) as other:
        location = other.url("shop.git/info/refs?service=git-upload-pack", host="localhost")
        moved = faulty.answer("302 Found", headers=f"Location: {location}\r\n".encode())
        with FaultyServer(faulty.always(moved)) as server:
            line = Line(address=address(server.url()), ends_at=time.monotonic() + 60, max_bytes=1000)
            with pytest.raises(GitFailure, match="cannot redirect"):
                line.talk(pygit2.Repository(str(tmp_path / "scratch"))).refs()
        assert other.requests == []


def test_nothing_of_an_address_is_written_to_disk(tmp_path: Path) -> None:
    """The remote is anonymous, so it is not in the configuration of the repository."""
    create_repository(tmp_path / "scratch")
    used = address("https://robot:hunter2@git.example/shop.git", password=SECRET)

    Line(address=used, ends_at=0, max_bytes=0).talk(pygit2.Repository(str(tmp_path / "scratch")))

    written = [path.read_bytes() for path in (tmp_path / "scratch").rglob("*") if path.is_file()]
    assert not [content for content in written if b"git.example" in content or SECRET in content]
