"""The address to which the API server reports writes of users: certificate, token, and configuration.

The ValidatingWebhookConfiguration is installed with Nopea, and says which writes are reported and where to.
Nopea writes two things into it: the certificate that it shows, and the token in the path by which it knows
the API server. Both are in a Secret, so that they outlive the process. Who deletes the Secret renews both.
"""

from __future__ import annotations

import asyncio
import base64
import secrets
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import orjson

from nopea import log_events
from nopea.core.api import names
from nopea.core.secret import Secret
from nopea.kube.client import KubeClient
from nopea.kube.errors import AlreadyExistsError, ApiError, NotFoundError
from nopea.kube.kinds import SECRETS, VALIDATING_WEBHOOKS
from nopea.logs import Log
from nopea.web.certificate import Certificate, UnusableCertificateError, make_certificate

log = Log(__name__)

LOOK_SECONDS = 60.0
"""How often the configuration and the Secret are looked at: an installation may have reset them."""

RETRY_SECONDS = 10.0
"""How soon it is looked at again if that failed: a Pod may be there before its rights."""

OVERLAP_SECONDS = 5.0
"""How long a new certificate waits until API servers know it."""


class NotConfiguredError(Exception):
    """The configuration or the Secret cannot be used; the message says what to do."""


@dataclass(frozen=True, slots=True)
class _Identity:
    certificate: Certificate
    token: str


class UsersAddress:
    """The TLS context and the token of the endpoint; `run` keeps them and the configuration in step."""

    def __init__(self, client: KubeClient, *, namespace: str) -> None:
        self._client = client
        self._secret = SECRETS.at(name=names.USERS, namespace=namespace)
        self._configuration = VALIDATING_WEBHOOKS.at(name=names.USERS)
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._shown: _Identity | None = None
        self._why_not = ""

    def token(self) -> str:
        """Return the token; empty until there is one."""
        return self._shown.token if self._shown is not None else ""

    async def run(self) -> None:
        """Look again and again until cancelled. Why it does not work is logged when that changes."""
        while True:
            try:
                await self._look()
                self._why_not = ""
            except (ApiError, NotConfiguredError) as error:
                if str(error) != self._why_not:
                    log.write(log_events.users_not_recorded, error=str(error))
                self._why_not = str(error)
            await asyncio.sleep(RETRY_SECONDS if self._why_not else LOOK_SECONDS)

    async def _look(self) -> None:
        try:
            configuration = (await self._client.get(self._configuration)).json()
        except NotFoundError as error:
            raise NotConfiguredError(
                f"There is no ValidatingWebhookConfiguration {names.USERS}. Install deploy/record-users, "
                "or run without --record-users."
            ) from error
        hosts = _hosts_of(configuration)
        identity = await self._identity(hosts)
        is_new = self._shown is None or identity.certificate != self._shown.certificate
        also = self._shown.certificate.pem if is_new and self._shown is not None else ""
        written = await self._configure(configuration, identity, also=also)
        if not is_new and identity == self._shown:
            if written:
                log.write(log_events.users_recorded, hosts=hosts)
            return
        if also:
            await asyncio.sleep(OVERLAP_SECONDS)
        try:
            identity.certificate.load_into(self.context)
        except UnusableCertificateError as error:
            raise NotConfiguredError(f"{self._secret.key}: {error} Delete the Secret.") from error
        self._shown = identity
        log.write(log_events.users_recorded, hosts=hosts)

    async def _identity(self, hosts: list[str]) -> _Identity:
        """Return what the Secret holds; a certificate for other hosts, or an old one, is replaced."""
        now = datetime.now(UTC)
        try:
            known = _identity_of((await self._client.get(self._secret)).json())
        except NotFoundError:
            known = None
        if known is not None and known.token and known.certificate.is_good(hosts, now=now):
            return known
        made = await asyncio.to_thread(make_certificate, hosts, now=now)
        token = known.token if known is not None and known.token else secrets.token_urlsafe(32)
        identity = _Identity(made, token)
        if known is not None:
            await self._client.patch(self._secret, _secret_body(identity, patch=True))
            return identity
        try:
            await self._client.create(SECRETS, _secret_body(identity), namespace=self._secret.namespace)
        except AlreadyExistsError:  # another process was faster
            return _identity_of((await self._client.get(self._secret)).json())
        return identity

    async def _configure(self, configuration: Mapping[str, Any], identity: _Identity, *, also: str) -> bool:
        """Write the certificate and the path where they differ; return whether anything did."""
        bundle = base64.b64encode((identity.certificate.pem + also).encode()).decode()
        old = configuration.get("webhooks") or []
        new = [
            {**each, "clientConfig": _client_config(each["clientConfig"], bundle, identity.token)}
            for each in old
        ]
        if new == old:
            return False
        version = configuration["metadata"]["resourceVersion"]
        body = {"metadata": {"resourceVersion": version}, "webhooks": new}
        await self._client.patch(self._configuration, orjson.dumps(body), manager=names.USERS)
        return True


def _hosts_of(configuration: Mapping[str, Any]) -> list[str]:
    """Return the hosts by which the API server calls, sorted."""
    hosts: set[str] = set()
    for webhook in configuration.get("webhooks") or []:
        config = webhook["clientConfig"]
        if (service := config.get("service")) is not None:
            hosts.add(f"{service['name']}.{service['namespace']}.svc")
        else:
            hosts.add(urlsplit(config["url"]).hostname or "")
    if not hosts or "" in hosts:
        raise NotConfiguredError(
            f"The ValidatingWebhookConfiguration {names.USERS} names no host. Install the component again."
        )
    return sorted(hosts)


def _client_config(config: Mapping[str, Any], bundle: str, token: str) -> dict[str, Any]:
    path = f"/users/{token}"
    if (service := config.get("service")) is not None:
        return {**config, "caBundle": bundle, "service": {**service, "path": path}}
    return {**config, "caBundle": bundle, "url": urlunsplit(urlsplit(config["url"])._replace(path=path))}


def _identity_of(secret: Mapping[str, Any]) -> _Identity:
    """Return what a Secret holds; what is missing or damaged is empty, and is made again."""
    data = secret.get("data") or {}
    fields = {}
    for name in ("tls.crt", "tls.key", "token"):
        try:
            fields[name] = base64.b64decode(data.get(name) or "", validate=True).decode()
        except ValueError:
            fields[name] = ""
    return _Identity(Certificate(fields["tls.crt"], Secret(fields["tls.key"])), fields["token"])


def _secret_body(identity: _Identity, *, patch: bool = False) -> bytes:
    fields = {
        "tls.crt": identity.certificate.pem.encode(),
        "tls.key": identity.certificate.key.reveal(),
        "token": identity.token.encode(),
    }
    data = {name: base64.b64encode(value).decode() for name, value in fields.items()}
    if patch:
        return orjson.dumps({"data": data})
    return orjson.dumps(
        {
            "apiVersion": SECRETS.api_version,
            "kind": SECRETS.kind,
            "metadata": {"name": names.USERS},
            "data": data,
        }
    )
