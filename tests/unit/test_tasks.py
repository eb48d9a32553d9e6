"""Tasks have a name and an owner, which ends them."""

from __future__ import annotations

import asyncio
import gc
import threading

import pytest

from nopea.tasks import OFF_LOOP_STEPS, end, finish, off_loop, spawn


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


async def test_a_task_has_its_name_and_its_result() -> None:
    """The task has the name that it was started with."""
    task = spawn(_answer(), name="answer")

    assert task.get_name() == "answer"
    assert await task == 7


async def test_ending_waits_for_the_clean_up() -> None:
    """The call waits for all the tasks; None and finished tasks are accepted."""
    log: list[str] = []
    tasks = [spawn(_sleep_then_clean(log), name=f"task {number}") for number in range(3)]
    done = spawn(_answer(), name="done")
    await asyncio.sleep(0)

    await end(*tasks, None, done)
    await end()

    assert log == ["cleaned"] * 3
    assert all(task.cancelled() for task in tasks)


async def test_the_error_of_an_ended_task_is_dropped_silently() -> None:
    """The owner ended the task, so the event loop does not report its error later."""
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    task = spawn(_fail(), name="fails")
    await asyncio.sleep(0)

    await end(task)
    del task
    gc.collect()

    assert complaints == []


async def test_a_cancellation_of_the_owner_is_raised() -> None:
    """The owner's tasks have been cancelled by then and are not left running."""
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


async def test_a_final_step_ends_before_a_cancellation_is_raised() -> None:
    """A step that is quick enough is completed; then the caller is cancelled."""
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


async def test_a_final_step_has_a_time_limit() -> None:
    """A step that takes longer is cancelled, and its clean-up is waited for."""
    log: list[str] = []
    caller = spawn(finish(_sleep_then_clean(log), seconds=0.01, name="last words"), name="caller")
    await asyncio.sleep(0.001)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller

    assert log == ["cleaned"]


async def test_a_step_without_a_cancellation_gives_its_result_or_error() -> None:
    """The result or error is the same as that of a plain `await`."""
    assert await finish(_answer(), seconds=1, name="answer") == 7
    with pytest.raises(ValueError, match="dropped"):
        await finish(_fail(), seconds=1, name="failure")


async def test_an_error_in_the_final_step_is_raised() -> None:
    """The error replaces the cancellation."""

    async def fails_late() -> None:
        await asyncio.sleep(0.01)
        raise ValueError("late")

    caller = spawn(finish(fails_late(), seconds=30, name="last words"), name="caller")
    await asyncio.sleep(0)
    caller.cancel()
    with pytest.raises(ValueError, match="late"):
        await caller


async def test_much_work_does_not_stop_the_event_loop() -> None:
    """It runs in a thread; little work does not."""
    here = threading.get_ident()

    assert await off_loop(threading.get_ident, size=OFF_LOOP_STEPS - 1) == here
    assert await off_loop(threading.get_ident, size=OFF_LOOP_STEPS) != here
