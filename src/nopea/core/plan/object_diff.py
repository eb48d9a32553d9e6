"""What differs in one object, field by field: last applied, Git, live, and who made it so. For commands.

Pure. `core/drift/find.py` decided what is drift; this adds the changes from Git. Every value is shown through
`core/drift/mask.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from nopea.core.api import names
from nopea.core.apply.fieldset import Path, find
from nopea.core.apply.ignore_rules import NO_RULES, IgnoreRules, without_pointers
from nopea.core.apply.managers import UNKNOWN, Owner, owners_beside, owners_of
from nopea.core.apply.projection import managed_fields_of
from nopea.core.drift.find import FieldDrift
from nopea.core.drift.mask import show_field
from nopea.core.drift.three_way import Side, ThreeWayChange, three_way_diff
from nopea.core.objects import ObjectKey
from nopea.core.plan.model import Action, Step

SHOWN: Final = 4096
"""Characters of one value: enough for what people write, and bounded."""

Manifest = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldDiff:
    """One field, its values masked and cut; None stands for absent.

    `last_is_known` is False where something was applied and nobody can tell any more what.
    """

    path: str
    last: str | None
    git: str | None
    live: str | None
    side: Side
    last_is_known: bool = True
    manager: str = ""
    operation: str = ""
    subresource: str = ""
    changed_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectDiff:
    """One object of a plan with what differs in it."""

    step: Step
    fields: tuple[FieldDiff, ...] = ()

    @property
    def differs(self) -> bool:
        """True when the cluster is not as Git wants it; what Git leaves in peace does not count."""
        return bool(self.fields) or self.step.action in (Action.CREATE, Action.PRUNE, Action.REFUSE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Three:
    """The three manifests of an object; `last` None where nothing was applied yet, or nobody knows what.

    `was_applied` tells the two apart.
    """

    last: Manifest | None
    desired: Manifest
    live: Manifest | None
    was_applied: bool = False

    @property
    def last_is_known(self) -> bool:
        """True when `last` can be believed."""
        return self.last is not None or not self.was_applied


def field_diffs(
    key: ObjectKey, three: Three, *, drifted: tuple[FieldDrift, ...] = (), rules: IgnoreRules = NO_RULES
) -> tuple[FieldDiff, ...]:
    """Return what differs, sorted by path, each field once.

    What the cluster changed comes from `drifted` alone, because ownership says what is drift; what Git
    changed from the manifests. Where `last` is not known, all that an apply would change is Git's change.
    """
    three = replace(
        three,
        last=without_pointers(three.last, rules.pointers),
        desired=without_pointers(three.desired, rules.pointers),
        live=without_pointers(three.live, rules.pointers),
    )
    by_keys = {one.keys: one for one in drifted}
    found = {
        change.keys: _of_change(key, change, by_keys.get(change.keys), three) for change in _changes(three)
    }
    for field in drifted:
        found.setdefault(field.keys, _of_drift(key, field, three))
    return tuple(found[keys] for keys in sorted(found))


def _changes(three: Three) -> Iterator[ThreeWayChange]:
    if three.last is not None:
        found = three_way_diff(three.last, three.desired, three.live).changes
        yield from (change for change in found if change.side is not Side.CLUSTER)
        return
    desired = _unmarked(three.desired)  # the marks of ownership are what the first apply means
    if three.live is None:
        yield from three_way_diff(None, desired, None).changes
        return
    yield from three_way_diff(desired, desired, three.live).changes


def _of_change(key: ObjectKey, change: ThreeWayChange, drift: FieldDrift | None, three: Three) -> FieldDiff:
    side, last = change.side, change.before
    if three.last is None:
        last = None
        side = Side.GIT if drift is None else Side.CLUSTER
    elif drift is None:
        side = Side.GIT  # by ownership nobody else changed it
    elif side is Side.GIT:
        side = Side.BOTH
    owner = _owner(change.keys, three) if drift is None and side is Side.GIT else UNKNOWN
    return FieldDiff(
        path=change.path,
        last=_show(last, key, change.keys),
        git=_show(change.desired, key, change.keys),
        live=_show(change.live, key, change.keys),
        side=side,
        last_is_known=three.last_is_known,
        manager=drift.manager if drift else owner.manager,
        operation=drift.operation if drift else owner.operation,
        subresource=drift.subresource if drift else owner.subresource,
        changed_at=drift.changed_at if drift else owner.changed_at,
    )


def _of_drift(key: ObjectKey, field: FieldDrift, three: Three) -> FieldDiff:
    last = find(three.last, field.keys) if three.last is not None else None
    return FieldDiff(
        path=field.path,
        last=_show(last, key, field.keys),
        git=_show(field.from_, key, field.keys),
        live=_show(field.to, key, field.keys),
        side=Side.CLUSTER,
        last_is_known=three.last_is_known,
        manager=field.manager,
        operation=field.operation,
        subresource=field.subresource,
        changed_at=field.changed_at,
    )


def _owner(keys: Path, three: Three) -> Owner:
    """Return who set a live value that an object not applied before has; of ours, nobody has to be named."""
    if three.last is not None or three.live is None:
        return UNKNOWN
    return next(owners_of(owners_beside(managed_fields_of(three.live), None), keys), UNKNOWN)


def _show(value: Any, key: ObjectKey, keys: Path) -> str | None:
    return None if value is None else show_field(value, key=key, path=keys, limit=SHOWN)


def _unmarked(manifest: Manifest) -> Manifest:
    """Return the manifest without our label and our annotation, and without a map that held only those."""
    metadata = dict(manifest.get("metadata") or {})
    for field, mark in (("labels", names.REPOSITORY_LABEL), ("annotations", names.SOURCE_ANNOTATION)):
        rest = {name: value for name, value in (metadata.pop(field, None) or {}).items() if name != mark}
        if rest:
            metadata[field] = rest
    return {**manifest, "metadata": metadata}
