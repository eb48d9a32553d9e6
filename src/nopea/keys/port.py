"""Have key services open data keys. Every call ends by its deadline; what was opened is kept nowhere here.

A tenant's login is sent to the service that the file names, within the networks that the process allows.
Nopea's own is used for the keys and namespaces that an operator names, and for no others.
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
from nopea.core.decryption.rules import any_allows
from nopea.core.decryption.sigv4 import AwsLogin
from nopea.core.decryption.wire import Call, Declined
from nopea.core.objects import RepoKey
from nopea.core.problem import StalledError
from nopea.core.secret import Secret
from nopea.keys import problems
from nopea.keys.http import KeyWeb, NoAnswerError
from nopea.keys.identity import IdentitySettings, NoIdentityError, OwnLogins

MAX_SECONDS = 30.0
NAMESPACE_REQUESTS = 8
NOBODY = IdentitySettings(environment={})
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyUser:
    """For whom a key is opened: the GitRepository, its logins, and its time."""

    owner: RepoKey
    timeout_seconds: float
    logins: KeyLogins = NO_KEY_LOGINS


@dataclass(frozen=True, slots=True)
class _Use:
    """One use of a key; `is_ours` if by Nopea's own login, else by the tenant's."""

    key: WrappedKey
    user: KeyUser
    is_ours: bool


class KeyServices:
    """See the module; open with `async with`."""

    def __init__(
        self,
        policy: TenancyPolicy,
        *,
        proxies: Mapping[str, str] | None = None,
        endpoints: Endpoints = IN_PUBLIC,
        identity: IdentitySettings = NOBODY,
    ) -> None:
        """`proxies` are the variables of the environment that name the proxy for https."""
        self._policy = policy
        self._endpoints = endpoints
        self._web = KeyWeb(policy.git_networks, proxies or {})
        self._identity = OwnLogins(identity, self._web, endpoints)
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
                return await self._open(key, user)
        except TimeoutError as error:
            raise problems.unreachable(key, "the server took too long to answer") from error

    async def _open(self, key: WrappedKey, user: KeyUser) -> Secret:
        try:
            match key:
                case VaultKey():
                    return await self._by_vault(key, user)
                case KmsKey():
                    return await self._by_kms(key, user)
        except NoIdentityError as error:
            raise problems.no_identity(key, str(error), is_busy=error.is_busy) from error
        except NoAnswerError as error:
            if error.hint:
                raise problems.refused(key, str(error), error.hint) from error
            raise problems.unreachable(key, str(error)) from error

    async def _by_vault(self, key: VaultKey, user: KeyUser) -> Secret:
        if not vault.is_written_well(key):
            raise problems.refused(key, "it is not written as a key of Vault", problems.WRITTEN)
        token = user.logins.vault_token
        use = _Use(key, user, is_ours=not token)
        if use.is_ours:
            self._must_be_allowed(use, VAULT_TOKEN)
            token = await self._identity.vault(key.address)
        return await self._ask(use, vault.decrypt(key, token), vault.decrypted)

    async def _by_kms(self, key: KmsKey, user: KeyUser) -> Secret:
        place = aws.place_of(key)
        if place is None:
            raise problems.refused(key, "it is not written as a key of AWS KMS", problems.WRITTEN)
        login = user.logins.aws
        use = _Use(key, user, is_ours=login is None)
        if login is None:
            self._must_be_allowed(use, AWS_KMS)
            login = await self._identity.aws(place)
        if key.role:
            login = await self._as_role(key.role, place, login, use)
        url = self._endpoints.at("kms", place)
        return await self._ask(use, aws.decrypt(key, place, url, login, datetime.now(UTC)), aws.decrypted)

    async def _as_role(self, role: str, place: AwsPlace, login: AwsLogin, use: _Use) -> AwsLogin:
        url = self._endpoints.at("sts", place)
        return await self._ask(use, aws.assume_role(role, place, url, login, datetime.now(UTC)), aws.login_of)

    def _must_be_allowed(self, use: _Use, secret_key: str) -> None:
        """Raise StalledError unless an operator lets the namespace use this key with Nopea's own login."""
        namespace = use.user.owner.namespace
        if not any_allows(self._policy.sops_keys, namespace, use.key):
            raise problems.no_login(use.key, namespace, secret_key=secret_key)

    async def _ask(self, use: _Use, call: Call, read: Callable[[int, bytes], T | Declined]) -> T:
        """Return what the answer has. Raises SyncError and NoAnswerError."""
        is_ours = use.is_ours or call.url in self._endpoints.urls.values()
        if not is_ours:
            violation = receiver_violation(f"The key {use.key}", call.url, self._policy, is_secret=True)
            if violation is not None:
                raise StalledError(violation)
        ca_crt = "" if use.is_ours else use.user.logins.ca_crt
        answer = await self._web.post(call, is_ours=is_ours, ca_crt=ca_crt)
        found = read(answer.status, answer.body)
        if not isinstance(found, Declined):
            return found
        if use.is_ours:
            self._identity.forget()
        if found.is_busy:
            raise problems.unreachable(use.key, found.why, retry_after=answer.retry_after)
        raise problems.refused(use.key, found.why)
