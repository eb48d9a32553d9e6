"""An API for comments in memory."""

from __future__ import annotations

import json
from collections.abc import Callable
from urllib.parse import urlsplit

from tests.fakes.discussions import Discussions, answer_of

from nopea.core.forge.comments import ForgeRequest
from nopea.core.secret import Secret
from nopea.pulls.api import ForgeBusyError, ForgeRefusedError


class MemoryApi:
    """Answers as a server; a status in `refuses`, by the end of the path, is a refusal, 503 a busy server."""

    def __init__(self) -> None:
        self.discussions = Discussions()
        self.refuses: dict[str, int] = {}
        self.before: Callable[[], object] = lambda: None
        self.sent: list[str] = []

    async def call(self, request: ForgeRequest, authorization: Secret) -> bytes:
        """Answer a request."""
        del authorization
        self.before()
        parts = urlsplit(request.url)
        self.sent.append(f"{request.method} {parts.path}")
        status, answer = (
            next((code for end, code in self.refuses.items() if parts.path.endswith(end)), 0),
            None,
        )
        if not status:
            status, answer = answer_of(
                self.discussions, request.method, parts.path, parts.query, request.body
            )
        if status == 503:
            raise ForgeBusyError("the server answered 503")
        if status >= 400:
            raise ForgeRefusedError(f"the server answered {status}", status=status)
        return json.dumps(answer).encode()
