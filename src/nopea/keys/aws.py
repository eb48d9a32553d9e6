"""AWS KMS as a key service, with STS beside it."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from nopea.core.decryption import aws
from nopea.core.decryption.aws import AwsPlace
from nopea.core.decryption.endpoints import KMS, STS, Endpoints
from nopea.core.decryption.keys import KmsKey
from nopea.core.decryption.logins import AWS_KMS, KeyLogins
from nopea.core.decryption.sigv4 import AwsLogin
from nopea.core.decryption.wire import Lent
from nopea.core.secret import Secret
from nopea.keys.identity import KeyIdentity, NoIdentityError, read_token
from nopea.keys.service import Ask

_AGENT = ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI")


class AwsKms:
    """See `Service`."""

    secret_key = AWS_KMS

    def __init__(self, identity: KeyIdentity, endpoints: Endpoints) -> None:
        self._identity = identity
        self._endpoints = endpoints
        self.forget = identity.forget

    def flaw(self, key: KmsKey) -> str:
        """Return why nobody may be asked about a key."""
        return "" if aws.place_of(key) else "it is not written as a key of AWS KMS"

    def tenants(self, logins: KeyLogins) -> AwsLogin | None:
        """Return the login of a tenant."""
        return logins.aws

    async def own(self, key: KmsKey) -> AwsLogin:
        """Return the login at AWS, from the first source that there is, in the order of AWS's own tools.

        Raises NoIdentityError and NoAnswerError.
        """
        environment, place = self._identity.settings.environment, _place(key)
        if login := aws.login_in(environment):
            return login
        file, role = environment.get("AWS_WEB_IDENTITY_TOKEN_FILE"), environment.get("AWS_ROLE_ARN")
        if file and role:
            return await self._identity.kept(place.partition, partial(self._as_role, role, Path(file), place))
        file, agent = (environment.get(name) for name in _AGENT)
        if file and agent:
            return await self._identity.kept(agent, partial(self._of_agent, agent, Path(file)))
        raise NoIdentityError("Nopea has no login at AWS: its Pod has no role, its environment no access key")

    async def _as_role(self, role: str, file: Path, place: AwsPlace) -> Lent[AwsLogin]:
        call = aws.assume_role_by_token(role, await read_token(file), self._url(STS, place))
        login = await self._identity.ask(call, aws.login_of, f"AWS gave Nopea no login as {role}")
        return Lent(login, aws.SESSION_SECONDS)

    async def _of_agent(self, agent: str, file: Path) -> Lent[AwsLogin]:
        call = aws.ask_agent(agent, await read_token(file))
        if call is None:
            raise NoIdentityError(
                f"{_AGENT[1]} names neither an https address nor one that AWS's tools allow for http"
            )
        read = partial(aws.login_of_agent, now=datetime.now(UTC))
        return await self._identity.ask(call, read, "EKS Pod Identity gave Nopea no login at AWS")

    async def open(self, key: KmsKey, login: AwsLogin, ask: Ask) -> Secret:
        """Return the data key, as the role that the key has. Raises SyncError and NoAnswerError."""
        place, named = _place(key), self._endpoints.names
        if key.role:
            call = aws.assume_role(key.role, place, self._url(STS, place), login, datetime.now(UTC))
            login = await ask(call, aws.login_of, is_operators=named(STS))
        call = aws.decrypt(key, place, self._url(KMS, place), login, datetime.now(UTC))
        return await ask(call, aws.decrypted, is_operators=named(KMS))

    def _url(self, service: str, place: AwsPlace) -> str:
        return self._endpoints.at(service, aws.public_url(service, place))


def _place(key: KmsKey) -> AwsPlace:
    place = aws.place_of(key)
    if place is None:
        raise ValueError("a key with a flaw was to be opened")
    return place
