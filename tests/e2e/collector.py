"""A loopback server that accepts and records every POST, as a receiver of notifications would."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from nopea_lab import gitserver
from nopea_lab.gitserver import GitServer


@dataclass(frozen=True, slots=True)
class Post:
    """One request; header names are in lower case."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        """The body, parsed as JSON."""
        return dict(json.loads(self.body))


class Collector:
    """Records the requests in `posts`; use it as a context manager."""

    def __init__(self) -> None:
        self.posts: list[Post] = []
        posts = self.posts

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                posts.append(_read(self))
                _answer(self, 202)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - named by http.server
                """Log nothing."""

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Collector:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    def url(self, path: str) -> str:
        """Return the URL of a path on this server."""
        return f"http://127.0.0.1:{self._http.server_address[1]}{path}"

    def at(self, path: str) -> list[Post]:
        """Return the requests to a path, in order."""
        return [post for post in self.posts if post.path == path]


class Forge(GitServer):
    """A Git server that also has an API: POSTs below `/api/` are recorded and answered with 201."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.posts: list[Post] = []
        posts = self.posts

        class Handler(gitserver._GitHandler):
            def do_POST(self) -> None:  # noqa: N802 - named by http.server
                if not self.path.startswith("/api/"):
                    super().do_POST()
                    return
                posts.append(_read(self))
                _answer(self, 201)

        self._http.RequestHandlerClass = Handler

    def __enter__(self) -> Self:
        super().__enter__()
        return self


def _read(request: BaseHTTPRequestHandler) -> Post:
    body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
    return Post(request.path, {name.lower(): value for name, value in request.headers.items()}, body)


def _answer(request: BaseHTTPRequestHandler, status: int) -> None:
    request.send_response(status)
    request.send_header("Content-Length", "0")
    request.end_headers()
