"""Identifies and authenticates the sender of a delivery, by headers and raw bytes, before parsing.

Only the form around a Gitea payload is decoded first, because Gitea signs its content. A request is checked
by the first scheme of which it has a header; if that fails, no other scheme is tried.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from nopea.core.api.spec import Provider
from nopea.core.secret import Secret
from nopea.core.webhooks.body import payload_of
from nopea.core.webhooks.refused import RefusedError, unsigned, unusable_secret, wrong_signature
from nopea.core.webhooks.schemes import (
    SIGNING_TOKEN,
    STANDARD_SIGNATURE,
    check_bare_hmac,
    check_basic,
    check_hmac,
    check_standard,
    check_token,
)

DIAGNOSTICS_PING = "diagnostics:ping"
"""The event of Bitbucket Data Center's "Test connection", which comes unsigned."""


def is_unsigned_ping(headers: Mapping[str, str]) -> bool:
    """Return whether it is such a test. Every address answers it alike, since nobody has proved anything."""
    is_ping = headers.get("x-event-key") == DIAGNOSTICS_PING
    return is_ping and "x-hub-signature" not in headers and "authorization" not in headers


def detect(headers: Mapping[str, str]) -> Provider:
    """Return the provider by the headers (lower-case names); GENERIC also for Azure DevOps, which has none.

    Gitea and Forgejo also send GitHub's headers, so they come first. A proxy may add `x-request-id` to
    anything, so Bitbucket Cloud comes before Data Center.
    """
    if "x-forgejo-event" in headers or "x-gitea-event" in headers:
        return Provider.GITEA
    if "x-gitlab-event" in headers:
        return Provider.GITLAB
    if "x-github-event" in headers:
        return Provider.GITHUB
    if "x-event-key" in headers:
        is_cloud = "x-hook-uuid" in headers or "x-request-uuid" in headers
        return Provider.BITBUCKET_CLOUD if is_cloud else Provider.BITBUCKET_DATA_CENTER
    return Provider.GENERIC


def authenticate(
    headers: Mapping[str, str], body: bytes, secret: Secret, *, provider: Provider | None, now: datetime
) -> Provider:
    """Return the provider of an authenticated delivery; raises RefusedError otherwise.

    Header names are lower-case. Only the headers of a given `provider` count. Without one, Azure DevOps is
    GENERIC as well: `extract` distinguishes them by the body.
    """
    if not secret:
        raise unusable_secret("No secret is configured for this webhook.")
    sender = provider or detect(headers)
    match sender:
        case Provider.GITHUB:
            check_hmac(headers, "x-hub-signature-256", body, secret)
        case Provider.GITLAB:
            _gitlab(headers, body, secret, now=now)
        case Provider.GITEA:
            _gitea(headers, body, secret)
        case Provider.BITBUCKET_CLOUD:
            check_hmac(headers, "x-hub-signature", body, secret)
        case Provider.BITBUCKET_DATA_CENTER:
            _data_center(headers, body, secret)
        case Provider.AZURE_DEVOPS:
            check_basic(headers, secret)
        case Provider.GENERIC:
            _generic(headers, body, secret, takes_basic=provider is None, now=now)
    return sender


def _gitlab(headers: Mapping[str, str], body: bytes, secret: Secret, *, now: datetime) -> None:
    """Check by the scheme of the secret; headers of the other scheme are ignored.

    GitLab may send both, from two secrets of which Nopea has one. A signing token that is sent as a plain
    token is refused, because signing tokens are never sent.
    """
    if secret.reveal().startswith(SIGNING_TOKEN):
        check_standard(headers, body, secret, now=now)
    else:
        check_token(headers, "x-gitlab-token", secret)


def _gitea(headers: Mapping[str, str], body: bytes, secret: Secret) -> None:
    header = "x-forgejo-signature" if "x-forgejo-event" in headers else "x-gitea-signature"
    try:
        payload = payload_of(headers, body)
    except RefusedError as error:  # the sender is not authenticated yet: say nothing about the body
        raise wrong_signature(header) from error
    check_bare_hmac(headers, header, payload, secret)


def _data_center(headers: Mapping[str, str], body: bytes, secret: Secret) -> None:
    if "x-hub-signature" in headers:
        check_hmac(headers, "x-hub-signature", body, secret)
    elif "authorization" in headers:
        check_basic(headers, secret)
    else:
        raise unsigned("x-hub-signature")


def _generic(
    headers: Mapping[str, str], body: bytes, secret: Secret, *, takes_basic: bool, now: datetime
) -> None:
    if "x-signature" in headers:
        check_hmac(headers, "x-signature", body, secret, algorithms=("sha256", "sha512"))
    elif STANDARD_SIGNATURE in headers:
        check_standard(headers, body, secret, now=now)
    elif takes_basic and "authorization" in headers:
        check_basic(headers, secret)
    else:
        raise unsigned("x-signature, webhook-signature or authorization")
