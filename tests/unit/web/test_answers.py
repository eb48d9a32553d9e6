"""The responses to deliveries."""

from __future__ import annotations

import json

import pytest

from nopea.core.objects import RepoKey
from nopea.core.problem import Code
from nopea.core.webhooks.refused import STATUS, RefusedError
from nopea.web.answers import ignored, refused, woken


def test_a_push_that_wakes_a_repository_is_202() -> None:
    """The response contains the names of the repositories."""
    response = woken([RepoKey("shop", "api"), RepoKey("shop", "web")])

    assert response.status == 202
    assert json.loads(response.text or "") == {"woken": ["shop/api", "shop/web"]}


def test_an_ignored_delivery_is_200() -> None:
    """Providers disable a webhook whose deliveries fail."""
    response = ignored("ping")

    assert (response.status, json.loads(response.text or "")) == (200, {"ignored": "ping"})


@pytest.mark.parametrize("code", STATUS)
def test_a_refusal_has_code_message_and_hint(code: Code) -> None:
    """The response has the status of the code and no Retry-After header."""
    response = refused(RefusedError.because(code, "What.", "Do."))

    assert response.status == STATUS[code]
    assert json.loads(response.text or "") == {"code": code.value, "message": "What.", "hint": "Do."}
    assert "Retry-After" not in response.headers


def test_a_refusal_may_have_its_own_status_and_retry_time() -> None:
    """For example, a 429 has a Retry-After header."""
    error = RefusedError.because(Code.WEBHOOK_TRY_AGAIN, "x", "y", status=429, retry_after_seconds=10)
    response = refused(error)

    assert (response.status, response.headers["Retry-After"]) == (429, "10")


def test_a_response_is_always_ascii() -> None:
    """A path may contain characters that no encoding can write."""
    assert (ignored("\udcff").text or "").isascii()
