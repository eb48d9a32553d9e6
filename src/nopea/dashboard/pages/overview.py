"""The overview: a row for each GitRepository, worst first, as `nopea status` judges them. Pure."""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from nopea.core.api.conditions import READY, find
from nopea.core.api.repository import Repository
from nopea.core.git.source import SHORT_COMMIT
from nopea.core.problem import Problem
from nopea.core.secret import mask_url
from nopea.core.status.concerns import ORDER, Concern, ConcernKind, concerns_of
from nopea.core.status.summary import without_revision

FINE = "fine"
"""The state of a GitRepository about which there is nothing to know."""

LONGEST_QUERY = 200


class Level(enum.StrEnum):
    """How loud a state is shown."""

    BAD = "bad"
    WARNING = "warning"
    NOTE = "note"
    GOOD = "good"


_LEVELS = {
    ConcernKind.FAILING: Level.BAD,
    ConcernKind.UNHEALTHY: Level.BAD,
    ConcernKind.CONTENDED: Level.WARNING,
    ConcernKind.DRIFTED: Level.WARNING,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One GitRepository; `state` is its worst concern, or `fine`. Times are as Kubernetes writes them."""

    namespace: str
    name: str
    state: str
    level: Level
    needs_somebody: bool
    since: str
    summary: str
    revision: str
    commit: str
    subject: str
    author: str
    last_sync: str
    objects: int
    in_sync: int
    drifted: int
    suspended: bool
    url: str

    @property
    def id(self) -> str:
        """The id of its element, which no other row has: neither name can hold an underscore."""
        return f"row_{self.namespace}_{self.name}"

    @property
    def path(self) -> str:
        """The address of its page."""
        return f"/r/{quote(self.namespace, safe='')}/{quote(self.name, safe='')}"

    @property
    def order(self) -> str:
        """Sorts rows worst first, then by namespace and name."""
        kinds = [*ORDER, FINE]
        return f"{kinds.index(self.state):02}/{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which rows are shown: those with all words of `query`, and of these states; no states: all."""

    query: str = ""
    states: tuple[str, ...] = ()

    @classmethod
    def of(cls, *, query: str, states: Iterable[str]) -> Filter:
        """Return the filter of a request; what is not a state is left out."""
        known = {*ORDER, FINE}
        chosen = tuple(sorted({state for state in states if state in known}))
        return cls(query=query[:LONGEST_QUERY].strip(), states=chosen)

    def takes(self, row: Row) -> bool:
        """Return whether the row is shown."""
        if self.states and row.state not in self.states:
            return False
        text = " ".join((f"{row.namespace}/{row.name}", row.state, row.summary, row.revision, row.subject,
                         row.author, row.url)).lower()  # fmt: skip
        return all(word in text for word in self.query.lower().split())


@dataclass(frozen=True, slots=True, kw_only=True)
class StateCount:
    """How many GitRepositories have a state."""

    state: str
    level: Level
    count: int
    chosen: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """The rows that are shown, worst first, and the numbers of all that the viewer may see."""

    rows: tuple[Row, ...]
    counts: tuple[StateCount, ...]
    total: int
    needy: int
    filter: Filter

    @property
    def sentence(self) -> str:
        """What there is to know in one sentence, which is read out when it changes."""
        if not self.total:
            return "There are no GitRepositories."
        noun = "GitRepository" if self.total == 1 else "GitRepositories"
        if not self.needy:
            return f"{self.total} {noun}: nothing needs you."
        return f"{self.needy} of {self.total} {noun} {'needs' if self.needy == 1 else 'need'} you."


def row_of(repository: Repository) -> Row:
    """Return the row of a GitRepository."""
    status, spec = repository.status, repository.spec
    found = concerns_of(repository)
    worst = found[0].kind if found else None
    return Row(
        namespace=repository.key.namespace,
        name=repository.key.name,
        state=worst or FINE,
        level=level_of(worst),
        needs_somebody=worst is not None and worst.needs_somebody,
        since=since_of(found),
        summary=status.summary or _without_summary(repository),
        revision=status.revision or without_revision(status),
        commit=(status.last_attempted_commit or "")[:SHORT_COMMIT],
        subject=status.last_commit_message or "",
        author=(status.last_commit_author or "").partition(" <")[0],
        last_sync=status.last_sync_time or "",
        objects=status.resource_count or 0,
        in_sync=status.in_sync_count or 0,
        drifted=status.drifted_count or 0,
        suspended=repository.suspended,
        url="" if isinstance(spec, Problem) else mask_url(spec.url),
    )


def level_of(kind: ConcernKind | None) -> Level:
    """Return how loud a concern is shown; None is that there is none."""
    return Level.GOOD if kind is None else _LEVELS.get(kind, Level.NOTE)


def since_of(found: Sequence[Concern]) -> str:
    """Return since when the worst of the concerns is there; empty if that is not known."""
    return min((each.since for each in found if each.since and each.kind is found[0].kind), default="")


def _without_summary(repository: Repository) -> str:
    ready = find(repository.status.conditions, READY)
    return ready.message if ready is not None else "The controller has not looked at it yet."


def overview(rows: Iterable[Row], chosen: Filter) -> Overview:
    """Return the overview of all rows that a viewer may see."""
    everything = sorted(rows, key=lambda row: row.order)
    numbers = Counter(row.state for row in everything)
    counts = [
        StateCount(
            state=kind,
            level=Level.GOOD if kind == FINE else level_of(ConcernKind(kind)),
            count=numbers[kind],
            chosen=kind in chosen.states,
        )
        for kind in (*ORDER, FINE)
        if numbers[kind] or kind in chosen.states
    ]
    return Overview(
        rows=tuple(row for row in everything if chosen.takes(row)),
        counts=tuple(counts),
        total=len(everything),
        needy=sum(row.needs_somebody for row in everything),
        filter=chosen,
    )
