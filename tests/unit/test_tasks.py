"""Tasks have a name, an owner and an end."""

from __future__ import annotations

import asyncio
import gc

import pytest

from nopea.tasks import end, finish, spawn


async def _sleep_then_clean(log: list[str]) -> None:
    try:
        await asyncio.sleep(1000)
    finally:
        await asyncio.sleep(0.001)
        log.append("cleaned")


async def _fail() -> None:
    raise ValueError("dropped")


async def _answer() -> int:
    return 7


async def test_a_task_has_its_name_and_its_answer() -> None:
    """As it was spawned."""
    task = spawn(_answer(), name="answer")

    assert task.get_name() == "answer"
    assert await task == 7


async def test_ending_waits_for_the_clean_up() -> None:
    """Of all of them; None and finished ones are fine."""
    log: list[str] = []
    tasks = [spawn(_sleep_then_clean(log), name=f"task {number}") for number in range(3)]
    done = spawn(_answer(), name="done")
    await asyncio.sleep(0)

    await end(*tasks, None, done)
    await end()

    assert log == ["cleaned"] * 3
    assert all(task.cancelled() for task in tasks)


async def test_what_an_ended_task_raised_is_dropped_silently() -> None:
    """The owner chose to; nothing complains at garbage collection."""
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    task = spawn(_fail(), name="fails")
    await asyncio.sleep(0)

    await end(task)
    del task
    gc.collect()

    assert complaints == []


async def test_a_cancellation_of_the_owner_passes() -> None:
    """After the tasks have been told; they are not left running."""
    log: list[str] = []
    task = spawn(_sleep_then_clean(log), name="task")
    await asyncio.sleep(0)
    owner = spawn(end(task), name="owner")
    await asyncio.sleep(0)
    owner.cancel()

    with pytest.raises(asyncio.CancelledError):
        await owner
    await asyncio.wait([task])

    assert task.cancelled()
    assert log == ["cleaned"]


async def test_last_words_are_said_before_a_cancellation_passes() -> None:
    """What has begun ends by itself, as long as it is quick about it; then the caller is cancelled."""
    said: list[str] = []

    async def last_words() -> None:
        await asyncio.sleep(0.01)
        said.append("goodbye")

    caller = spawn(finish(last_words(), seconds=30, name="last words"), name="caller")
    await asyncio.sleep(0)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller

    assert said == ["goodbye"]


async def test_last_words_have_a_bound() -> None:
    """What takes longer is cancelled and waited for."""
    log: list[str] = []
    caller = spawn(finish(_sleep_then_clean(log), seconds=0.01, name="last words"), name="caller")
    await asyncio.sleep(0.001)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller

    assert log == ["cleaned"]


async def test_what_finishes_undisturbed_gives_its_answer_or_error() -> None:
    """As if it had been awaited."""
    assert await finish(_answer(), seconds=1, name="answer") == 7
    with pytest.raises(ValueError, match="dropped"):
        await finish(_fail(), seconds=1, name="failure")


async def test_a_bug_in_the_last_words_shows() -> None:
    """It is raised in place of the cancellation."""

    async def fails_late() -> None:
        await asyncio.sleep(0.01)
        raise ValueError("late")

    caller = spawn(finish(fails_late(), seconds=30, name="last words"), name="caller")
    await asyncio.sleep(0)
    caller.cancel()
    with pytest.raises(ValueError, match="late"):
        await caller
