"""The responses to webhook deliveries: one JSON object each."""

from __future__ import annotations

import json
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from aiohttp import web

from nopea.core.objects import RepoKey
from nopea.core.webhooks.refused import RefusedError


def woken(keys: Sequence[RepoKey]) -> web.Response:
    """Return the response that these repositories ask Git now."""
    return _answer(HTTPStatus.ACCEPTED, {"woken": [str(key) for key in keys]})


def ignored(reason: str) -> web.Response:
    """Return the response that the delivery is genuine and concerns no repository."""
    return _answer(HTTPStatus.OK, {"ignored": reason})


def refused(error: RefusedError) -> web.Response:
    """Return the response with the reason of a refusal and what to do."""
    problem = error.problem
    answer = _answer(
        error.status, {"code": problem.code.value, "message": problem.message, "hint": problem.hint}
    )
    if error.retry_after_seconds:
        answer.headers["Retry-After"] = str(error.retry_after_seconds)
    return answer


def _answer(status: int, value: dict[str, Any]) -> web.Response:
    # ASCII: a path may contain what no encoding can write
    return web.Response(status=status, text=json.dumps(value) + "\n", content_type="application/json")
