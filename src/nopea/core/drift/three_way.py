"""Compare three manifests of an object: what Git changed, what the cluster changed, and what both changed.

Works on plain manifests, without field managers: `core/drift/find.py` finds who changed something, and what
is drift though the values are equal. Only fields in the last applied or the desired manifest count; defaults,
status and fields that others added do not.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from nopea.core.apply.equality import Spelling
from nopea.core.apply.fieldset import MAX_DEPTH, Path, render_path
from nopea.core.apply.merge_keys import by_path_element, keys_of_list

Manifest = Mapping[str, Any]


class DriftKind(enum.StrEnum):
    """What happened to an object since the last apply."""

    NO_DRIFT = "no_drift"
    GIT_CHANGE = "git_change"
    MANUAL_DRIFT = "manual_drift"
    CONFLICT = "conflict"
    """Both Git and the cluster changed the object, not necessarily the same field."""


class Side(enum.StrEnum):
    """Who changed a field. `both`: to different values."""

    GIT = "git"
    CLUSTER = "cluster"
    BOTH = "both"


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreeWayChange:
    """A changed field, item or object; None means absent.

    `path` is its path for messages, `keys` the elements of the path (`core/apply/fieldset.py`); for the
    object itself they are `.` and (). `live` contains only declared fields.
    """

    path: str
    keys: Path
    before: Any
    desired: Any
    live: Any
    side: Side


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreeWay:
    """The verdict on one object, and its changes."""

    verdict: DriftKind
    changes: tuple[ThreeWayChange, ...]


def three_way_diff(
    last_applied: Manifest | None, desired: Manifest | None, live: Manifest | None
) -> ThreeWay:
    """Compare what was applied last, what Git wants and what is there; None is an object that is not.

    A field that Git newly declares is Git's change alone, whatever the cluster holds there; so is a change
    that the cluster made to the same value. Lists that Kubernetes merges are merged, others are one piece.
    """
    walk = _Walk(Spelling.of(desired, last_applied, live))
    changes = tuple(walk.run((last_applied, desired, live)))
    sides = {change.side for change in changes}
    return ThreeWay(
        verdict=verdict_of(git=bool(sides - {Side.CLUSTER}), cluster=bool(sides - {Side.GIT})),
        changes=changes,
    )


def verdict_of(*, git: bool, cluster: bool) -> DriftKind:
    """Return the kind of drift of an object that Git, the cluster, both or neither changed."""
    if git:
        return DriftKind.CONFLICT if cluster else DriftKind.GIT_CHANGE
    return DriftKind.MANUAL_DRIFT if cluster else DriftKind.NO_DRIFT


def is_identity(path: Path) -> bool:
    """Whether a field only identifies the object or its version."""
    return path in _IDENTITY


_IDENTITY: Final = frozenset(
    (
        ("f:apiVersion",),
        ("f:kind",),
        ("f:metadata", "f:generateName"),
        ("f:metadata", "f:name"),
        ("f:metadata", "f:namespace"),
    )
)


@dataclass(frozen=True, slots=True)
class Place:
    """A place in an object: `name` is its field (empty for an item), `inside` the field around it."""

    path: Path = ()
    name: str = ""
    inside: str = ""

    @classmethod
    def of(cls, path: Path) -> Place:
        """Return the place at a path."""
        place = cls()
        for key in path:
            place = place.field(key[2:]) if key[:2] == "f:" else place.item(key)
        return place

    def field(self, name: str) -> Place:
        """Return the place of a field of this value."""
        return Place((*self.path, f"f:{name}"), name, self.name or self.inside)

    def item(self, key: str) -> Place:
        """Return the place of an item of this list, by its path element."""
        return Place((*self.path, key), "", self.name)


_Three = tuple[Any, Any, Any]
"""The values at one place in the last applied, the desired and the live manifest."""


@dataclass(frozen=True, slots=True)
class _Walk:
    """One comparison."""

    spelling: Spelling

    def run(self, three: _Three) -> Iterator[ThreeWayChange]:
        _, desired, live = three
        whole = desired is None or live is None
        yield from (self._leaf if whole else self._visit)(three, Place())

    def _visit(self, three: _Three, place: Place) -> Iterator[ThreeWayChange]:
        kind = next((kind for kind in (Mapping, list) if isinstance(three[2], kind)), None)
        declared = [value for value in three[:2] if value is not None]
        is_open = len(place.path) < MAX_DEPTH and any(declared)
        if kind is None or not is_open or not all(isinstance(value, kind) for value in declared):
            yield from self._leaf(three, place)
        elif kind is list:
            yield from self._list(three, place)
        else:
            before, desired, live = [value or {} for value in three]
            for name in {**before, **desired}:
                fields = (before.get(name), desired.get(name), live.get(name))
                yield from self._visit(fields, place.field(name))

    def _list(self, three: _Three, place: Place) -> Iterator[ThreeWayChange]:
        spelling = self.spelling
        keys = keys_of_list(place.name, inside=place.inside, kind=spelling.kind, built_in=spelling.built_in)
        named = [None if keys is None else by_path_element(value, keys) for value in three]
        before, desired, live = named
        if before is None or desired is None or live is None:
            yield from self._leaf(three, place)
            return
        is_new = three[0] is None
        for key in {**before, **desired}:
            items = (before.get(key), desired.get(key), live.get(key))
            # an added or removed item is one change, unless Git adds the whole list
            whole = items[2] is None or (None in items and not is_new)
            yield from (self._leaf if whole else self._visit)(items, place.item(key))

    def _leaf(self, three: _Three, place: Place) -> Iterator[ThreeWayChange]:
        side = self._side(three, place)
        if side is not None:
            before, desired, live = three
            yield ThreeWayChange(
                path=render_path(place.path),
                keys=place.path,
                before=before,
                desired=desired,
                live=_declared_part(live, before, desired, depth=0),
                side=side,
            )

    def _side(self, three: _Three, place: Place) -> Side | None:
        before, desired, live = three
        where = {"parent": place.inside, "name": place.name}
        if is_identity(place.path) and None in (before, desired):
            return None
        if self.spelling.same(before, desired, **where):
            unchanged = (
                before is None or is_identity(place.path) or self.spelling.holds(before, live, **where)
            )
            return None if unchanged else Side.CLUSTER
        if before is None or self._holds(before, live, place) or self._holds(desired, live, place):
            return Side.GIT
        return Side.BOTH

    def _holds(self, declared: Any, live: Any, place: Place) -> bool:
        """Whether the live value is as declared, by the rules of this comparison."""
        if declared is None or live is None:
            return self.spelling.same(declared, live, parent=place.inside, name=place.name)
        return not any(self._visit((declared, declared, live), place))


def _declared_part(live: Any, *declared: Any, depth: int) -> Any:
    """Return the live value without the fields that no manifest declares."""
    if depth >= MAX_DEPTH:
        return live
    if isinstance(live, Mapping):
        mappings = [value for value in declared if isinstance(value, Mapping)]
        return {
            name: _declared_part(item, *(value.get(name) for value in mappings), depth=depth + 1)
            for name, item in live.items()
            if not mappings or any(name in value for value in mappings)
        }
    if isinstance(live, list):
        lists = [value for value in declared if isinstance(value, list) and len(value) == len(live)]
        if lists:
            return [
                _declared_part(item, *(value[index] for value in lists), depth=depth + 1)
                for index, item in enumerate(live)
            ]
    return live
