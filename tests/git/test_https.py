"""HTTPS as people have it: several ways to log in, authorities in parts, certificates that are not good."""

from __future__ import annotations

import base64
import ssl
from pathlib import Path

import pytest
from tests.git import faulty
from tests.git.conftest import MAIN, PATIENCE
from tests.git.faulty import FaultyServer, Relay
from tests.git.pki import Issued, issue
from tests.gitserver import Access, GitServer, Origin

from nopea.core.git.source import Credentials, Remote
from nopea.core.problem import Code, Problem, StalledError, TransientError
from nopea.core.secret import Secret
from nopea.git.port import GitPort
from nopea.git.settings import GitSettings

LOGIN = Credentials(username="acme", password=Secret("correct-horse"))
HOSTS = ("127.0.0.1", "localhost")


@pytest.fixture
def settings(tmp_path: Path) -> GitSettings:
    """The settings of a controller in a cluster: the children read as few files as they ever do."""
    return GitSettings(cache_dir=tmp_path / "cache")


async def refused(port: GitPort, url: str, credentials: Credentials) -> Problem:
    """Sync with what a user must correct, and return the problem."""
    with pytest.raises(StalledError) as failure:
        await port.sync(Remote(url, credentials), MAIN, timeout_seconds=PATIENCE)
    (problem,) = failure.value.problems
    return problem


@pytest.mark.parametrize("offers", [("NTLM", 'Basic realm="x"'), ("Basic", "Negotiate", "NTLM"), ("Basic",)])
async def test_basic_authentication_is_used_where_it_is_offered_beside_others(
    port: GitPort, server: GitServer, origin: Origin, offers: tuple[str, ...]
) -> None:
    """Azure DevOps Server and IIS offer NTLM too, where a personal access token is not good."""
    server.access = Access(username="acme", password="correct-horse")
    asked = "".join(f"WWW-Authenticate: {each}\r\n" for each in offers).encode()
    refusal = faulty.answer("401 Unauthorized", headers=asked)

    with Relay(server.port) as relay, FaultyServer(lambda connection, _: connection.sendall(refusal)) as no:
        relay.gate.set()
        found = await port.sync(Remote(relay.url(), LOGIN), MAIN, timeout_seconds=PATIENCE)
        wrong = await refused(port, no.url(), LOGIN)

        expected = b"Basic " + base64.b64encode(b"acme:correct-horse")
        assert all(b"Authorization: " + expected + b"\r\n" in request for request in no.requests)
        assert not any(b"NTLM" in request for request in no.requests)
    assert found.id == origin.tip()
    assert (wrong.code, "does not accept the credentials" in wrong.message) == (Code.GIT_AUTHENTICATION, True)


@pytest.mark.parametrize("trusted", ["root", "intermediate", "leaf"])
@pytest.mark.parametrize("sends_chain", [True, False])
async def test_any_certificate_of_the_chain_can_be_trusted(
    port: GitPort, root: Path, origin: Origin, tmp_path: Path, trusted: str, sends_chain: bool
) -> None:
    """As for curl and Go, what stands in ca.crt is trusted as such; it need not be a root."""
    authority = issue("Acme Root")
    middle = issue("Acme Issuing", by=authority)
    leaf = issue("git.acme.example", by=middle, hosts=HOSTS)
    ca_crt = {"root": authority, "intermediate": middle, "leaf": leaf}[trusted].pem
    files = leaf.files(tmp_path, *([middle] if sends_chain else []))

    with GitServer(root, certificate=files) as server:
        remote = Remote(server.url("shop.git"), Credentials(ca_crt=ca_crt))
        if trusted == "root" and not sends_chain:
            problem = await refused(port, remote.url, remote.credentials)
            assert (problem.code, "issuer" in problem.message) == (Code.GIT_CERTIFICATE, True)
        else:
            assert (await port.sync(remote, MAIN, timeout_seconds=PATIENCE)).id == origin.tip()


@pytest.mark.parametrize("trusts", ["root", "leaf"])
@pytest.mark.parametrize(
    ("served", "host", "words"),
    [
        ({"hosts": HOSTS, "days": -1}, "127.0.0.1", "has expired"),
        ({"hosts": HOSTS, "since_days": -0.5}, "127.0.0.1", "not yet valid"),
        ({"hosts": ("git.acme.example",)}, "localhost", "not valid for 'localhost'"),
        ({"hosts": ("git.acme.example",)}, "127.0.0.1", "not valid for '127.0.0.1'"),
        ({"hosts": ("localhost",)}, "127.0.0.1", "not valid for '127.0.0.1'"),
    ],
)  # fmt: skip
async def test_a_certificate_is_refused_with_its_reason(
    port: GitPort, root: Path, origin: Origin, tmp_path: Path,
    served: dict[str, object], host: str, words: str, trusts: str,
) -> None:  # fmt: skip
    """Expired, not yet valid, for another host: in each case somebody else must do something else."""
    del origin
    authority = issue("Acme Root")
    leaf: Issued = issue("git.acme.example", by=authority, **served)  # type: ignore[arg-type]
    with GitServer(root, certificate=leaf.files(tmp_path)) as server:
        trusted = Credentials(ca_crt=authority.pem if trusts == "root" else leaf.pem)
        problem = await refused(port, server.url("shop.git", host=host), trusted)

    assert problem.code is Code.GIT_CERTIFICATE
    assert words in problem.message.replace("IP address mismatch, certificate is ", "")


async def test_an_authority_that_signed_something_else_is_not_enough(
    port: GitPort, root: Path, origin: Origin, tmp_path: Path
) -> None:
    """Neither an equal name nor a sibling makes a certificate trusted."""
    del origin
    authority, impostor = issue("Acme Root"), issue("Acme Root")
    leaf = issue("git.acme.example", by=authority, hosts=HOSTS)
    sibling = issue("git.acme.example", by=authority, hosts=HOSTS)
    with GitServer(root, certificate=leaf.files(tmp_path)) as server:
        for ca_crt in ("", impostor.pem, sibling.pem):
            problem = await refused(port, server.url("shop.git"), Credentials(ca_crt=ca_crt))
            assert problem.code is Code.GIT_CERTIFICATE
            assert "issuer" in problem.message or "signature" in problem.message


@pytest.mark.parametrize(
    ("status", "header", "code", "seconds"),
    [
        ("429 Too Many Requests", b"Retry-After: 120\r\n", Code.GIT_RATE_LIMITED, 120),
        ("429 Too Many Requests", b"Retry-After: 100000\r\n", Code.GIT_RATE_LIMITED, 3600),
        ("429 Too Many Requests", b"", Code.GIT_RATE_LIMITED, 0),
        ("503 Service Unavailable", b"Retry-After: 30\r\n", Code.GIT_UNREACHABLE, 30),
    ],
)
async def test_a_busy_server_is_left_alone_for_as_long_as_it_asks(
    port: GitPort, status: str, header: bytes, code: Code, seconds: float
) -> None:
    """The problem carries the wait, up to an hour."""
    with FaultyServer(faulty.always(faulty.answer(status, headers=header))) as server:
        with pytest.raises(TransientError) as failure:
            await port.sync(Remote(server.url(), LOGIN), MAIN, timeout_seconds=PATIENCE)
        assert len(server.requests) == 2

    (problem,) = failure.value.problems
    assert (problem.code, problem.retry_after_seconds) == (code, seconds)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_server_that_asks_for_a_client_certificate_is_told_as_such(
    port: GitPort, tmp_path: Path, version: ssl.TLSVersion
) -> None:
    """libgit2 cannot present one; OpenSSL's own words would let users look for a broken network.

    In TLS 1.3 the server's alert comes after the handshake: it is lost if the server closes the connection
    before the request is written. A later attempt tells it.
    """
    authority = issue("Acme Root")
    (tmp_path / "ca.pem").write_text(authority.pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*issue("git.acme.example", by=authority, hosts=HOSTS).files(tmp_path))
    context.load_verify_locations(tmp_path / "ca.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    context.maximum_version = version
    told = "it may ask for a client certificate, which is not supported"
    attempts = 1 if version is ssl.TLSVersion.TLSv1_2 else 10

    with FaultyServer(faulty.always(faulty.answer("200 OK")), tls=context) as server:
        remote = Remote(
            server.url(scheme="https"), Credentials(ca_crt=authority.pem, token=Secret("tok-4711"))
        )
        messages: list[str] = []
        while len(messages) < attempts and not any(told in message for message in messages):
            with pytest.raises(TransientError) as failure:
                await port.sync(remote, MAIN, timeout_seconds=PATIENCE)
            messages += [problem.message for problem in failure.value.problems]
        assert server.requests == []

    assert told in messages[-1]
