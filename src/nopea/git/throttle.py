"""Ask a server that is too busy, or limits the rate, when it wants to be asked again (child side).

libgit2 tells the status of such an answer, but not its `Retry-After`. So the request is sent once more.
"""

from __future__ import annotations

import contextlib
import http.client
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from nopea.git.certificate import tls_context

BUSY = frozenset((429, 503))
_ADVERTISEMENT = "/info/refs?service=git-upload-pack"


def retry_after(
    url: str, headers: Mapping[str, str], *, ca_file: str, timeout_seconds: float
) -> float | None:
    """Return the seconds that the server asks to wait; None if it does not, or is not busy any more."""
    parts = urlsplit(url)
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        connection = http.client.HTTPSConnection(
            parts.hostname or "", parts.port, timeout=timeout_seconds, context=tls_context(ca_file)
        )
    else:
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout_seconds)
    with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException, ValueError):
        connection.request("GET", parts.path.rstrip("/") + _ADVERTISEMENT, headers=dict(headers))
        answer = connection.getresponse()
        if answer.status in BUSY:
            return seconds_of(answer.getheader("Retry-After", ""), now=datetime.now(UTC))
    return None


def seconds_of(value: str, *, now: datetime) -> float | None:
    """Return a `Retry-After`, which is a number of seconds or a date, in seconds."""
    text = value.strip()
    if text.isascii() and text.isdigit() and len(text) < 10:
        return float(text)
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    aware = date if date.tzinfo else date.replace(tzinfo=UTC)
    return max(0.0, (aware - now).total_seconds())
