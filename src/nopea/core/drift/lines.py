"""Which lines of two texts differ, with the lines around them: exact, as long as that takes bounded time.

The texts are those of strangers: `difflib` alone can take minutes for some that have a few thousand lines.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import Match, SequenceMatcher
from itertools import accumulate
from typing import Final

MOST_STEPS: Final = 3_000_000
"""The most comparisons of two lines, which take about half a second."""

_EXACT: Final = 2_000
"""In longer texts, difflib does not look for matches of lines that are everywhere."""

Change = tuple[str, int, int, int, int]
"""As difflib writes it: `equal`, `replace`, `insert` or `delete`, with a range of each text."""


def changes(
    old: Sequence[str], new: Sequence[str], *, context: int, steps: int = MOST_STEPS
) -> list[list[Change]]:
    """Return groups of changes, each with up to `context` equal lines around it; none if nothing differs.

    What would take more steps is one change, from the first line that differs to the last one.
    """
    if old == new:
        return []
    start = _common(old, new)
    end = _common(old[start:][::-1], new[start:][::-1])
    first, last = max(0, start - context), max(0, end - context)
    parts = old[first : len(old) - last], new[first : len(new) - last]
    try:
        groups = list(_Bounded(*parts, steps=steps).get_grouped_opcodes(context))
    except _TooManyStepsError:
        before, after = start - first, end - last
        ends = len(parts[0]), len(parts[1])
        middle = ("replace", before, ends[0] - after, before, ends[1] - after)
        above = ("equal", 0, before, 0, before)
        below = ("equal", ends[0] - after, ends[0], ends[1] - after, ends[1])
        groups = [[*([above] if before else []), middle, *([below] if after else [])]]
    return [
        [(kind, i + first, j + first, k + first, m + first) for kind, i, j, k, m in group] for group in groups
    ]


class _TooManyStepsError(Exception):
    """It would take too long."""


class _Bounded(SequenceMatcher[str]):
    """Counts before each search how many pairs of lines it can look at."""

    a: Sequence[str]
    b2j: Mapping[str, Sequence[int]]

    def __init__(self, old: Sequence[str], new: Sequence[str], *, steps: int) -> None:
        super().__init__(None, old, new, autojunk=max(len(old), len(new)) > _EXACT)
        self._left = steps
        self._until = list(accumulate((1 + len(self.b2j.get(line, ())) for line in old), initial=0))

    def find_longest_match(
        self, alo: int = 0, ahi: int | None = None, blo: int = 0, bhi: int | None = None
    ) -> Match:
        """Return what difflib finds. Raises _TooManyStepsError."""
        self._left -= self._until[len(self.a) if ahi is None else ahi] - self._until[alo]
        if self._left < 0:
            raise _TooManyStepsError
        return super().find_longest_match(alo, ahi, blo, bhi)


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """Return how many lines at the start are the same."""
    for number, (left, right) in enumerate(zip(one, other, strict=False)):
        if left != right:
            return number
    return min(len(one), len(other))
