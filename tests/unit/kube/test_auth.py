"""The credentials of requests: from where they are read, and when they are read again."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from nopea.core.secret import Secret
from nopea.kube import auth
from nopea.kube.auth import ApiCredentials, Identity, UserSource
from nopea.kube.config import ConfigError, User


def _header(identity: Identity) -> bytes:
    return identity.authorization.reveal()


class _Counting:
    """A source of numbered identities with a given expiry time."""

    def __init__(self, *, good_until: float = float("inf")) -> None:
        self.fetched = 0
        self._good_until = good_until

    async def fetch(self) -> Identity:
        self.fetched += 1
        number = self.fetched
        await asyncio.sleep(0)
        return Identity(authorization=Secret(f"{number}"), good_until=self._good_until)


async def test_a_token_is_a_bearer_header() -> None:
    """The trailing newline of a token is removed; a token wins over a user name."""
    user = User(token=Secret("abc\n"), username="ann", password=Secret("pass"))

    assert _header(await UserSource(user).fetch()) == b"Bearer abc"


async def test_user_name_and_password_are_a_basic_header() -> None:
    """Without a token, user name and password are sent in base64."""
    user = User(username="ann", password=Secret("pass"))

    assert _header(await UserSource(user).fetch()) == b"Basic YW5uOnBhc3M="


async def test_without_credentials_there_is_no_header() -> None:
    """A user without credentials is anonymous."""
    identity = await UserSource(User()).fetch()

    assert _header(identity) == b""
    assert identity.good_until == float("inf")


async def test_files_are_read_again(tmp_path: Path) -> None:
    """Each fetch reads the files, and their content expires."""
    token = tmp_path / "token"
    token.write_text("old")
    source = UserSource(User(token=token))
    assert _header(await source.fetch()) == b"Bearer old"
    token.write_text("new")

    identity = await source.fetch()

    assert _header(identity) == b"Bearer new"
    assert identity.good_until < float("inf")


async def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """The error contains the file and the system's reason."""
    with pytest.raises(ConfigError, match=r"token cannot be read: No such file or directory\."):
        await UserSource(User(token=tmp_path / "token")).fetch()


async def test_an_identity_is_kept_while_it_is_valid() -> None:
    """Concurrent and later requests use the same identity."""
    source = _Counting()
    credentials = ApiCredentials(source)

    await asyncio.gather(*(credentials.current() for _ in range(20)))
    await credentials.current()

    assert source.fetched == 1


async def test_an_expired_identity_is_fetched_again() -> None:
    """A request after the expiry fetches a new identity."""
    source = _Counting(good_until=float("-inf"))
    credentials = ApiCredentials(source)

    await credentials.current()

    assert _header(await credentials.current()) == b"2"


async def test_a_refused_identity_is_replaced_once() -> None:
    """Concurrent requests that were refused with the same identity fetch one new identity."""
    source = _Counting()
    credentials = ApiCredentials(source)
    refused = await credentials.current()

    renewed = await asyncio.gather(*(credentials.renew(refused) for _ in range(20)))

    assert {_header(identity) for identity in renewed} == {b"2"}
    assert source.fetched == 2


def test_same_credentials_are_recognized() -> None:
    """The expiry time does not make two identities different."""
    identity = Identity(authorization=Secret("a"))

    assert identity.shows_same(Identity(authorization=Secret("a"), good_until=5))
    assert not identity.shows_same(Identity(authorization=Secret("b")))
    assert not identity.shows_same(Identity(authorization=Secret("a"), certificate=Secret("c")))


def test_files_are_used_for_less_than_a_tokens_life() -> None:
    """Service account tokens are valid for at least ten minutes and rotated before they expire."""
    assert auth.REREAD_SECONDS <= 120
