"""Decodes the body of a delivery, which may be in a form, into a typed struct.

Raises nothing but RefusedError for any body.
"""

from __future__ import annotations

import binascii
from collections.abc import Mapping
from typing import TypeVar

import msgspec

from nopea.core.webhooks.refused import wrong_payload

_FORM = "application/x-www-form-urlencoded"
_FIELD = b"payload"
_MAX_FIELDS = 16
_MAX_MESSAGE = 200

T = TypeVar("T")


def payload_of(headers: Mapping[str, str], body: bytes) -> bytes:
    """Return the encoded JSON: the body itself, or the form field `payload`. Does not parse JSON."""
    if headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        return body
    fields = body.split(b"&", _MAX_FIELDS)
    if len(fields) > _MAX_FIELDS:
        raise wrong_payload("the form has too many fields")
    values = [value for name, _, value in (field.partition(b"=") for field in fields) if name == _FIELD]
    if len(values) != 1:  # of two fields, another reader may take the other one
        raise wrong_payload("the form needs exactly one field `payload`")
    return _unquoted(values[0])


def _unquoted(value: bytes) -> bytes:
    """Decode the `+` and `%XX` of a form.

    urllib would block the process for half a second on 2 MiB of `%`, which anybody may send. Quoted-printable
    is the same with `=` for `%`, and is decoded in C. It decodes valid escapes in the same way.
    """
    return binascii.a2b_qp(value.replace(b"=", b"%3D").replace(b"%", b"=").replace(b"+", b" "))


def decode(text: bytes, shape: type[T]) -> T:
    """Return the JSON as that type; unknown fields are skipped."""
    try:
        return msgspec.json.decode(text, type=shape)
    except RecursionError:
        raise wrong_payload("it is nested too deeply") from None
    except (msgspec.MsgspecError, ValueError) as error:
        raise wrong_payload(str(error)[:_MAX_MESSAGE]) from None
