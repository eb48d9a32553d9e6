"""The hook of the demo's repository tells of a push as the webhook provider `generic` expects it."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from nopea_lab.demo import announce

REPOSITORY = "http://127.0.0.1:1/shop.git"
PUSH = f"{'0' * 40} {'a' * 40} refs/heads/main\n"


class _Listener(HTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.heard: list[tuple[str, bytes, str]] = []


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        assert isinstance(self.server, _Listener)
        self.server.heard.append((self.path, body, self.headers["X-Signature"]))
        self.send_response(202)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the standard library's name
        """Keep the test's output clean."""


@pytest.fixture
def listener() -> Iterator[_Listener]:
    """A server on loopback that hears deliveries."""
    with _Listener() as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        yield server
        server.shutdown()
        serving.join(timeout=5)


def test_each_ref_of_a_push_is_announced_and_signed(listener: _Listener, tmp_path: Path) -> None:
    """The signature covers the body as it is sent."""
    secret = tmp_path / "secret"
    secret.write_text("s3cret")
    address = f"http://127.0.0.1:{listener.server_port}/webhook/default/shop"
    announce.main([address, str(secret), REPOSITORY], [PUSH, PUSH.replace("main", "next")])

    assert [json.loads(body)["ref"] for _, body, _ in listener.heard] == [
        "refs/heads/main",
        "refs/heads/next",
    ]
    path, body, signature = listener.heard[0]
    assert path == "/webhook/default/shop"
    assert json.loads(body) == {"repository": REPOSITORY, "ref": "refs/heads/main", "commit": "a" * 40}
    assert signature == f"sha256={hmac.new(b's3cret', body, hashlib.sha256).hexdigest()}"


def test_a_push_does_not_fail_because_nobody_listens(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Git shows the reason to who pushes; Nopea finds the commit when it polls."""
    secret = tmp_path / "secret"
    secret.write_text("s3cret")
    announce.main(["http://127.0.0.1:1/webhook", str(secret), REPOSITORY], [PUSH])

    assert "Nopea was not told" in capsys.readouterr().err
