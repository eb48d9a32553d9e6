"""Find the drifted fields of a live object: from which value to which, and who changed them.

Ownership decides: nobody has changed a value that our Apply entry still owns, in whichever notation it is
stored, so that defaults, rounding and webhooks never look like drift. Never decides whether and when drift is
healed (the plan does) or what may be shown of a value (`core/drift/mask.py` does).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from nopea.core.api.names import FIELD_MANAGER
from nopea.core.apply.equality import MAP_FIELDS, Spelling
from nopea.core.apply.fieldset import (
    MAX_DEPTH,
    NO_FIELDS,
    Fields,
    Path,
    child_at,
    fields_of,
    find,
    has_children,
    is_member,
    node_at,
    project,
)
from nopea.core.apply.ignore_rules import NO_RULES, IgnoreRules, without_pointers
from nopea.core.apply.list_items import key_names, positions
from nopea.core.apply.managers import UNKNOWN, Owner, owner_of, owners_beside, owners_of
from nopea.core.apply.merge_keys import by_path_element, keys_of_list
from nopea.core.apply.projection import managed_fields_of, our_entry, people_fields
from nopea.core.drift.guess import shown_path
from nopea.core.drift.three_way import DriftKind, Place, Side, is_identity, three_way_diff, verdict_of


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldDrift:
    """One field, item or object that differs from what was applied.

    `path` is its path for messages, `keys` the elements of the path. `from_` is the value in Git (None:
    absent), `to` the live value (None: absent). If both are equal, only the ownership has changed. `manager`,
    `operation`, `subresource` and `changed_at` are those of the current owner, and empty for an absent field:
    Kubernetes does not record who removed it. `user` and `groups` are those of the user who changed it, where
    that is known (`core/users/attribute.py`).
    """

    path: str
    keys: Path
    from_: Any
    to: Any
    manager: str
    operation: str
    subresource: str
    changed_at: datetime | None
    user: str = ""
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """The kind of drift of an object, and the fields that people or other managers changed, each once."""

    kind: DriftKind
    fields: tuple[FieldDrift, ...] = ()

    @property
    def attributed(self) -> FieldDrift | None:
        """The first field of which it is known who changed it."""
        return next((field for field in self.fields if field.manager or field.user), None)


def who(manager: str | None, user: str | None) -> str:
    """Return who changed something, for a sentence: `kubectl, user ada`; empty if nobody is known."""
    return ", ".join([name for name in (manager, f"user {user}" if user else "") if name])


def find_drift(
    *,
    desired: Mapping[str, Any] | None,
    last_applied: Mapping[str, Any] | None,
    live: Mapping[str, Any] | None,
    rules: IgnoreRules = NO_RULES,
) -> Drift:
    """Compare a live object with the last applied and the desired manifest, all in the applied apiVersion.

    Without `last_applied`, an object with our Apply entry counts as applied from `desired`, one without it as
    never applied (a git change). For a deleted object, the only field is the object itself.
    """
    git_changed = last_applied is not None and not Spelling.of(last_applied).same(last_applied, desired)
    if live is None:
        return _deleted(desired, last_applied, git_changed=git_changed)
    ours = our_entry(live)
    if last_applied is None and (ours is None or desired is None):
        return Drift(kind=DriftKind.GIT_CHANGE)
    base = desired if last_applied is None else last_applied
    wanted, base, masked_live = (without_pointers(value, rules.pointers) for value in (desired, base, live))
    finder = _Finder(wanted=wanted, base=base, live=masked_live, ours=ours, rules=rules)
    fields = tuple(finder.run())
    return Drift(kind=verdict_of(git=git_changed, cluster=bool(fields)), fields=fields)


def _deleted(desired: Any, last_applied: Any, *, git_changed: bool) -> Drift:
    if desired is None or last_applied is None:
        return Drift(kind=verdict_of(git=desired is not last_applied, cluster=False))
    whole = _field((), desired, None, UNKNOWN)
    return Drift(kind=verdict_of(git=git_changed, cluster=True), fields=(whole,))


def _field(path: Path, from_: Any, to: Any, owner: Owner) -> FieldDrift:
    return FieldDrift(
        path=shown_path(path),
        keys=path,
        from_=from_,
        to=to,
        manager=owner.manager,
        operation=owner.operation,
        subresource=owner.subresource,
        changed_at=owner.changed_at,
    )


class _Finder:
    """The search in one object."""

    def __init__(
        self,
        *,
        wanted: Any,
        base: Any,
        live: Any,
        ours: Mapping[str, Any] | None,
        rules: IgnoreRules,
    ) -> None:
        self._wanted, self._base, self._live = wanted, base, live
        self._rules = rules
        self._managed_fields = managed_fields_of(live)
        self._has_entry = ours is not None
        self._ours = fields_of(ours)
        self._others = owners_beside(self._managed_fields, ours)
        self._spelling = Spelling.of(wanted, base, live)

    def run(self) -> Iterator[FieldDrift]:
        drifts: dict[Path, FieldDrift] = {}
        for place in self._lost_places():
            if (drift := self._lost_field(place)) is not None:
                drifts.setdefault(drift.keys, drift)
        for drift in self._added_fields():
            drifts.setdefault(drift.keys, drift)
        for path, drift in drifts.items():
            if not any(path[:length] in drifts for length in range(len(path))):
                yield drift

    # fields that were applied and that our entry no longer owns

    def _lost_places(self) -> Iterator[Place]:
        if self._has_entry:
            yield from self._lost(self._base, self._live, self._ours, Place())
            return
        # without an entry of ours only a difference of values can count
        for change in three_way_diff(self._base, self._base, self._live).changes:
            if change.side is Side.CLUSTER:
                yield Place.of(change.keys)

    def _lost_field(self, place: Place) -> FieldDrift | None:
        applied, live = find(self._base, place.path), find(self._live, place.path)
        wanted = applied if self._wanted is None else find(self._wanted, place.path)
        names = {"parent": place.inside, "name": place.name}
        if not self._spelling.same(applied, wanted, **names) and self._spelling.holds(wanted, live, **names):
            return None  # Git has changed to the live value
        owners = list(owners_of(self._others, place.path)) if live is not None else []
        if any(self._rules.ignores_manager(owner.manager) for owner in owners):
            return None
        return _field(place.path, wanted, live, owners[0] if owners else UNKNOWN)

    def _lost(self, base: Any, live: Any, node: Any, place: Place) -> Iterator[Place]:
        """Yield the places where our entry lost an applied field; `node` is what it still owns there."""
        if is_identity(place.path) or (place.path and node == NO_FIELDS):
            return
        if base is None:  # a null in Git; a built-in kind stores it as a default
            if node is None and not self._spelling.built_in and place.path[:1] != ("f:metadata",):
                yield place
            return
        items: Mapping[str, Any] | None = None
        if base and len(place.path) < MAX_DEPTH:
            items = self._parts(base, node, place)
        if items is None:
            if node is None and self._is_taken(base, live, place):
                yield place
        elif node is None and self._is_one_piece(live, place, type(base)):
            yield place
        elif isinstance(base, list):
            indexes = positions(live, items) if isinstance(live, list) else {}
            for key, item in items.items():
                live_item = live[indexes[key]] if key in indexes else None
                yield from self._lost_item(item, live_item, child_at(node, key), place.item(key))
        else:
            fields = live if isinstance(live, Mapping) else {}
            for name, value in items.items():
                yield from self._lost(value, fields.get(name), child_at(node, f"f:{name}"), place.field(name))

    def _lost_item(self, item: Any, live: Any, node: Any, place: Place) -> Iterator[Place]:
        is_replaced = any(owner.owns_itself(place.path) for owner in self._others)
        if node is None and (live is None or is_replaced):
            yield place
        else:
            yield from self._lost(item, live, node, place)

    def _parts(self, base: Any, node: Any, place: Place) -> Mapping[str, Any] | None:
        """Return the fields of a mapping or the named items of a merged list; None for an atomic value."""
        if isinstance(base, Mapping):
            return base
        keys = self._list_keys(node, place) if isinstance(base, list) else None
        return None if keys is None else by_path_element(base, keys)

    def _list_keys(self, node: Any, place: Place) -> tuple[str, ...] | None:
        """Return how the list is merged: from the entries, or from the table if no entry shows it."""
        nodes = [node, *(node_at(owner.fields, place.path) for owner in self._others)]
        for key in (key for owned in nodes if isinstance(owned, dict) for key in owned):
            if key[:2] in ("k:", "v:"):
                return key_names(key) if key[:2] == "k:" else ()
        if NO_FIELDS in nodes:
            return None
        return keys_of_list(
            place.name, inside=place.inside, kind=self._spelling.kind, built_in=self._spelling.built_in
        )

    def _is_one_piece(self, live: Any, place: Place, shape: type) -> bool:
        """Whether a value of which we own nothing is one drift: it was removed, or created again."""
        if not isinstance(live, shape) or any(owner.owns_as_one(place.path) for owner in self._others):
            return True
        return place.name not in MAP_FIELDS and any(owner.owns_itself(place.path) for owner in self._others)

    def _is_taken(self, base: Any, live: Any, place: Place) -> bool:
        """Whether a value that we no longer own was changed, or is now owned by another manager."""
        spelling = self._spelling
        if not spelling.holds(base, live, parent=place.inside, name=place.name):
            return True
        if live is None:  # custom resources store empty values, which Go types omit, except in metadata
            return not spelling.built_in and place.path[:1] != ("f:metadata",)
        if isinstance(base, (Mapping, list)) and not base:
            return bool(live) and any(owner.owns_as_one(place.path) for owner in self._others)
        return any(owner.manager != FIELD_MANAGER for owner in owners_of(self._others, place.path))

    # fields that people's tools added

    def _added_fields(self) -> Iterator[FieldDrift]:
        added = people_fields(self._managed_fields, self._ours, rules=self._rules)
        owned = [(owner_of(entry), fields) for entry, fields in added]
        for owner, fields in sorted(owned, key=lambda pair: pair[0].age, reverse=True):
            for place, node in self._added(fields, Place()):
                drift = self._added_field(place, node, owner)
                if drift is not None:
                    yield drift

    def _added(self, node: Any, place: Place) -> Iterator[tuple[Place, Any]]:
        """Yield the fields, items and structs that are completely new."""
        is_whole = not has_children(node) or len(place.path) >= MAX_DEPTH
        if is_whole or (place.path and self._is_new(node, place)):
            yield place, node
            return
        for key, child in node.items():
            if key[:2] == "f:":
                yield from self._added(child, place.field(key[2:]))
            elif key != ".":
                yield from self._added(child, place.item(key))

    def _is_new(self, node: Fields, place: Place) -> bool:
        if not is_member(node) or place.name in MAP_FIELDS or not any(key[:2] == "f:" for key in node):
            return False
        others = (
            find(self._base, place.path),
            find(self._wanted, place.path),
            node_at(self._ours, place.path),
        )
        return others == (None, None, None)

    def _added_field(self, place: Place, node: Any, owner: Owner) -> FieldDrift | None:
        live = find(self._live, place.path)
        if live is None or find(self._base, place.path) is not None:  # an applied field is lost, not added
            return None
        if has_children(node):
            live = project(live, node)
        wanted = find(self._wanted, place.path)
        names = {"parent": place.inside, "name": place.name}
        if wanted is not None and self._spelling.holds(wanted, live, **names):
            return None
        return _field(place.path, wanted, live, owner)
