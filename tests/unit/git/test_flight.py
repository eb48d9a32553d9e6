"""Equal requests share one operation, each with its own deadline; in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from nopea.git.flight import Flights
from nopea.tasks import end, spawn

pytestmark = pytest.mark.looptime


class Operation:
    """An operation that takes some time and counts its starts and cancellations."""

    def __init__(self, seconds: float = 10, error: Exception | None = None) -> None:
        self.seconds, self.error = seconds, error
        self.begun = self.cancelled = 0

    @property
    def begin(self) -> Callable[[], Coroutine[Any, Any, str]]:
        """The function that `join` takes."""
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
    """All of them get the same result, even those that join late."""
    flights, operation = Flights[str](), Operation()

    async def join(after: float) -> str:
        await asyncio.sleep(after)
        return await flights.join("monorepo", operation.begin, deadline=100)

    answers = await asyncio.gather(*(join(number / 20) for number in range(100)))

    assert set(answers) == {"answer 1"}
    assert operation.begun == 1
    assert looptime == 10


async def test_another_key_is_another_operation() -> None:
    """A request after the end of the operation starts a new one."""
    flights, operation = Flights[str](), Operation()
    await asyncio.gather(
        flights.join("a", operation.begin, deadline=100), flights.join("b", operation.begin, deadline=100)
    )
    assert operation.begun == 2

    assert await flights.join("a", operation.begin, deadline=100) == "answer 3"


async def test_each_request_has_its_own_deadline() -> None:
    """A request that times out does not affect the others."""
    flights, operation = Flights[str](), Operation()
    patient = spawn(flights.join("a", operation.begin, deadline=100), name="patient")
    await asyncio.sleep(1)

    with pytest.raises(TimeoutError):
        await flights.join("a", operation.begin, deadline=4)

    assert asyncio.get_running_loop().time() == 4
    assert await patient == "answer 1"
    assert operation.cancelled == 0


async def test_the_first_request_may_be_cancelled() -> None:
    """The operation continues for the other requests."""
    flights, operation = Flights[str](), Operation()
    first = spawn(flights.join("a", operation.begin, deadline=100), name="first")
    await asyncio.sleep(1)
    second = spawn(flights.join("a", operation.begin, deadline=100), name="second")
    await asyncio.sleep(1)
    await end(first)

    assert first.cancelled()
    assert await second == "answer 1"
    assert operation.cancelled == 0


async def test_an_operation_without_requests_is_cancelled() -> None:
    """The next request starts the operation again."""
    flights, operation = Flights[str](), Operation()
    waiting = [spawn(flights.join("a", operation.begin, deadline=100), name=f"w{n}") for n in range(3)]
    await asyncio.sleep(1)
    await end(*waiting)
    await asyncio.sleep(0)
    assert operation.cancelled == 1

    assert await flights.join("a", operation.begin, deadline=100) == "answer 2"


async def test_an_error_goes_to_all_requests_and_is_not_kept() -> None:
    """All requests get the error; the next request tries again."""
    flights, operation = Flights[str](), Operation(error=ValueError("no"))
    results = await asyncio.gather(
        *(flights.join("a", operation.begin, deadline=100) for _ in range(3)), return_exceptions=True
    )
    assert [str(result) for result in results] == ["no"] * 3

    operation.error = None
    assert await flights.join("a", operation.begin, deadline=100) == "answer 2"


async def test_the_error_of_the_operation_wins_over_the_deadline() -> None:
    """If the operation fails at the deadline, its own error is raised, which says more."""
    flights, operation = Flights[str](), Operation(seconds=10, error=ValueError("the server hangs"))

    with pytest.raises(ValueError, match="the server hangs"):
        await flights.join("a", operation.begin, deadline=10)


async def test_closing_cancels_running_operations() -> None:
    """The requests are cancelled as well."""
    flights, operation = Flights[str](), Operation()
    waiting = spawn(flights.join("a", operation.begin, deadline=100), name="waiting")
    await asyncio.sleep(1)
    await flights.close()
    await asyncio.wait([waiting])

    assert operation.cancelled == 1
    assert waiting.cancelled()
