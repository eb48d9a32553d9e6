"""A server that speaks GitHub's API of comments, for one pull request."""

from __future__ import annotations

import json
import re
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

BOT = "github-actions[bot]"
Comment = dict[str, Any]


class GitHub(ThreadingHTTPServer):
    """The comments of pull request 7 of acme/shop."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.comments: list[Comment] = []
        self.broken: tuple[int, bytes] | None = None
        """What every request is answered with instead."""

    def add(self, body: str, *, login: str = BOT) -> None:
        """Somebody comments."""
        self.comments.append({"id": len(self.comments) + 1, "body": body, "user": {"login": login}})


class _Handler(BaseHTTPRequestHandler):
    server: GitHub

    def do_GET(self) -> None:
        """Answer with a page of comments."""
        found = re.fullmatch(
            r"/repos/acme/shop/issues/7/comments\?per_page=(\d+)&page=(\d+)", self._authorized()
        )
        assert found
        size, page = int(found[1]), int(found[2])
        self._answer(200, self.server.comments[size * (page - 1) : size * page])

    def do_POST(self) -> None:
        """Create a comment."""
        assert self._authorized() == "/repos/acme/shop/issues/7/comments"
        self.server.add(self._body())
        self._answer(201, self.server.comments[-1])

    def do_PATCH(self) -> None:
        """Change a comment."""
        found = re.fullmatch(r"/repos/acme/shop/issues/comments/(\d+)", self._authorized())
        assert found
        comment = self.server.comments[int(found[1]) - 1]
        comment["body"] = self._body()
        self._answer(200, comment)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Write no log."""

    def _authorized(self) -> str:
        assert self.headers["Authorization"] == "Bearer secret"
        return self.path

    def _body(self) -> str:
        text = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["body"]
        assert len(text) <= 65_536, "GitHub refuses a longer comment"
        return str(text)

    def _answer(self, status: int, body: object) -> None:
        content = json.dumps(body).encode()
        if self.server.broken is not None:
            status, content = self.server.broken
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
