"""Receives what the API server reports of writes of users: allows each at once, and records it afterwards.

Only the API server knows the address: its last part is a token that Nopea writes into the configuration,
and the connection is encrypted. Nobody else is answered. Never refuses or delays a write: where there is no
answer in time, the API server does without.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from datetime import UTC, datetime

from aiohttp import web

from nopea.core.users.write import InvalidReviewError, Review
from nopea.core.webhooks.refused import RefusedError
from nopea.state.user_record import UserRecord
from nopea.web.bodies import Bodies

BODY_BYTES = 8 * 1024 * 1024
"""Two versions of an object of the largest size, as JSON."""

_READ_SECONDS = 1.0


class UserReviews:
    """The endpoint; without a token, as before the configuration was written, it knows nobody."""

    def __init__(self, record: UserRecord, token: Callable[[], str]) -> None:
        self._record = record
        self._token = token
        self._bodies = Bodies(limit=BODY_BYTES, wait_seconds=_READ_SECONDS, read_seconds=_READ_SECONDS)

    def routes(self) -> list[web.RouteDef]:
        """Return the endpoint."""
        return [web.post("/users/{token}", self._take)]

    async def _take(self, request: web.Request) -> web.StreamResponse:
        at = datetime.now(UTC)
        expected, given = self._token().encode(), request.match_info["token"].encode(errors="replace")
        if not expected or not hmac.compare_digest(expected, given):
            return web.Response(status=404)
        try:
            async with self._bodies.held(request) as body:
                review = Review(body)
                answer = web.Response(body=review.answer(), content_type="application/json")
                await answer.prepare(request)
                await answer.write_eof()
                # Nothing is awaited from here on: the watch tells of the write after it is recorded.
                self._record.take(review, at=at)
                return answer
        except RefusedError as error:
            return web.Response(status=error.status)
        except InvalidReviewError:
            return web.Response(status=400)
