"""Make an event's content and custom data fit: texts and lists are cut step by step, each with a mark.

Names are cut last, when nothing else helps: a cut name is another thing's name. What goes out can always be
written as JSON.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from nopea.core.secret import Secret, mask_text

CUT: Final = "… [truncated]"
"""What a text ends in that has lost its end."""
NAMES: Final = frozenset({"id", "source", "name", "artifactId"})
_STEPS: Final = ((4096, 100), (1024, 20), (256, 10), (64, 3))
"""Characters of a text and items of a list that are left, until it fits."""
_LONGEST_NAME: Final = 256
_MAX_DEPTH: Final = 16

Fits = Callable[[Mapping[str, Any], Mapping[str, Any]], bool]


def fit(
    content: Mapping[str, Any], custom: Mapping[str, Any], *, fits: Fits
) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Return both as they are if they fit, else with the longest texts and lists that do."""
    content, custom = _writable(content, 0), _writable(custom, 0)
    if fits(content, custom):
        return content, custom
    shorter = content
    for length, items in _STEPS:
        shorter = _cut(content, length, items)
        told = _marked(_cut(custom, length, items))
        if fits(shorter, told):
            return shorter, told
    return _cut(shorter, _LONGEST_NAME, 3, names=frozenset()), _marked({})


def cut(text: str, length: int) -> str:
    """Return the text in at most so many characters, with the mark where its end is missing."""
    return text if len(text) <= length else text[: max(length - len(CUT), 0)] + CUT[:length]


def foreign(text: str, length: int, *secrets: Secret) -> str:
    """Return a text of people or servers, masked, in at most so many characters."""
    if len(text) > 2 * length:
        # a URL that is cut in two hides what must be masked, so the last word goes as a whole
        text = f"{text[: 2 * length].rpartition(' ')[0]} {CUT}"
    return cut(mask_text(text, *secrets), length)


def _marked(custom: Mapping[str, Any]) -> dict[str, Any]:
    nopea = custom.get("nopea")
    told = dict(nopea) if isinstance(nopea, Mapping) else {}
    return {**custom, "nopea": {**told, "truncated": True}}


def _cut(value: Any, length: int, items: int, *, names: frozenset[str] = NAMES) -> Any:
    if isinstance(value, str):
        return cut(value, length)
    if isinstance(value, Mapping):
        return {
            key: one if key in names else _cut(one, length, items, names=names) for key, one in value.items()
        }
    if isinstance(value, list):
        return [_cut(one, length, items, names=names) for one in value[:items]]
    return value


def _writable(value: Any, depth: int) -> Any:
    """Return the value in JSON's own types; lone surrogates, which UTF-8 has not, become question marks."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if depth >= _MAX_DEPTH:
        return CUT
    if isinstance(value, Mapping):
        return {_writable(str(key), depth): _writable(one, depth + 1) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_writable(one, depth + 1) for one in value]
    return value
