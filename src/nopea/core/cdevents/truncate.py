"""Truncates the content and custom data of an event until it fits: strings and lists, in steps, with a mark.

Identifiers are truncated last, because a truncated identifier names something else. The result is always
valid JSON.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from nopea.core.secret import Secret, mask_text

CUT: Final = "… [truncated]"
"""The end of a truncated string."""
NAMES: Final = frozenset({"id", "source", "name", "artifactId"})
_STEPS: Final = ((4096, 100), (1024, 20), (256, 10), (64, 3))
"""The characters of a string and the items of a list that are kept, from step to step."""
_LONGEST_NAME: Final = 256
_MAX_DEPTH: Final = 16

Fits = Callable[[Mapping[str, Any], Mapping[str, Any]], bool]


def fit(
    content: Mapping[str, Any], custom: Mapping[str, Any], *, fits: Fits
) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Return both unchanged if they fit, else with the longest strings and lists that do."""
    content, custom = _writable(content, 0), _writable(custom, 0)
    if fits(content, custom):
        return content, custom
    shorter = content
    for length, items in _STEPS:
        shorter = _cut(content, length, items)
        marked = _marked(_cut(custom, length, items))
        if fits(shorter, marked):
            return shorter, marked
    return _cut(shorter, _LONGEST_NAME, 3, names=frozenset()), _marked({})


def cut(text: str, length: int) -> str:
    """Return the string in at most `length` characters, with the mark if it was truncated."""
    return text if len(text) <= length else text[: max(length - len(CUT), 0)] + CUT[:length]


def external_text(text: str, length: int, *secrets: Secret) -> str:
    """Return a string from outside, masked, in at most `length` characters."""
    if len(text) > 2 * length:
        # a truncated URL would hide what must be masked, so the last word is dropped as a whole
        text = f"{text[: 2 * length].rpartition(' ')[0]} {CUT}"
    return cut(mask_text(text, *secrets), length)


def _marked(custom: Mapping[str, Any]) -> dict[str, Any]:
    nopea = custom.get("nopea")
    facts = dict(nopea) if isinstance(nopea, Mapping) else {}
    return {**custom, "nopea": {**facts, "truncated": True}}


def _cut(value: Any, length: int, items: int, *, names: frozenset[str] = NAMES) -> Any:
    if isinstance(value, str):
        return cut(value, length)
    if isinstance(value, Mapping):
        return {
            key: item if key in names else _cut(item, length, items, names=names)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_cut(item, length, items, names=names) for item in value[:items]]
    return value


def _writable(value: Any, depth: int) -> Any:
    """Return the value in the types of JSON; lone surrogates become question marks."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if depth >= _MAX_DEPTH:
        return CUT
    if isinstance(value, Mapping):
        return {_writable(str(key), depth): _writable(item, depth + 1) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_writable(item, depth + 1) for item in value]
    return value
