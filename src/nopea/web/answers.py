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


def accepted(effect: str, keys: Sequence[RepoKey]) -> web.Response:
    """Return the response that these repositories are `woken`, so that they ask Git, or `planned`."""
    return _answer(HTTPStatus.ACCEPTED, {effect: [str(key) for key in keys]})


def ignored(reason: str) -> web.Response:
    """Return the response that the delivery is genuine and concerns no repository."""
    return _answer(HTTPStatus.OK, {"ignored": reason})


def not_authenticated() -> web.Response:
    """Return the response to every delivery whose sender has not proved who it is; the log has the reason.

    So it does not tell a stranger whether the GitRepository is missing or the signature is wrong, whether the
    Secret can be read, or its name.
    """
    return _refused(HTTPStatus.UNAUTHORIZED, _NOT_AUTHENTICATED)


def refused(error: RefusedError) -> web.Response:
    """Return the response to any other refusal; the log has its reason."""
    is_temporary = error.problem.code is Code.WEBHOOK_TRY_AGAIN
    answer = _refused(error.status, _NOT_NOW if is_temporary else error.problem)
    if error.retry_after_seconds:
        answer.headers["Retry-After"] = str(error.retry_after_seconds)
    return answer


def _refused(status: int, problem: Problem) -> web.Response:
    return _answer(status, {"code": problem.code.value, "message": problem.message, "hint": problem.hint})


def _answer(status: int, value: dict[str, Any]) -> web.Response:
    # ASCII: a path may contain what no encoding can write
    return web.Response(status=status, text=json.dumps(value) + "\n", content_type="application/json")
