"""The payload of a delivery: the body itself, or a field of a form."""

from __future__ import annotations

import msgspec
import pytest

from nopea.core.problem import Code
from nopea.core.webhooks.body import decode, payload_of
from nopea.core.webhooks.refused import RefusedError

FORM = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}


class _Shape(msgspec.Struct):
    ref: str


def test_a_body_is_its_own_payload() -> None:
    """For any other content type the body is the payload."""
    assert payload_of({"content-type": "application/json"}, b"payload=1") == b"payload=1"
    assert payload_of({}, b"{}") == b"{}"


def test_a_form_has_the_payload_in_a_field() -> None:
    """The field is decoded, with `+` and percent escapes."""
    assert payload_of(FORM, b"x=1&payload=%7B%22a%22%3A+1%7D") == b'{"a": 1}'


@pytest.mark.parametrize("body", [b"", b"x=1", b"payload=1&payload=2", b"&" * 16 + b"payload=1"])
def test_a_form_with_any_other_number_of_payloads_is_refused(body: bytes) -> None:
    """With two payloads, another program might read the other one."""
    with pytest.raises(RefusedError) as caught:
        payload_of(FORM, body)
    assert caught.value.problem.code is Code.WEBHOOK_PAYLOAD


def test_unknown_fields_are_skipped() -> None:
    """Providers may add fields."""
    assert decode(b'{"ref": "a", "new": [1]}', _Shape).ref == "a"


@pytest.mark.parametrize("text", [b"", b"{", b'{"ref": 1}', b"[" * 100_000, b"\xff"])
def test_an_invalid_body_is_refused(text: bytes) -> None:
    """An invalid body raises no other exception."""
    with pytest.raises(RefusedError):
        decode(text, _Shape)
