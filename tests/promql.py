"""Extract the names from a PromQL expression: metrics, their label matchers, and grouping labels.

This is not a parser of the grammar; Prometheus has one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_TOKEN = re.compile(
    r"""(?P<space>\s+)|(?P<string>"(?:[^"\\]|\\.)*")|(?P<range>\[[^]]*\])|(?P<number>\d[\d.]*(?:e[+-]?\d+)?)"""
    r"""|(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)|(?P<operator>=~|!~|!=|==|>=|<=|[-+*/%^<>=,(){}])"""
)
_WORDS = frozenset({"and", "or", "unless", "bool", "offset"})
_GROUPING = frozenset({"by", "without", "on", "ignoring", "group_left", "group_right"})


@dataclass(slots=True)
class Names:
    """The names in an expression."""

    metrics: dict[str, set[str]] = field(default_factory=dict)
    """Metrics with the labels that their matchers name."""
    grouping: set[str] = field(default_factory=set)


def tokens(expression: str) -> Iterator[tuple[str, str]]:
    """Yield the kind and the text of each token; raise ValueError for unknown text."""
    position = 0
    while position < len(expression):
        match = _TOKEN.match(expression, position)
        if match is None:
            raise ValueError(f"no token at {expression[position : position + 20]!r}")
        position = match.end()
        if match.lastgroup != "space":
            yield str(match.lastgroup), match.group()


def names_in(expression: str) -> Names:
    """Return the metrics and labels of an expression; brackets must be closed."""
    found = Names()
    read = [*tokens(expression), ("end", "")]
    position, depth = 0, 0
    while read[position][0] != "end":
        kind, text = read[position]
        following = read[position + 1][1]
        depth += {"(": 1, ")": -1}.get(text, 0)
        if kind == "name" and text in _GROUPING:
            if following == "(":
                position, labels = _labels(read, position + 1, ")")
                found.grouping |= labels
        elif kind == "name" and text not in _WORDS and following not in ("(", "by", "without"):
            labels = set()
            if following == "{":
                position, labels = _labels(read, position + 1, "}")
            found.metrics.setdefault(text, set()).update(labels)
        position += 1
    if depth:
        raise ValueError(f"brackets are not closed in {expression!r}")
    return found


def _labels(read: list[tuple[str, str]], start: int, end: str) -> tuple[int, set[str]]:
    """Return the position of the end of the list, and the names in the list."""
    stop = next(number for number in range(start, len(read)) if read[number][1] == end)
    return stop, {text for kind, text in read[start:stop] if kind == "name"}
