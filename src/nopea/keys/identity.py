"""Nopea's own logins: of its Pod, or of its environment. Who may use them, others decide.

Files are read when they are needed, because whoever writes them replaces them. A login that a service gave is
kept in memory until shortly before it ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

from nopea.core.decryption.wire import Call, Declined, Lent
from nopea.core.secret import Secret
from nopea.keys.http import KeyWeb

POD_TOKEN: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
_MAX_FILE = 64 * 1024
_OF_LIFETIME = 0.9
_LONGEST_SECONDS = 12 * 3600.0
_NEW_SECONDS = 30.0
T = TypeVar("T")


class NoIdentityError(Exception):
    """There is no login, or Nopea did not get one; the text says why. If it `is_busy`, time may mend it."""

    def __init__(self, why: str, *, is_busy: bool = False) -> None:
        super().__init__(why)
        self.is_busy = is_busy


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentitySettings:
    """Where the logins are. Clouds have their own variables in the environment.

    The file has a token of Vault; with a role (`ROLE`, or `MOUNT/ROLE` of the authentication method), the
    token of a service account, for which Vault gives one. Without a file it is that of the Pod.
    """

    environment: Mapping[str, str] = field(repr=False)
    vault_token_file: Path | None = None
    vault_role: str = ""


@dataclass(frozen=True, slots=True)
class _Kept:
    """A login that a service gave, with times of the event loop."""

    login: Any
    since: float
    until: float


class KeyIdentity:
    """See the module; each service has its own.

    Its calls are parts of others, which own the deadline; they raise NoAnswerError too.
    """

    def __init__(self, settings: IdentitySettings, web: KeyWeb) -> None:
        self.settings = settings
        self._web = web
        self._lock = asyncio.Lock()
        self._kept: dict[str, _Kept] = {}

    async def kept(self, name: str, get: Callable[[], Awaitable[Lent[T]]]) -> T:
        """Return the login that is kept under a name, which is of one type, or else get one."""
        async with self._lock:
            kept, clock = self._kept.get(name), asyncio.get_running_loop().time
            if kept is None or clock() >= kept.until:
                lent, now = await get(), clock()
                # In this order, so that NaN becomes 0.
                seconds = min(max(0.0, lent.seconds), _LONGEST_SECONDS)
                kept = self._kept[name] = _Kept(lent.login, now, now + seconds * _OF_LIFETIME)
            login: T = kept.login
            return login

    async def ask(self, call: Call, read: Callable[[int, bytes], T | Declined], what: str) -> T:
        """Return what an answer has. Raises NoIdentityError, which says `what` there is not."""
        answer = await self._web.send(call, is_ours=True)
        found = read(answer.status, answer.body)
        if isinstance(found, Declined):
            raise NoIdentityError(f"{what}: {found.why}", is_busy=found.is_busy)
        return found

    def forget(self) -> None:
        """Forget logins: a service refused one. New ones stay, so that no tenant has us always log in."""
        now = asyncio.get_running_loop().time()
        self._kept = {name: kept for name, kept in self._kept.items() if now - kept.since < _NEW_SECONDS}


async def read_token(file: Path) -> Secret:
    """Return the token in a file, read in a thread. Raises NoIdentityError."""
    return token_in(await read_file(file), file)


def token_in(text: bytes, file: Path) -> Secret:
    """Return the token that a file has as its text. Raises NoIdentityError."""
    text = text.strip()
    if not text or not text.isascii() or not text.decode().isprintable():
        raise NoIdentityError(f"{file} has no token")
    return Secret(text)


async def read_file(file: Path) -> bytes:
    """Return the start of a file, read in a thread. Raises NoIdentityError."""
    try:
        return await asyncio.to_thread(_start_of, file)
    except OSError as error:
        raise NoIdentityError(f"Nopea cannot read {file}: {error.strerror}") from error


def _start_of(file: Path) -> bytes:
    with file.open("rb") as opened:
        return opened.read(_MAX_FILE)
