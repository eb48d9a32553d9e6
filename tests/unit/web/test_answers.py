"""The responses to deliveries."""

from __future__ import annotations

import json

import pytest

from nopea.core.objects import RepoKey
from nopea.core.problem import Code
from nopea.core.webhooks.refused import STATUS, RefusedError
from nopea.web.answers import ignored, refused, woken


def test_a_push_that_wakes_is_202() -> None:
    """With the names of the repositories."""
    response = woken([RepoKey("shop", "api"), RepoKey("shop", "web")])

    assert response.status == 202
    assert json.loads(response.text or "") == {"woken": ["shop/api", "shop/web"]}


def test_a_delivery_without_concern_is_200() -> None:
    """Providers switch off a webhook whose deliveries fail."""
    response = ignored("ping")

    assert (response.status, json.loads(response.text or "")) == (200, {"ignored": "ping"})


@pytest.mark.parametrize("code", STATUS)
def test_a_refusal_has_code_message_and_hint(code: Code) -> None:
    """With the status of the code, and without advice when to retry."""
    response = refused(RefusedError.because(code, "What.", "Do."))

    assert response.status == STATUS[code]
    assert json.loads(response.text or "") == {"code": code.value, "message": "What.", "hint": "Do."}
    assert "Retry-After" not in response.headers


def test_a_refusal_may_have_its_own_status_and_say_when_to_retry() -> None:
    """As 429 does."""
    error = RefusedError.because(Code.WEBHOOK_TRY_AGAIN, "x", "y", status=429, retry_after_seconds=10)
    response = refused(error)

    assert (response.status, response.headers["Retry-After"]) == (429, "10")


def test_a_response_is_ascii_whatever_it_quotes() -> None:
    """A path may contain what no encoding can write."""
    assert (ignored("\udcff").text or "").isascii()
