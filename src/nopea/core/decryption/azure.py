"""What is asked of Azure Key Vault and of Microsoft Entra, and what their answers mean. Pure.

A file names its vault. So tokens go to hosts of Microsoft only, or to one that an operator names.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from nopea.core.decryption import oauth
from nopea.core.decryption.keys import AzureKey
from nopea.core.decryption.wire import OK, Call, Declined, data_key, declined
from nopea.core.secret import Secret

PUBLIC_AUTHORITY = "https://login.microsoftonline.com"
_AUTHORITIES = frozenset(
    (
        PUBLIC_AUTHORITY,
        "https://login.microsoftonline.us",
        "https://login.chinacloudapi.cn",
        "https://login.partner.microsoftonline.cn",
    )
)
_PUBLIC_DOMAIN = "vault.azure.net"
_VAULT = re.compile(
    r"https://[a-z0-9-]{1,127}\.((?:vault|managedhsm)\.(?:azure\.net|azure\.cn|usgovcloudapi\.net))",
    re.ASCII | re.IGNORECASE,
)
_ADDRESS = r"https://(?:[A-Za-z0-9.-]+|\[[0-9a-fA-F:.]+\])(?::[0-9]{1,5})?"
_URI = re.compile(
    rf"(?P<vault>{_ADDRESS})/keys/(?P<name>[0-9A-Za-z-]{{1,127}})/(?P<version>[0-9A-Za-z]{{1,64}})"
)
_TENANT = re.compile(r"[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*")
_CLIENT = re.compile(r"[A-Za-z0-9-]{1,64}")
_SECRET = re.compile(r"[!-~]+")
_REASON = re.compile(r"[A-Za-z]{1,64}")
_API = "7.4"
_ALGORITHM = "RSA-OAEP-256"
_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@dataclass(frozen=True, slots=True, kw_only=True)
class AzureLogin:
    """A client of Microsoft Entra, with its secret or with a token of an issuer that it trusts."""

    tenant: str
    client: str
    secret: Secret
    is_assertion: bool = False
    authority: str = ""
    """Where it logs in, if it says so."""


def login_of(fields: Mapping[str, str]) -> AzureLogin | str:
    """Return the login that Flux's fields have, or those of `az`, or what is wrong with it."""
    if "clientCertificate" in fields:
        return "has a clientCertificate, which is not used: use a clientSecret"
    names = (("tenantId", "tenant"), ("clientId", "appId"), ("clientSecret", "password"))
    tenant, client, secret = (fields.get(name) or fields.get(other, "") for name, other in names)
    if not _TENANT.fullmatch(tenant) or not _CLIENT.fullmatch(client) or not _SECRET.fullmatch(secret):
        return "has no tenantId, clientId and clientSecret"
    authority = fields.get("authorityHost", "").rstrip("/")
    if authority and authority not in _AUTHORITIES:
        return "has an authorityHost that is not Microsoft's"
    return AzureLogin(tenant=tenant, client=client, secret=Secret(secret), authority=authority)


def key_of(uri: str) -> AzureKey | None:
    """Return the key that is written as `sops` prints it, without what it encrypted."""
    found = _URI.fullmatch(uri)
    return AzureKey(id="", ciphertext="", **found.groupdict()) if found else None


def is_written_well(key: AzureKey) -> bool:
    """Return whether a key is written as one of Key Vault: nothing else gets into a URL."""
    return key_of(key.uri) is not None


def is_in_public(key: AzureKey) -> bool:
    """Return whether the vault is on a host of Microsoft."""
    return _VAULT.fullmatch(key.vault) is not None


def scope_of(key: AzureKey) -> str:
    """Return what a token must be for: the service in the cloud of the vault, and nothing else."""
    found = _VAULT.fullmatch(key.vault)
    return f"https://{found[1].lower() if found else _PUBLIC_DOMAIN}/.default"


def log_in(login: AzureLogin, authority: str, scope: str) -> Call:
    """Ask Entra for a token."""
    secret = login.secret.reveal().decode("latin-1")
    proof = {"client_secret": secret}
    if login.is_assertion:
        proof = {"client_assertion_type": _ASSERTION, "client_assertion": secret}
    fields = {"grant_type": "client_credentials", "client_id": login.client, "scope": scope, **proof}
    return oauth.form(f"{authority}/{login.tenant}/oauth2/v2.0/token", fields)


def decrypt(key: AzureKey, token: Secret) -> Call:
    """Ask for a data key."""
    return Call(
        url=f"{key.vault}/keys/{key.name}/{key.version}/decrypt?api-version={_API}",
        headers={"Content-Type": "application/json", "Authorization": oauth.bearer(token)},
        body=orjson.dumps({"alg": _ALGORITHM, "value": key.ciphertext}),
    )


def decrypted(status: int, body: bytes) -> Secret | Declined:
    """Read the data key from an answer."""
    if status == OK:
        return data_key(body, "value", is_for_urls=True)
    reason = ""
    with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
        error = orjson.loads(body)["error"]
        reason = str((error.get("innererror") or error)["code"])
    return declined(status, reason if _REASON.fullmatch(reason) else "")
