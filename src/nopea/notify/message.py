"""What is handed to a sink and what comes back: plain values between who writes messages and who sends them.

Sends nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from nopea.core.notify.address import ReceiverAddress


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One POST. It is the same at every try, id and timestamp included: receivers tell repeats by the id."""

    id: str
    """For the log, and unique in it."""
    address: ReceiverAddress
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)

    @property
    def size(self) -> int:
        """Bytes that it keeps, roughly: the body and the headers."""
        return len(self.body) + sum(len(name) + len(value) for name, value in self.headers.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What the sink said: a status, and `Retry-After` as it came (empty: none)."""

    status: int
    retry_after: str = ""


class NoResponseError(Exception):
    """No whole answer came; the text says why, fit for a log. Trying again may help."""


Post = Callable[[Message], Awaitable[Response]]
"""Sends once. Raises NoAnswerError; has no deadline of its own; passes cancellation at once."""
