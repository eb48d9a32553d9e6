"""What is read from a server's answers, and which URLs are refused."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from nopea.cli.cluster import CommandError
from nopea.cli.creation.server import Login, known_hosts_line, login_of, refuse_login_in
from nopea.core.git.known_hosts import HostKey


@contextmanager
def server(status: int, *challenges: str, seen: list[str] | None = None) -> Iterator[str]:
    """Serve one answer to everybody; yields the URL of a repository."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if seen is not None:
                seen.append(f"{self.path} {self.headers.get('Authorization', '')}")
            self.send_response(status)
            for challenge in challenges:
                self.send_header("WWW-Authenticate", challenge)
            if status == 302:
                self.send_header("Location", "http://127.0.0.1:1/elsewhere")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Write nothing."""

    running = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=running.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{running.server_port}/web"
    finally:
        running.shutdown()
        thread.join()
        running.server_close()


@pytest.mark.parametrize(
    ("status", "challenges", "login"),
    [
        (200, (), Login.NOTHING),
        (401, ('Basic realm="GitHub"',), Login.BASIC),
        (401, ('Bearer realm="x"', "basic"), Login.BASIC),
        (401, ('Negotiate, Bearer realm="x"',), Login.BEARER),
        (401, ("NTLM",), Login.UNCLEAR),
        (401, ("", "\t", "=,,=", "x" * 5_000), Login.UNCLEAR),
        (401, (), Login.UNCLEAR),
        (302, (), Login.UNCLEAR),
        (404, (), Login.UNCLEAR),
        (500, (), Login.UNCLEAR),
    ],
)
async def test_the_challenge_decides(status: int, challenges: tuple[str, ...], login: Login) -> None:
    """Basic is preferred; a redirect is not followed, and rubbish is not an error."""
    with server(status, *challenges) as url:
        assert await login_of(url) is login


async def test_no_credential_is_sent() -> None:
    """It is asked as Git asks."""
    seen: list[str] = []
    with server(401, "Basic", seen=seen) as url:
        await login_of(f"{url}/")

    assert seen == ["/web/info/refs?service=git-upload-pack "]


async def test_rubbish_for_certificates_is_an_error() -> None:
    """It names the option; no server is asked."""
    for rubbish in ("rubbish", "-----BEGIN CERTIFICATE-----\né\n-----END CERTIFICATE-----"):
        with pytest.raises(CommandError) as caught:
            await login_of("https://nothing.invalid/web", ca=rubbish)
        assert caught.value.message.startswith("--ca-file")


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/web", "https://nothing.invalid/web", "http://127.0.0.1:99999/web"]
)
async def test_a_server_that_cannot_be_reached_is_an_error(url: str) -> None:
    """With the host, and without a traceback."""
    with pytest.raises(CommandError):
        await login_of(url)


@pytest.mark.parametrize(
    "url",
    ["https://me:pw@git.example/x", "https://token@git.example/x", "ssh://git:pw@git.example/x", "http://[x"],
)
def test_a_login_in_the_url_is_refused(url: str) -> None:
    """It would be in the GitRepository; the error does not repeat it."""
    with pytest.raises(CommandError) as caught:
        refuse_login_in(url)

    assert "pw" not in caught.value.message + caught.value.hint
    for fine in ("https://git.example/x", "ssh://git@git.example/x", "git@git.example:x"):
        refuse_login_in(fine)


def test_the_line_of_known_hosts_has_the_port() -> None:
    """As OpenSSH writes it for another port than 22; Nopea reads the same for 22."""
    key = HostKey("ssh-ed25519", "AAAA")

    assert known_hosts_line("ssh://git@git.example:2222/web", key) == "[git.example]:2222 ssh-ed25519 AAAA\n"
    assert known_hosts_line("git@git.example:web", key) == "[git.example]:22 ssh-ed25519 AAAA\n"
