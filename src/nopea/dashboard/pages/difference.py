"""What a sync would change, side by side: who changed what, and the lines of YAML before and after. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from nopea.core.api.times import format_time
from nopea.core.drift.find import who
from nopea.core.drift.lines import MOST_STEPS, changes
from nopea.core.drift.three_way import Side
from nopea.core.plan.model import Action, Reason
from nopea.core.plan.object_diff import FieldDiff, ObjectDiff
from nopea.core.problem import Problem
from nopea.dashboard.pages.overview import Level
from nopea.dashboard.pages.repository import anchor

MOST_LINES = 400
"""The most lines of one object that are shown side by side."""

MOST_OBJECTS = 200
MOST_FIELDS = 50
LONGEST_LINE = 1_000
PAGE_STEPS = 40_000_000
"""The comparisons of lines for all objects of a page: they take a few seconds."""

_COMPARED = 5_000
_CONTEXT = 3
_LEVELS = {
    Action.CREATE: Level.GOOD,
    Action.APPLY: Level.WARNING,
    Action.PRUNE: Level.BAD,
    Action.REFUSE: Level.BAD,
}
_VERBS = {Action.APPLY: "change", Action.PRUNE: "delete"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedObject:
    """One object of a plan, and its lines of YAML in the cluster and after a sync, with secrets masked."""

    diff: ObjectDiff
    before: Sequence[str] = ()
    after: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What a sync would do now at a commit; `problems` belong to none of the objects."""

    commit: str
    objects: tuple[ComparedObject, ...]
    problems: tuple[Problem, ...]

    @property
    def lines(self) -> int:
        """How many lines there are to compare."""
        return sum(len(each.before) + len(each.after) for each in self.objects)


@dataclass(frozen=True, slots=True, kw_only=True)
class LinePair:
    """A line of the cluster beside the one that a sync makes of it; None is none. A gap has neither."""

    left: str | None
    right: str | None
    is_same: bool = False

    @property
    def is_gap(self) -> bool:
        """Whether lines that are the same are left out here."""
        return self.left is None and self.right is None


@dataclass(frozen=True, slots=True, kw_only=True)
class DifferingField:
    """A field that differs, and who changed it when, as far as Kubernetes records that."""

    path: str
    git: str | None
    live: str | None
    author: str
    changed_at: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DifferingObject:
    """One object that differs."""

    key: str
    verb: str
    level: Level
    reason: str
    source: str
    note: str
    problem: Problem | None
    fields: tuple[DifferingField, ...]
    hidden_fields: int
    lines: tuple[LinePair, ...]
    hidden_lines: int

    @property
    def id(self) -> str:
        """The anchor of the object, for deep links."""
        return anchor("diff", self.key)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownDifference:
    """The answer to "what would a sync do?"."""

    commit: str
    objects: tuple[DifferingObject, ...]
    hidden_objects: int
    problems: tuple[Problem, ...]

    @property
    def rows(self) -> int:
        """How many lines and fields the page has."""
        return sum(len(each.lines) + len(each.fields) for each in self.objects)


def shown(difference: Difference) -> ShownDifference:
    """Return what is shown of a comparison: the objects of which there is something to say."""
    differing = [each for each in difference.objects if is_worth_showing(each.diff)]
    steps = PAGE_STEPS // max(min(len(differing), MOST_OBJECTS), 1)
    return ShownDifference(
        commit=difference.commit[:12],
        objects=tuple(_object(each, steps) for each in differing[:MOST_OBJECTS]),
        hidden_objects=max(len(differing) - MOST_OBJECTS, 0),
        problems=difference.problems,
    )


def side_by_side(before: Sequence[str], after: Sequence[str], *, steps: int = MOST_STEPS) -> list[LinePair]:
    """Return both texts line by line, with a few lines around each change; `steps` bounds the time."""
    if before == after:
        return []
    if len(before) + len(after) > _COMPARED:
        return [
            LinePair(left=f"({len(before)} lines)", right=f"({len(after)} lines: too many to compare here)")
        ]
    return list(_pairs(before, after, steps))


def _pairs(before: Sequence[str], after: Sequence[str], steps: int) -> Iterator[LinePair]:
    for number, group in enumerate(changes(before, after, context=_CONTEXT, steps=steps)):
        if number or group[0][1]:
            yield LinePair(left=None, right=None)
        for kind, i, j, k, m in group:
            if kind == "equal":
                for line in map(_short, before[i:j]):
                    yield LinePair(left=line, right=line, is_same=True)
                continue
            for offset in range(max(j - i, m - k)):
                yield LinePair(
                    left=_short(before[i + offset]) if i + offset < j else None,
                    right=_short(after[k + offset]) if k + offset < m else None,
                )


def _short(line: str) -> str:
    if len(line) <= LONGEST_LINE:
        return line
    return f"{line[:LONGEST_LINE]}… ({len(line) - LONGEST_LINE} more characters)"


def is_worth_showing(diff: ObjectDiff) -> bool:
    """Return whether there is something to say of an object."""
    return diff.differs or bool(diff.fields) or diff.would_change


def _object(compared: ComparedObject, steps: int) -> DifferingObject:
    diff, step = compared.diff, compared.diff.step
    lines = []
    if diff.change is not None:
        lines = side_by_side(compared.before, compared.after, steps=min(steps, MOST_STEPS))
    action = step.action
    if action is Action.APPLY and not diff.would_change:
        action = Action.LEAVE
    return DifferingObject(
        key=str(step.key),
        verb=_VERBS.get(action, str(action)),
        level=_LEVELS.get(action, Level.NOTE),
        reason=str(step.reason) if step.reason is not Reason.UNCHANGED else "",
        source=step.desired.source if step.desired else "",
        note=_note(diff),
        problem=step.problem,
        fields=tuple(map(_field, diff.fields[:MOST_FIELDS])),
        hidden_fields=max(len(diff.fields) - MOST_FIELDS, 0),
        lines=tuple(lines[:MOST_LINES]),
        hidden_lines=max(len(lines) - MOST_LINES, 0),
    )


def _note(diff: ObjectDiff) -> str:
    notes = [f"Until {format_time(diff.step.retry_at)}."] if diff.step.retry_at is not None else []
    if diff.recreated:
        notes.append("It is deleted and created again, because a field cannot change.")
    if diff.unchecked:
        notes.append(f"Not checked: {diff.unchecked}")
    if diff.step.action is Action.REFUSE and diff.step.problem is None:
        notes.append("Nothing is deleted while the manifests in Git have errors.")
    return " ".join(notes)


def _field(field: FieldDiff) -> DifferingField:
    how = "/".join(part for part in (field.operation, field.subresource) if part)
    in_git = "Git" if field.side is Side.GIT else ""
    tool = f"{field.manager}{f' ({how})' if how else ''}"
    author = who(tool if field.manager else "", field.user) or in_git
    return DifferingField(
        path=field.path,
        git=field.git,
        live=field.live,
        author=author,
        changed_at=format_time(field.changed_at) if field.changed_at else "",
        note=field.note,
    )
