"""A notification: one value, from which the message of each format is made.

`make_notification` is the only constructor: it masks secrets and bounds every string. `rules.py` decides what
is sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from nopea.core.api.notify import NotificationKind, Severity
from nopea.core.drift.mask import plain_line
from nopea.core.notify.rate_limit import AlertState
from nopea.core.objects import RepoKey
from nopea.core.secret import Secret

MAX_LINES: Final = 24
MAX_LINE: Final = 512
MAX_TITLE: Final = 200
MAX_REPOSITORIES: Final = 50
_MAX_ITEMS: Final = 50
_MAX_DEPTH: Final = 6
_OF_SYNCS: Final = (NotificationKind.FAILURE, NotificationKind.RECOVERY, NotificationKind.PRUNE)


@dataclass(frozen=True, slots=True)
class CodeText:
    """A string that is shown as code: a name, a path, a value."""

    text: str


Line = tuple[str | CodeText, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitFacts:
    """The commit of a notification; only its id is always known."""

    id: str
    message: str = ""
    author: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """One notification about a repository; `facts` has the content of `lines` for programs.

    `fingerprint` is equal for repetitions; the rate limit and the id of the message use it.
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
    fingerprint: str
    alert_state: AlertState = AlertState.EVENT
    ends: Severity | None = None
    """The severity of what is over, if it is about an end."""
    cause: str = ""
    """Why repositories fail, if `outages.py` tells of them together."""
    others: tuple[RepoKey, ...] = ()
    """The other repositories with this cause, fewer than `MAX_REPOSITORIES`."""
    shared_namespace: str | None = None
    """Whose the message is, if not the namespace's of `repository`; empty: nobody's alone."""

    @property
    def namespace(self) -> str:
        """The namespace of the repository; empty for a cause that namespaces share."""
        return self.repository.namespace if self.shared_namespace is None else self.shared_namespace

    @property
    def subject(self) -> str:
        """A cause, or an aspect of the repository; its latest notification replaces the one that waits."""
        if self.cause:
            return f"cause {self.cause}"
        aspect = "sync" if self.kind in _OF_SYNCS else self.kind
        return f"{self.repository} {aspect}"

    @property
    def sent_once(self) -> bool:
        """False: a repetition is sent once the quiet time is over."""
        return False


def plain(line: Line) -> str:
    """Return the line without formatting."""
    return "".join(part if isinstance(part, str) else part.text for part in line)


def make_notification(
    *, hidden: Sequence[Secret], title: str, lines: Sequence[Line], facts: Mapping[str, Any], **rest: Any
) -> Notification:
    """Return a notification whose strings are masked (`core/drift/mask.py`), single-line and bounded."""
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
