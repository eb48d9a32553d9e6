"""Workload Identity Federation: a token of Google Cloud for one of another issuer. Pure.

The issuer may be the cluster, for instance. Only an operator's file says who is asked: no tenant's login is
of this type.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from nopea.core.decryption import oauth
from nopea.core.decryption.wire import OK, Call, Declined, Lent, declined, seconds_until
from nopea.core.secret import Secret

EXTERNAL = "external_account"
_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
_WANTED = "urn:ietf:params:oauth:token-type:access_token"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalAccount:
    """Where the token to exchange is, and who exchanges it."""

    audience: str
    token_type: str
    token_url: str
    file: str
    field: str = ""
    """Where the file is JSON: what has the token in it."""
    impersonation_url: str = ""
    """Who gives a token of a service account for what was exchanged; else that is the token."""


def external_account_of(found: Mapping[str, Any]) -> ExternalAccount | str:
    """Return what a file of credentials says, or what is wrong with it, as the end of a sentence about it."""
    source = found.get("credential_source")
    if not isinstance(source, dict) or not isinstance(source.get("file"), str):
        return "has another credential_source than a file"
    format_ = source.get("format", {})
    if not isinstance(format_, dict):
        return "has a credential_source whose format cannot be read"
    texts = [found.get(each) for each in ("audience", "subject_token_type", "token_url")]
    impersonation_url = found.get("service_account_impersonation_url") or ""
    if not all(isinstance(each, str) for each in (*texts, impersonation_url)):
        return "has no audience, subject_token_type or token_url"
    if not all(url.startswith("https://") for url in (texts[2], impersonation_url) if url):
        return "names an address that is not an https URL"
    field = format_.get("subject_token_field_name", "") if format_.get("type") == "json" else ""
    return ExternalAccount(
        audience=str(texts[0]),
        token_type=str(texts[1]),
        token_url=str(texts[2]),
        file=str(source["file"]),
        field=str(field),
        impersonation_url=str(impersonation_url),
    )


def token_in(text: bytes, account: ExternalAccount) -> Secret:
    """Return the token in the file. Raises ValueError."""
    if not account.field:
        return Secret(text.strip())
    try:
        return Secret(str(orjson.loads(text)[account.field]))
    except (KeyError, TypeError) as error:
        raise ValueError("the file has no such field") from error


def exchange(account: ExternalAccount, token: Secret) -> Call:
    """Ask for a token of Google Cloud, for that of another issuer."""
    return oauth.form(
        account.token_url,
        {
            "grant_type": _GRANT,
            "audience": account.audience,
            "scope": _SCOPE,
            "requested_token_type": _WANTED,
            "subject_token_type": account.token_type,
            "subject_token": token.reveal().decode("latin-1"),
        },
    )


def impersonate(account: ExternalAccount, token: Secret) -> Call:
    """Ask for a token of the service account."""
    return Call(
        url=account.impersonation_url,
        headers={"Content-Type": "application/json", "Authorization": oauth.bearer(token)},
        body=orjson.dumps({"scope": [_SCOPE], "lifetime": "3600s"}),
    )


def impersonated(status: int, body: bytes, *, now: datetime) -> Lent[Secret] | Declined:
    """Read the token of the service account from an answer."""
    if status != OK:
        return declined(status, "")
    try:
        found = orjson.loads(body)
        return oauth.lent(found["accessToken"], seconds_until(found["expireTime"], now))
    except (ValueError, KeyError, TypeError):
        return oauth.NO_TOKEN
