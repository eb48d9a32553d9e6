"""What a merge of a branch would give: the question of who reviews a pull request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_SHORT: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge:
    """A branch at `head`, and its base at `onto`; the names are short ones, the rest full commit ids.

    `commit` is the merge of both, which exists in the mirror only. If Git cannot merge them without a person,
    or the mirror lacks their history, it is empty.
    """

    branch: str
    base: str
    head: str
    onto: str
    commit: str

    @property
    def planned(self) -> str:
        """The commit to read: without a merge, the branch as it is."""
        return self.commit or self.head

    def __str__(self) -> str:
        where, base = f"{self.branch} at {self.head[:_SHORT]}", f"{self.base} at {self.onto[:_SHORT]}"
        if self.commit:
            return f"{where} merged into {base}"
        return f"{where} as it is, because Nopea cannot merge it into {base}"
