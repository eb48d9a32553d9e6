"""One operation on its way to a child and back, and the child as the pool counts it."""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from nopea.git.process import ChildProcess, Trust
from nopea.git.protocol import ErrorKind, Op


class OperationError(Exception):
    """What a child (or its end) answered instead of a result; `facts` as in the error frame."""

    def __init__(self, kind: ErrorKind, message: str, **facts: Any) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.facts = facts


class Lane(enum.Enum):
    """Who shares a quota: fresh network requests, those of servers known to be slow, and disk work."""

    YOUNG = enum.auto()
    SLOW = enum.auto()
    LOCAL = enum.auto()


@dataclass(eq=False, slots=True, kw_only=True)
class GitRequest:
    """One operation on its way; `key` names what is to blame when it costs a child its life."""

    op: Op
    fields: dict[str, Any]
    trust: Trust
    key: str
    deadline: float
    future: asyncio.Future[Any]
    lane: Lane
    alone: bool
    member: Member | None = None
    starts: int = 0
    timers: list[asyncio.TimerHandle] = field(default_factory=list)
    began_at: float = 0.0
    on_end: Callable[[], None] | None = None
    """Called once when no child works on it any more, whatever became of who asked."""

    def end(self) -> None:
        """Note that no child works on it any more and that it is not repeated."""
        on_end, self.on_end = self.on_end, None
        if on_end is not None:
            on_end()

    def succeed(self, result: Any) -> None:
        """Give the result to whoever still waits for it."""
        self._stop_timers()
        if not self.future.done():
            self.future.set_result(result)

    def fail(self, kind: ErrorKind, message: str, **facts: Any) -> None:
        """Give the error to whoever still waits for it."""
        self._stop_timers()
        if not self.future.done():
            self.future.set_exception(OperationError(kind, message, **facts))

    def _stop_timers(self) -> None:
        for timer in self.timers:
            timer.cancel()
        self.timers.clear()


@dataclass(eq=False, slots=True, kw_only=True)
class Member:
    """A child in the pool with what it is working on."""

    process: ChildProcess
    trust: Trust
    alone: bool
    running: dict[int, GitRequest] = field(default_factory=dict)
    # Why we killed it: TIMEOUT (a late request) or MEMORY; None means that it ended on its own.
    cause: ErrorKind | None = None
    answered: bool = False
    idle_since: float = 0.0

    def busy(self, lane: Lane) -> int:
        """Return how many requests of a lane run here."""
        return sum(request.lane is lane for request in self.running.values())
