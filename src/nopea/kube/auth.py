"""The credentials of requests: header and client certificate, kept fresh. Never sends a request itself."""

from __future__ import annotations

import asyncio
import base64
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from nopea.core.secret import Secret
from nopea.kube.config import ConfigError, User

REREAD_SECONDS = 60.0
"""How long the content of a file is used: kubelet rotates tokens long before they expire."""

_NOTHING = Secret(b"")


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """The credentials of a request. `good_until` is in seconds of the monotonic clock."""

    authorization: Secret = field(default=_NOTHING)
    certificate: Secret = field(default=_NOTHING)
    key: Secret = field(default=_NOTHING)
    good_until: float = float("inf")

    def shows_same(self, other: Identity) -> bool:
        """Return whether the server sees the same credentials."""
        mine = (self.authorization, self.certificate, self.key)
        return mine == (other.authorization, other.certificate, other.key)


class Source(Protocol):
    """Provides identities."""

    async def fetch(self) -> Identity:
        """Return a new identity. Raises ConfigError when there is none."""
        ...


class ApiCredentials:
    """The current identity; fetches another when it has expired or was refused.

    Any number of requests may ask at the same time: the source is asked once.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._lock = asyncio.Lock()
        self._identity: Identity | None = None

    async def current(self) -> Identity:
        """Return an identity that has not expired."""
        identity = self._identity
        if identity is not None and time.monotonic() < identity.good_until:
            return identity
        return await self._replace(identity)

    async def renew(self, refused: Identity) -> Identity:
        """Return another identity after the server refused one; an equal one if the source has no other."""
        return await self._replace(refused)

    async def _replace(self, old: Identity | None) -> Identity:
        async with self._lock:
            if self._identity is None or self._identity is old:
                self._identity = await self._source.fetch()
            return self._identity


class UserSource:
    """Tokens, certificates and passwords that a kubeconfig holds, or names as files, which are read again."""

    def __init__(self, user: User) -> None:
        self._user = user
        self._rotates = any(isinstance(part, Path) for part in (user.token, user.certificate, user.key))

    async def fetch(self) -> Identity:
        """Read the user's credentials, including their files."""
        user = self._user
        token = _content(user.token).reveal().strip()
        authorization = b"Bearer " + token if token else b""
        if not token and user.username:
            pair = user.username.encode() + b":" + user.password.reveal()
            authorization = b"Basic " + base64.b64encode(pair)
        return Identity(
            authorization=Secret(authorization),
            certificate=_content(user.certificate),
            key=_content(user.key),
            good_until=time.monotonic() + REREAD_SECONDS if self._rotates else float("inf"),
        )


def _content(part: Secret | Path | None) -> Secret:
    if not isinstance(part, Path):
        return part or _NOTHING
    try:
        return Secret(part.read_bytes())
    except OSError as error:
        raise ConfigError(f"{part} cannot be read: {error.strerror}.") from error
