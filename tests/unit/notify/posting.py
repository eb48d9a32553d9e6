"""A fake sink with an outbox, in the time of the event loop."""

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


def message(id_: str, *, size: int = 10, namespace: str = "shop") -> Message:
    """Return a message."""
    return Message(id=id_, namespace=namespace, address=ENDPOINT, body=b"x" * size, headers={})


def now() -> float:
    """Return the time of the event loop."""
    return asyncio.get_running_loop().time()


class FakeSink:
    """Responds to the n-th try (from 0) with `answer(n)`; records the tries and the accepted messages."""

    def __init__(self, answer: Callable[[int], Response | str | float] = lambda _: OK) -> None:
        self._answer = answer
        self.tries: list[tuple[float, Message]] = []
        self.taken: list[str] = []

    async def post(self, sent: Message) -> Response:
        """Receive a message: respond, fail with a text, or respond after a number of seconds."""
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
        """The seconds between the tries."""
        times = [at for at, _ in self.tries]
        return [round(later - before, 3) for before, later in itertools.pairwise(times)]


@asynccontextmanager
async def delivering(sink: FakeSink, policy: DeliveryPolicy | None = None) -> AsyncIterator[Outbox]:
    """Run an outbox for the sink; flush it for up to a minute at the end."""
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
    """Fail before this time of the event loop, and accept everything from then on."""
    return lambda _: OK if now() >= moment else "https://events.acme.example/*** cannot be reached"


def facts(record: logging.LogRecord) -> dict[str, Any]:
    """Return the facts of a log line."""
    return dict(getattr(record, "facts", {}))
