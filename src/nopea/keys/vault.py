"""Vault's transit engine as a key service."""

from __future__ import annotations

from nopea.core.decryption import vault
from nopea.core.decryption.keys import VaultKey
from nopea.core.decryption.logins import VAULT_TOKEN, KeyLogins
from nopea.core.decryption.wire import Lent
from nopea.core.secret import Secret
from nopea.keys.identity import POD_TOKEN, KeyIdentity, NoIdentityError, read_token
from nopea.keys.service import Ask


class VaultTransit:
    """See `Service`."""

    secret_key = VAULT_TOKEN

    def __init__(self, identity: KeyIdentity) -> None:
        self._identity = identity
        self.forget = identity.forget

    def flaw(self, key: VaultKey) -> str:
        """Return why nobody may be asked about a key."""
        return "" if vault.is_written_well(key) else "it is not written as a key of Vault"

    def tenants(self, logins: KeyLogins) -> Secret | None:
        """Return the token of a tenant."""
        return logins.vault_token or None

    async def own(self, key: VaultKey) -> Secret:
        """Return the token for a Vault. Raises NoIdentityError and NoAnswerError."""
        settings = self._identity.settings
        file, role, address = settings.vault_token_file, settings.vault_role, key.address
        if not role:
            if file is None:
                raise NoIdentityError(
                    "Nopea has no login at Vault: set --sops-vault-token-file or --sops-vault-role"
                )
            return await read_token(file)

        async def log_in() -> Lent[Secret]:
            call = vault.log_in(address, role, await read_token(file or POD_TOKEN))
            return await self._identity.ask(call, vault.logged_in, f"Vault gave Nopea no token as {role}")

        return await self._identity.kept(address, log_in)

    async def open(self, key: VaultKey, login: Secret, ask: Ask) -> Secret:
        """Return the data key. Raises SyncError and NoAnswerError."""
        return await ask(vault.decrypt(key, login), vault.decrypted)
