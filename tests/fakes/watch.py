"""The part of the API server that a watch needs: one list, then the events that the test sends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any, cast

import orjson

from nopea.core.objects import Resource
from nopea.kube.client import KubeClient
from nopea.kube.errors import ApiError, UnreachableError
from nopea.kube.live import LiveObject, ObjectList
from nopea.kube.requests import EVERYTHING, ApiRequest, Selection

Json = dict[str, Any]


class FakeWatch:
    """Objects by name; each change while a watch is open is sent to that watch."""

    def __init__(self, objects: Iterable[Json] = ()) -> None:
        self.objects: dict[tuple[str, str], Json] = {_name(one): one for one in objects}
        self.down = False
        self.hangs = False
        self.refuse: ApiError | None = None
        self.refuse_everywhere: ApiError | None = None
        """What lists of all namespaces meet."""
        self.lists = 0
        self.selections: list[Selection] = []
        self._lines: asyncio.Queue[bytes] = asyncio.Queue()

    @property
    def client(self) -> KubeClient:
        """This fake, with the type of a client."""
        return cast("KubeClient", self)

    def put(self, one: Json) -> None:
        """Create or change an object."""
        self.objects[_name(one)] = one
        self._send("MODIFIED", one)

    def delete(self, one: Json) -> None:
        """Delete an object."""
        self.objects.pop(_name(one), None)
        self._send("DELETED", one)

    def break_off(self, error: ApiError) -> None:
        """End the open watch with an error, which lists and watches meet from now on."""
        self.refuse = error
        self._lines.put_nowait(b"")

    def forget_history(self) -> None:
        """Send a 410 error event, so that the watch lists again, as after an outage."""
        status = {
            "kind": "Status",
            "status": "Failure",
            "reason": "Expired",
            "code": 410,
            "message": "too old",
        }
        self._send("ERROR", status)

    def change_unseen(self, *put: Json, deleted: Iterable[Json] = ()) -> None:
        """Change objects without sending events to an open watch."""
        for one in deleted:
            self.objects.pop(_name(one), None)
        self.objects |= {_name(one): one for one in put}

    async def list(
        self, resource: Resource, selection: Selection = EVERYTHING, *, chunk: int = 500
    ) -> ObjectList:
        """Return the list of objects; raise an error while down."""
        del resource, chunk
        self.selections.append(selection)
        if self.hangs:
            await asyncio.Event().wait()
        if self.down:
            raise UnreachableError("no route to the API server")
        if self.refuse is not None:
            raise self.refuse
        if self.refuse_everywhere is not None and not self.selections[-1].namespace:
            raise self.refuse_everywhere
        self.lists += 1
        items = tuple(LiveObject(orjson.dumps(one)) for one in self.objects.values())
        versions = [int(one["metadata"]["resourceVersion"]) for one in self.objects.values()]
        return ObjectList(items=items, resource_version=str(max([1, *versions])))

    @asynccontextmanager
    async def stream(self, request: ApiRequest) -> AsyncIterator[FakeWatch]:
        """Open a watch."""
        del request
        if self.refuse is not None:
            raise self.refuse
        self._lines = asyncio.Queue()
        yield self

    async def read(self, *, within_seconds: float) -> bytes:
        """Wait for the next event and return it; raise the refusal while there is one."""
        del within_seconds
        line = await self._lines.get()
        if self.refuse is not None:
            raise self.refuse
        return line

    def _send(self, type_: str, one: Json) -> None:
        self._lines.put_nowait(orjson.dumps({"type": type_, "object": one}) + b"\n")


def _name(one: Json) -> tuple[str, str]:
    return (one["metadata"]["namespace"], one["metadata"]["name"])
