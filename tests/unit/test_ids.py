"""New ids increase for any behaviour of the clock and any number of threads."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ulid import ULID

from nopea.ids import IdsExhaustedError, Ulids, new_ulid

MAX_MILLISECONDS = 2**48 - 1
MAX_RANDOMNESS = 2**80 - 1
MILLISECOND = 1469918176385


def randomness_of(text: str) -> bytes:
    """Return the random part of an id."""
    return ULID.from_str(text).bytes[6:]


FROM_096 = randomness_of("0" * 10 + "Y" * 16)
"""The random part if every random number is 0.96."""


class Clock:
    """A clock that shows the given times; a sleep moves it by `step` milliseconds."""

    def __init__(self, *shows: int, step: int = 1) -> None:
        self.shows = list(shows)
        self.slept = 0
        self._step = step

    def now(self) -> int:
        """Return the next time; the last one is repeated."""
        return self.shows.pop(0) if len(self.shows) > 1 else self.shows[0]

    def sleep(self, seconds: float) -> None:
        """Move the clock."""
        assert 0 < seconds <= 0.01
        self.slept += 1
        self.shows[0] += self._step


def ids_of(clock: Clock, *randomness: bytes) -> Ulids:
    """Return a source with a clock; it uses the random parts in this order and repeats the last one."""
    parts: Iterator[bytes] = iter(randomness)
    last = randomness[-1]
    return Ulids(now=clock.now, randomness=lambda _: next(parts, last), sleep=clock.sleep)


def test_in_one_millisecond_the_random_part_is_incremented() -> None:
    """The increment carries as in the specification's vectors; the next millisecond has new randomness."""
    source = ids_of(Clock(*[MILLISECOND] * 4, MILLISECOND + 1), FROM_096)

    assert [source.new()[10:] for _ in range(4)] == [
        "YYYYYYYYYYYYYYYY", "YYYYYYYYYYYYYYYZ", "YYYYYYYYYYYYYYZ0", "YYYYYYYYYYYYYYZ1",
    ]  # fmt: skip
    assert source.new() == "01ARYZ6S42YYYYYYYYYYYYYYYY"


def test_the_vector_with_a_carry() -> None:
    """The id that ends in RZ is followed by one that ends in S0."""
    first = ULID.from_str("01BX5ZZKBKACTAV9WEVGEMMVRZ")
    source = ids_of(Clock(first.milliseconds), first.bytes[6:])

    assert [source.new(), source.new()] == ["01BX5ZZKBKACTAV9WEVGEMMVRZ", "01BX5ZZKBKACTAV9WEVGEMMVS0"]


def test_a_clock_that_goes_back_is_not_followed() -> None:
    """The last time is kept and the random part incremented until the clock has caught up."""
    source = ids_of(Clock(MILLISECOND, MILLISECOND - 3_600_000, 1, MILLISECOND + 1), FROM_096)

    assert [source.new() for _ in range(4)] == [
        "01ARYZ6S41YYYYYYYYYYYYYYYY", "01ARYZ6S41YYYYYYYYYYYYYYYZ", "01ARYZ6S41YYYYYYYYYYYYYYZ0",
        "01ARYZ6S42YYYYYYYYYYYYYYYY",
    ]  # fmt: skip


def test_a_full_millisecond_waits_for_the_next() -> None:
    """No id follows 01BX5ZZKBKZZZZZZZZZZZZZZZZ in its millisecond, so the source waits."""
    full = ULID.from_str("01BX5ZZKBKZZZZZZZZZZZZZZZZ")
    clock = Clock(full.milliseconds)
    source = ids_of(clock, b"\xff" * 10, bytes(10))

    assert source.new() == "01BX5ZZKBKZZZZZZZZZZZZZZZZ"
    assert source.new() == str(ULID.from_bytes((full.milliseconds + 1).to_bytes(6, "big") + bytes(10)))
    assert clock.slept == 1


def test_a_full_millisecond_that_never_ends_is_an_error() -> None:
    """The source neither returns an id out of order nor waits for ever."""
    clock = Clock(MILLISECOND, step=0)
    source = ids_of(clock, b"\xff" * 10)
    source.new()

    with pytest.raises(IdsExhaustedError):
        source.new()
    assert clock.slept < 1000


@given(
    times=st.lists(st.integers(0, MAX_MILLISECONDS - 1000), min_size=1, max_size=60),
    parts=st.lists(
        st.integers(0, MAX_RANDOMNESS) | st.integers(MAX_RANDOMNESS - 3, MAX_RANDOMNESS), min_size=1
    ),
)
def test_ids_increase_for_any_clock_and_any_randomness(times: list[int], parts: list[int]) -> None:
    """The random parts include values close to the maximum."""
    count = len(times)
    source = ids_of(Clock(*times), *(part.to_bytes(10, "big") for part in parts))
    made: list[str] = []
    for _ in range(count):
        try:
            made.append(source.new())
        except IdsExhaustedError:  # a clock that stays behind a full millisecond: an error, no wrapped id
            break

    assert all(ulid < other for ulid, other in pairwise(made))
    assert [str(ULID.from_str(ulid)) for ulid in made] == made


def test_threads_share_one_order() -> None:
    """The ids of each thread increase, and no two ids are equal."""
    made: list[list[str]] = [[] for _ in range(8)]

    def make(mine: list[str]) -> None:
        mine.extend(new_ulid() for _ in range(2000))

    threads = [threading.Thread(target=make, args=(mine,)) for mine in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)

    assert all(one < other for mine in made for one, other in pairwise(mine))
    assert len({one for mine in made for one in mine}) == 8 * 2000


def test_an_outdated_clock_reading_does_not_decrease_ids() -> None:
    """A thread that read the time before another thread made a newer id still gets a greater id."""
    times = iter([5, 9, 7, 8, 9])
    source = Ulids(now=lambda: next(times), randomness=bytes)

    made = [source.new() for _ in range(5)]

    assert made == sorted(set(made))
