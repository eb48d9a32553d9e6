"""What people read about an object of a plan: the action in one word, the difference, who changed what.

Values of Secrets are masked before they arrive here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from nopea.core.api.times import format_time
from nopea.core.drift.three_way import Side
from nopea.core.plan.inspection import Inspection
from nopea.core.plan.model import Action, Reason
from nopea.core.plan.object_diff import ADMISSION, RIGHTS, FieldDiff, ObjectDiff
from nopea.core.problem import Problem
from nopea.core.show.words import count
from nopea.core.show.yaml_diff import unified, yaml_lines

_VALUE_LENGTH = 200
"""Longer values of a field are cut in text, not in JSON."""

_MOST_FIELDS = 20
"""The most fields of one object whose authors are listed."""

_VERBS = {Action.APPLY: "change", Action.PRUNE: "delete"}
"""What an action is called, where it is not its own name."""

HELD_BACK = "Nothing is deleted while the manifests in Git have errors."
"""Why an object is refused without a problem of its own."""


def refusals(objects: Sequence[ObjectDiff]) -> list[list[ObjectDiff]]:
    """Return the refused objects, those together that are refused for the same reason."""
    groups: dict[Problem | None, list[ObjectDiff]] = {}
    for object_diff in objects:
        if object_diff.step.action is Action.REFUSE:
            groups.setdefault(object_diff.step.problem, []).append(object_diff)
    return list(groups.values())


def change_lines(object_diff: ObjectDiff) -> list[str]:
    """Return what a sync changes in YAML: a new object once, else the hunks of a unified diff."""
    change = object_diff.change
    if change is None:
        return []
    if change.before is None:
        return [f"+{line}" for line in yaml_lines(change.after)]
    return unified(change.before, change.after)


def facts(object_diff: ObjectDiff) -> Iterator[str]:
    """Yield what should be known beside the difference: until when, who changed what, what is not known."""
    if object_diff.step.retry_at is not None:
        yield f"until {format_time(object_diff.step.retry_at)}"
    said = [line for field in object_diff.fields if (line := _field(field, object_diff))]
    yield from said[:_MOST_FIELDS]
    if len(said) > _MOST_FIELDS:
        yield f"and {count(len(said) - _MOST_FIELDS, 'more field')}"
    if object_diff.recreated:
        yield "is deleted and created again, because a field cannot change"
    if object_diff.unchecked not in ("", RIGHTS):
        yield f"not checked: {' '.join(object_diff.unchecked.split())}"
    change = object_diff.change
    if change is not None and not change.is_visible and object_diff.would_change:
        yield "only Nopea's own label and annotation are set"


def rights_notes(objects: Sequence[ObjectDiff]) -> Iterator[str]:
    """Yield a sentence for each kind that the user may not apply, so that the API server was not asked."""
    unasked = Counter(each.step.key.group_kind for each in objects if each.unchecked == RIGHTS)
    for kind, number in sorted(unasked.items()):
        yield f"You may not apply objects of kind {kind}: {count(number, 'object')} not checked."


def summary(objects: Sequence[ObjectDiff]) -> str:
    """Return the counts of a plan: `1 to create, 2 to change, 5 unchanged`."""
    counts = Counter(map(_counted_as, objects))
    words = {
        "create": "to create", "change": "to change", "delete": "to delete", "refuse": "refused",
        "leave": "left as is", "unchanged": "unchanged",
    }  # fmt: skip
    parts = [f"{counts[name]} {word}" for name, word in words.items() if counts[name]]
    return ", ".join(parts) or "No objects."


def verb_of(object_diff: ObjectDiff) -> str:
    """Return what a sync does with the object, in one word."""
    action = object_diff.step.action
    if action is Action.APPLY and not object_diff.would_change:
        action = Action.LEAVE
    return _VERBS.get(action, str(action))


def is_unchanged(object_diff: ObjectDiff) -> bool:
    """Return whether there is nothing to say about the object."""
    step = object_diff.step
    return step.action is Action.LEAVE and step.reason in (Reason.UNCHANGED, Reason.IGNORED)


def other_problems(inspection: Inspection) -> list[Problem]:
    """Return the problems that belong to none of the objects."""
    shown = {object_diff.step.problem for object_diff in inspection.objects}
    return [problem for problem in inspection.problems if problem not in shown]


def _counted_as(object_diff: ObjectDiff) -> str:
    return "unchanged" if is_unchanged(object_diff) else verb_of(object_diff)


def _field(field: FieldDiff, object_diff: ObjectDiff) -> str:
    """Return a line about a field that is not only a change in Git, or that is not in the difference."""
    is_shown = object_diff.change is not None and object_diff.change.is_visible
    if is_shown and field.side is Side.GIT and not field.manager and not field.note:
        return ""
    author = _author(field)
    if field.path == "." and field.live is None:
        return f"deleted in the cluster {author}" if field.side is not Side.GIT else ""
    line = f"{field.path}: {_cut(field.live)}{f' {author}' if author else ''}; "
    if field.note:
        git = "" if field.git is None or field.git == field.live else f"{_cut(field.git)} in Git, "
        return f"{line}{git}{field.note}"
    if not object_diff.step.writes:
        return f"{line}{_cut(field.git)} in Git"
    return f"{line}becomes {_cut(field.git)}"


def _cut(value: str | None) -> str:
    if value is None:
        return "(none)"
    return value if len(value) <= _VALUE_LENGTH else f"{value[: _VALUE_LENGTH - 1]}…"


def _author(field: FieldDiff) -> str:
    """Return who changed the field, how, and when, as far as Kubernetes records it."""
    if field.note == ADMISSION or (not field.manager and field.side is Side.GIT):
        return ""
    if not field.manager:
        return f"by user {field.user}" if field.user else "(Kubernetes does not record by whom)"
    how = "/".join(part for part in (field.operation, field.subresource) if part)
    when = f" at {format_time(field.changed_at)}" if field.changed_at else ""
    user = f", user {field.user}{',' if when else ''}" if field.user else ""
    return f"by {field.manager}{f' ({how})' if how else ''}{user}{when}"
