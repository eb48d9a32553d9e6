"""The authentication schemes of deliveries."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.unit.core.webhooks.sent import NOW, SECRET, TOKEN, basic, hex_of, standard_headers

from nopea.core.problem import Code
from nopea.core.secret import Secret
from nopea.core.webhooks.refused import RefusedError
from nopea.core.webhooks.schemes import (
    check_bare_hmac,
    check_basic,
    check_hmac,
    check_standard,
    check_token,
)

BODY = b'{"ref": "x"}'
KEY = Secret(SECRET)


def test_an_hmac_names_its_algorithm() -> None:
    """SHA-1, upper-case digests and digests without an algorithm are refused."""
    check_hmac({"h": f"sha256={hex_of(BODY)}"}, "h", BODY, KEY)
    check_hmac({"h": f"sha512={hex_of(BODY, algorithm='sha512')}"}, "h", BODY, KEY, algorithms=("sha512",))
    for value in (f"sha1={hex_of(BODY, algorithm='sha1')}", f"sha256={hex_of(BODY).upper()}", hex_of(BODY)):
        with pytest.raises(RefusedError):
            check_hmac({"h": value}, "h", BODY, KEY)


def test_a_bare_hmac_is_hex_only() -> None:
    """The digest covers the bytes of the body."""
    check_bare_hmac({"h": hex_of(BODY)}, "h", BODY, KEY)
    with pytest.raises(RefusedError):
        check_bare_hmac({"h": hex_of(BODY)}, "h", BODY + b" ", KEY)


def test_a_token_is_the_secret_itself() -> None:
    """A missing token is reported as unsigned, not as wrong."""
    check_token({"h": SECRET}, "h", KEY)
    with pytest.raises(RefusedError):
        check_token({"h": f"{SECRET} "}, "h", KEY)
    with pytest.raises(RefusedError) as caught:
        check_token({}, "h", KEY)
    assert caught.value.problem.code is Code.WEBHOOK_UNSIGNED


def test_basic_accepts_any_user() -> None:
    """Only the password counts; another scheme is refused."""
    check_basic({"authorization": basic(user="anybody")}, KEY)
    for value in (basic("wrong"), f"Bearer {SECRET}", "Basic !"):
        with pytest.raises(RefusedError):
            check_basic({"authorization": value}, KEY)


def test_a_standard_webhook_is_signed_and_recent() -> None:
    """One valid signature of several is enough; an old timestamp is refused."""
    headers = standard_headers(BODY)
    both = {**headers, "webhook-signature": f"v1,AAAA {headers['webhook-signature']}"}
    check_standard(both, BODY, Secret(TOKEN), now=NOW)
    with pytest.raises(RefusedError) as caught:
        check_standard(headers, BODY, Secret(TOKEN), now=NOW + timedelta(seconds=301))
    assert caught.value.problem.code is Code.WEBHOOK_STALE
    with pytest.raises(RefusedError) as caught:
        check_standard(headers, BODY, KEY, now=NOW)
    assert caught.value.problem.code is Code.WEBHOOK_NO_SECRET


def test_an_oversized_header_is_refused() -> None:
    """A very long header is refused even if it equals the secret."""
    with pytest.raises(RefusedError):
        check_token({"h": "x" * 10_000}, "h", Secret("x" * 10_000))
