"""What is planned of a branch, and how that is said."""

from __future__ import annotations

from nopea.core.git.merge import Merge

HEAD, ONTO = "9f" * 20, "1e" * 20


def test_the_merge_is_planned() -> None:
    """The commits that a reviewer knows are named."""
    merge = Merge(branch="more", base="main", head=HEAD, onto=ONTO, commit="2d" * 20)

    assert merge.planned == "2d" * 20
    assert str(merge) == "more at 9f9f9f9f9f9f merged into main at 1e1e1e1e1e1e"


def test_without_a_merge_the_branch_is_planned_and_that_is_said() -> None:
    """It may seem to take back what its base has."""
    merge = Merge(branch="more", base="main", head=HEAD, onto=ONTO, commit="")

    assert merge.planned == HEAD
    assert str(merge) == (
        "more at 9f9f9f9f9f9f as it is, because Nopea cannot merge it into main at 1e1e1e1e1e1e"
    )
