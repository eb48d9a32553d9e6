"""Receivers of events for a controller process: real HTTP servers on loopback, in a separate thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, Self, TypeVar

from tests.fakes import cdevents as checker
from tests.fakes.sink import OK, Arrival, Reply, Sink

T = TypeVar("T")


class LiveSink:
    """A sink that a test without an event loop can control; entering it opens its port."""

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
        """Return the URL of the sink."""
        return self._sink.url(path, userinfo=userinfo)

    def open(self) -> None:
        """Start to listen, on the same port as before."""
        self._do(self._sink.open())

    def shut(self) -> None:
        """Stop listening."""
        self._do(self._sink.shut())

    def answer(self, reply: Reply = OK) -> None:
        """Answer all further requests with `reply`."""
        self._sink.usual = reply

    def arrivals(self) -> list[Arrival]:
        """Return all received requests, accepted or not."""
        return list(self._sink.arrivals)

    def taken(self) -> list[Arrival]:
        """Return the accepted events in order, each only once, as it first arrived."""
        first: dict[str, Arrival] = {}
        for arrival in list(self._sink.taken):
            first.setdefault(arrival.headers["ce-id"], arrival)
        return list(first.values())

    def ids(self) -> list[str]:
        """Return the ids of the accepted events."""
        return [arrival.headers["ce-id"] for arrival in self.taken()]

    def types(self, subject: str = "") -> list[str]:
        """Return the types of all events or of one subject's, without prefix and version."""
        return [
            arrival.headers["ce-type"].removeprefix("dev.cdevents.").rpartition(".0.")[0].removesuffix(".0")
            for arrival in self.taken()
            if not subject or arrival.headers["ce-subject"] == subject
        ]

    def _do(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(timeout=20)


def wrong(arrival: Arrival) -> list[str]:
    """Return the errors that a strict consumer and the official schemas find in an event in binary mode."""
    context = arrival.json["context"]
    assert isinstance(context, dict)
    sent = (arrival.headers["ce-id"], arrival.headers["ce-type"], arrival.headers["ce-time"])
    found = checker.check(arrival.body)
    if sent != (context["id"], context["type"], context["timestamp"]):
        found.append(f"attributes {sent}")
    if arrival.headers["content-type"] != "application/json":
        found.append(arrival.headers["content-type"])
    return found + (checker.official_errors(arrival.body) if checker.has_reference() else [])
