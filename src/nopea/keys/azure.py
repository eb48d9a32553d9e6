"""Azure Key Vault as a key service, with Microsoft Entra beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

from nopea.core.decryption import azure, oauth
from nopea.core.decryption.azure import AzureLogin
from nopea.core.decryption.endpoints import ENTRA, Endpoints
from nopea.core.decryption.keys import AzureKey
from nopea.core.decryption.logins import AZURE_KV, KeyLogins
from nopea.core.decryption.rules import KeyRule
from nopea.core.decryption.wire import Lent
from nopea.core.secret import Secret
from nopea.keys.identity import KeyIdentity, NoIdentityError, read_token
from nopea.keys.service import Ask

_NAMES = ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", "AZURE_FEDERATED_TOKEN_FILE")
EntraLogin: TypeAlias = AzureLogin | Secret
"""A client, or a token."""


class AzureVaults:
    """See `Service`. Vaults that rules name may be anywhere; all others are on hosts of Microsoft."""

    secret_key = AZURE_KV

    def __init__(self, identity: KeyIdentity, endpoints: Endpoints, rules: Sequence[KeyRule]) -> None:
        self._identity = identity
        self._endpoints = endpoints
        self._named = {key.vault for rule in rules if (key := azure.key_of(rule.uri))}
        self.forget = identity.forget

    def flaw(self, key: AzureKey) -> str:
        """Return why nobody may be asked about a key."""
        if not azure.is_written_well(key):
            return "it is not written as a key of Azure Key Vault"
        if key.vault in self._named or azure.is_in_public(key):
            return ""
        return "its address is not one of Azure Key Vault"

    def tenants(self, logins: KeyLogins) -> EntraLogin | None:
        """Return the client of a tenant."""
        return logins.azure

    async def own(self, key: AzureKey) -> EntraLogin:
        """Return a token for the vaults of a cloud, of the first login that there is.

        The order is that of Azure's own tools. Raises NoIdentityError and NoAnswerError.
        """
        environment = self._identity.settings.environment
        tenant, client, secret, file = (environment.get(name, "") for name in _NAMES)
        if not tenant or not client or not (secret or file):
            raise NoIdentityError("Nopea has no login at Azure: its Pod has no identity of Workload Identity")
        scope = azure.scope_of(key)

        async def log_in() -> Lent[Secret]:
            proof = Secret(secret) if secret else await read_token(Path(file))
            login = AzureLogin(tenant=tenant, client=client, secret=proof, is_assertion=not secret)
            call = azure.log_in(login, self._authority, scope)
            return await self._identity.ask(call, oauth.token_of, f"Entra gave Nopea no token as {client}")

        return await self._identity.kept(scope, log_in)

    async def open(self, key: AzureKey, login: EntraLogin, ask: Ask) -> Secret:
        """Return the data key. Raises SyncError and NoAnswerError."""
        if isinstance(login, AzureLogin):
            call = azure.log_in(login, login.authority or self._authority, azure.scope_of(key))
            is_operators = not login.authority and self._endpoints.names(ENTRA)
            login = (await ask(call, oauth.token_of, is_operators=is_operators)).login
        return await ask(azure.decrypt(key, login), azure.decrypted)

    @property
    def _authority(self) -> str:
        return self._endpoints.at(ENTRA, azure.PUBLIC_AUTHORITY)
