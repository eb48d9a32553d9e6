"""Format the objects of a GitRepository as a tree and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import click

from nopea.cli.output.history import empty_reason
from nopea.core.api.repository import Repository
from nopea.core.drift.mask import plain_line
from nopea.core.health.rules import HealthStatus
from nopea.core.objects import ObjectKey
from nopea.core.plan.model import LastApplied
from nopea.core.status.object_states import GOOD, ObjectState, ObjectStates, SyncStatus, unpack_states

_COLOURS = {
    SyncStatus.SYNCED: "green",
    SyncStatus.DRIFTED: "yellow",
    SyncStatus.FAILED: "red",
    HealthStatus.HEALTHY: "green",
    HealthStatus.FAILED: "red",
}
_HAS_MORE = "More objects are not in sync or not healthy; the record holds only the worst ones."


def tree_json(repository: Repository, applied: Mapping[ObjectKey, LastApplied]) -> dict[str, Any]:
    """Return each object with `sync`, `health` and, where there is something to say, their messages."""
    states = unpack_states(repository.status.object_states)
    return {
        "repository": str(repository.key),
        "revision": repository.status.revision,
        "complete": not states.has_more,
        "objects": [_as_json(key, state) for key, state in _objects(states, applied)],
    }


def _as_json(key: ObjectKey, state: ObjectState) -> dict[str, str]:
    messages = {"syncMessage": state.sync_message, "healthMessage": state.health_message}
    return {
        "group": key.group,
        "kind": key.kind,
        "namespace": key.namespace,
        "name": key.name,
        "sync": state.sync,
        "health": state.health,
        **{name: message for name, message in messages.items() if message},
    }


def tree_lines(repository: Repository, applied: Mapping[ObjectKey, LastApplied]) -> Iterator[str]:
    """Yield the repository with its summary, then a line for each object, by kind and name."""
    states = unpack_states(repository.status.object_states)
    objects = _objects(states, applied)
    summary = repository.status.summary or empty_reason(repository)
    yield f"GitRepository {repository.key}  {repository.status.revision or '(nothing applied)'}  {summary}"
    widths = [
        max((len(text) for text in column), default=0)
        for column in zip(*(_cells(key, state) for key, state in objects), strict=True)
    ]
    for index, (key, state) in enumerate(objects):
        branch = "└──" if index == len(objects) - 1 else "├──"
        name, sync, health = (
            text.ljust(width) for text, width in zip(_cells(key, state), widths, strict=True)
        )
        message = "; ".join(filter(None, (state.sync_message, state.health_message)))
        line = f"{branch} {name}  {_colour(sync, state.sync)}  "
        if message:
            yield f"{line}{_colour(health, state.health)}  {plain_line(message, limit=200)}"
        else:
            yield f"{line}{_colour(state.health, state.health)}"
    if states.has_more:
        yield _HAS_MORE


def _objects(
    states: ObjectStates, applied: Mapping[ObjectKey, LastApplied]
) -> list[tuple[ObjectKey, ObjectState]]:
    """Return what was applied, and what should have been; a Job that has finished says so."""
    found = []
    for key in sorted({*applied, *states.objects}):
        state, last = states.objects.get(key, GOOD), applied.get(key)
        if last is not None and last.finished is not None and not state.sync_message:
            state = replace(state, sync_message="finished")
        found.append((key, state))
    return found


def _cells(key: ObjectKey, state: ObjectState) -> tuple[str, str, str]:
    return str(key), state.sync, state.health


def _colour(text: str, status: SyncStatus | HealthStatus) -> str:
    return click.style(text, fg=_COLOURS.get(status))
