"""Shorten what the API server says about a field: the reason stays, the dump of the value goes. Pure."""

from __future__ import annotations

from typing import Final

_VALUE: Final = "Invalid value: "
_LONG_VALUE: Final = 200
_ENDS: Final = ("}: ", "]: ", '": ')
_CHANGED_LINES: Final = 6
_LINE: Final = 100
_TAIL: Final = 200


def brief_cause(message: str) -> str:
    """Return what is wrong with a field in one line.

    A long value is left out, because its reason comes after it: `field is immutable`. Of a comparison over
    several lines, the changed ones stay.
    """
    first, *lines = message.split("\n")
    head, marker, value = first.partition(_VALUE)
    end = max(value.rfind(end) for end in _ENDS)
    if marker and end > _LONG_VALUE:
        first = head + value[end + 3 :]
    changed = [_changed(line) for line in lines if line[:1] in ("-", "+") and line[1:].strip()]
    if changed:
        return f"{first} ({' '.join(changed[:_CHANGED_LINES])})"
    return first if any(line[:2] == "@@" for line in lines) else "\n".join((first, *lines))


def _changed(line: str) -> str:
    return f"{line[0]} {line[1:].strip().rstrip(',')[:_LINE]}"


def shortened(text: str, limit: int) -> str:
    """Cut a text in its middle: the end often says what is wrong."""
    return text if len(text) <= limit else f"{text[: limit - _TAIL - 1]}…{text[-_TAIL:]}"
