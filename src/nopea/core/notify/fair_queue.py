"""A queue that namespaces share: each is served in turn, and the one that holds the most makes room."""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(slots=True)
class _Share(Generic[T]):
    items: deque[tuple[T, int]] = field(default_factory=deque)
    size: int = 0


class FairQueue(Generic[T]):
    """Items in the order in which they came, for each owner; the caller bounds their number and size."""

    def __init__(self) -> None:
        self._shares: OrderedDict[str, _Share[T]] = OrderedDict()
        """By owner, whose turn it is first."""
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def put(self, owner: str, item: T, *, size: int) -> None:
        """Append an item; an owner without items is the last whose turn comes."""
        share = self._shares.setdefault(owner, _Share())
        share.items.append((item, size))
        share.size += size
        self._count += 1

    def put_back(self, owner: str, item: T, *, size: int) -> None:
        """Put an item back that was taken: the next of its owner, when its turn comes again."""
        self.put(owner, item, size=size)
        self._shares[owner].items.rotate(1)

    def take(self) -> T:
        """Remove and return the oldest item of the owner whose turn it is; IndexError if there is none."""
        if not self._shares:
            raise IndexError("the queue is empty")
        owner = next(iter(self._shares))
        item = self._remove_oldest(owner)
        if owner in self._shares:
            self._shares.move_to_end(owner)
        return item

    def drop(self, *, by_size: bool) -> T:
        """Remove and return the oldest item of the owner that holds the most, in bytes or in items."""

        def held(owner: str) -> int:
            share = self._shares[owner]
            return share.size if by_size else len(share.items)

        return self._remove_oldest(max(self._shares, key=held))

    def clear(self) -> None:
        """Remove all items."""
        self._shares.clear()
        self._count = 0

    def _remove_oldest(self, owner: str) -> T:
        share = self._shares[owner]
        item, size = share.items.popleft()
        share.size -= size
        self._count -= 1
        if not share.items:
            del self._shares[owner]
        return item
