"""Format the objects of a GitRepository and what they own as a tree and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import click

from nopea.cli.output.history import empty_reason
from nopea.cli.output.messages import wrapped
from nopea.core.api.repository import Repository
from nopea.core.drift.mask import plain_line
from nopea.core.health.descendants import Descendant, Descendants
from nopea.core.health.rules import HealthStatus
from nopea.core.objects import ObjectKey
from nopea.core.plan.model import LastApplied
from nopea.core.status.concerns import drift_sentence
from nopea.core.status.object_states import ObjectState, ObjectStates, SyncStatus, unpack_states
from nopea.core.status.summary import shown_revision

_COLOURS: Mapping[str, str] = {
    SyncStatus.SYNCED: "green",
    SyncStatus.DRIFTED: "yellow",
    SyncStatus.FAILED: "red",
    HealthStatus.HEALTHY: "green",
    HealthStatus.FAILED: "red",
}
_HAS_MORE = "More objects are not in sync or not healthy; the record holds only the worst ones."
_FEW = 3
"""So many healthy Pods of one owner are listed; of more, only their number."""
_MOST = 10
"""So many unhealthy ones are listed."""
NOTHING_OWNED = Descendants()


@dataclass(frozen=True, slots=True)
class _Row:
    branch: str
    below: str
    cells: tuple[str, str, str]
    message: str


def tree_json(
    repository: Repository,
    applied: Mapping[ObjectKey, LastApplied],
    descendants: Descendants = NOTHING_OWNED,
) -> dict[str, Any]:
    """Return each object with `sync`, `health`, their messages where there are any, and what it owns."""
    states = unpack_states(repository.status.object_states)
    return {
        "repository": str(repository.key),
        "revision": repository.status.revision,
        "complete": not states.has_more,
        "notRead": list(descendants.unread),
        "objects": [
            _as_json(key, state, descendants.of.get(key, ())) for key, state in _objects(states, applied)
        ],
    }


def _as_json(key: ObjectKey, state: ObjectState, owned: Sequence[Descendant]) -> dict[str, Any]:
    messages = {"syncMessage": state.sync_message, "healthMessage": state.health_message}
    return {
        **_names(key),
        "sync": state.sync,
        "health": state.health,
        **{name: message for name, message in messages.items() if message},
        **({"owns": [_descendant_json(each) for each in owned]} if owned else {}),
    }


def _descendant_json(descendant: Descendant) -> dict[str, Any]:
    message = descendant.health.message
    return {
        **_names(descendant.key),
        "state": descendant.state,
        "health": descendant.health.status,
        **({"healthMessage": message} if message else {}),
        **({"owns": [_descendant_json(each) for each in descendant.children]} if descendant.children else {}),
    }


def _names(key: ObjectKey) -> dict[str, str]:
    return {"group": key.group, "kind": key.kind, "namespace": key.namespace, "name": key.name}


def tree_lines(
    repository: Repository,
    applied: Mapping[ObjectKey, LastApplied],
    descendants: Descendants = NOTHING_OWNED,
    *,
    width: int | None = None,
    every_pod: bool = False,
) -> Iterator[str]:
    """Yield the repository with its summary, then a line for each object, by kind and name.

    A message that does not fit into `width` is below its object; None means no limit. With `every_pod`, Pods
    are not counted but listed.
    """
    states = unpack_states(repository.status.object_states)
    summary = repository.status.summary or empty_reason(repository)
    head = f"GitRepository {repository.key}  {shown_revision(repository.status)}  {summary}"
    yield from wrapped(head, width=width, indent="  ")
    drifts = {drift.object.key: drift_sentence(drift) for drift in repository.status.drifts}
    rows = list(_rows(_objects(states, applied), drifts, descendants, every_pod=every_pod))
    sizes = [
        max((len(text) for text in column), default=0)
        for column in zip(*((f"{row.branch}{row.cells[0]}", *row.cells[1:]) for row in rows), strict=True)
    ]
    for row in rows:
        yield from _lines(row, sizes, width)
    if states.has_more:
        yield _HAS_MORE
    if descendants.unread:
        yield from wrapped(f"Not read: {'; '.join(descendants.unread)}.", width=width, indent="  ")


def _lines(row: _Row, sizes: Sequence[int], width: int | None) -> Iterator[str]:
    name, sync, health = row.cells
    gap = " " * (sizes[0] - len(row.branch) - len(name))
    line = f"{row.branch}{name}{gap}  {_colour(sync)}{' ' * (sizes[1] - len(sync))}  {_colour(health)}"
    room = None if width is None else width - sum(sizes) - 6
    if row.message and (room is None or len(row.message) <= room):
        yield f"{line}{' ' * (sizes[2] - len(health))}  {row.message}"
        return
    yield line
    if row.message:
        yield from wrapped(row.message, width=width, first=row.below, indent=row.below)


def _rows(
    objects: Sequence[tuple[ObjectKey, ObjectState]],
    drifts: Mapping[ObjectKey, str],
    descendants: Descendants,
    *,
    every_pod: bool,
) -> Iterator[_Row]:
    for index, (key, state) in enumerate(objects):
        is_last = index == len(objects) - 1
        below = "    " if is_last else "│   "
        owned = descendants.of.get(key, ())
        told = drifts.get(key, state.sync_message) if state.sync is SyncStatus.DRIFTED else state.sync_message
        message = "; ".join(plain_line(text, limit=200) for text in (told, state.health_message) if text)
        branch = "└── " if is_last else "├── "
        under = f"{below}{'│   ' if owned else '    '}"
        yield _Row(branch, under, (str(key), state.sync, state.health), message)
        yield from _owned(owned, below, every_pod=every_pod)


def _owned(owned: Sequence[Descendant], before: str, *, every_pod: bool) -> Iterator[_Row]:
    shown, counted = (owned, ()) if every_pod else _chosen(owned)
    for index, each in enumerate(shown):
        is_last = index == len(shown) - 1 and not counted
        below = f"{before}{'    ' if is_last else '│   '}"
        message = "; ".join(plain_line(text, limit=200) for text in (each.state, each.health.message) if text)
        name = f"{each.key.kind} {each.key.name}"
        under = f"{below}{'│   ' if each.children else '    '}"
        yield _Row(f"{before}{'└── ' if is_last else '├── '}", under, (name, "", each.health.status), message)
        yield from _owned(each.children, below, every_pod=every_pod)
    for index, (text, health, state) in enumerate(counted):
        branch = "└── " if index == len(counted) - 1 else "├── "
        yield _Row(f"{before}{branch}", f"{before}    ", (text, "", health), state)


def _chosen(owned: Sequence[Descendant]) -> tuple[Sequence[Descendant], Sequence[tuple[str, str, str]]]:
    """Return what to list, and the numbers of the Pods that are alike."""
    pods = [each for each in owned if each.key.kind == "Pod"]
    if len(pods) <= _FEW:
        return owned, ()
    fine = [each for each in pods if each.health.status is HealthStatus.HEALTHY and not each.health.message]
    others = [each for each in owned if each not in fine]
    left = max(len(others) - _MOST, 0)
    if len(fine) <= _FEW:
        others, fine, left = list(owned)[:_MOST], [], max(len(owned) - _MOST, 0)
    counted = []
    if fine:
        states = sorted({each.state.partition(",")[0] for each in fine})
        counted.append((f"{len(fine)} Pods", str(HealthStatus.HEALTHY), " or ".join(states)))
    if left:
        counted.append((f"{left} more", "", "`-o wide` lists all"))
    return others[:_MOST], counted


def _objects(
    states: ObjectStates, applied: Mapping[ObjectKey, LastApplied]
) -> list[tuple[ObjectKey, ObjectState]]:
    """Return what was applied, and what should have been; a Job that has finished says so."""
    found = []
    for key, state in states.listed(applied):
        last = applied.get(key)
        if last is not None and last.finished is not None and not state.sync_message:
            state = replace(state, sync_message="finished")
        found.append((key, state))
    return found


def _colour(status: str) -> str:
    return click.style(status, fg=_COLOURS[status]) if status in _COLOURS else status
