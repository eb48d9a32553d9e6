"""The responses to deliveries."""

from __future__ import annotations

import json

import pytest

from nopea.core.objects import RepoKey
from nopea.core.problem import Code
from nopea.core.webhooks.refused import STATUS, RefusedError
from nopea.web.answers import accepted, ignored, not_authenticated, refused

UNAUTHENTICATED = (
    Code.WEBHOOK_UNSIGNED,
    Code.WEBHOOK_SIGNATURE,
    Code.WEBHOOK_STALE,
    Code.WEBHOOK_NO_SECRET,
    Code.WEBHOOK_UNKNOWN_REPOSITORY,
    Code.WEBHOOK_AMBIGUOUS_NAME,
)
OWN_TEXT = (Code.WEBHOOK_PAYLOAD, Code.WEBHOOK_TOO_LARGE)


def test_a_push_that_wakes_a_repository_is_202() -> None:
    """The response contains the names of the repositories."""
    response = accepted("woken", [RepoKey("shop", "api"), RepoKey("shop", "web")])

    assert response.status == 202
    assert json.loads(response.text or "") == {"woken": ["shop/api", "shop/web"]}


def test_an_ignored_delivery_is_200() -> None:
    """Providers disable a webhook whose deliveries fail."""
    response = ignored("ping")

    assert (response.status, json.loads(response.text or "")) == (200, {"ignored": "ping"})


def test_every_code_is_in_one_group() -> None:
    """The tests below cover every code of a refusal."""
    assert sorted((*UNAUTHENTICATED, *OWN_TEXT, Code.WEBHOOK_TRY_AGAIN)) == sorted(STATUS)


def test_every_unauthenticated_delivery_gets_the_same_response() -> None:
    """The response is a 401 without the code, the message, the hint and the status of the cause."""
    response = not_authenticated()

    assert {STATUS[code] for code in UNAUTHENTICATED} == {response.status}
    assert response.status == 401
    assert json.loads(response.text or "") == {
        "code": "NOPEA-W002",
        "message": "The delivery could not be authenticated.",
        "hint": "Check the URL and the secret of the webhook. Nopea's log says what is wrong.",
    }
    assert "Retry-After" not in response.headers


@pytest.mark.parametrize("code", OWN_TEXT)
def test_a_refusal_of_the_body_has_code_message_and_hint(code: Code) -> None:
    """The response has the status of the code and no Retry-After header."""
    response = refused(RefusedError.because(code, "What.", "Do."))

    assert response.status == STATUS[code]
    assert json.loads(response.text or "") == {"code": code.value, "message": "What.", "hint": "Do."}
    assert "Retry-After" not in response.headers


@pytest.mark.parametrize(("status", "expected"), [(None, 503), (408, 408), (429, 429)])
def test_a_request_to_try_again_has_no_details(status: int | None, expected: int) -> None:
    """The text is the same for every cause, because a cause may contain the name of a Secret."""
    response = refused(RefusedError.because(Code.WEBHOOK_TRY_AGAIN, "What.", "Do.", status=status))

    assert response.status == expected
    assert json.loads(response.text or "") == {
        "code": "NOPEA-W009",
        "message": "Nopea cannot take deliveries now.",
        "hint": "Send the delivery again later.",
    }
    assert "Retry-After" not in response.headers


def test_a_refusal_may_have_its_own_status() -> None:
    """For example, a compressed body is 415."""
    assert refused(RefusedError.because(Code.WEBHOOK_PAYLOAD, "x", "y", status=415)).status == 415


def test_a_refusal_may_have_a_retry_time() -> None:
    """For example, a 429 has a Retry-After header."""
    error = RefusedError.because(Code.WEBHOOK_TRY_AGAIN, "x", "y", status=429, retry_after_seconds=10)
    response = refused(error)

    assert (response.status, response.headers["Retry-After"]) == (429, "10")


def test_a_response_is_always_ascii() -> None:
    """A path may contain characters that no encoding can write."""
    assert (ignored("\udcff").text or "").isascii()
