"""Split a YAML file into documents exactly where kubectl splits it. Never parses a document.

kubectl splits by lines, before any YAML parser sees the text: a line that starts with `---` separates, even
inside a quoted string, and only a comment may follow on that line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_SEPARATOR = re.compile(r"^---([^\n]*)(?:\n|\Z)", re.MULTILINE)
_CONTENT = re.compile(r"^[^\S\n]*+[^\s#]", re.MULTILINE)
_BYTE_ORDER_MARK = "\N{ZERO WIDTH NO-BREAK SPACE}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RawDocument:
    """One document's text; `number` and `line` count from 1.

    `bad_separator` is set when anything but a comment follows the `---` that opens it.
    """

    number: int
    line: int
    text: str
    bad_separator: bool = False

    @property
    def has_content(self) -> bool:
        """Whether it has anything but white space and comments."""
        return _CONTENT.search(self.text) is not None


def split(text: str) -> Iterator[RawDocument]:
    """Yield the documents in order, empty ones too, except an empty one before the first `---`."""
    number, line, start = 0, 1, 0
    bad_separator = False
    for match in _SEPARATOR.finditer(text):
        document = _document(text[start : match.start()], number + 1, line, bad_separator=bad_separator)
        if start or document.has_content:
            number += 1
            yield document
        line += text.count("\n", start, match.end())
        start = match.end()
        rest = match[1].strip()
        bad_separator = bool(rest) and not rest.startswith("#")
    yield _document(text[start:], number + 1, line, bad_separator=bad_separator)


def _document(text: str, number: int, line: int, *, bad_separator: bool) -> RawDocument:
    # kubectl ends every line, also the last one: without that, a block scalar would lose its last newline.
    text = text.removeprefix(_BYTE_ORDER_MARK)
    ended = text if text.endswith("\n") else f"{text}\n"
    return RawDocument(number=number, line=line, text=ended, bad_separator=bad_separator)
