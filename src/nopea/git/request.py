"""One operation on its way to a child and back, and the child as the pool counts it."""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from nopea.core.objects import RepoKey
from nopea.git.process import ChildProcess, Trust
from nopea.git.protocol import ErrorKind, Op


class OperationError(Exception):
    """What a child (or its end) answered instead of a result; `facts` as in the error frame."""

    def __init__(self, kind: ErrorKind, message: str, /, **facts: Any) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.facts = facts


class Lane(enum.Enum):
    """Who shares a quota: fresh network requests, those of slow servers, disk work, and parsing."""

    YOUNG = enum.auto()
    SLOW = enum.auto()
    LOCAL = enum.auto()
    PARSING = enum.auto()


@dataclass(eq=False, slots=True, kw_only=True)
class GitRequest:
    """One operation on its way; `key` names what is to blame when it costs a child its life.

    `namespaces` are those that wait for it; the first one with room begins it, and `namespace` is that one.
    It is `proven` if it worked before. A request with `writes` is the only one with this text that runs.
    """

    op: Op
    fields: dict[str, Any]
    trust: Trust
    key: str
    deadline: float
    future: asyncio.Future[Any]
    lane: Lane
    alone: bool
    owner: RepoKey
    namespaces: set[str]
    proven: bool = False
    writes: str = ""
    arrival: int = 0
    namespace: str = ""
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

    @property
    def subject(self) -> tuple[str, str]:
        """Whose reputation it has."""
        return self.owner.namespace, self.key

    def succeed(self, result: Any) -> None:
        """Give the result to whoever still waits for it."""
        self._stop_timers()
        if not self.future.done():
            self.future.set_result(result)

    def fail(self, kind: ErrorKind, message: str, /, **facts: Any) -> None:
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
    excess: str = ""
    answered: bool = False
    idle_since: float = 0.0

    @property
    def is_extra(self) -> bool:
        """Return whether it may end when it is idle."""
        return self.alone or self.trust != Trust()

    def busy(self, lane: Lane) -> int:
        """Return how many requests of a lane run here."""
        return sum(request.lane is lane for request in self.running.values())
