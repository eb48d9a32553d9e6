"""What a Secret must hold to authenticate deliveries."""

from __future__ import annotations

import base64

import pytest

from nopea.core.problem import Problem
from nopea.core.secret import Secret
from nopea.core.webhooks.secret import SHORTEST, token_of, weakness

LONG = "a" * SHORTEST


def stored(text: str) -> dict[str, object]:
    """Return a Secret whose key token has this value."""
    return {"data": {"token": base64.b64encode(text.encode()).decode()}}


def test_the_token_is_stripped() -> None:
    """A file often ends with a newline."""
    assert token_of(stored(f"{LONG}\n"), where="Secret shop/hook") == Secret(LONG)


@pytest.mark.parametrize(
    "secret", [{}, {"data": None}, {"data": {"other": "eA=="}}, {"data": {"token": "?"}}]
)
def test_without_a_token_the_key_is_named(secret: dict[str, object]) -> None:
    """Also if its value is not base64."""
    problem = token_of(secret, where="Secret shop/hook")

    assert isinstance(problem, Problem)
    assert problem.message == "Secret shop/hook has no key `token`."


@pytest.mark.parametrize("token", [LONG, "whsec_" + base64.b64encode(b"key" * 8).decode()])
def test_long_tokens_are_fine(token: str) -> None:
    """Random text, and signing tokens of GitLab."""
    assert weakness(Secret(token), where="Secret shop/hook") is None


@pytest.mark.parametrize(
    ("token", "words"), [("hunter2", "fewer than"), ("whsec_not base64 at all", "base64")]
)
def test_weak_tokens_are_not_shown(token: str, words: str) -> None:
    """Only that they are weak is said."""
    problem = weakness(Secret(token), where="Secret shop/hook")

    assert problem is not None
    assert words in problem.message
    assert token not in str(problem)
