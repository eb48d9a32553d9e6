"""A real HTTP server on loopback whose answers, valid or not, are defined by a test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import orjson
from aiohttp import web

from nopea.kube.client import KubeClient
from nopea.kube.config import ClusterConfig

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[str]:
    """Answer every request with `handler` until the block ends; yield the server's URL."""
    server = web.Server(handler, handler_cancellation=True)
    runner = web.ServerRunner(server, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def talking_to(handler: Handler) -> AsyncIterator[KubeClient]:
    """Yield a client of a server that answers with `handler`."""
    async with serving(handler) as url, KubeClient(ClusterConfig(server=url, origin="the test")) as client:
        yield client


def answers(*responses: Callable[[], web.StreamResponse]) -> tuple[Handler, list[web.BaseRequest]]:
    """Return a handler that sends the responses in order and then repeats the last, and its requests."""
    seen: list[web.BaseRequest] = []

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        await request.read()
        seen.append(request)
        return responses[min(len(seen), len(responses)) - 1]()

    return handler, seen


def json_answer(body: Any, *, status: int = 200, **headers: str) -> Callable[[], web.StreamResponse]:
    """Return a function that creates a JSON response."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda: web.Response(
        body=orjson.dumps(body), status=status, headers=named, content_type="application/json"
    )


def text_answer(
    text: str, *, status: int, content_type: str = "text/html"
) -> Callable[[], web.StreamResponse]:
    """Return a function that creates a response that does not come from Kubernetes."""
    return lambda: web.Response(text=text, status=status, content_type=content_type)


def status_body(code: int, reason: str, message: str = "no", **details: Any) -> dict[str, Any]:
    """Return a Status of a failure."""
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "code": code,
        "reason": reason,
        "message": message,
        "details": details,
    }


def named(name: str, version: int | str = 1, **data: str) -> dict[str, Any]:
    """Return a ConfigMap as stored."""
    metadata = {"name": name, "namespace": "shop", "resourceVersion": str(version), "uid": f"uid-{name}"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def listing(version: int, *objects: dict[str, Any], more: str = "") -> dict[str, Any]:
    """Return a ConfigMapList."""
    metadata = {"resourceVersion": str(version), "continue": more}
    return {"kind": "ConfigMapList", "apiVersion": "v1", "metadata": metadata, "items": list(objects)}


def event(kind: str, body: dict[str, Any]) -> bytes:
    """Return one line of a watch."""
    return orjson.dumps({"type": kind, "object": body}) + b"\n"


def bookmark(version: int) -> bytes:
    """Return a BOOKMARK event, which only has the resourceVersion of the watch."""
    head = {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"resourceVersion": str(version)}}
    return event("BOOKMARK", head)


class ScriptedWatch:
    """A handler that answers with `lists` and `watches` in order; after them, a watch stays open.

    A watch is a list of chunks of bytes; after the last one, the server ends it properly unless `cut`.
    `checked` is the answer to the question for one object by its name; by default it has moved on.
    """

    def __init__(
        self,
        lists: Sequence[dict[str, Any]],
        watches: Sequence[Sequence[bytes]],
        *,
        cut: bool = False,
        checked: dict[str, Any] | None = None,
    ) -> None:
        self.lists, self.watches = list(lists), list(watches)
        self.cut, self.checked = cut, checked
        self.asked: list[str] = []
        self.opened, self.closed = asyncio.Event(), asyncio.Event()

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a list or a watch."""
        version = request.query.get("resourceVersion", "")
        if request.query.get("limit") == "1":
            name = request.query["fieldSelector"].removeprefix("metadata.name=")
            self.asked.append(f"check {name}")
            body = self.checked or listing(1000, named(name, 1000))
            return json_answer(body, status=body.get("code", 200))()
        if not request.query.get("watch"):
            self.asked.append("list")
            body = self.lists.pop(0) if len(self.lists) > 1 else self.lists[0]
            return json_answer(body, status=body.get("code", 200))()
        self.asked.append(f"watch {version}")
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        self.opened.set()
        try:
            if self.watches:
                for chunk in self.watches.pop(0):
                    await response.write(chunk)
                if self.cut and request.transport is not None:
                    request.transport.close()
            else:
                await asyncio.sleep(3600)
        finally:
            self.closed.set()
        return response
