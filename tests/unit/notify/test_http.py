"""One POST over real sockets: what arrives, and in which words failures come back."""

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
from nopea.core.notify.address import ReceiverAddress
from nopea.core.secret import Secret
from nopea.notify.http import MOST_BODY, HttpPoster, Message, NoResponseError, Response


@pytest_asyncio.fixture
async def sink() -> AsyncIterator[Sink]:
    """A sink that takes everything."""
    async with Sink() as opened:
        yield opened


@pytest_asyncio.fixture
async def poster() -> AsyncIterator[HttpPoster]:
    """An open poster."""
    async with HttpPoster() as opened:
        yield opened


def message(url: str, body: bytes = b'{"a":1}') -> Message:
    """Return a message to the URL."""
    headers = {"Content-Type": "application/json", "ce-id": "01"}
    return Message(id="1", address=ReceiverAddress.parse(url), body=body, headers=headers)


async def failure(poster: HttpPoster, sent: Message) -> str:
    """Return the words of a failure, which name the sink and nothing secret."""
    async with asyncio.timeout(10):
        with pytest.raises(NoResponseError) as caught:
            await poster.post(sent)
    return str(caught.value)


async def test_a_message_arrives_as_it_is(sink: Sink, poster: HttpPoster) -> None:
    """Path, query, headers and body are those of the message; no cookie, no compression."""
    assert await poster.post(message(sink.url("/a%2Fb?key=x%3D"))) == Response(status=202)

    (arrival,) = sink.arrivals
    assert arrival.path == "/a%2Fb?key=x%3D"
    assert arrival.body == b'{"a":1}'
    assert arrival.headers["content-type"] == "application/json"
    assert arrival.headers["ce-id"] == "01"
    assert arrival.headers["user-agent"].startswith("nopea/")
    assert "authorization" not in arrival.headers


async def test_credentials_of_the_url_are_sent_as_basic(sink: Sink, poster: HttpPoster) -> None:
    """User and password go into a header, not into the request line."""
    await poster.post(message(sink.url(userinfo="Aladdin:open%20sesame")))

    assert sink.arrivals[0].headers["authorization"] == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
    assert sink.arrivals[0].path == "/events"


async def test_a_token_is_sent_as_bearer(sink: Sink, poster: HttpPoster) -> None:
    """As the CloudEvents webhook specification has it."""
    address = replace(ReceiverAddress.parse(sink.url()), authorization=Secret("Bearer t0ken"))
    await poster.post(Message(id="1", address=address, body=b"", headers={}))

    assert sink.arrivals[0].headers["authorization"] == "Bearer t0ken"


async def test_any_status_is_a_response(sink: Sink, poster: HttpPoster) -> None:
    """Failures come back as they are, with what they say of another try."""
    sink.replies.append(Reply(status=429, headers={"Retry-After": "7"}))
    sink.replies.append(Reply(status=500, body=b"oh"))

    assert await poster.post(message(sink.url())) == Response(status=429, retry_after="7")
    assert await poster.post(message(sink.url())) == Response(status=500)


async def test_a_redirect_is_not_followed(sink: Sink, poster: HttpPoster) -> None:
    """It would take the event, and the credentials, where nobody has decided to send them."""
    async with Sink() as other:
        sink.replies.append(Reply(status=307, headers={"Location": other.url()}))

        assert (await poster.post(message(sink.url()))).status == 307
        assert other.arrivals == []


async def test_proxies_of_the_environment_are_not_used(
    sink: Sink, poster: HttpPoster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for the API server and Git."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")

    assert (await poster.post(message(sink.url()))).status == 202


async def test_a_long_answer_is_not_read_to_its_end(sink: Sink, poster: HttpPoster) -> None:
    """What it says after 64 KiB costs neither memory nor time; the message has come."""
    sink.usual = Reply(status=200, body=b"x" * (4 * MOST_BODY))

    for _ in range(2):
        assert (await poster.post(message(sink.url()))).status == 200


async def test_a_compressed_answer_is_not_unpacked(sink: Sink, poster: HttpPoster) -> None:
    """Nobody asked for it, and it could be a bomb."""
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
async def test_half_an_answer_is_none(sink: Sink, poster: HttpPoster, reply: Reply, words: str) -> None:
    """Whoever closes in the middle may not have kept the message."""
    sink.replies.append(reply)

    assert await failure(poster, message(sink.url())) == f"http://127.0.0.1:{sink.port}/*** {words}"
    assert (await poster.post(message(sink.url()))).status == 202


async def test_interim_responses_without_end_hold_up_no_other_sink(sink: Sink, poster: HttpPoster) -> None:
    """Messages to other sinks arrive meanwhile, and cancellation ends it, as at the caller's deadline."""
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


async def test_a_closed_port_is_told(sink: Sink, poster: HttpPoster) -> None:
    """The words name the sink and the system's reason, and no secret of the URL."""
    await sink.shut()
    words = await failure(poster, message(sink.url("/topsecret?key=alsosecret", userinfo="ada:hunter22")))

    assert words == f"http://127.0.0.1:{sink.port}/*** cannot be reached: Connection refused"


async def test_an_unknown_host_is_told(poster: HttpPoster) -> None:
    """A name under a domain that is reserved never to exist."""
    words = await failure(poster, message("http://events.acme.invalid/x"))

    assert words == "http://events.acme.invalid/*** has a host name that does not resolve"


async def test_a_connection_that_was_cut_is_opened_anew(sink: Sink, poster: HttpPoster) -> None:
    """After the sink was away on the same port, a message arrives."""
    await poster.post(message(sink.url()))
    await sink.shut()
    await failure(poster, message(sink.url()))
    await sink.open()

    assert (await poster.post(message(sink.url()))).status == 202


async def test_cancellation_passes_at_once(sink: Sink, poster: HttpPoster) -> None:
    """The owner's deadline ends a try in the middle."""
    sink.usual = Reply(delay=60)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await poster.post(message(sink.url()))


async def test_a_certificate_that_nobody_vouches_for_is_refused(
    poster: HttpPoster, certificate: Path
) -> None:
    """TLS is checked, and the words say what is wrong with it."""
    async with web_server(certificate) as port:
        words = await failure(poster, message(f"https://localhost:{port}/topsecret"))

    assert words == f"https://localhost:{port}/*** has an untrusted certificate: self-signed certificate"


async def test_an_authority_of_the_environment_is_trusted(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SSL_CERT_FILE names the authorities of the sinks."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    async with web_server(certificate) as port, HttpPoster() as poster:
        assert (await poster.post(message(f"https://localhost:{port}/"))).status == 204


async def test_tls_to_a_port_without_it_is_told(poster: HttpPoster) -> None:
    """https for http is a common slip."""
    async with web_server(None) as port:
        words = await failure(poster, message(f"https://127.0.0.1:{port}/"))

    assert words == f"https://127.0.0.1:{port} failed the TLS handshake; check the port and its certificate"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate of localhost, with its key in the same file."""
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
    """Answer 204, over TLS where there is a certificate."""
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
