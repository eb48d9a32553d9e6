"""What libgit2 is told about a server: which credential, when to stop, and where secrets may go."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pygit2
import pytest
from pygit2.enums import CredentialType
from tests.gitserver import GitServer, Origin

from nopea.git.failure import GitFailure
from nopea.git.protocol import ErrorKind
from nopea.git.remote import Line, RemoteAddress, Session, TooManyObjectsError, create_repository

SSH_KEY, PASSWORD, USERNAME = (
    CredentialType.SSH_KEY, CredentialType.USERPASS_PLAINTEXT, CredentialType.USERNAME,
)  # fmt: skip
FAR = 1e12


def address(
    url: str = "https://git.acme.example/shop.git", *, proxy: bool = False, **changes: Any
) -> RemoteAddress:
    """Return an address without credentials, but for the changes."""
    raw = {
        "url": url,
        "username": "",
        **dict.fromkeys(("password", "token", "identity", "identity_password"), b""),
    }
    return RemoteAddress.parse({**raw, **changes}, proxy=proxy)


def session(of: RemoteAddress | None = None, *, ends_at: float = FAR, max_bytes: int = 1000) -> Session:
    """Return a session that nothing ends."""
    return Session(of or address(), ends_at=ends_at, max_bytes=max_bytes)


def progress(*, received: int = 0, total: int = 0) -> Any:
    """Return what libgit2 reports during a fetch."""
    return SimpleNamespace(received_bytes=received, total_objects=total)


def test_an_address_does_not_print() -> None:
    """Neither its credentials nor a URL that may hold some."""
    shown = f"{address('https://bot:pw-in-url@h/x', username='bot', password=b'pw-pw', token=b'tk-tk')!r}"

    assert not any(part in shown for part in ("bot", "pw", "tk"))


@pytest.mark.parametrize(
    ("url", "changes", "secret"),
    [
        ("https://h/x", {}, False),
        ("https://h/x@1", {}, True),  # more careful than needed
        ("https://bot@h/x", {}, True),
        ("https://h/x", {"username": "token-as-user"}, True),
        ("https://h/x", {"password": b"pw"}, True),
        ("https://h/x", {"token": b"tk"}, True),
        ("file:///srv/x", {}, False),
    ],
)
def test_what_a_redirect_would_show_is_secret(url: str, changes: dict[str, Any], secret: bool) -> None:
    """A credential in the Secret or in the URL; such repositories follow no redirect to another host."""
    assert address(url, **changes).secret is secret


@pytest.mark.parametrize(
    ("url", "ssh", "local"),
    [
        ("ssh://git@h/x", True, False),
        ("git@h:x", True, False),
        ("https://h/x", False, False),
        ("file:///x", False, True),
    ],
)
def test_a_url_tells_how_to_talk(url: str, ssh: bool, local: bool) -> None:
    """SSH errors read differently, and a local folder cannot be fetched from at a depth."""
    assert (address(url).ssh, address(url).local) == (ssh, local)


def test_a_password_is_sent_with_its_user() -> None:
    """The user of the Secret counts, else that of the URL, else `git`."""
    named = session(address(username="bot", password=b"pw")).credentials("", "other", PASSWORD)
    from_url = session(address(password=b"pw")).credentials("", "other", PASSWORD)
    neither = session(address(password=b"pw")).credentials("", None, PASSWORD)

    assert [each.credential_tuple for each in (named, from_url, neither)] == [
        ("bot", "pw"), ("other", "pw"), ("git", "pw"),
    ]  # fmt: skip


def test_a_key_is_sent_where_the_server_takes_one() -> None:
    """From memory: no private key is written to disk."""
    both = address("ssh://h/x", identity=b"KEY", identity_password=b"", password=b"pw")

    given = session(both).credentials("", "git", SSH_KEY | PASSWORD)

    assert isinstance(given, pygit2.KeypairFromMemory)
    assert given.credential_tuple == ("git", None, "KEY", None)


def test_the_question_for_a_user_name_does_not_count() -> None:
    """SSH asks for the name first and for the key after it."""
    asked = session(address("ssh://h/x", identity=b"KEY"))

    name = asked.credentials("", None, USERNAME)
    key = asked.credentials("", "git", SSH_KEY)

    assert isinstance(name, pygit2.Username)
    assert isinstance(key, pygit2.KeypairFromMemory)


def test_a_second_question_is_a_refusal() -> None:
    """The server did not accept the first answer; libgit2 would ask for ever."""
    asked = session(address(password=b"pw"))
    asked.credentials("", None, PASSWORD)

    with pytest.raises(GitFailure) as failure:
        asked.credentials("", None, PASSWORD)
    assert (failure.value.kind, failure.value.facts) == (ErrorKind.AUTHENTICATION, {"given": True})


@pytest.mark.parametrize(("token", "given"), [(b"", False), (b"tk", True)])
def test_a_server_that_wants_what_there_is_not(token: bytes, given: bool) -> None:
    """The failure says whether there was a credential at all: a token was sent already, as a header."""
    with pytest.raises(GitFailure) as failure:
        session(address(token=token)).credentials("", None, PASSWORD)
    assert (failure.value.kind, failure.value.facts) == (ErrorKind.AUTHENTICATION, {"given": given})


def test_a_token_is_a_header() -> None:
    """And without a token there is none."""
    assert session(address(token=b"tk")).custom_headers() == ["Authorization: Bearer tk"]
    assert session().custom_headers() is None


@pytest.mark.parametrize("valid", [True, False])
def test_only_verified_servers_are_trusted(valid: bool) -> None:
    """What the library could not verify is refused, SSH hosts too."""
    assert session().certificate_check(None, valid, b"h") is valid


def test_a_fetch_stops_at_the_deadline_and_at_the_limit() -> None:
    """The limit itself is allowed."""
    session(max_bytes=100).transfer_progress(progress(received=100))

    with pytest.raises(GitFailure) as big:
        session(max_bytes=100).transfer_progress(progress(received=101))
    with pytest.raises(GitFailure) as late:
        session(ends_at=time.monotonic() - 1).transfer_progress(progress())
    assert (big.value.kind, late.value.kind) == (ErrorKind.TOO_BIG, ErrorKind.TIMEOUT)


def test_a_long_history_stops_a_fetch_only_where_it_is_limited() -> None:
    """No limit is set until a fetch asks for one."""
    limited = session()
    limited.transfer_progress(progress(total=10**9))
    limited.max_objects = 10

    limited.transfer_progress(progress(total=10))
    with pytest.raises(TooManyObjectsError):
        limited.transfer_progress(progress(total=11))


def test_only_repositories_without_secrets_follow_redirects(tmp_path: Path) -> None:
    """libgit2 would show the first redirect's host the Authorization header."""
    create_repository(tmp_path / "open", redirects=True)
    create_repository(tmp_path / "closed", redirects=False)

    assert "http.followRedirects" not in pygit2.Repository(str(tmp_path / "open")).config
    assert pygit2.Repository(str(tmp_path / "closed")).config["http.followRedirects"] == "false"


def test_a_conversation_lists_and_fetches_without_a_trace(tmp_path: Path) -> None:
    """The refs by full name; what is fetched is there afterwards, and no file holds the URL."""
    origin = Origin(tmp_path / "served" / "shop.git")
    commit = origin.commit({"a.yaml": "a: 1\n"})
    origin.tag("v1", commit)
    mirror = tmp_path / "mirror.git"
    create_repository(mirror, redirects=True)
    repository = pygit2.Repository(str(mirror))
    with GitServer(tmp_path / "served") as server:
        url = server.url("shop.git").replace("://", "://bot:pw-in-url@")
        line = Line(address=address(url), ends_at=FAR, max_bytes=10**6)
        conversation = line.talk(repository)

        heads = conversation.heads()
        conversation.fetch(["+refs/heads/main:refs/heads/main"])

    assert heads == {"HEAD": commit, "refs/heads/main": commit, "refs/tags/v1": commit}
    assert list(repository.references) == ["refs/heads/main"]
    written = b"".join(path.read_bytes() for path in mirror.rglob("*") if path.is_file())
    assert b"pw-in-url" not in written
    assert b"127.0.0.1" not in written
    repository.free()


def test_a_closed_port_is_an_unreachable_server(tmp_path: Path) -> None:
    """What libgit2 raises is translated where it is called."""
    with GitServer(tmp_path) as server:
        url = server.url("shop.git")
    create_repository(tmp_path / "mirror.git", redirects=True)
    repository = pygit2.Repository(str(tmp_path / "mirror.git"))

    with pytest.raises(GitFailure) as failure:
        Line(address=address(url), ends_at=FAR, max_bytes=10**6).talk(repository).heads()

    assert failure.value.kind is ErrorKind.UNREACHABLE
    repository.free()
