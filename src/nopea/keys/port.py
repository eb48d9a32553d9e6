"""Have key services open data keys. Every call ends by its deadline; what was opened is kept nowhere here.

A tenant's login is sent to the service that the file names, within the networks that the process allows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self, TypeVar
from weakref import WeakValueDictionary

from nopea.core.api.tenancy import TenancyPolicy, receiver_violation
from nopea.core.decryption import aws, vault
from nopea.core.decryption.aws import IN_PUBLIC, AwsPlace, Endpoints
from nopea.core.decryption.keys import KmsKey, VaultKey, WrappedKey
from nopea.core.decryption.logins import AWS_KMS, NO_KEY_LOGINS, VAULT_TOKEN, KeyLogins
from nopea.core.decryption.sigv4 import AwsLogin
from nopea.core.decryption.wire import Call, Declined
from nopea.core.objects import RepoKey
from nopea.core.problem import StalledError
from nopea.core.secret import Secret
from nopea.keys import problems
from nopea.keys.http import KeyWeb, NoAnswerError

MAX_SECONDS = 30.0
NAMESPACE_REQUESTS = 8
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyUser:
    """For whom a key is opened: the GitRepository, its logins, and its time."""

    owner: RepoKey
    timeout_seconds: float
    logins: KeyLogins = NO_KEY_LOGINS


@dataclass(frozen=True, slots=True)
class _Use:
    """One use of a key, by a tenant's login."""

    key: WrappedKey
    user: KeyUser


class KeyServices:
    """See the module; open with `async with`."""

    def __init__(
        self,
        policy: TenancyPolicy,
        *,
        proxies: Mapping[str, str] | None = None,
        endpoints: Endpoints = IN_PUBLIC,
    ) -> None:
        """`proxies` are the variables of the environment that name the proxy for https."""
        self._policy = policy
        self._endpoints = endpoints
        self._web = KeyWeb(policy.git_networks, dict(proxies or {}))
        self._slots: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    async def __aenter__(self) -> Self:
        await self._web.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._web.__aexit__(*exc)

    async def open(self, key: WrappedKey, user: KeyUser) -> Secret:
        """Return the data key. Raises SyncError."""
        slots = self._slots.setdefault(user.owner.namespace, asyncio.Semaphore(NAMESPACE_REQUESTS))
        try:
            async with asyncio.timeout(user.timeout_seconds), slots, asyncio.timeout(MAX_SECONDS):
                return await self._open(_Use(key, user))
        except TimeoutError as error:
            raise problems.unreachable(key, "the server took too long to answer") from error

    async def _open(self, use: _Use) -> Secret:
        match use.key:
            case VaultKey() as key:
                return await self._by_vault(key, use)
            case KmsKey() as key:
                return await self._by_kms(key, use)

    async def _by_vault(self, key: VaultKey, use: _Use) -> Secret:
        if not vault.is_written_well(key):
            raise problems.refused(key, "it is not written as a key of Vault", problems.WRITTEN)
        token = use.user.logins.vault_token
        if not token:
            raise problems.no_login(key, secret_key=VAULT_TOKEN)
        return await self._ask(use, vault.decrypt(key, token), vault.decrypted)

    async def _by_kms(self, key: KmsKey, use: _Use) -> Secret:
        place = aws.place_of(key)
        if place is None:
            raise problems.refused(key, "it is not written as a key of AWS KMS", problems.WRITTEN)
        login = use.user.logins.aws
        if login is None:
            raise problems.no_login(key, secret_key=AWS_KMS)
        if key.role:
            login = await self._as_role(key, place, login, use)
        url = self._endpoints.at("kms", place)
        return await self._ask(use, aws.decrypt(key, place, url, login, datetime.now(UTC)), aws.decrypted)

    async def _as_role(self, key: KmsKey, place: AwsPlace, login: AwsLogin, use: _Use) -> AwsLogin:
        url = self._endpoints.at("sts", place)
        call = aws.assume_role(key.role, place, url, login, datetime.now(UTC))
        return await self._ask(use, call, aws.login_of)

    async def _ask(self, use: _Use, call: Call, read: Callable[[int, bytes], T | Declined]) -> T:
        """Return what the answer has. Raises SyncError."""
        is_ours = call.url in self._endpoints.urls.values()
        if not is_ours:
            violation = receiver_violation(f"The key {use.key}", call.url, self._policy, is_secret=True)
            if violation is not None:
                raise StalledError(violation)
        try:
            answer = await self._web.post(call, is_ours=is_ours, ca_crt=use.user.logins.ca_crt)
        except NoAnswerError as error:
            if error.hint:
                raise problems.refused(use.key, str(error), error.hint) from error
            raise problems.unreachable(use.key, str(error)) from error
        found = read(answer.status, answer.body)
        if not isinstance(found, Declined):
            return found
        if found.is_busy:
            raise problems.unreachable(use.key, found.why, retry_after=answer.retry_after)
        raise problems.refused(use.key, found.why)
