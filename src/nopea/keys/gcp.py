"""Google Cloud KMS as a key service."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TypeAlias

from nopea.core.decryption import federation, gcp, oauth
from nopea.core.decryption.endpoints import CLOUD_KMS, Endpoints
from nopea.core.decryption.federation import ExternalAccount
from nopea.core.decryption.gcp import GcpAccount
from nopea.core.decryption.keys import GcpKey
from nopea.core.decryption.logins import GCP_KMS, KeyLogins
from nopea.core.decryption.wire import Lent
from nopea.core.secret import Secret
from nopea.keys.http import NoAnswerError
from nopea.keys.identity import KeyIdentity, NoIdentityError, read_file, token_in
from nopea.keys.service import Ask

_FILE = "GOOGLE_APPLICATION_CREDENTIALS"
GcpLogin: TypeAlias = GcpAccount | Secret
"""A service account, or a token."""


class GoogleKms:
    """See `Service`."""

    secret_key = GCP_KMS

    def __init__(self, identity: KeyIdentity, endpoints: Endpoints) -> None:
        self._identity = identity
        self._endpoints = endpoints
        self.forget = identity.forget

    def flaw(self, key: GcpKey) -> str:
        """Return why nobody may be asked about a key."""
        return "" if gcp.is_written_well(key) else "it is not written as a key of Google Cloud KMS"

    def tenants(self, logins: KeyLogins) -> GcpLogin | None:
        """Return the service account of a tenant."""
        return logins.gcp

    async def own(self, key: GcpKey) -> GcpLogin:
        """Return the login at Google Cloud, for any key: that of a file, else that of the Pod.

        Raises NoIdentityError and NoAnswerError.
        """
        del key
        environment = self._identity.settings.environment
        if name := environment.get(_FILE):
            return await self._of_file(Path(name))
        host = environment.get("GCE_METADATA_HOST") or gcp.METADATA_HOST
        return await self._identity.kept(host, partial(self._of_metadata, host))

    async def open(self, key: GcpKey, login: GcpLogin, ask: Ask) -> Secret:
        """Return the data key. Raises SyncError, NoIdentityError and NoAnswerError."""
        if isinstance(login, GcpAccount):
            try:
                login = await asyncio.to_thread(gcp.signed_token, login, datetime.now(UTC))
            except ValueError as error:
                raise NoIdentityError("the private key of the service account cannot sign") from error
        url = self._endpoints.at(CLOUD_KMS, gcp.PUBLIC_URL)
        is_operators = self._endpoints.names(CLOUD_KMS)
        return await ask(gcp.decrypt(key, url, login), gcp.decrypted, is_operators=is_operators)

    async def _of_file(self, file: Path) -> GcpLogin:
        found = gcp.read_credentials(await read_file(file))
        if isinstance(found, str):
            raise NoIdentityError(f"{file} {found}")
        if found["type"] != federation.EXTERNAL:
            account = gcp.account_of(found)
            if isinstance(account, str):
                raise NoIdentityError(f"{file} {account}")
            return account
        external = federation.external_account_of(found)
        if isinstance(external, str):
            raise NoIdentityError(f"{file} {external}")
        return await self._identity.kept(str(file), partial(self._of_issuer, external))

    async def _of_issuer(self, account: ExternalAccount) -> Lent[Secret]:
        file = Path(account.file)
        try:
            token = token_in(federation.token_in(await read_file(file), account).reveal(), file)
        except ValueError as error:
            raise NoIdentityError(f"{file} has no token") from error
        what = f"Google Cloud gave Nopea no token for that in {file}"
        lent = await self._identity.ask(federation.exchange(account, token), oauth.token_of, what)
        if not account.impersonation_url:
            return lent
        read = partial(federation.impersonated, now=datetime.now(UTC))
        what = "Google Cloud gave Nopea no token of the service account"
        return await self._identity.ask(federation.impersonate(account, lent.login), read, what)

    async def _of_metadata(self, host: str) -> Lent[Secret]:
        what = "the metadata server gave Nopea no token of Google Cloud"
        try:
            return await self._identity.ask(gcp.ask_metadata(host), oauth.token_of, what)
        except NoAnswerError as error:
            why = f"Nopea has no login at Google Cloud: {_FILE} is not set, and at {host} {error}"
            raise NoIdentityError(why, is_busy=True) from error
