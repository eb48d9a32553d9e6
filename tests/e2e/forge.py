"""A Git server with the API for comments, on loopback."""

from __future__ import annotations

import json
from typing import Any, Self

from tests.fakes.discussions import Discussions, answer_of

from nopea_lab import gitserver
from nopea_lab.gitserver import GitServer


class CommentedForge(GitServer):
    """Serves repositories, and the discussions on their pull requests."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.discussions = Discussions()
        discussions = self.discussions

        class Handler(gitserver._GitHandler):
            def do_GET(self) -> None:  # noqa: N802 - named by http.server
                self._api() if self.path.startswith("/api/") else super().do_GET()

            def do_POST(self) -> None:  # noqa: N802 - named by http.server
                self._api() if self.path.startswith("/api/") else super().do_POST()

            def do_PATCH(self) -> None:  # noqa: N802 - named by http.server
                self._api()

            def do_PUT(self) -> None:  # noqa: N802 - named by http.server
                self._api()

            def _api(self) -> None:
                sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                path, _, query = self.path.partition("?")
                with discussions.lock:
                    authorization = self.headers.get("Authorization", "")
                    discussions.requests.append((self.command, path, authorization))
                    status, answer = discussions.status, None
                    if not status:
                        status, answer = answer_of(discussions, self.command, path, query, sent)
                body = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self._http.RequestHandlerClass = Handler

    def __enter__(self) -> Self:
        super().__enter__()
        return self
