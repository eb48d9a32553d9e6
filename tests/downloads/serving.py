"""HTTP(S) servers on loopback for fixtures of any scope: aiohttp with an event loop in a thread."""

from __future__ import annotations

import asyncio
import base64
import hmac
import ssl
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from aiohttp import web
from tests.git.pki import issue

HOSTS = ("127.0.0.1", "localhost")
# How long a healthy server may take to start or to end on a busy machine before the test fails as hanging.
PATIENCE = 60.0

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Login:
    """A user with a password."""

    username: str
    password: str

    @property
    def header(self) -> str:
        """The `Authorization` header of basic authentication."""
        return "Basic " + base64.b64encode(f"{self.username}:{self.password}".encode()).decode()

    def allows(self, header: str) -> bool:
        """Return whether an `Authorization` header is this login."""
        return hmac.compare_digest(header.encode(), self.header.encode())


@dataclass(frozen=True, slots=True)
class Tls:
    """What a server on loopback serves, and the authority that its clients must trust."""

    certificate: Path
    key: Path
    ca_crt: str

    @classmethod
    def issued(cls, folder: Path) -> Tls:
        """Issue a certificate for 127.0.0.1 and localhost by an authority of its own."""
        authority = issue("Acme Downloads")
        folder.mkdir(parents=True, exist_ok=True)
        served = issue("charts.acme.example", by=authority, hosts=HOSTS)
        return cls(*served.files(folder), ca_crt=authority.pem)

    def server_context(self) -> ssl.SSLContext:
        """Return what an aiohttp server needs."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        return context

    def client_context(self) -> ssl.SSLContext:
        """Return what a client needs; it trusts nothing else."""
        return ssl.create_default_context(cadata=self.ca_crt)


class ThreadedServer:
    """Answer on 127.0.0.1 in a thread; `with` starts and ends it. A subclass implements `answer`."""

    def __init__(self, *, tls: Tls | None = None, port: int = 0) -> None:
        self.tls = tls
        self._wanted_port = port
        self._started: Future[int] = Future()
        self._thread = threading.Thread(target=self._run, name=type(self).__name__, daemon=True)

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request, in the server's thread."""
        raise NotImplementedError

    @property
    def port(self) -> int:
        """The loopback port it listens on, once it is started."""
        return self._started.result(0)

    @property
    def origin(self) -> str:
        """The scheme, host and port of its URLs."""
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        self._started.result(PATIENCE)
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Close all connections and the port; idempotent."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive(), f"{self._thread.name} did not end"

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            if self._started.done():
                raise
            self._started.set_exception(error)

    async def _serve(self) -> None:
        self._loop, self._ended = asyncio.get_running_loop(), asyncio.Event()
        server = web.Server(self.answer, handler_cancellation=True)
        runner = web.ServerRunner(server, shutdown_timeout=0.1)
        await runner.setup()
        try:
            context = self.tls.server_context() if self.tls else None
            await web.TCPSite(runner, "127.0.0.1", self._wanted_port, ssl_context=context).start()
            self._started.set_result(runner.addresses[0][1])
            await self._ended.wait()
        finally:
            # A client that keeps its connection would otherwise keep TLS's farewell waiting.
            for connection in server.connections:
                if connection.transport is not None:
                    connection.transport.abort()
            await runner.cleanup()
