"""Resolve a scalar as Kubernetes does: YAML 1.1 with the exceptions of its Go decoder.

The decoder is go-yaml v2 followed by a conversion to JSON, so numbers are narrowed as JSON in Go narrows
them. Never looks at the rules for keys or at structure.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Mapping
from datetime import date, time
from decimal import Decimal
from functools import lru_cache
from types import MappingProxyType
from typing import TypeAlias

Scalar: TypeAlias = str | int | float | bool | None

TAG = "tag:yaml.org,2002:"
FIRST_OF_A_VALUE = frozenset("+-.0123456789yYnNtTfFoO~")
"""A plain scalar that starts with another character, and is not empty, is a string."""

_INT64 = range(-(2**63), 2**63)
_UINT64 = range(2**64)
_CACHED_CHARACTERS = 64

_WORDS: Mapping[str, Scalar] = MappingProxyType(
    {
        **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
        **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "on", "On", "ON", "true", "True", "TRUE"), True),
        **dict.fromkeys(("n", "N", "no", "No", "NO", "off", "Off", "OFF", "false", "False", "FALSE"), False),
        **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
        **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
        **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
    }
)
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
# After a leading point Go's own literal syntax applies: an underscore stands between two digits only.
_POINT_FLOAT = re.compile(r"\.[0-9]+(?:_[0-9]+)*(?:[eE][-+]?[0-9]+(?:_[0-9]+)*)?")
_INTEGER = re.compile(
    r"(?P<sign>[-+]?)(?:0[xX](?P<hex>[0-9a-fA-F]+)|0[bB](?P<binary>[01]+)"
    r"|0[oO]?(?P<octal>[0-7]+)|(?P<decimal>0|[1-9][0-9]{0,20}))"
    r"|0b(?P<inner>[-+][01]+)"  # the decoder reads what follows a 0b once more, sign and all
)
_BASES = (("decimal", 10), ("octal", 8), ("hex", 16), ("binary", 2), ("inner", 2))
_TIMESTAMP = re.compile(
    r"(?P<year>[0-9]{4})-(?P<month>[0-9]{1,2})-(?P<day>[0-9]{1,2})"
    r"(?:(?:(?P<zoned>[Tt])| )(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{1,2}):(?P<second>[0-9]{1,2})(?:\.[0-9]+)?"
    r"(?(zoned)(?:Z|[-+][0-9]{2}:[0-9]{2})))?"
)


def resolve(text: str) -> Scalar:
    """Return the value of a plain scalar before JSON narrows it; anything else is a string."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] == ".":
        return _finite_or_text(text.replace("_", ""), text) if _POINT_FLOAT.fullmatch(text) else text
    if text[0] in "+-0123456789":
        return _number(text)
    return text


def resolve_tagged(tag: str, text: str) -> Scalar:
    """Return the value of a scalar with a tag; tags outside YAML's own set are ignored.

    Raises ValueError with a message for users when the text is not a value of the tag's type.
    """
    match tag.removeprefix(TAG):
        case "null" | "bool" | "int" | "float" as name:
            return _checked(name, resolve(text))
        case "timestamp":
            return _timestamp(text)
        case "binary":
            return _binary(text)
        case _:
            return text


def to_json(value: Scalar) -> Scalar:
    """Narrow a number as JSON in Go does: whole numbers that fit become int64, all others float64.

    Raises ValueError for infinities and not-a-number, which JSON does not have.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    if isinstance(value, int):
        return value if value in _INT64 else float(value)
    if not math.isfinite(value):
        raise ValueError("JSON has no infinity and no not-a-number.")
    if not value.is_integer():
        return value
    whole = int(Decimal(repr(value)))  # by its shortest spelling: that is what Go writes and reads again
    return whole if whole in _INT64 else value


def plain(text: str) -> Scalar:
    """Return the JSON value of a plain scalar; raises ValueError as `to_json` does."""
    return _plain_cached(text) if len(text) <= _CACHED_CHARACTERS else to_json(resolve(text))


@lru_cache(maxsize=4096)
def _plain_cached(text: str) -> Scalar:
    return to_json(resolve(text))


def _number(text: str) -> Scalar:
    digits = text.replace("_", "")
    if match := _INTEGER.fullmatch(digits):
        number = next(int(match[name], base) for name, base in _BASES if match[name] is not None)
        signed = -number if match["sign"] == "-" else number
        if signed in _INT64 or (not match["sign"] and number in _UINT64):
            return signed
    return _finite_or_text(digits, text) if _FLOAT.fullmatch(digits) else text


def _finite_or_text(digits: str, text: str) -> Scalar:
    number = float(digits)
    return number if math.isfinite(number) else text


def _checked(name: str, value: Scalar) -> Scalar:
    if name == "float" and isinstance(value, int) and not isinstance(value, bool) and value in _INT64:
        return float(value)
    kinds: Mapping[str, type] = {"null": type(None), "bool": bool, "int": int, "float": float}
    if type(value) is not kinds[name]:
        raise ValueError(f"A value with the tag !!{name} is not of that type.")
    return value


def _timestamp(text: str) -> str:
    """Check a timestamp, which the decoder then keeps as a string."""
    match = _TIMESTAMP.fullmatch(text)
    if match is None:
        raise ValueError("A value with the tag !!timestamp is not a timestamp.")
    try:
        date(int(match["year"]), int(match["month"]), int(match["day"]))
        time(int(match["hour"] or 0), int(match["minute"] or 0), int(match["second"] or 0))
    except ValueError as error:
        raise ValueError("A value with the tag !!timestamp is not a date that exists.") from error
    return text


def _binary(text: str) -> str:
    try:
        return base64.b64decode(text.translate({10: None, 13: None}), validate=True).decode()
    except (binascii.Error, UnicodeError) as error:
        raise ValueError("A value with the tag !!binary is not UTF-8 in base64.") from error
