"""Nopea's own logins at key services: of its Pod, or of its environment. Who may use them, others decide.

Files are read when they are needed, because whoever writes them replaces them. A login that a service gave is
kept in memory until shortly before it ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

from nopea.core.decryption import aws, vault
from nopea.core.decryption.aws import AwsPlace, Endpoints
from nopea.core.decryption.sigv4 import AwsLogin
from nopea.core.decryption.vault import VaultLogin
from nopea.core.decryption.wire import Declined
from nopea.core.secret import Secret
from nopea.keys.http import KeyWeb

POD_TOKEN: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
_MAX_FILE = 64 * 1024
_OF_LIFETIME = 0.9
_NEW_SECONDS = 30.0
T = TypeVar("T")


class NoIdentityError(Exception):
    """Nopea has no login, or did not get one; the text says why. If it `is_busy`, time may mend it."""

    def __init__(self, why: str, *, is_busy: bool = False) -> None:
        super().__init__(why)
        self.is_busy = is_busy


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentitySettings:
    """Where the logins are. AWS has its own variables in the environment.

    The file has a token of Vault; with a role (`ROLE`, or `MOUNT/ROLE` of the authentication method), the
    token of a service account, for which Vault gives one. Without a file it is that of the Pod.
    """

    environment: Mapping[str, str] = field(repr=False)
    vault_token_file: Path | None = None
    vault_role: str = ""


@dataclass(frozen=True, slots=True)
class _Kept:
    """A login that a service gave, with times of the event loop."""

    login: AwsLogin | Secret
    since: float
    until: float


class OwnLogins:
    """See the module. Its calls are parts of others, which own the deadline; they raise NoAnswerError too."""

    def __init__(self, settings: IdentitySettings, web: KeyWeb, endpoints: Endpoints) -> None:
        self._settings = settings
        self._web = web
        self._endpoints = endpoints
        self._lock = asyncio.Lock()
        self._kept: dict[str, _Kept] = {}

    async def aws(self, place: AwsPlace) -> AwsLogin:
        """Return the login at AWS. Raises NoIdentityError."""
        environment = self._settings.environment
        file, role = environment.get("AWS_WEB_IDENTITY_TOKEN_FILE"), environment.get("AWS_ROLE_ARN")
        if not file or not role:
            login = aws.login_in(environment)
            if login is None:
                raise NoIdentityError(
                    "Nopea has no login at AWS: its Pod has no role, its environment no access key"
                )
            return login
        async with self._lock:
            if isinstance(kept := self._current(place.partition), AwsLogin):
                return kept
            token = await _read(Path(file))
            call = aws.assume_role_by_token(role, token, self._endpoints.at("sts", place))
            answer = await self._web.post(call, is_ours=True)
            login = _given(aws.login_of(answer.status, answer.body), f"AWS gave Nopea no login as {role}")
            return self._keep(place.partition, login, aws.SESSION_SECONDS)

    async def vault(self, address: str) -> Secret:
        """Return the token for a Vault. Raises NoIdentityError."""
        file, role = self._settings.vault_token_file, self._settings.vault_role
        if not role:
            if file is None:
                raise NoIdentityError(
                    "Nopea has no login at Vault: set --sops-vault-token-file or --sops-vault-role"
                )
            return await _read(file)
        async with self._lock:
            if isinstance(kept := self._current(address), Secret):
                return kept
            call = vault.log_in(address, role, await _read(file or POD_TOKEN))
            answer = await self._web.post(call, is_ours=True)
            login: VaultLogin = _given(
                vault.logged_in(answer.status, answer.body), f"Vault gave Nopea no token as {role}"
            )
            return self._keep(address, login.token, login.seconds)

    def forget(self) -> None:
        """Forget logins: a service refused one. New ones stay, so that no tenant has us always log in."""
        now = asyncio.get_running_loop().time()
        self._kept = {name: kept for name, kept in self._kept.items() if now - kept.since < _NEW_SECONDS}

    def _current(self, name: str) -> AwsLogin | Secret | None:
        kept = self._kept.get(name)
        return kept.login if kept and asyncio.get_running_loop().time() < kept.until else None

    def _keep(self, name: str, login: _Login, seconds: float) -> _Login:
        now = asyncio.get_running_loop().time()
        self._kept[name] = _Kept(login, now, now + seconds * _OF_LIFETIME)
        return login


_Login = TypeVar("_Login", AwsLogin, Secret)


def _given(login: T | Declined, what: str) -> T:
    if isinstance(login, Declined):
        raise NoIdentityError(f"{what}: {login.why}", is_busy=login.is_busy)
    return login


async def _read(file: Path) -> Secret:
    try:
        text = (await asyncio.to_thread(_start_of, file)).strip()
    except OSError as error:
        raise NoIdentityError(f"Nopea cannot read {file}: {error.strerror}") from error
    if not text or not text.isascii() or not text.decode().isprintable():
        raise NoIdentityError(f"{file} has no token")
    return Secret(text)


def _start_of(file: Path) -> bytes:
    with file.open("rb") as opened:
        return opened.read(_MAX_FILE)
