"""Requests for a token as OAuth 2.0 has them, and their answers. Pure."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import orjson

from nopea.core.decryption.wire import OK, Call, Declined, Lent, declined
from nopea.core.secret import Secret

_REASON = re.compile(r"[a-z_]{1,64}")
_TOKEN = re.compile(r"[!-~]+")


def form(url: str, fields: Mapping[str, str]) -> Call:
    """Return a request with the fields of a form."""
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    return Call(url=url, headers=headers, body=urlencode(fields).encode())


def bearer(token: Secret) -> str:
    """Return the `Authorization` header for a token."""
    return f"Bearer {token.reveal().decode('latin-1')}"


def token_of(status: int, body: bytes) -> Lent[Secret] | Declined:
    """Read the token from an answer."""
    if status != OK:
        reason = ""
        with contextlib.suppress(ValueError, KeyError, TypeError):
            reason = str(orjson.loads(body)["error"])
        return declined(status, reason if _REASON.fullmatch(reason) else "")
    try:
        found = orjson.loads(body)
        return lent(found["access_token"], float(found["expires_in"]))
    except (ValueError, KeyError, TypeError):
        return NO_TOKEN


NO_TOKEN = Declined("the service answered without a token")


def lent(token: Any, seconds: float) -> Lent[Secret] | Declined:
    """Return a token that fits into a header."""
    if not isinstance(token, str) or not _TOKEN.fullmatch(token):
        return NO_TOKEN
    return Lent(Secret(token), seconds)
