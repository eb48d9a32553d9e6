"""Equal requests share one operation, in virtual time; nobody waits longer than he said."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from nopea.git.flight import Flights
from nopea.tasks import end, spawn

pytestmark = pytest.mark.looptime


class Operation:
    """Something that takes its time; counts how often it was begun and cancelled."""

    def __init__(self, seconds: float = 10, error: Exception | None = None) -> None:
        self.seconds, self.error = seconds, error
        self.begun = self.cancelled = 0

    @property
    def begin(self) -> Callable[[], Coroutine[Any, Any, str]]:
        """What `join` takes."""
        return self._run

    async def _run(self) -> str:
        self.begun += 1
        try:
            await asyncio.sleep(self.seconds)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.error is not None:
            raise self.error
        return f"answer {self.begun}"


async def test_a_hundred_repositories_fetch_once(looptime: Any) -> None:
    """All of them get the one answer, also those that come late."""
    flights, operation = Flights[str](), Operation()

    async def join(after: float) -> str:
        await asyncio.sleep(after)
        return await flights.join("monorepo", operation.begin, deadline=100)

    answers = await asyncio.gather(*(join(number / 20) for number in range(100)))

    assert set(answers) == {"answer 1"}
    assert operation.begun == 1
    assert looptime == 10


async def test_another_key_is_another_operation() -> None:
    """And the next request after the answer is a new one: the world may have moved."""
    flights, operation = Flights[str](), Operation()
    await asyncio.gather(
        flights.join("a", operation.begin, deadline=100), flights.join("b", operation.begin, deadline=100)
    )
    assert operation.begun == 2

    assert await flights.join("a", operation.begin, deadline=100) == "answer 3"


async def test_each_has_his_own_deadline() -> None:
    """The impatient one gives up at his time; the patient one still gets the answer."""
    flights, operation = Flights[str](), Operation()
    patient = spawn(flights.join("a", operation.begin, deadline=100), name="patient")
    await asyncio.sleep(1)

    with pytest.raises(TimeoutError):
        await flights.join("a", operation.begin, deadline=4)

    assert asyncio.get_running_loop().time() == 4
    assert await patient == "answer 1"
    assert operation.cancelled == 0


async def test_who_began_it_may_leave_first() -> None:
    """The operation belongs to all who wait."""
    flights, operation = Flights[str](), Operation()
    first = spawn(flights.join("a", operation.begin, deadline=100), name="first")
    await asyncio.sleep(1)
    second = spawn(flights.join("a", operation.begin, deadline=100), name="second")
    await asyncio.sleep(1)
    await end(first)

    assert first.cancelled()
    assert await second == "answer 1"
    assert operation.cancelled == 0


async def test_when_the_last_has_gone_it_is_cancelled() -> None:
    """Nothing runs for nobody; the next request begins anew."""
    flights, operation = Flights[str](), Operation()
    waiting = [spawn(flights.join("a", operation.begin, deadline=100), name=f"w{n}") for n in range(3)]
    await asyncio.sleep(1)
    await end(*waiting)
    await asyncio.sleep(0)
    assert operation.cancelled == 1

    assert await flights.join("a", operation.begin, deadline=100) == "answer 2"


async def test_an_error_is_everybodys_and_is_not_kept() -> None:
    """Each waiter gets it; the next request tries again."""
    flights, operation = Flights[str](), Operation(error=ValueError("no"))
    results = await asyncio.gather(
        *(flights.join("a", operation.begin, deadline=100) for _ in range(3)), return_exceptions=True
    )
    assert [str(result) for result in results] == ["no"] * 3

    operation.error = None
    assert await flights.join("a", operation.begin, deadline=100) == "answer 2"


async def test_the_operations_own_word_comes_before_the_deadline() -> None:
    """Who began it waits a moment longer: the operation ends then itself, with a better reason."""
    flights, operation = Flights[str](), Operation(seconds=10, error=ValueError("the server hangs"))

    with pytest.raises(ValueError, match="the server hangs"):
        await flights.join("a", operation.begin, deadline=10)


async def test_closing_cancels_what_is_on_its_way() -> None:
    """And every waiter is released."""
    flights, operation = Flights[str](), Operation()
    waiting = spawn(flights.join("a", operation.begin, deadline=100), name="waiting")
    await asyncio.sleep(1)
    await flights.close()
    await asyncio.wait([waiting])

    assert operation.cancelled == 1
    assert waiting.cancelled()
