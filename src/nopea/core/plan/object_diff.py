"""The differences of one object, field by field: last applied, Git, live, and who changed it. For commands.

Pure. `core/drift/find.py` decided what is drift; this adds the changes from Git. Every value is shown through
`core/drift/mask.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from nopea.core.api import names
from nopea.core.api.entries import DriftEntry
from nopea.core.apply.fieldset import Path, find, render_path
from nopea.core.apply.ignore_rules import NO_RULES, IgnoreRules, without_pointers
from nopea.core.apply.managers import UNKNOWN, Owner, owners_beside, owners_of
from nopea.core.apply.projection import managed_fields_of, our_entry
from nopea.core.drift.find import FieldDrift
from nopea.core.drift.guess import shown_path, without_secrets
from nopea.core.drift.mask import show_field
from nopea.core.drift.three_way import Side, ThreeWayChange, three_way_diff
from nopea.core.objects import ObjectKey
from nopea.core.plan.model import Action, Reason, Step
from nopea.core.plan.outcome import Change

ADMISSION: Final = "changed at admission"
"""The note of a field whose value in Git is not stored."""

KEPT: Final = "not reverted"
"""The note of drift that a sync leaves although it writes the object."""

RIGHTS: Final = "you may not apply it"
"""Why an object was not tried: the rights of the user, who need not have those of Nopea."""

SHOWN: Final = 4096
"""The most characters of one value."""

Manifest = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldDiff:
    """One field with its values masked and shortened; None means absent.

    `last_is_known` is False when something was applied and Git no longer has that commit. `note` says what
    a sync does about the field where the values do not.
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
    user: str = ""
    note: str = ""
    keys: Path = ()
    """The elements of the path."""

    def for_public(self) -> FieldDiff:
        """Return the field for people who may not read the object."""

        def hidden(text: str | None) -> str | None:
            return None if text is None else str(without_secrets(text, self.keys))

        return replace(
            self,
            path=shown_path(self.keys) if self.keys else self.path,
            last=hidden(self.last),
            git=hidden(self.git),
            live=hidden(self.live),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectDiff:
    """One object of a plan with its differences."""

    step: Step
    fields: tuple[FieldDiff, ...] = ()
    change: Change | None = None
    """What a sync makes of the object, where it writes it and the API server does not refuse that."""
    unchecked: str = ""
    """Why the API server could not say whether it takes the write; empty if it could, or need not."""
    recreated: bool = False
    """True if a sync deletes the object and creates it again."""

    def for_public(self) -> ObjectDiff:
        """Return the object for people who may not read it: what looks like a secret is masked."""
        return replace(
            self,
            fields=tuple(field.for_public() for field in self.fields),
            change=self.change and self.change.for_public(),
        )

    @property
    def differs(self) -> bool:
        """True when a sync would change the object, or cannot; ignored fields do not count.

        What admission changes does not count either: it changes it again at every apply.
        """
        return any(field.note != ADMISSION for field in self.fields) or self.step.action in (
            Action.CREATE,
            Action.PRUNE,
            Action.REFUSE,
        )

    @property
    def would_change(self) -> bool:
        """True when a sync would change the object; Nopea's own marks on an adopted object count."""
        if self.step.action is Action.APPLY:
            marks = self.step.reason in (Reason.ADOPTED, Reason.NOT_RECORDED)
            return marks or self.recreated or self.change is None or self.change.is_visible
        return self.step.action in (Action.CREATE, Action.PRUNE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Three:
    """The three manifests of an object; `last` is None if nothing was applied yet, or if it is not known.

    `was_applied` tells the two cases apart.
    """

    last: Manifest | None
    desired: Manifest
    live: Manifest | None
    was_applied: bool = False

    @property
    def last_is_known(self) -> bool:
        """True when `last` is known, or there is none."""
        return self.last is not None or not self.was_applied


def field_diffs(
    key: ObjectKey,
    three: Three,
    *,
    drifted: tuple[FieldDrift, ...] = (),
    rules: IgnoreRules = NO_RULES,
    kept: Iterable[Path] = (),
) -> tuple[FieldDiff, ...]:
    """Return the differences, sorted by path, each field once; the drift in `kept` is not reverted.

    Changes in the cluster come from `drifted` alone, because ownership decides what is drift. Changes in Git
    come from the manifests. If `last` is not known, everything that an apply would change counts as Git's.
    """
    three = replace(
        three,
        last=without_pointers(three.last, rules.pointers),
        desired=without_pointers(three.desired, rules.pointers),
        live=without_pointers(three.live, rules.pointers),
    )
    by_keys = {field.keys: field for field in drifted}
    found = {
        change.keys: _of_change(key, change, by_keys.get(change.keys), three) for change in _changes(three)
    }
    for field in drifted:
        found.setdefault(field.keys, _of_drift(key, field, three))
    for keys in kept:
        if keys in found:
            found[keys] = replace(found[keys], note=KEPT)
    return tuple(found[keys] for keys in sorted(found))


def _changes(three: Three) -> Iterator[ThreeWayChange]:
    if three.last is not None:
        found = three_way_diff(three.last, three.desired, three.live).changes
        yield from (change for change in found if change.side is not Side.CLUSTER)
        return
    desired = _unmarked(three.desired)  # a first apply always adds the ownership metadata
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
        side = Side.GIT  # by ownership, no other manager changed it
    elif side is Side.GIT:
        side = Side.BOTH
    owner = _owner(change.keys, three) if drift is None and side is Side.GIT else UNKNOWN
    stays = _co_owner(change.keys, three) if change.desired is None and change.before is not None else UNKNOWN
    return FieldDiff(
        path=change.path,
        keys=change.keys,
        last=_show(last, key, change.keys),
        git=_show(change.desired, key, change.keys),
        live=_show(change.live, key, change.keys),
        side=side,
        last_is_known=three.last_is_known,
        manager=drift.manager if drift else owner.manager,
        operation=drift.operation if drift else owner.operation,
        subresource=drift.subresource if drift else owner.subresource,
        changed_at=drift.changed_at if drift else owner.changed_at,
        note=f"stays: {stays.manager} owns it too" if stays.manager else "",
    )


def with_users(objects: Iterable[ObjectDiff], drifts: Iterable[DriftEntry]) -> tuple[ObjectDiff, ...]:
    """Return the differences with the users whom the controller named in the status.

    An entry names one user: of one field, which must be the one that differs, by the same manager.
    """
    known = {drift.object.key: drift for drift in drifts if drift.user and len(drift.fields) == 1}
    return tuple(_with_user(diff, known.get(diff.step.key)) for diff in objects)


def _with_user(diff: ObjectDiff, drift: DriftEntry | None) -> ObjectDiff:
    if drift is None:
        return diff
    fields = tuple(
        replace(field, user=drift.user or "")
        if field.side is not Side.GIT
        and (field.path, field.manager) == (drift.fields[0].path, drift.manager or "")
        else field
        for field in diff.fields
    )
    return replace(diff, fields=fields)


def removals(key: ObjectKey, live: Manifest, paths: Iterable[Path]) -> tuple[FieldDiff, ...]:
    """Return the live fields that an adoption removes, because Git omits them."""
    owners = owners_beside(managed_fields_of(live), None)
    found = ((path, next(owners_of(owners, path), UNKNOWN)) for path in paths)
    return tuple(
        FieldDiff(
            path=render_path(path),
            keys=path,
            last=None,
            git=None,
            live=_show(find(live, path), key, path),
            side=Side.GIT,
            manager=owner.manager,
            operation=owner.operation,
            subresource=owner.subresource,
            changed_at=owner.changed_at,
            note="removed by the adoption",
        )
        for path, owner in found
    )


def _of_drift(key: ObjectKey, field: FieldDrift, three: Three) -> FieldDiff:
    last = find(three.last, field.keys) if three.last is not None else None
    return FieldDiff(
        path=field.path,
        keys=field.keys,
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
    """Return who set a live value of an object that was never applied; UNKNOWN for values of our own."""
    if three.last is not None or three.live is None:
        return UNKNOWN
    return next(owners_of(owners_beside(managed_fields_of(three.live), None), keys), UNKNOWN)


def admission_changes(
    key: ObjectKey, sent: Manifest, live: Manifest, paths: Iterable[Path]
) -> tuple[FieldDiff, ...]:
    """Return the values in Git that admission changed when they were applied."""
    return tuple(
        FieldDiff(
            path=render_path(path),
            keys=path,
            last=(value := _show(find(sent, path), key, path)),
            git=value,
            live=_show(find(live, path), key, path),
            side=Side.CLUSTER,
            note=ADMISSION,
        )
        for path in paths
    )


def _co_owner(keys: Path, three: Three) -> Owner:
    """Return who owns a live field beside us; UNKNOWN if Git's removal removes it."""
    if three.live is None or find(three.live, keys) is None:
        return UNKNOWN
    return next(owners_of(owners_beside(managed_fields_of(three.live), our_entry(three.live)), keys), UNKNOWN)


def _show(value: Any, key: ObjectKey, keys: Path) -> str | None:
    return None if value is None else show_field(value, key=key, path=keys, limit=SHOWN, guess=False)


def _unmarked(manifest: Manifest) -> Manifest:
    """Return the manifest without our label and annotation, and without maps that held only those."""
    metadata = dict(manifest.get("metadata") or {})
    for field, ours in (("labels", names.REPOSITORY_LABEL), ("annotations", names.SOURCE_ANNOTATION)):
        rest = {name: value for name, value in (metadata.pop(field, None) or {}).items() if name != ours}
        if rest:
            metadata[field] = rest
    return {**manifest, "metadata": metadata}
