"""Receivers of events for a controller process: real HTTP servers on loopback, in a thread of their own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, Self, TypeVar

from tests.fakes import cdevents as checker
from tests.fakes.sink import OK, Arrival, Reply, Sink

T = TypeVar("T")


class LiveSink:
    """A sink that a test without an event loop can steer; enter it to open its port."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="sink", daemon=True)
        self._sink = Sink()

    def __enter__(self) -> Self:
        self._thread.start()
        self.open()
        return self

    def __exit__(self, *exc: object) -> None:
        self.shut()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=10)
        self._loop.close()

    def url(self, path: str = "/events", *, userinfo: str = "") -> str:
        """Return its address."""
        return self._sink.url(path, userinfo=userinfo)

    def open(self) -> None:
        """Listen, on the same port as before."""
        self._do(self._sink.open())

    def shut(self) -> None:
        """Be down."""
        self._do(self._sink.shut())

    def answer(self, reply: Reply = OK) -> None:
        """Answer everything from now on like this."""
        self._sink.usual = reply

    def arrivals(self) -> list[Arrival]:
        """Return all requests that came, taken or not."""
        return list(self._sink.arrivals)

    def taken(self) -> list[Arrival]:
        """Return the events that were taken, each once: the first time, in order."""
        first: dict[str, Arrival] = {}
        for arrival in list(self._sink.taken):
            first.setdefault(arrival.headers["ce-id"], arrival)
        return list(first.values())

    def ids(self) -> list[str]:
        """Return the ids of the events that were taken."""
        return [arrival.headers["ce-id"] for arrival in self.taken()]

    def types(self, subject: str = "") -> list[str]:
        """Return the events' types without prefix and version, of all or of one subject."""
        return [
            arrival.headers["ce-type"].removeprefix("dev.cdevents.").rpartition(".0.")[0].removesuffix(".0")
            for arrival in self.taken()
            if not subject or arrival.headers["ce-subject"] == subject
        ]

    def _do(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(timeout=20)


def wrong(arrival: Arrival) -> list[str]:
    """Return what a strict consumer has against an event in binary mode; by the official schemas too."""
    context = arrival.json["context"]
    assert isinstance(context, dict)
    told = (arrival.headers["ce-id"], arrival.headers["ce-type"], arrival.headers["ce-time"])
    found = checker.check(arrival.body)
    if told != (context["id"], context["type"], context["timestamp"]):
        found.append(f"attributes {told}")
    if arrival.headers["content-type"] != "application/json":
        found.append(arrival.headers["content-type"])
    return found + (checker.official_errors(arrival.body) if checker.has_reference() else [])
