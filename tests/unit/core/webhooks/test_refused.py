"""The refusals of deliveries."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from nopea.core.problem import Code
from nopea.core.webhooks.refused import (
    STATUS,
    RefusedError,
    stale,
    unsigned,
    unusable_secret,
    wrong_payload,
    wrong_signature,
)


@pytest.mark.parametrize(
    ("refuse", "status"),
    [
        (lambda: unsigned("x-signature"), 401),
        (lambda: wrong_signature("x-signature"), 401),
        (lambda: stale(400, tolerance=300), 401),
        (lambda: unusable_secret("There is no secret."), 401),
        (lambda: wrong_payload("it is empty"), 400),
    ],
)
def test_a_refusal_has_a_message_a_hint_and_a_status(refuse: Callable[[], RefusedError], status: int) -> None:
    """Message and hint are sentences, and the HTTP status is that of the code."""
    error = refuse()

    assert error.status == status
    assert error.problem.message.endswith(".")
    assert error.problem.hint.endswith(".")
    assert str(error) == str(error.problem)


def test_a_stale_signature_says_in_which_direction() -> None:
    """The message says whether the time is in the past or in the future."""
    assert "400 s in the past" in stale(400, tolerance=300).problem.message
    assert "400 s in the future" in stale(-400, tolerance=300).problem.message


def test_every_webhook_code_has_a_status() -> None:
    """Only WEBHOOK_TRY_AGAIN is a server error."""
    assert set(STATUS) == {code for code in Code if code.name.startswith("WEBHOOK_")}
    assert [code for code, status in STATUS.items() if status >= 500] == [Code.WEBHOOK_TRY_AGAIN]
