"""New ids: ULIDs that grow within a process, whatever the clock does and however many threads ask.

The order holds per process only: two replicas' ids of one millisecond are in no order.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable

from ulid import ULIDGenerator

_RANDOM_BYTES = 10
_OVERFLOW_WAITS = 100


class IdsExhaustedError(Exception):
    """The random part of one millisecond is used up, and the clock stands still."""


def _now() -> int:
    return time.time_ns() // 1_000_000


class Ulids:
    """A monotonic source: in one millisecond the random part counts on.

    A clock that goes back is not followed: the last time stays until the clock has caught up, so that the
    order is kept (the library's own policies would use the lower time). The random part never wraps.
    """

    def __init__(
        self,
        *,
        now: Callable[[], int] = _now,
        randomness: Callable[[int], bytes] = os.urandom,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`now` tells milliseconds, `randomness` as many bytes as asked for."""
        self._now = now
        self._sleep = sleep
        self._last = 0
        # the library reads its clock outside its lock: a thread that is overtaken there would count back
        self._lock = threading.Lock()
        self._generator = ULIDGenerator(
            clock=self._not_before_last, randomness=lambda _: randomness(_RANDOM_BYTES)
        )

    def new(self) -> str:
        """Return an id that is greater than all before; raises IdsExhaustedError rather than wrap."""
        with self._lock:
            for _ in range(_OVERFLOW_WAITS):
                try:
                    return str(self._generator.generate())
                except ValueError:  # this millisecond's random part has reached its end
                    self._sleep(0.001)
        raise IdsExhaustedError("no id left in this millisecond, and the clock does not go on")

    def _not_before_last(self) -> int:
        self._last = max(self._last, self._now())
        return self._last


_process = Ulids()


def new_ulid() -> str:
    """Return a new id of this process's only source."""
    return _process.new()
