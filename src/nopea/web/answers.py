"""The responses to webhook deliveries: one JSON object each."""

from __future__ import annotations

import json
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from aiohttp import web

from nopea.core.objects import RepoKey
from nopea.core.problem import Code, Problem
from nopea.core.webhooks.refused import RefusedError

_UNPROVEN = frozenset(
    (
        Code.WEBHOOK_UNSIGNED,
        Code.WEBHOOK_SIGNATURE,
        Code.WEBHOOK_STALE,
        Code.WEBHOOK_NO_SECRET,
        Code.WEBHOOK_UNKNOWN_REPOSITORY,
        Code.WEBHOOK_AMBIGUOUS_NAME,
    )
)
_NOT_AUTHENTICATED = Problem(
    code=Code.WEBHOOK_SIGNATURE,
    message="The delivery could not be authenticated.",
    hint="Check the URL and the secret of the webhook. Nopea's log says what is wrong.",
)
_NOT_NOW = Problem(
    code=Code.WEBHOOK_TRY_AGAIN,
    message="Nopea cannot take deliveries now.",
    hint="Send the delivery again later.",
)


def woken(keys: Sequence[RepoKey]) -> web.Response:
    """Return the response that these repositories ask Git now."""
    return _answer(HTTPStatus.ACCEPTED, {"woken": [str(key) for key in keys]})


def ignored(reason: str) -> web.Response:
    """Return the response that the delivery is genuine and concerns no repository."""
    return _answer(HTTPStatus.OK, {"ignored": reason})


def refused(error: RefusedError) -> web.Response:
    """Return the response to a refusal; the log has its reason.

    It is the same for every cause for which a delivery is not authenticated. So it does not tell a stranger
    whether the GitRepository is missing or the signature is wrong, or the name of a Secret.
    """
    problem, status = error.problem, error.status
    if problem.code in _UNPROVEN:
        problem, status = _NOT_AUTHENTICATED, HTTPStatus.UNAUTHORIZED
    elif problem.code is Code.WEBHOOK_TRY_AGAIN:
        problem = _NOT_NOW
    answer = _answer(status, {"code": problem.code.value, "message": problem.message, "hint": problem.hint})
    if error.retry_after_seconds:
        answer.headers["Retry-After"] = str(error.retry_after_seconds)
    return answer


def _answer(status: int, value: dict[str, Any]) -> web.Response:
    # ASCII: a path may contain what no encoding can write
    return web.Response(status=status, text=json.dumps(value) + "\n", content_type="application/json")
