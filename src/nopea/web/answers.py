"""What a webhook's sender is told: one JSON object, whatever became of the delivery."""

from __future__ import annotations

import json
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Self

from aiohttp import web

from nopea.core.objects import RepoKey
from nopea.core.problem import Code, Problem

STATUS = {
    Code.WEBHOOK_UNSIGNED: HTTPStatus.UNAUTHORIZED,
    Code.WEBHOOK_SIGNATURE: HTTPStatus.UNAUTHORIZED,
    Code.WEBHOOK_STALE: HTTPStatus.UNAUTHORIZED,
    Code.WEBHOOK_PAYLOAD: HTTPStatus.BAD_REQUEST,
    Code.WEBHOOK_NO_SECRET: HTTPStatus.FORBIDDEN,
    Code.WEBHOOK_UNKNOWN_REPOSITORY: HTTPStatus.NOT_FOUND,
    Code.WEBHOOK_AMBIGUOUS_NAME: HTTPStatus.CONFLICT,
    Code.WEBHOOK_TOO_LARGE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    Code.WEBHOOK_TRY_AGAIN: HTTPStatus.SERVICE_UNAVAILABLE,
}
"""The status of a refusal, unless who refuses knows a better one."""


class Declined(Exception):  # noqa: N818 - an answer that is expected, like StopIteration
    """A delivery that is not taken: why, with which HTTP status, and when to send it again (0: no advice)."""

    def __init__(self, problem: Problem, *, status: int | None = None, retry_after_seconds: int = 0) -> None:
        super().__init__(problem)
        self.problem = problem
        self.status = status or STATUS[problem.code]
        self.retry_after_seconds = retry_after_seconds

    @classmethod
    def because(
        cls, code: Code, message: str, hint: str, *, status: int | None = None, retry_after_seconds: int = 0
    ) -> Self:
        """Make one from words."""
        problem = Problem(code=code, message=message, hint=hint)
        return cls(problem, status=status, retry_after_seconds=retry_after_seconds)


def woken(keys: Sequence[RepoKey]) -> web.Response:
    """Answer that these repositories look at Git now."""
    return _answer(HTTPStatus.ACCEPTED, {"woken": [str(key) for key in keys]})


def ignored(reason: str) -> web.Response:
    """Answer that the delivery is genuine and concerns nobody."""
    return _answer(HTTPStatus.OK, {"ignored": reason})


def refused(declined: Declined) -> web.Response:
    """Answer why the delivery is not taken and what to do."""
    problem = declined.problem
    answer = _answer(
        declined.status, {"code": problem.code.value, "message": problem.message, "hint": problem.hint}
    )
    if declined.retry_after_seconds:
        answer.headers["Retry-After"] = str(declined.retry_after_seconds)
    return answer


def _answer(status: int, value: dict[str, Any]) -> web.Response:
    # ASCII: a path may hold what no encoding can write
    return web.Response(status=status, text=json.dumps(value) + "\n", content_type="application/json")
