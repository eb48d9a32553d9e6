"""The only place that creates tasks: named, owned, and ended with their owner."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, TypeVar

T = TypeVar("T")
OFF_LOOP_STEPS = 500
"""A step takes some tens of microseconds; a thread costs more than a few of them."""


def spawn(coroutine: Coroutine[Any, Any, T], *, name: str) -> asyncio.Task[T]:
    """Start a named task; the caller owns it and must await or `end` it."""
    return asyncio.get_running_loop().create_task(coroutine, name=name)


async def for_each(
    items: Sequence[T], work: Callable[[T], Awaitable[None]], *, limit: int, name: str
) -> None:
    """Do the work for every item, in order and at most `limit` at once.

    The first error cancels the rest and is raised in an ExceptionGroup.
    """
    waiting = iter(items)

    async def lane() -> None:
        for item in waiting:
            await work(item)

    async with asyncio.TaskGroup() as group:
        for number in range(min(limit, len(items))):
            group.create_task(lane(), name=f"{name} {number}")


async def off_loop(function: Callable[..., T], *arguments: Any, size: int) -> T:
    """Return what a pure function returns; one with much to do (`size` steps) runs in a thread.

    The event loop continues meanwhile. The thread cannot be stopped, so the caller bounds the size.
    """
    if size < OFF_LOOP_STEPS:
        return function(*arguments)
    return await asyncio.to_thread(function, *arguments)


async def finish(coroutine: Coroutine[Any, Any, T], *, seconds: float, name: str) -> T:
    """Return the result; a cancellation waits up to `seconds` for the coroutine to end, then passes.

    An error that it raises meanwhile replaces the cancellation.
    """
    task = spawn(coroutine, name=name)
    try:
        await asyncio.wait({task})
    except asyncio.CancelledError:
        await asyncio.wait({task}, timeout=seconds)
        if task.done() and not task.cancelled():
            task.result()
        raise
    finally:
        await end(task)
    return task.result()


async def end(*tasks: asyncio.Task[Any] | None) -> None:
    """Cancel the tasks and wait until each is done; their results and errors are dropped.

    A cancellation of the caller passes, after the tasks have been told to stop.
    """
    owned = [task for task in tasks if task is not None]
    for task in owned:
        task.cancel()
    if owned:
        await asyncio.wait(owned)
    for task in owned:
        if not task.cancelled():
            task.exception()  # marks it as retrieved: the owner chose to drop it
