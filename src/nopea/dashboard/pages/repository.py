"""One GitRepository: what is wrong and what to do, its drift, its objects, its conditions. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from nopea.core.api.conditions import CONTENDED, STALLED, SUSPENDED
from nopea.core.api.entries import Condition
from nopea.core.api.repository import Repository
from nopea.core.drift.find import who
from nopea.core.health.descendants import Descendants, places_of
from nopea.core.objects import ObjectKey
from nopea.core.plan.model import LastApplied
from nopea.core.problem import Code, Problem
from nopea.core.status.concerns import Concern, concerns_of, not_reverted
from nopea.core.status.object_states import ObjectState, SyncStatus, unpack_states
from nopea.dashboard.pages.overview import Level, Row, level_of, row_of
from nopea.dashboard.pages.owned import LEVEL_OF_HEALTH, Room, ShownOwned

MOST_OBJECTS = 1_000
"""The most objects that a page lists; those that are not fine come first."""

MOST_REASONS = 3
_BAD_WHEN_TRUE = frozenset({STALLED, CONTENDED, "Drifted"})
_NEUTRAL = frozenset({SUSPENDED, "RolledBack", "Reconciling"})
_LEVEL_OF_SYNC = {
    SyncStatus.SYNCED: Level.GOOD,
    SyncStatus.DRIFTED: Level.WARNING,
    SyncStatus.FAILED: Level.BAD,
    SyncStatus.SUSPENDED: Level.NOTE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownConcern:
    """One thing to know, with how loud it is shown."""

    concern: Concern
    level: Level


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownCondition:
    """A condition; `level` says whether its value is good news."""

    condition: Condition
    level: Level


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownField:
    """A field that differs: None is absent."""

    path: str
    git: str | None
    live: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownDrift:
    """An object that was changed in the cluster: by whom, how, since when, and what Nopea does about it."""

    object: str
    manager: str
    operation: str
    since: str
    action: str
    fields: tuple[ShownField, ...]

    @property
    def id(self) -> str:
        """The anchor of the drift, for deep links."""
        return anchor("drift", self.object)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownObject:
    """An object with its sync and its health; the message says why they are not good."""

    key: str
    kind: str
    name: str
    sync: str
    sync_level: Level
    health: str
    health_level: Level
    message: str
    owned: tuple[ShownOwned, ...] = ()
    hidden_owned: int = 0

    @property
    def id(self) -> str:
        """The anchor of the object, for deep links."""
        return anchor("object", self.key)

    @property
    def is_good(self) -> bool:
        """Whether there is nothing to say about it."""
        return self.sync_level is Level.GOOD and self.health_level is Level.GOOD and not self.message

    @property
    def is_suspended(self) -> bool:
        """Whether break-glass protects it."""
        return self.sync == SyncStatus.SUSPENDED


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectGroup:
    """The objects of one namespace, those that are not fine first; empty: cluster-scoped objects."""

    namespace: str
    objects: tuple[ShownObject, ...]

    @property
    def bad(self) -> int:
        """How many are not fine."""
        return sum(not each.is_good for each in self.objects)


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """Everything that the page of one GitRepository shows."""

    row: Row
    follows: str
    path: str
    next_sync: str
    committed: str
    concerns: tuple[ShownConcern, ...]
    drifts: tuple[ShownDrift, ...]
    groups: tuple[ObjectGroup, ...]
    objects: int
    hidden_objects: int
    incomplete: str
    may_own: bool
    shows_owned: bool
    not_read: str
    kept: tuple[tuple[str, str], ...]
    conditions: tuple[ShownCondition, ...]
    held_prune: str
    deleting: bool


def details_of(
    repository: Repository,
    applied: Mapping[ObjectKey, LastApplied],
    *,
    incomplete: str = "",
    descendants: Descendants | None = None,
) -> Details:
    """Return the page of a repository; `incomplete` says why not all of its objects are known.

    `descendants` is what the objects own; None if that has not been asked for.
    """
    status, spec = repository.status, repository.spec
    states = unpack_states(status.object_states)
    shown = [_shown(key, state, applied.get(key)) for key, state in states.listed(applied)]
    listed = sorted(shown, key=lambda each: (each[1].is_good, each[0]))[:MOST_OBJECTS]
    listed.sort(key=lambda each: (each[0].namespace, each[1].is_good, each[0]))
    if descendants is not None:
        listed = _with_owned(listed, descendants)
    groups = groupby(listed, key=lambda each: each[0].namespace)
    if states.has_more and not incomplete:
        incomplete = "More objects are not in sync or not healthy: the record holds only the worst ones."
    held = [error for error in status.errors if error.code == Code.PRUNE_GUARD]
    return Details(
        row=row_of(repository),
        follows=str(repository.pin.instead_of or "") if repository.pin else repository.follows,
        path="" if isinstance(spec, Problem) else spec.path,
        next_sync=status.next_sync_time or "",
        committed=status.last_commit_time or "",
        concerns=tuple(
            ShownConcern(concern=each, level=level_of(each.kind)) for each in concerns_of(repository)
        ),
        drifts=drifts_of(repository),
        groups=tuple(
            ObjectGroup(namespace=namespace, objects=tuple(each for _, each in members))
            for namespace, members in groups
        ),
        objects=len(shown),
        hidden_objects=len(shown) - len(listed),
        incomplete=incomplete,
        may_own=bool(places_of(applied)),
        shows_owned=descendants is not None,
        not_read=_first(descendants.unread) if descendants is not None else "",
        kept=tuple((str(each.object), each.message) for each in status.kept),
        conditions=tuple(
            ShownCondition(condition=each, level=_level_of_condition(each)) for each in status.conditions
        ),
        held_prune=held[0].message if held and status.last_attempted_commit else "",
        deleting=repository.deleting,
    )


def drifts_of(repository: Repository) -> tuple[ShownDrift, ...]:
    """Return the drift that the status reports; values of Secrets are masked there."""
    return tuple(
        ShownDrift(
            object=str(drift.object),
            manager=who(drift.manager, drift.user),
            operation=drift.operation or "",
            since=drift.since or "",
            action=not_reverted(drift),
            fields=tuple(
                ShownField(path=field.path, git=field.from_, live=field.to) for field in drift.fields
            ),
        )
        for drift in repository.status.drifts
    )


def anchor(kind: str, name: str) -> str:
    """Return the id of an element about an object: an id has no spaces."""
    return f"{kind}_{name.replace(' ', '_')}"


def _shown(key: ObjectKey, state: ObjectState, last: LastApplied | None) -> tuple[ObjectKey, ShownObject]:
    is_finished = last is not None and last.finished is not None and not state.sync_message
    sync_message = "finished" if is_finished else state.sync_message
    return key, ShownObject(
        key=str(key),
        kind=str(key.group_kind),
        name=key.name,
        sync=state.sync,
        sync_level=_LEVEL_OF_SYNC[state.sync],
        health=state.health,
        health_level=LEVEL_OF_HEALTH.get(state.health, Level.NOTE),
        message="; ".join(filter(None, (sync_message, state.health_message))),
    )


def _first(reasons: Sequence[str]) -> str:
    more = len(reasons) - MOST_REASONS
    return "; ".join(reasons[:MOST_REASONS]) + (f"; and {more} more" if more > 0 else "")


def _with_owned(
    listed: Sequence[tuple[ObjectKey, ShownObject]], descendants: Descendants
) -> list[tuple[ObjectKey, ShownObject]]:
    room = Room()
    found = []
    for key, shown in listed:
        owned, hidden = room.owned(descendants.of.get(key, ()))
        found.append((key, replace(shown, owned=owned, hidden_owned=hidden)))
    return found


def _level_of_condition(condition: Condition) -> Level:
    if condition.type in _NEUTRAL or condition.status == "Unknown":
        return Level.NOTE
    is_true = condition.status == "True"
    if condition.type in _BAD_WHEN_TRUE:
        return Level.WARNING if is_true else Level.GOOD
    return Level.GOOD if is_true else Level.BAD
