"""One POST over real sockets: what is received, and how failures are reported."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.fakes.sink import CLOSE, GARBAGE, MID_BODY, MID_HEADERS, Reply, Sink

from nopea import tasks
from nopea.core.git.networks import Networks
from nopea.core.notify.address import ReceiverAddress
from nopea.core.secret import Secret
from nopea.notify.http import MOST_BODY, HttpPoster, Message, NoResponseError, Response


@pytest_asyncio.fixture
async def sink() -> AsyncIterator[Sink]:
    """Yield a sink that accepts everything."""
    async with Sink() as opened:
        yield opened


@pytest_asyncio.fixture
async def poster() -> AsyncIterator[HttpPoster]:
    """Yield an open poster."""
    async with HttpPoster() as opened:
        yield opened


def message(url: str, body: bytes = b'{"a":1}') -> Message:
    """Return a message to this URL."""
    headers = {"Content-Type": "application/json", "ce-id": "01"}
    return Message(id="1", namespace="shop", address=ReceiverAddress.parse(url), body=body, headers=headers)


async def failure(poster: HttpPoster, sent: Message) -> str:
    """Post a message that fails, and return the text of the error."""
    async with asyncio.timeout(10):
        with pytest.raises(NoResponseError) as caught:
            await poster.post(sent)
    return str(caught.value)


async def test_a_message_arrives_unchanged(sink: Sink, poster: HttpPoster) -> None:
    """Path, query, headers and body are those of the message."""
    assert await poster.post(message(sink.url("/a%2Fb?key=x%3D"))) == Response(status=202)

    (arrival,) = sink.arrivals
    assert arrival.path == "/a%2Fb?key=x%3D"
    assert arrival.body == b'{"a":1}'
    assert arrival.headers["content-type"] == "application/json"
    assert arrival.headers["ce-id"] == "01"
    assert arrival.headers["user-agent"].startswith("nopea/")
    assert "authorization" not in arrival.headers


async def test_credentials_of_the_url_are_sent_as_basic(sink: Sink, poster: HttpPoster) -> None:
    """User and password are in a header, not in the request line."""
    await poster.post(message(sink.url(userinfo="Aladdin:open%20sesame")))

    assert sink.arrivals[0].headers["authorization"] == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
    assert sink.arrivals[0].path == "/events"


async def test_a_token_is_sent_as_bearer(sink: Sink, poster: HttpPoster) -> None:
    """This follows the CloudEvents webhook specification."""
    address = replace(ReceiverAddress.parse(sink.url()), authorization=Secret("Bearer t0ken"))
    await poster.post(Message(id="1", namespace="shop", address=address, body=b"", headers={}))

    assert sink.arrivals[0].headers["authorization"] == "Bearer t0ken"


async def test_any_status_is_a_response(sink: Sink, poster: HttpPoster) -> None:
    """Failures are returned with their Retry-After header."""
    sink.replies.append(Reply(status=429, headers={"Retry-After": "7"}))
    sink.replies.append(Reply(status=500, body=b"oh"))

    assert await poster.post(message(sink.url())) == Response(status=429, retry_after="7")
    assert await poster.post(message(sink.url())) == Response(status=500)


async def test_a_redirect_is_not_followed(sink: Sink, poster: HttpPoster) -> None:
    """A redirect would send the event and the credentials to another address."""
    async with Sink() as other:
        sink.replies.append(Reply(status=307, headers={"Location": other.url()}))

        assert (await poster.post(message(sink.url()))).status == 307
        assert other.arrivals == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "[::ffff:127.0.0.1]"])
async def test_a_denied_address_is_not_connected_to(sink: Sink, host: str) -> None:
    """The address of the connection counts, in whatever way the URL names it."""
    async with HttpPoster(Networks.PRIVATE) as poster:
        assert await failure(poster, message(sink.url().replace("127.0.0.1", host)))

    assert sink.arrivals == []


async def test_proxies_of_the_environment_are_not_used(
    sink: Sink, poster: HttpPoster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same holds for the API server and Git."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")

    assert (await poster.post(message(sink.url()))).status == 202


async def test_a_long_response_is_not_read_to_its_end(sink: Sink, poster: HttpPoster) -> None:
    """At most 64 KiB are read, and the response counts."""
    sink.usual = Reply(status=200, body=b"x" * (4 * MOST_BODY))

    for _ in range(2):
        assert (await poster.post(message(sink.url()))).status == 200


async def test_a_compressed_response_is_not_decompressed(sink: Sink, poster: HttpPoster) -> None:
    """Compression was not requested, and the response could be a decompression bomb."""
    sink.usual = Reply(status=200, headers={"Content-Encoding": "gzip"}, body=b"not gzip at all")

    assert (await poster.post(message(sink.url()))).status == 200


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (CLOSE, "closed the connection without a response"),
        (MID_HEADERS, "closed the connection without a response"),
        (MID_BODY, "sent a truncated response"),
        (GARBAGE, "sent an invalid HTTP response"),
        (Reply(headers={"X-Long": "x" * 100_000}), "sent an invalid HTTP response"),
    ],
)
async def test_an_incomplete_response_is_a_failure(
    sink: Sink, poster: HttpPoster, reply: Reply, words: str
) -> None:
    """The sink may not have stored the message."""
    sink.replies.append(reply)

    assert await failure(poster, message(sink.url())) == f"http://127.0.0.1:{sink.port}/*** {words}"
    assert (await poster.post(message(sink.url()))).status == 202


async def test_endless_interim_responses_do_not_block_other_sinks(sink: Sink, poster: HttpPoster) -> None:
    """Other messages arrive meanwhile, and the request can be cancelled."""
    interim = b"HTTP/1.1 103 Early Hints\r\n\r\n" * 100

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            await reader.readuntil(b"{}")
            while True:
                writer.write(interim)
                await writer.drain()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        endless = tasks.spawn(poster.post(message(url, b"{}")), name="endless")
        assert (await poster.post(message(sink.url()))).status == 202
        assert not endless.done()
        await tasks.end(endless)


async def test_a_closed_port_is_reported(sink: Sink, poster: HttpPoster) -> None:
    """The error contains the sink and the reason, but no secret of the URL."""
    await sink.shut()
    words = await failure(poster, message(sink.url("/topsecret?key=alsosecret", userinfo="ada:hunter22")))

    assert words == f"http://127.0.0.1:{sink.port}/*** cannot be reached: Connection refused"


async def test_an_unknown_host_is_reported(poster: HttpPoster) -> None:
    """The domain `.invalid` never resolves."""
    words = await failure(poster, message("http://events.acme.invalid/x"))

    assert words == "http://events.acme.invalid/*** has a host name that does not resolve"


async def test_a_broken_connection_is_opened_again(sink: Sink, poster: HttpPoster) -> None:
    """After an outage of the sink, the next message arrives."""
    await poster.post(message(sink.url()))
    await sink.shut()
    await failure(poster, message(sink.url()))
    await sink.open()

    assert (await poster.post(message(sink.url()))).status == 202


async def test_cancellation_is_immediate(sink: Sink, poster: HttpPoster) -> None:
    """A timeout of the caller ends the request."""
    sink.usual = Reply(delay=60)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await poster.post(message(sink.url()))


async def test_an_untrusted_certificate_is_refused(poster: HttpPoster, certificate: Path) -> None:
    """The error says what is wrong with the certificate."""
    async with web_server(certificate) as port:
        words = await failure(poster, message(f"https://localhost:{port}/topsecret"))

    assert words == f"https://localhost:{port}/*** has an untrusted certificate: self-signed certificate"


async def test_an_authority_of_the_environment_is_trusted(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SSL_CERT_FILE contains additional authorities."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    async with web_server(certificate) as port, HttpPoster() as poster:
        assert (await poster.post(message(f"https://localhost:{port}/"))).status == 204


async def test_tls_to_a_port_without_tls_is_reported(poster: HttpPoster) -> None:
    """The error says that the TLS handshake failed."""
    async with web_server(None) as port:
        words = await failure(poster, message(f"https://127.0.0.1:{port}/"))

    assert words == f"https://127.0.0.1:{port} failed the TLS handshake; check the port and its certificate"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the file of a self-signed certificate for localhost, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "localhost.pem"
    path.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return path


@asynccontextmanager
async def web_server(certificate: Path | None) -> AsyncIterator[int]:
    """Respond with 204, over TLS if there is a certificate."""
    context = None
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)

    async def handle(request: web.BaseRequest) -> web.Response:
        await request.read()
        return web.Response(status=204)

    runner = web.ServerRunner(web.Server(handle))
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
        await site.start()
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()
