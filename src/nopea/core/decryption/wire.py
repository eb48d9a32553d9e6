"""What requests to key services and their answers have in common. Pure.

An answer is told by its status and by words that are known here: its text could be that of any server.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, TypeVar

import orjson

from nopea.core.secret import Secret

MAX_DATA_KEY = 1024
OK = 200
_BUSY = frozenset((408, 425, 429))
_SERVER_ERROR = 500
_OF_URLS = str.maketrans("-_+/", "+/!!")
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request."""

    method: str = "POST"
    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Declined:
    """An answer that is not what was asked for. If it `is_busy`, time may mend it."""

    why: str
    is_busy: bool = False


@dataclass(frozen=True, slots=True)
class Lent(Generic[T]):
    """A login that a service gave, and for how many seconds it is good."""

    login: T
    seconds: float


def declined(status: int, known: str, *, is_busy: bool = False) -> Declined:
    """Return what a status means; `known` is the reason, where the server gave one that is known."""
    busy = is_busy or status in _BUSY or status >= _SERVER_ERROR
    return Declined(f"the service answered HTTP {status}{f', {known}' if known else ''}", busy)


def seconds_until(text: str, now: datetime) -> float:
    """Return how long it is until a time as RFC 3339 writes it. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time without its zone")
    return (moment - now).total_seconds()


def data_key(body: bytes, *path: str, is_for_urls: bool = False) -> Secret | Declined:
    """Return the data key at a path of a JSON answer, in base64 or in that for URLs, without its end."""
    try:
        value = orjson.loads(body)
        for name in path:
            value = value[name]
        if is_for_urls:
            value = value.translate(_OF_URLS) + "=" * (-len(value) % 4)
        key = base64.b64decode(value, validate=True)
    except (ValueError, KeyError, TypeError, AttributeError, binascii.Error):
        return Declined("the service answered without a data key")
    if not 0 < len(key) <= MAX_DATA_KEY:
        return Declined("the service answered without a data key")
    return Secret(key)
