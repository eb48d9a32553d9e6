"""Requests for tokens, and what their answers mean."""

from __future__ import annotations

from urllib.parse import parse_qs

import pytest

from nopea.core.decryption import oauth
from nopea.core.decryption.wire import Declined, Lent
from nopea.core.secret import Secret


def test_a_form_does_not_print() -> None:
    """Its values are encoded."""
    call = oauth.form("https://login.example/token", {"client_secret": "a&b=c"})

    assert parse_qs(call.body.decode()) == {"client_secret": ["a&b=c"]}
    assert (call.method, call.headers["Content-Type"]) == ("POST", "application/x-www-form-urlencoded")
    assert "a&b" not in repr(call)


def test_a_token() -> None:
    """With its seconds, which some servers write as a text."""
    for seconds in ("3599", '"3599"'):
        found = oauth.token_of(200, b'{"access_token": "ya29.x", "expires_in": %s}' % seconds.encode())
        assert found == Lent(Secret("ya29.x"), 3599.0)


@pytest.mark.parametrize(
    "answer",
    [
        b"{",
        b"[]",
        b'{"access_token": "x"}',
        b'{"access_token": "a\\r\\nb", "expires_in": 1}',
        b'{"access_token": 1, "expires_in": 1}',
        b'{"access_token": "", "expires_in": 1}',
        b'{"access_token": "x", "expires_in": null}',
    ],
)
def test_what_is_no_token(answer: bytes) -> None:
    """It would be a header."""
    assert oauth.token_of(200, answer) == oauth.NO_TOKEN


@pytest.mark.parametrize(
    ("status", "text", "found"),
    [
        (400, '{"error": "invalid_grant", "error_description": "page"}', "HTTP 400, invalid_grant"),
        (400, '{"error": "A page"}', "HTTP 400"),
        (401, '{"error": {"code": 401}}', "HTTP 401"),
        (503, "", "HTTP 503"),
    ],
)
def test_refusals(status: int, text: str, found: str) -> None:
    """Only names of errors are quoted."""
    declined = oauth.token_of(status, text.encode())
    assert declined == Declined(f"the service answered {found}", is_busy=status == 503)
