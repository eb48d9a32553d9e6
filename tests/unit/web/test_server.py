"""The responses of the probes over real HTTP on loopback, and the start and the end of the server."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web

from nopea.web.server import ListenError, ServedPort, listening, probe_listener, webhook_listener


def probes(host: str = "127.0.0.1", port: int = 0, why: Callable[[], str] = str) -> ServedPort:
    """Return a listener of probes that are ready, unless the test says why not."""
    return probe_listener(host=host, port=port, why_not_ready=why)


class Probe:
    """A client of a server whose readiness the test sets."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.session = session
        self.reason = ""
        self.port = 0

    def why_not_ready(self) -> str:
        """Return the reason, as the process does."""
        return self.reason

    async def ask(self, path: str, method: str = "GET") -> tuple[int, str]:
        """Send a request and return the status and the body."""
        async with self.session.request(method, f"http://127.0.0.1:{self.port}{path}") as answer:
            return answer.status, await answer.text()


@pytest_asyncio.fixture
async def probe() -> AsyncIterator[Probe]:
    """Yield a client of a server on a free port."""
    async with aiohttp.ClientSession() as session:
        probe = Probe(session)
        async with listening(probes(why=probe.why_not_ready)) as probe.port:
            yield probe


async def test_the_process_is_healthy_while_the_event_loop_runs(probe: Probe) -> None:
    """A process that is not ready is healthy, because a restart would not help."""
    probe.reason = "waiting for the list of GitRepositories"

    assert await probe.ask("/health") == (200, "ok\n")


async def test_ready_follows_the_readiness_of_the_process(probe: Probe) -> None:
    """The response is 503 with the reason, 200 without one, and 503 again during the drain."""
    probe.reason = "waiting for the list of GitRepositories"
    assert await probe.ask("/ready") == (503, "not ready: waiting for the list of GitRepositories\n")

    probe.reason = ""
    assert await probe.ask("/ready") == (200, "ready\n")

    probe.reason = "shutting down"
    assert (await probe.ask("/ready"))[0] == 503


async def test_other_paths_and_methods_are_not_served(probe: Probe) -> None:
    """Another path is a 404, and another method is a 405."""
    assert (await probe.ask("/"))[0] == 404
    assert (await probe.ask("/health", "POST"))[0] == 405


async def test_a_405_lists_the_allowed_methods(probe: Probe) -> None:
    """HTTP requires the Allow header in a 405."""
    async with probe.session.post(f"http://127.0.0.1:{probe.port}/health") as answer:
        assert answer.status == 405
        assert answer.headers["Allow"] == "GET,HEAD"


@pytest.mark.parametrize("path", ["/health", "/nothing"])
async def test_an_unknown_expectation_is_417(probe: Probe, path: str) -> None:
    """Only `100-continue` is supported; any other bytes are rejected."""
    for line, status in ((b"Expect: \x80", b"417"), (b"Expect: 100-continue", b"100")):
        reader, writer = await asyncio.open_connection("127.0.0.1", probe.port)
        writer.write(b"GET %b HTTP/1.1\r\nHost: x\r\n%b\r\n\r\n" % (path.encode(), line))
        assert (await reader.readline())[9:12] == status
        writer.close()
        await writer.wait_closed()


async def test_a_bug_is_a_500_and_a_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """Invalid requests of clients are not errors in the log; a bug of the server is."""

    async def wrong(request: web.Request) -> web.Response:
        raise RuntimeError(f"a bug at {request.path}")

    served = listening(webhook_listener(host="127.0.0.1", port=0, routes=[web.get("/wrong", wrong)]))
    async with served as port, aiohttp.ClientSession() as session:
        async with session.get(f"http://127.0.0.1:{port}/wrong") as answer:
            assert answer.status == 500
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"no http at all\r\n\r\n")
        assert (await reader.readline())[9:12] == b"400"
        writer.close()
        await writer.wait_closed()

    (line,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert "a bug at /wrong" in str(line.exc_info)


async def test_a_port_in_use_is_a_clear_error(probe: Probe) -> None:
    """The error has the address and the options to change; the first server continues."""
    with pytest.raises(ListenError, match=rf"127\.0\.0\.1:{probe.port}.*Set another --host or --probe-port"):
        async with listening(probes(port=probe.port)):
            pass

    assert (await probe.ask("/health"))[0] == 200


async def test_a_foreign_address_is_a_clear_error() -> None:
    """The address 192.0.2.1 is reserved for documentation, so no interface has it."""
    with pytest.raises(ListenError, match=r"192\.0\.2\.1"):
        async with listening(probes(host="192.0.2.1")):
            pass


async def test_the_port_is_free_after_the_end() -> None:
    """The port is released even if the process crashes."""
    with pytest.raises(RuntimeError, match="the process"):
        async with listening(probes()) as port:
            raise RuntimeError("the process")

    with socket.create_server(("127.0.0.1", port)):
        pass


async def test_an_open_connection_does_not_delay_the_end() -> None:
    """The connection of a silent client is closed in time."""
    loop = asyncio.get_running_loop()
    async with listening(probes()) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        began = loop.time()

    assert loop.time() - began < 4  # twice the server's limit; an idle connection is closed at once
    writer.close()


async def test_webhooks_and_probes_are_not_served_by_each_others_port(probe: Probe) -> None:
    """A port that everybody may reach answers neither probes nor scrapes; the other one takes no delivery."""
    assert (await probe.ask("/webhook/shop/web", "POST"))[0] == 404

    async with listening(webhook_listener(host="127.0.0.1", port=0, routes=[])) as probe.port:
        for path in ("/health", "/ready", "/metrics"):
            assert (await probe.ask(path))[0] == 404
