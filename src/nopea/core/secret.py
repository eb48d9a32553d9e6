"""Hide secret values: a type that does not print its value, and masks for URLs and for text from outside."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from typing import final
from urllib.parse import quote, quote_plus

MASK = "***"
_URL = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*)://([^/?#]*)([^?#]*)")
# without the scheme, which would be matched again at each of its letters
_USERINFO = re.compile(r"://(?:[^/@\s]+@)+")
_QUERY = re.compile(r"(?P<url>://[^\s?#'\"]+)\?[^\s'\"]+")


_BASIC = re.compile(r"(?i)\b(?P<scheme>basic\s+)[A-Za-z0-9+/]{8,}=*")
_LEAST_BASE64 = 8
_ESCAPE = re.compile("%[0-9A-F]{2}")


@final
class Secret:
    """Bytes that print as `***`; only `reveal()` returns them. Compares and hashes by value."""

    __slots__ = ("_value",)

    def __init__(self, value: bytes | str) -> None:
        self._value = value.encode() if isinstance(value, str) else value

    def reveal(self) -> bytes:
        """Return the hidden bytes; the caller must not log or store them."""
        return self._value

    def __repr__(self) -> str:
        return f"Secret({MASK})"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __bool__(self) -> bool:
        return bool(self._value)

    def __reduce__(self) -> str | tuple[object, ...]:
        raise TypeError("a Secret cannot be pickled")


NO_KEY = Secret(b"")


def keyed_hash(content: bytes, key: Secret) -> str:
    """Return 32 hex digits that depend on content and key.

    Who may read the hash and does not have the key cannot check a guess of the content with it.
    """
    return hashlib.blake2b(content, digest_size=16, key=key.reveal()).hexdigest()


def mask_url(url: str) -> str:
    """Return the URL without userinfo, query and fragment, fit for a log; scp-like URLs are unchanged.

    Accepts any string and never raises: an invalid URL (`https://[x`) is cut in the same way.
    """
    if "://" not in url:
        return url
    parts = _URL.match(url)
    if parts is None:
        return MASK
    scheme, authority, path = parts.groups()
    return f"{scheme.lower()}://{authority.rpartition('@')[2]}{path}"


def mask_text(text: str, *secrets: Secret) -> str:
    """Return a message of a library or server without the given secrets, URL userinfo and URL queries."""
    for secret in secrets:
        value = secret.reveal().decode(errors="replace").strip()
        if len(value) >= 4:  # shorter values occur in ordinary words
            for form in _forms(value):
                text = text.replace(form, MASK)
    text = _BASIC.sub(rf"\g<scheme>{MASK}", text)
    return _QUERY.sub(rf"\g<url>?{MASK}", _USERINFO.sub(f"://{MASK}@", text))


def _forms(value: str) -> list[str]:
    """Return a value as it is, escaped as in JSON and URLs, and in base64 wherever it begins in a text."""
    raw, forms = value.encode(), [value, json.dumps(value)[1:-1], quote(value, safe=""), quote_plus(value)]
    for offset, cut in ((0, 0), (1, 2), (2, 3)):  # the first characters mix with what comes before
        whole = (offset + len(raw)) // 3 * 4
        encoded = base64.b64encode(bytes(offset) + raw).decode()[cut:whole]
        if len(encoded) >= _LEAST_BASE64:
            forms += [encoded, encoded.replace("+", "-").replace("/", "_"), quote(encoded, safe="")]
    in_lower_case = [_ESCAPE.sub(lambda escape: escape[0].lower(), form) for form in forms if "%" in form]
    return [*dict.fromkeys((*forms, *in_lower_case))]
