"""The authentication schemes of deliveries. Each check returns, or raises RefusedError.

Comparisons take constant time and accept one spelling only: a signature in capitals, with other padding or
with a space is refused. Bodies are not parsed.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
from base64 import b64decode, b64encode
from collections.abc import Mapping
from datetime import datetime

from nopea.core.secret import Secret
from nopea.core.webhooks.refused import stale, unsigned, unusable_secret, wrong_signature

SIGNING_TOKEN = b"whsec_"
STANDARD_SIGNATURE = "webhook-signature"
TOLERANCE_SECONDS = 5 * 60

_MAX_HEADER = 8192
_MAX_TIMESTAMP_DIGITS = 12


def check_hmac(
    headers: Mapping[str, str],
    header: str,
    message: bytes,
    secret: Secret,
    *,
    algorithms: tuple[str, ...] = ("sha256",),
) -> None:
    """Check `header: sha256=<hex>`; algorithms that are not listed are refused, such as sha1."""
    given = _value(headers, header)
    algorithm = given.partition(b"=")[0].decode("latin-1")
    if algorithm not in algorithms:
        raise wrong_signature(header)
    _compare(f"{algorithm}={_hex(secret, message, algorithm)}".encode(), given, header)


def check_bare_hmac(headers: Mapping[str, str], header: str, message: bytes, secret: Secret) -> None:
    """Check `header: <hex>`, SHA-256."""
    _compare(_hex(secret, message, "sha256").encode(), _value(headers, header), header)


def check_token(headers: Mapping[str, str], header: str, secret: Secret) -> None:
    """Check that the header is the secret itself; the body is not protected."""
    _compare_plain(secret.reveal(), _value(headers, header), header)


def check_basic(headers: Mapping[str, str], secret: Secret) -> None:
    """Check that the password of `Authorization: Basic` is the secret, for any user."""
    header = "authorization"
    scheme, _, given = _value(headers, header).partition(b" ")
    if scheme.lower() != b"basic":
        raise unsigned("authorization (Basic)")
    _, _, password = _canonical_base64(given).partition(b":")
    _compare_plain(secret.reveal(), password, header)


def check_standard(headers: Mapping[str, str], body: bytes, secret: Secret, *, now: datetime) -> None:
    """Check a Standard Webhooks signature: one of `v1,<base64>` matches, and it is at most 5 minutes old.

    The secret is a signing token, `whsec_<base64>`.
    """
    key = _signing_key(secret)
    delivery_id = _value(headers, "webhook-id")
    timestamp = _value(headers, "webhook-timestamp")
    given = _value(headers, STANDARD_SIGNATURE)
    if not timestamp.isdigit() or len(timestamp) > _MAX_TIMESTAMP_DIGITS:
        raise wrong_signature("webhook-timestamp")
    digest = hmac.digest(key, b".".join((delivery_id, timestamp, body)), "sha256")
    expected = b"v1," + b64encode(digest)
    matches = [hmac.compare_digest(expected, candidate) for candidate in given.split(b" ")]
    if not any(matches):
        raise wrong_signature(STANDARD_SIGNATURE)
    age = int(now.timestamp()) - int(timestamp)
    if abs(age) > TOLERANCE_SECONDS:
        raise stale(age, tolerance=TOLERANCE_SECONDS)


def is_signing_token(secret: Secret) -> bool:
    """Return whether signatures can be checked with this secret by `check_standard`."""
    text = secret.reveal()
    return text.startswith(SIGNING_TOKEN) and bool(_canonical_base64(text.removeprefix(SIGNING_TOKEN)))


def _signing_key(secret: Secret) -> bytes:
    text = secret.reveal()
    if not text.startswith(SIGNING_TOKEN):
        raise unusable_secret("webhook-signature needs a signing token (whsec_…), but the secret is not one.")
    key = _canonical_base64(text.removeprefix(SIGNING_TOKEN))
    if not key:
        raise unusable_secret("The signing token is not valid base64 after whsec_.")
    return key


def _canonical_base64(text: bytes) -> bytes:
    """Return the decoded bytes; empty unless the encoding is canonical."""
    try:
        decoded = b64decode(text, validate=True)
    except binascii.Error:
        return b""
    return decoded if b64encode(decoded) == text else b""


def _value(headers: Mapping[str, str], header: str) -> bytes:
    """Return the bytes of the header; absent, empty and oversized headers are refused."""
    text = headers.get(header, "")
    try:
        value = text.encode("utf-8", "surrogateescape")  # how aiohttp keeps bytes that are not UTF-8
    except UnicodeEncodeError:
        raise wrong_signature(header) from None
    if not value:
        raise unsigned(header)
    if len(value) > _MAX_HEADER:
        raise wrong_signature(header)
    return value


def _hex(secret: Secret, message: bytes, algorithm: str) -> str:
    return hmac.digest(secret.reveal(), message, algorithm).hex()


def _compare(expected: bytes, given: bytes, header: str) -> None:
    if not hmac.compare_digest(expected, given):
        raise wrong_signature(header)


def _compare_plain(expected: bytes, given: bytes, header: str) -> None:
    """Compare secrets of unknown length by their digests."""
    _compare(hashlib.sha256(expected).digest(), hashlib.sha256(given).digest(), header)
