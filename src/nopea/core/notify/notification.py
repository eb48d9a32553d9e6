"""What is told to people outside the cluster: one value, of which each sink's message is a view.

A `Notification` is made by `make_notice` only, which masks and bounds every text in it. `rules.py` decides
what is sent.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from nopea.core.drift.mask import plain_line
from nopea.core.notify.rate_limit import Role
from nopea.core.objects import RepoKey
from nopea.core.secret import Secret

MAX_LINES: Final = 24
MAX_LINE: Final = 512
MAX_TITLE: Final = 200
_MAX_ITEMS: Final = 50
_MAX_DEPTH: Final = 6


class NotificationKind(enum.StrEnum):
    """What a notice is about."""

    DRIFT = "drift"
    FAILURE = "failure"
    RECOVERY = "recovery"
    HEALTH = "health"
    CONTENTION = "contention"
    ROLLBACK = "rollback"


class Severity(enum.StrEnum):
    """How urgent it is: whether a person has to act, should look, or may know."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class CodeText:
    """A word that is shown as it is typed: a name, a path, a value."""

    text: str


Line = tuple[str | CodeText, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitFacts:
    """The commit that a notice is about; only its id is always known."""

    id: str
    message: str = ""
    author: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """One piece of news about a repository; `facts` is what `lines` say, for programs.

    `same` tells equal news: for the rate limit and as the message's id it stands for the content.
    """

    kind: NotificationKind
    severity: Severity
    repository: RepoKey
    url: str
    ref: str
    commit: CommitFacts | None
    at: datetime
    title: str
    lines: tuple[Line, ...]
    facts: Mapping[str, Any]
    same: str
    role: Role = Role.NEWS

    @property
    def subject(self) -> str:
        """What the newest news replaces the older of: one aspect of one repository."""
        aspect = "sync" if self.kind in (NotificationKind.FAILURE, NotificationKind.RECOVERY) else self.kind
        return f"{self.repository} {aspect}"

    @property
    def lasting(self) -> bool:
        """False: the same may happen again, and is told again when the quiet time is over."""
        return False


def plain(line: Line) -> str:
    """Return the line as plain text."""
    return "".join(part if isinstance(part, str) else part.text for part in line)


def make_notice(
    *, hidden: Sequence[Secret], title: str, lines: Sequence[Line], facts: Mapping[str, Any], **rest: Any
) -> Notification:
    """Return a notice whose texts are masked (`core/drift/mask.py`), on one line each, and bounded."""
    shown = tuple(
        tuple(_part(part, hidden) for part in line)
        for line in (*lines[:MAX_LINES], *([("…",)] if len(lines) > MAX_LINES else ()))
    )
    for name in ("url", "ref"):
        rest[name] = plain_line(rest[name], *hidden)
    commit = rest["commit"]
    if commit is not None:
        rest["commit"] = CommitFacts(
            id=commit.id,
            message=plain_line(commit.message, *hidden, limit=MAX_TITLE),
            author=plain_line(commit.author, *hidden, limit=MAX_TITLE),
        )
    return Notification(
        title=plain_line(title, *hidden, limit=MAX_TITLE),
        lines=shown,
        facts=_safe(dict(facts), hidden),
        **rest,
    )


def _part(part: str | CodeText, hidden: Sequence[Secret]) -> str | CodeText:
    if isinstance(part, CodeText):
        return CodeText(plain_line(part.text, *hidden, limit=MAX_LINE))
    masked = plain_line(part, *hidden, limit=MAX_LINE)
    return f"{' ' * part[:1].isspace()}{masked}{' ' * (part[-1:].isspace() and bool(masked))}"


def _safe(value: Any, hidden: Sequence[Secret], depth: int = 0) -> Any:
    if isinstance(value, str):
        return plain_line(value, *hidden)
    if depth >= _MAX_DEPTH:
        return None
    if isinstance(value, Mapping):
        return {key: _safe(item, hidden, depth + 1) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_safe(item, hidden, depth + 1) for item in value[:_MAX_ITEMS]]
    return value
