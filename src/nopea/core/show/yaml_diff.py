"""Objects as lines of YAML, and the difference of two of them as a unified diff.

The lines can be shown on a terminal and in Markdown: characters that are not printable are escaped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import yaml

from nopea.core.drift.lines import changes
from nopea.core.show.yaml_text import Dumper, in_reading_order

CONTEXT: Final = 3
"""Unchanged lines around a change."""

MOST_PRINTED: Final = 10_000
"""The most lines of one change that are printed."""

_KEY: Final = re.compile(r'( *)((?:- )*)(?:"([^"]+)"|([^\s"\'#&*!|>%@`-][^:]*)):(?: |$)')


class _BlockDumper(Dumper):
    """Writes texts of several lines as blocks also where they have tabs or spaces before a line break."""

    def analyze_scalar(self, scalar: str) -> Any:
        """Return the analysis, which allows a block."""
        analysis = super().analyze_scalar(scalar)
        if "\n" in scalar and all(char.isprintable() or char in "\n\t" for char in scalar):
            analysis.allow_block = True
        return analysis


def yaml_lines(manifest: Mapping[str, Any]) -> list[str]:
    """Return an object as lines of YAML."""
    text = yaml.dump(
        in_reading_order(manifest), Dumper=_BlockDumper, sort_keys=False, allow_unicode=True, width=1000
    )
    return [_visible(line) for line in text.removesuffix("\n").split("\n")]


def unified(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Return the hunks of a unified diff; each names the field that it is in. Empty if nothing differs."""
    return list(_hunks(yaml_lines(before), yaml_lines(after)))


def _hunks(old: list[str], new: list[str]) -> Iterator[str]:
    if old == new:
        return
    for group in changes(old, new, context=CONTEXT):
        (_, old_start, _, new_start, _), (_, _, old_end, _, new_end) = group[0], group[-1]
        changed = next(code for code in group if code[0] != "equal")
        removed, added = changed[2] - changed[1], changed[4] - changed[3]
        if max(removed, added) > MOST_PRINTED:
            yield f"@@ {removed} lines become {added} lines @@"
            continue
        is_added = changed[4] > changed[3]
        path = _path_of(new, changed[3]) if is_added else _path_of(old, changed[1])
        spans = _span(old_start, old_end - old_start), _span(new_start, new_end - new_start)
        yield f"@@ -{spans[0]} +{spans[1]} @@{f' {path}' if path else ''}"
        for kind, i, j, k, m in group:
            if kind == "equal":
                yield from (f" {line}" for line in old[i:j])
            else:
                yield from (f"-{line}" for line in old[i:j])
                yield from (f"+{line}" for line in new[k:m])


def _span(start: int, length: int) -> str:
    """Return a range of lines as `diff -u` writes it."""
    return str(start + 1) if length == 1 else f"{start + bool(length)},{length}"


def _path_of(lines: Sequence[str], index: int) -> str:
    """Return the fields around a line, such as `spec.template.spec.containers`."""
    level, in_item = _indent(lines[index]), lines[index].lstrip().startswith("- ")
    path: list[str] = []
    for line in reversed(lines[:index]):
        match = _KEY.match(line)
        indent = _indent(line)
        if line.lstrip().startswith("- ") and indent < level:
            level, in_item = indent, True
            continue
        if match and not match[2] and (indent < level or (in_item and indent == level)):
            path.insert(0, match[3] or match[4])
            level, in_item = indent, False
        if not level and not in_item:
            break
    return ".".join(path)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _visible(line: str) -> str:
    return "".join(
        char if char.isprintable() or char == "\t" else char.encode("unicode_escape").decode()
        for char in line
    )
