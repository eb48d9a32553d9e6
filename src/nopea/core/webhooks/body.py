"""Read the body of a delivery: out of a form where it is in one, and into a typed shape.

Never raises anything but Refused for what a body holds.
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
    """Return the JSON text: the body itself, or what its form field `payload` holds. Parses no JSON."""
    if headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        return body
    fields = body.split(b"&", _MAX_FIELDS)
    if len(fields) > _MAX_FIELDS:
        raise wrong_payload("the form has too many fields")
    values = [value for name, _, value in (field.partition(b"=") for field in fields) if name == _FIELD]
    if len(values) != 1:  # two readers of a form with two of them may read two different things
        raise wrong_payload("the form has not exactly one field `payload`")
    return _unquoted(values[0])


def _unquoted(value: bytes) -> bytes:
    """Undo a form's `+` and `%XX`.

    Anybody may send 2 MiB of `%`, with which urllib would hold up the process for half a second.
    Quoted-printable is the same with `=` for `%`, and is read in C. No genuine sender's escapes are broken.
    """
    return binascii.a2b_qp(value.replace(b"=", b"%3D").replace(b"%", b"=").replace(b"+", b" "))


def decode(text: bytes, shape: type[T]) -> T:
    """Return the JSON text as that shape; what the shape does not name is skipped."""
    try:
        return msgspec.json.decode(text, type=shape)
    except RecursionError:
        raise wrong_payload("it is nested too deeply") from None
    except (msgspec.MsgspecError, ValueError) as error:
        raise wrong_payload(str(error)[:_MAX_MESSAGE]) from None
