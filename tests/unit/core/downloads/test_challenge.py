"""What a registry asks for."""

from __future__ import annotations

import contextlib
import time

from hypothesis import given
from hypothesis import strategies as st

from nopea.core.downloads.challenge import TokenChallenge, token_challenge

SCOPE = "repository:charts/shop:pull"


def test_a_token_is_asked_for_as_the_registry_says() -> None:
    """With all that the realm has already."""
    challenge = token_challenge(
        [
            'Bearer realm="https://auth.example/token?a=b",service="registry.example",scope="repository:x:pull"'
        ],
        scope=SCOPE,
    )

    assert challenge == TokenChallenge(
        "https://auth.example/token?a=b", "registry.example", "repository:x:pull"
    )
    assert challenge.url() == (
        "https://auth.example/token?a=b&service=registry.example&scope=repository%3Ax%3Apull"
    )


def test_a_registry_that_names_no_scope_gets_ours() -> None:
    """Names of schemes and parameters have any case."""
    challenge = token_challenge(["Basic realm=x", 'bearer Realm="https://auth.example/token"'], scope=SCOPE)

    assert challenge is not None
    assert challenge.scope == SCOPE


def test_a_plain_login_is_no_token() -> None:
    """It is answered with the login."""
    assert token_challenge(['Basic realm="registry"'], scope=SCOPE) is None
    assert token_challenge([], scope=SCOPE) is None


def test_a_hostile_header_costs_no_time() -> None:
    """A server writes it, and all repositories wait meanwhile."""
    started = time.perf_counter()

    token_challenge([f"Bearer {'a' * 100_000}", "Bearer " + "a= " * 30_000], scope=SCOPE)

    assert time.perf_counter() - started < 0.1


@given(st.text(max_size=200))
def test_any_header_is_read(text: str) -> None:
    """Nothing that a server sends is an error of ours; a token is always for something."""
    challenge = token_challenge([text, f"Bearer {text}"], scope=SCOPE)

    assert challenge is not None
    assert challenge.scope
    with contextlib.suppress(ValueError):  # a realm that is not a URL
        assert challenge.url().isprintable()
