"""Why a delivery is refused: one exception, never with a secret or a piece of the body in it."""

from __future__ import annotations

from nopea.core.problem import Code, Problem


class Refused(Exception):  # noqa: N818 - an answer that is expected, like StopIteration
    """The delivery is not taken; `problem` says why and what its sender's owner can do."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.problem = problem

    def __str__(self) -> str:
        return str(self.problem)


def unsigned(header: str) -> Refused:
    """Refuse a request without the header that proves who sent it."""
    return Refused(
        Problem(
            code=Code.WEBHOOK_UNSIGNED,
            message=f"the request has no {header}, or an empty one",
            hint="set the webhook's secret at the provider to the Secret's `token`",
        )
    )


def wrong_signature(header: str) -> Refused:
    """Refuse a request whose proof does not hold."""
    return Refused(
        Problem(
            code=Code.WEBHOOK_SIGNATURE,
            message=f"{header} does not fit the secret and the body",
            hint="set the same secret at the provider and in the Secret's `token`",
        )
    )


def stale(seconds: int, *, tolerance: int) -> Refused:
    """Refuse a request that was signed at another time than now."""
    return Refused(
        Problem(
            code=Code.WEBHOOK_STALE,
            message=f"webhook-timestamp is {abs(seconds)} s in the {'past' if seconds > 0 else 'future'}; "
            f"at most {tolerance} s are taken",
            hint="set the clocks of both sides; a delivery that is sent again has to be signed again",
        )
    )


def unusable_secret(message: str) -> Refused:
    """Refuse everything while there is no secret to verify it with."""
    return Refused(
        Problem(
            code=Code.WEBHOOK_NO_SECRET,
            message=message,
            hint="put the webhook's secret into the key `token` of the Secret in spec.webhook.secretRef",
        )
    )


def wrong_payload(message: str) -> Refused:
    """Refuse a body that is not what the provider sends."""
    return Refused(
        Problem(
            code=Code.WEBHOOK_PAYLOAD,
            message=f"the body cannot be read: {message}",
            hint="use the provider's own push webhook without a template of your own",
        )
    )
