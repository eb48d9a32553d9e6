"""A Helm chart repository on loopback: `index.yaml` and archives over HTTP(S), and how it can go wrong."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import yaml
from aiohttp import web
from tests.downloads.charts import digest_of, metadata_of
from tests.downloads.serving import Handler, Login, ThreadedServer, Tls

FOLDER = "/charts"
_CREATED = "2026-01-02T03:04:05Z"
_CHUNK = 65536


class ChartRepository(ThreadedServer):
    """Serve the charts that `add` is given; `url` is what a user writes as the repository. `with` starts it.

    `requests` counts the requests by path, `not_modified` the answers without a body, and `sent` has the
    headers of each request by path. A handler in `answers` replaces the answer of its path. With a `login`,
    each file needs it. `etags` may be switched off, for a server that has none.
    """

    def __init__(
        self, *, tls: Tls | None = None, login: Login | None = None, etags: bool = True, port: int = 0
    ) -> None:
        super().__init__(tls=tls, port=port)
        self.login = login
        self.etags = etags
        self.files: dict[str, bytes] = {}
        self.answers: dict[str, Handler] = {}
        self.requests: Counter[str] = Counter()
        self.not_modified: Counter[str] = Counter()
        self.sent: dict[str, list[dict[str, str]]] = {}
        self._entries: dict[str, list[dict[str, Any]]] = {}
        self._write_index()

    @property
    def url(self) -> str:
        """The repository's URL, without a slash at its end."""
        return self.origin + FOLDER

    @property
    def index_path(self) -> str:
        """The path of `index.yaml`."""
        return f"{FOLDER}/index.yaml"

    def add(
        self,
        chart: bytes,
        *,
        absolute: bool = False,
        urls: Sequence[str] | None = None,
        digest: str | None = None,
        **entry: Any,
    ) -> str:
        """Serve a chart, list it in the index, and return the path of its archive.

        The index has a relative URL, an `absolute` one, or the given ones. `digest` replaces the right one;
        an empty text leaves it out. `entry` adds to the index's entry, for example `deprecated=True`.
        """
        metadata = metadata_of(chart)
        file = f"{metadata['name']}-{metadata['version']}.tgz"
        path = f"{FOLDER}/{file}"
        self.files[path] = chart
        listed = {**metadata, "created": _CREATED, "urls": [f"{self.url}/{file}" if absolute else file]}
        if urls is not None:
            listed["urls"] = list(urls)
        if digest != "":
            listed["digest"] = digest or digest_of(chart).removeprefix("sha256:")
        self._entries.setdefault(metadata["name"], []).append(listed | entry)
        self._write_index()
        return path

    def remove(self, name: str, version: str) -> None:
        """Take one version of a chart from the index and from the server."""
        self._entries[name] = [each for each in self._entries[name] if each["version"] != version]
        del self.files[f"{FOLDER}/{name}-{version}.tgz"]
        self._write_index()

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer with a file, with 304 for one that the client has, or as `answers` says."""
        path = request.path
        self.requests[path] += 1
        self.sent.setdefault(path, []).append(dict(request.headers))
        if self.login and not self.login.allows(request.headers.get("Authorization", "")):
            return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="charts"'})
        if path in self.answers:
            return await self.answers[path](request)
        if request.method not in {"GET", "HEAD"}:
            return web.Response(status=405)
        content = self.files.get(path)
        if content is None:
            return web.Response(status=404, text="no such file\n")
        headers = {"ETag": f'"{digest_of(content)}"'} if self.etags else {}
        if self.etags and headers["ETag"] in request.headers.get("If-None-Match", ""):
            self.not_modified[path] += 1
            return web.Response(status=304, headers=headers)
        kind = "application/gzip" if path.endswith(".tgz") else "text/yaml"
        return web.Response(body=content, headers=headers, content_type=kind)

    def _write_index(self) -> None:
        index = {"apiVersion": "v1", "entries": self._entries, "generated": _CREATED}
        self.files[self.index_path] = yaml.safe_dump(index, sort_keys=False).encode()


def failing(status: int, text: str = "", headers: Mapping[str, str] | None = None) -> Handler:
    """Answer with a status, for example 500, or 429 with Retry-After."""

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        del request
        return web.Response(status=status, text=text, headers=headers)

    return handler


def redirecting(location: str, *, status: int = 302) -> Handler:
    """Redirect to another path, host or port."""
    return failing(status, headers={"Location": location})


def slow(body: bytes, *, pause_seconds: float, chunk_bytes: int = 1) -> Handler:
    """Answer with the body in small pieces, with a pause before each."""

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        response.content_length = len(body)
        await response.prepare(request)
        for start in range(0, len(body), chunk_bytes):
            await asyncio.sleep(pause_seconds)
            await response.write(body[start : start + chunk_bytes])
        return response

    return handler


def endless(chunk: bytes = b"\0" * _CHUNK) -> Handler:
    """Answer with a body without a length that never ends."""

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(chunk)
            await asyncio.sleep(0)

    return handler


def cut(body: bytes, *, after_bytes: int) -> Handler:
    """Promise the whole body, send a part of it and close the connection."""

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        response.content_length = len(body)
        await response.prepare(request)
        await response.write(body[:after_bytes])
        if request.transport is not None:
            request.transport.close()
        return response

    return handler


def silent() -> Handler:
    """Take the request and never answer."""

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        del request
        await asyncio.Event().wait()
        raise AssertionError

    return handler
