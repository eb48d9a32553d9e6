"""Have key services open data keys. Every call ends by its deadline; what was opened is kept nowhere here.

A tenant's login is sent to the service that the file names, within the networks that the process allows.
Nopea's own is used for the keys and namespaces that an operator names, and for no others.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Self, TypeVar
from weakref import WeakValueDictionary

from nopea.core.api.tenancy import TenancyPolicy, receiver_violation
from nopea.core.decryption.endpoints import IN_PUBLIC, Endpoints
from nopea.core.decryption.keys import AzureKey, GcpKey, KmsKey, VaultKey, WrappedKey
from nopea.core.decryption.logins import NO_KEY_LOGINS, KeyLogins
from nopea.core.decryption.rules import any_allows
from nopea.core.decryption.wire import Call, Declined
from nopea.core.objects import RepoKey
from nopea.core.problem import StalledError
from nopea.core.secret import Secret
from nopea.keys import problems
from nopea.keys.aws import AwsKms
from nopea.keys.azure import AzureVaults
from nopea.keys.gcp import GoogleKms
from nopea.keys.http import KeyWeb, NoAnswerError
from nopea.keys.identity import IdentitySettings, KeyIdentity, NoIdentityError
from nopea.keys.service import Service
from nopea.keys.vault import VaultTransit

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
    service: Service[Any, Any]
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
        self._web = KeyWeb(policy.git_networks, proxies or {})
        self.services: Mapping[type[WrappedKey], Service[Any, Any]] = {
            VaultKey: VaultTransit(KeyIdentity(identity, self._web)),
            KmsKey: AwsKms(KeyIdentity(identity, self._web), endpoints),
            AzureKey: AzureVaults(KeyIdentity(identity, self._web), endpoints, policy.sops_keys),
            GcpKey: GoogleKms(KeyIdentity(identity, self._web), endpoints),
        }
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
        service = self.services[type(key)]
        if flaw := service.flaw(key):
            raise problems.refused(key, flaw, problems.WRITTEN)
        login = service.tenants(user.logins)
        use = _Use(key, user, service, is_ours=login is None)
        try:
            if login is None:
                self._must_be_allowed(use)
                return await self._open_by_own(use)
            return await service.open(key, login, partial(self._ask, use))
        except NoIdentityError as error:
            raise problems.no_identity(key, str(error), is_ours=use.is_ours, is_busy=error.is_busy) from error
        except NoAnswerError as error:
            if error.hint:
                raise problems.refused(key, str(error), error.hint) from error
            raise problems.unreachable(key, str(error)) from error

    async def _open_by_own(self, use: _Use) -> Secret:
        """Open a key with Nopea's login, once more if one that was kept is refused and there is another."""
        service, key, ask = use.service, use.key, partial(self._ask, use)
        login = await service.own(key)
        try:
            return await service.open(key, login, ask)
        except StalledError:
            service.forget()
            renewed = await service.own(key)
            if renewed == login:
                raise
        return await service.open(key, renewed, ask)

    def _must_be_allowed(self, use: _Use) -> None:
        """Raise StalledError unless an operator lets the namespace use this key with Nopea's own login."""
        namespace = use.user.owner.namespace
        if not any_allows(self._policy.sops_keys, namespace, use.key):
            raise problems.no_login(use.key, namespace, secret_key=use.service.secret_key)

    async def _ask(
        self,
        use: _Use,
        call: Call,
        read: Callable[[int, bytes], T | Declined],
        *,
        is_operators: bool = False,
    ) -> T:
        """See `Ask`."""
        is_ours = use.is_ours or is_operators
        if not is_ours:
            violation = receiver_violation(f"The key {use.key}", call.url, self._policy, is_secret=True)
            if violation is not None:
                raise StalledError(violation)
        ca_crt = "" if use.is_ours else use.user.logins.ca_crt
        answer = await self._web.send(call, is_ours=is_ours, ca_crt=ca_crt)
        found = read(answer.status, answer.body)
        if not isinstance(found, Declined):
            return found
        if found.is_busy:
            raise problems.unreachable(use.key, found.why, retry_after=answer.retry_after)
        raise problems.refused(use.key, found.why)
