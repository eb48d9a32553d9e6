"""A sink that is a function, an outbox that runs before it, and what they said. Time is the loop's."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from nopea import tasks
from nopea.core.notify.address import ReceiverAddress
from nopea.core.notify.delivery import DeliveryPolicy
from nopea.notify.http import Message, NoResponseError, Response
from nopea.notify.outbox import Outbox

ENDPOINT = ReceiverAddress.parse("https://ada:hunter22@events.acme.example/hook/topsecret")
OK = Response(status=202)


def message(id_: str, *, size: int = 10) -> Message:
    """Return a message."""
    return Message(id=id_, address=ENDPOINT, body=b"x" * size, headers={})


def now() -> float:
    """Return the loop's time."""
    return asyncio.get_running_loop().time()


class FakeSink:
    """Answers as `answer` says for the n-th try (from 0); remembers the tries and what it took."""

    def __init__(self, answer: Callable[[int], Response | str | float] = lambda _: OK) -> None:
        self._answer = answer
        self.tries: list[tuple[float, Message]] = []
        self.taken: list[str] = []

    async def post(self, sent: Message) -> Response:
        """Take a message: an answer, a text for none, or seconds of silence before a good one."""
        answer = self._answer(len(self.tries))
        self.tries.append((now(), sent))
        if isinstance(answer, str):
            raise NoResponseError(answer)
        if isinstance(answer, float):
            await asyncio.sleep(answer)
            answer = OK
        if answer.status < 300:
            self.taken.append(sent.id)
        return answer

    @property
    def gaps(self) -> list[float]:
        """Seconds between the tries."""
        times = [at for at, _ in self.tries]
        return [round(later - before, 3) for before, later in itertools.pairwise(times)]


@asynccontextmanager
async def delivering(sink: FakeSink, policy: DeliveryPolicy | None = None) -> AsyncIterator[Outbox]:
    """Run an outbox before the sink; leaving flushes it for a minute."""
    outbox = Outbox("one", sink.post, policy=policy)
    running = tasks.spawn(outbox.run(), name="outbox")
    await asyncio.sleep(0)
    try:
        yield outbox
        await outbox.close(60)
        await running
    finally:
        await tasks.end(running)


def failing_until(moment: float) -> Callable[[int], Response | str]:
    """Give no answer before a time of the loop, and take everything from then on."""
    return lambda _: OK if now() >= moment else "https://events.acme.example/*** cannot be reached"


def facts(record: logging.LogRecord) -> dict[str, Any]:
    """Return the facts of a log line."""
    return dict(getattr(record, "facts", {}))
