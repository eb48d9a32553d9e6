"""A queue that namespaces share."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nopea.core.notify.fair_queue import FairQueue


def filled(**counts: int) -> FairQueue[str]:
    """Return a queue in which each owner has so many items, all of the first before those of the next."""
    queue = FairQueue[str]()
    for owner, count in counts.items():
        for number in range(count):
            queue.put(owner, f"{owner}{number}", size=1)
    return queue


def test_owners_take_turns() -> None:
    """Whoever has one item does not wait for all those of another."""
    queue = filled(a=4, b=1, c=2)

    assert [queue.take() for _ in range(len(queue))] == ["a0", "b0", "c0", "a1", "c1", "a2", "a3"]
    with pytest.raises(IndexError):
        queue.take()


def test_whoever_holds_the_most_makes_room() -> None:
    """Its oldest item goes, in the measure of the bound that is exceeded."""
    queue = filled(a=1, b=3)
    queue.put("a", "big", size=100)

    assert queue.drop(by_size=False) == "b0"
    assert queue.drop(by_size=True) == "a0"
    assert [queue.take() for _ in range(len(queue))] == ["big", "b1", "b2"]


def test_a_queue_can_be_cleared() -> None:
    """Nothing is left, and it can be used again."""
    queue = filled(a=2, b=1)
    queue.clear()
    assert len(queue) == 0
    queue.put("a", "new", size=1)
    assert queue.take() == "new"


@given(st.lists(st.sampled_from("abc"), max_size=30), st.integers(1, 10))
def test_each_keeps_its_order_and_its_share(owners: list[str], most: int) -> None:
    """Of a full queue, an owner loses items only while it holds at least as many as any other."""
    queue = FairQueue[tuple[str, int]]()
    dropped: list[tuple[str, int]] = []
    for number, owner in enumerate(owners):
        queue.put(owner, (owner, number), size=1)
        while len(queue) > most:
            dropped.append(queue.drop(by_size=False))
    taken = [queue.take() for _ in range(len(queue))]

    assert sorted(taken + dropped) == sorted((owner, number) for number, owner in enumerate(owners))
    for owner in "abc":
        mine = [number for name, number in taken if name == owner]
        assert mine == sorted(mine)
        lost = [number for name, number in dropped if name == owner]
        assert not lost or not mine or max(lost) < min(mine)
        if len(mine) + len(lost) <= most // 3:
            assert not lost
