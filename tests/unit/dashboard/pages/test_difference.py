"""Texts side by side, and what is shown of a comparison."""

from __future__ import annotations

from nopea.core.drift.three_way import Side
from nopea.core.objects import ObjectKey
from nopea.core.plan.model import Action, Reason, Step
from nopea.core.plan.object_diff import FieldDiff, ObjectDiff
from nopea.core.plan.outcome import Change
from nopea.dashboard.pages.difference import (
    MOST_LINES,
    ComparedObject,
    Difference,
    LinePair,
    shown,
    side_by_side,
)

KEY = ObjectKey("", "ConfigMap", "shop", "web")


def test_changed_lines_stand_side_by_side() -> None:
    """A line that only one side has stands beside nothing."""
    pairs = side_by_side(["a", "b", "c"], ["a", "x", "c", "d"])
    assert [(pair.left, pair.right, pair.is_same) for pair in pairs] == [
        ("a", "a", True), ("b", "x", False), ("c", "c", True), (None, "d", False),
    ]  # fmt: skip


def test_what_is_far_from_a_change_is_a_gap() -> None:
    """Three lines around it stay."""
    before = [str(number) for number in range(20)]
    pairs = side_by_side(before, [*before[:10], "new", *before[11:]])
    assert pairs[0].is_gap
    assert [pair.left for pair in pairs[1:]] == ["7", "8", "9", "10", "11", "12", "13"]


def test_long_lines_are_cut() -> None:
    """A page has no lines of a megabyte, such as a value in Base64."""
    (pair,) = side_by_side(["x" * 1_000_000], ["y"])
    assert pair.left is not None
    assert len(pair.left) < 1_100
    assert pair.left.endswith("… (999000 more characters)")


def test_same_and_too_long_texts_are_not_compared() -> None:
    """The time grows with the square of the lines."""
    assert side_by_side(["a"], ["a"]) == []
    assert side_by_side(["a"] * 9_000, ["b"]) == [
        LinePair(left="(9000 lines)", right="(1 lines: too many to compare here)")
    ]


def _compared(action: Action, reason: Reason, *fields: FieldDiff, lines: int = 0) -> ComparedObject:
    change = Change(before={}, after={}) if lines else None
    diff = ObjectDiff(step=Step(key=KEY, action=action, reason=reason), fields=fields, change=change)
    return ComparedObject(diff=diff, before=["old"] * lines, after=["new"] * lines)


def _field(manager: str, side: Side = Side.CLUSTER) -> FieldDiff:
    return FieldDiff(path=".a", last="1", git="1", live="2", side=side, manager=manager, operation="Update")


def test_only_what_there_is_something_to_say_of_is_shown() -> None:
    """With who changed it; what only Git changed was changed by Git."""
    objects = (
        _compared(Action.LEAVE, Reason.UNCHANGED),
        _compared(Action.LEAVE, Reason.POLICY, _field("kubectl"), _field("", Side.GIT)),
    )
    found = shown(Difference(commit="c0ffee" * 7, objects=objects, problems=()))
    (only,) = found.objects
    assert (only.verb, only.reason, found.commit) == ("leave", "policy", "c0ffeec0ffee")
    assert [field.author for field in only.fields] == ["kubectl (Update)", "Git"]


def test_long_objects_are_cut_and_say_so() -> None:
    """A page stays readable, and small."""
    found = shown(
        Difference(commit="", objects=(_compared(Action.CREATE, Reason.NOT_THERE, lines=500),), problems=())
    )
    assert (len(found.objects[0].lines), found.objects[0].hidden_lines) == (MOST_LINES, 100)
