"""A dashboard on a real port over what a test knows, and a client that sends what the test says."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web
from tests.fakes.dashboard import KnownSource, KnownWorkbench, admit_all

from nopea.dashboard.desk import Admit
from nopea.dashboard.guard import LOOPBACK, guard
from nopea.dashboard.live import Streams
from nopea.dashboard.routes import Dashboard
from nopea.web.connections import PROBES
from nopea.web.server import ServedPort, listening

LOOK_SECONDS = 0.02


@dataclass
class Page:
    """What came back."""

    status: int
    text: str
    headers: Mapping[str, str]


@dataclass
class Visitor:
    """A client of the dashboard; `headers` are sent with each request."""

    session: aiohttp.ClientSession
    base: str
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def origin(self) -> dict[str, str]:
        """The header that a browser sends with a form."""
        return {"Origin": self.base}

    async def get(self, path: str, **headers: str) -> Page:
        """Get an address."""
        async with self.session.get(
            self.base + path, headers={**self.headers, **headers}, allow_redirects=False
        ) as answer:
            return Page(answer.status, await answer.text(), answer.headers)

    async def post(self, path: str, data: Mapping[str, str], **headers: str) -> Page:
        """Post a form."""
        async with self.session.post(
            self.base + path, data=dict(data), headers={**self.headers, **headers}, allow_redirects=False
        ) as answer:
            return Page(answer.status, await answer.text(), answer.headers)

    async def at(self, path: str = "/") -> str:
        """Get a page, and return the number from which its live updates go on."""
        found = re.search(r'data-at="([^"]+)"', (await self.get(path)).text)
        assert found
        return found[1]

    async def send(self, *lines: str, body: bytes = b"") -> int:
        """Send a request byte by byte as it is written here, Latin-1, and return the status."""
        host, _, port = self.base.removeprefix("http://").rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        head = "".join(f"{line}\r\n" for line in (*lines, f"Host: {host}:{port}", "Connection: close", ""))
        writer.write(head.encode("latin-1") + body)
        try:
            async with asyncio.timeout(10):
                status = int((await reader.readline()).split()[1])
                await reader.read()
                return status
        finally:
            writer.close()
            await writer.wait_closed()

    @asynccontextmanager
    async def stream(self, path: str, **headers: str) -> AsyncIterator[EventReader]:
        """Open a stream of events."""
        async with self.session.get(self.base + path, headers={**self.headers, **headers}) as answer:
            yield EventReader(answer)


@dataclass
class EventReader:
    """Reads server-sent events as a browser does."""

    answer: aiohttp.ClientResponse
    last_id: str = ""

    async def next(self, *, seconds: float = 5.0) -> tuple[str, str]:
        """Return the name and the data of the next event."""
        name, data = "", list[str]()
        async with asyncio.timeout(seconds):
            async for raw in self.answer.content:
                line = raw.decode().rstrip("\n")
                kind, _, value = line.partition(": ")
                if kind == "event":
                    name = value
                elif kind == "data" or line == "data:":
                    data.append(value)
                elif kind == "id":
                    self.last_id = value
                elif not line and name:
                    return name, "\n".join(data)
        raise EOFError

    async def until(self, name: str) -> list[tuple[str, str]]:
        """Return all events up to the first of a name."""
        found = [await self.next()]
        while found[-1][0] != name:
            found.append(await self.next())
        return found

    async def is_silent(self, *, seconds: float = 0.3) -> bool:
        """Return whether nothing comes for a while."""
        try:
            await self.next(seconds=seconds)
        except TimeoutError:
            return True
        return False


@asynccontextmanager
async def dashboard(
    source: KnownSource,
    *,
    admit: Admit = admit_all,
    workbench: KnownWorkbench | None = None,
    streams: Streams | None = None,
    more: Sequence[web.RouteDef] = (),
) -> AsyncIterator[Visitor]:
    """Serve a dashboard, and `more` routes; yields a visitor without a cookie jar."""
    made = Dashboard(
        source, admit, workbench=workbench, streams=streams or Streams(look_seconds=LOOK_SECONDS)
    )
    port = ServedPort(
        serves="the dashboard", host="127.0.0.1", port=0, option="--port", routes=(*made.routes(), *more),
        bound=PROBES, middlewares=(guard(LOOPBACK),),
    )  # fmt: skip
    jar = aiohttp.DummyCookieJar()
    async with listening(port) as number, aiohttp.ClientSession(cookie_jar=jar) as session:
        yield Visitor(session, f"http://127.0.0.1:{number}")
        made.close()
