"""The lines that differ, in bounded time."""

from __future__ import annotations

import random
from collections.abc import Sequence
from difflib import SequenceMatcher

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nopea.core.drift.lines import Change, changes

TEXTS = st.lists(st.sampled_from("abcde"), max_size=30)


def _patched(old: Sequence[str], new: Sequence[str], groups: Sequence[Sequence[Change]]) -> list[str]:
    """Return what the changes make of the old text."""
    made, position = list[str](), 0
    for kind, i, j, k, m in (each for group in groups for each in group):
        made += old[position:i]
        assert kind != "equal" or old[i:j] == new[k:m]
        made += new[k:m]
        position = j
    return [*made, *old[position:]]


@given(TEXTS, TEXTS, st.integers(0, 4), st.sampled_from([0, 5, 20, 10_000]))
def test_changes_make_the_new_text_of_the_old_one(
    old: list[str], new: list[str], context: int, steps: int
) -> None:
    """Also where they are not exact; texts that are the same have none."""
    groups = changes(old, new, context=context, steps=steps)
    assert _patched(old, new, groups) == new
    assert bool(groups) == (old != new)
    for group in groups:
        assert all(j - i <= context for kind, i, j, _, _ in (group[0], group[-1]) if kind == "equal")


def test_few_changes_in_a_long_text_are_exact() -> None:
    """Each is a group of its own, at its place."""
    old = [f"line {number}" for number in range(5_000)]
    new = [*old[:100], "new", *old[101:4_000], *old[4_001:]]
    found = [[kind for kind, *_ in group] for group in changes(old, new, context=3)]
    assert found == [["equal", "replace", "equal"], ["equal", "delete", "equal"]]
    assert changes(old, new, context=3)[0][1] == ("replace", 100, 101, 100, 101)


@pytest.mark.parametrize(("kinds", "lines"), [(2, 1_000), (150, 4_000)])
def test_hostile_texts_take_no_more_than_the_steps(
    kinds: int, lines: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are one change then; difflib has looked at no more pairs of lines than it may."""
    chance = random.Random(1)
    old = ["same", "old", *(f"{chance.randrange(kinds)}" for _ in range(lines)), "old", "end"]
    new = ["same", "new", *(f"{chance.randrange(kinds)}" for _ in range(lines)), "new", "end"]
    looked = 0
    original = SequenceMatcher.find_longest_match

    def counted(self: SequenceMatcher[str], alo: int, ahi: int, blo: int, bhi: int) -> object:
        nonlocal looked
        looked += ahi - alo
        return original(self, alo, ahi, blo, bhi)

    monkeypatch.setattr(SequenceMatcher, "find_longest_match", counted)
    ((above, change, below),) = changes(old, new, context=3, steps=20_000)
    assert looked <= 20_000
    assert (above[0], change[0], below[0]) == ("equal", "replace", "equal")
    assert change[1:] == (1, len(old) - 1, 1, len(new) - 1)
