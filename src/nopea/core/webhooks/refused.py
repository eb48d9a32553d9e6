"""The refusal of a delivery: one exception, which never contains a secret or a part of the body."""

from __future__ import annotations

from http import HTTPStatus
from typing import Self

from nopea.core.problem import Code, Problem

STATUS = {
    Code.WEBHOOK_UNSIGNED: HTTPStatus.UNAUTHORIZED,
    Code.WEBHOOK_SIGNATURE: HTTPStatus.UNAUTHORIZED,
    Code.WEBHOOK_STALE: HTTPStatus.UNAUTHORIZED,
    Code.WEBHOOK_PAYLOAD: HTTPStatus.BAD_REQUEST,
    Code.WEBHOOK_NO_SECRET: HTTPStatus.UNAUTHORIZED,
    Code.WEBHOOK_UNKNOWN_REPOSITORY: HTTPStatus.UNAUTHORIZED,
    Code.WEBHOOK_AMBIGUOUS_NAME: HTTPStatus.UNAUTHORIZED,
    Code.WEBHOOK_TOO_LARGE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    Code.WEBHOOK_TRY_AGAIN: HTTPStatus.SERVICE_UNAVAILABLE,
}
"""The HTTP status of each code, unless the refusal has its own. What comes before the sender is authenticated
has the same, so that a stranger learns nothing from it."""


class RefusedError(Exception):
    """A delivery is refused: why, with which HTTP status (by default that of the code), and when to retry.

    `retry_after_seconds` is 0 if the sender gets no advice.
    """

    def __init__(self, problem: Problem, *, status: int | None = None, retry_after_seconds: int = 0) -> None:
        super().__init__(problem)
        self.problem = problem
        self.status = status or STATUS[problem.code]
        self.retry_after_seconds = retry_after_seconds

    @classmethod
    def because(
        cls, code: Code, message: str, hint: str, *, status: int | None = None, retry_after_seconds: int = 0
    ) -> Self:
        """Return a refusal with a new problem."""
        problem = Problem(code=code, message=message, hint=hint)
        return cls(problem, status=status, retry_after_seconds=retry_after_seconds)

    def __str__(self) -> str:
        return str(self.problem)


def unsigned(header: str) -> RefusedError:
    """Refuse a request without the header that authenticates it."""
    return RefusedError.because(
        Code.WEBHOOK_UNSIGNED,
        f"The header {header} is missing or empty.",
        "Configure the value of the Secret's key `token` as the webhook's secret at the provider.",
    )


def wrong_signature(header: str) -> RefusedError:
    """Refuse a request whose signature or token is wrong."""
    return RefusedError.because(
        Code.WEBHOOK_SIGNATURE,
        f"The header {header} does not match the secret and the body.",
        "Configure the same secret at the provider and in the Secret's key `token`.",
    )


def stale(seconds: int, *, tolerance: int) -> RefusedError:
    """Refuse a request whose signature is too old, or from the future."""
    direction = "past" if seconds > 0 else "future"
    return RefusedError.because(
        Code.WEBHOOK_STALE,
        f"webhook-timestamp is {abs(seconds)} s in the {direction}; the limit is {tolerance} s.",
        "Synchronize the clocks of both machines. A delivery that is sent again needs a new signature.",
    )


def unusable_secret(message: str) -> RefusedError:
    """Refuse a request while there is no usable secret to verify it with."""
    return RefusedError.because(
        Code.WEBHOOK_NO_SECRET,
        message,
        "Put the webhook's secret into the key `token` of the Secret in spec.webhook.secretRef.",
    )


def wrong_payload(message: str) -> RefusedError:
    """Refuse a body that is not what the provider sends."""
    return RefusedError.because(
        Code.WEBHOOK_PAYLOAD,
        f"The body is invalid: {message}.",
        "Use the provider's own push webhook, without a custom template.",
    )
