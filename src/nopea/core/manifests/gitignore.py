"""Match paths against one gitignore pattern in linear time. Never reads a file.

The usual translation to one regular expression backtracks: `*a*a*a*a*a*b` takes seconds on a name of 100
characters, and both come from a repository. Here each star takes the first match and never backtracks, which
is correct because everything between two stars has a fixed length (docs/adr/0001-gitignore.md).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_ANY_FOLDERS = None
_STAR = "*"
_POSIX_CLASSES = {
    "alnum": "a-zA-Z0-9", "alpha": "a-zA-Z", "blank": r" \t", "cntrl": r"\x00-\x1f\x7f", "digit": "0-9",
    "graph": r"\x21-\x7e", "lower": "a-z", "print": r"\x20-\x7e", "punct": r"\x21-\x2f:-@\[-`{-~",
    "space": r"\s", "upper": "A-Z", "xdigit": "0-9a-fA-F",
}  # fmt: skip
_CLASS_ITEM = re.compile(r"\[:(?P<posix>[a-z]*):\]|\\(?P<escaped>.)|(?P<plain>.)", re.DOTALL)


class _NeverError(Exception):
    """The pattern matches nothing, such as one with an open bracket."""


@dataclass(frozen=True, slots=True)
class Glob:
    """One compiled pattern: each segment matches one name, None matches any number of folders."""

    is_negated: bool
    only_folders: bool
    segments: tuple[re.Pattern[str] | None, ...]

    def matches(self, parts: Sequence[str], *, is_folder: bool) -> bool:
        """Whether the pattern matches the path itself, not a folder above it; `parts` is never empty."""
        if self.only_folders and not is_folder:
            return False
        last = self.segments[-1]
        if last is not None and not last.fullmatch(parts[-1]):
            return False  # most patterns fail here, long before their folders are compared
        return _match_segments(self.segments, parts)


def parse(line: str) -> Glob | None:
    """Compile one line of an ignore file; None for blank lines, comments, and patterns that match nothing."""
    text = _without_trailing_spaces(line)
    if not text or text.startswith("#"):
        return None
    is_negated = text.startswith("!")
    text = text.removeprefix("!")
    only_folders = text.endswith("/")
    text = text.removesuffix("/")
    try:
        names = _names(text.removeprefix("/"))
        if "/" not in text:
            names = ["**", *names]
        if _is_any_folders(names[-1]):
            names.append("*")  # a pattern that ends in ** matches everything inside, not the folder itself
        segments = tuple(_ANY_FOLDERS if _is_any_folders(name) else _compile(name) for name in names)
    except _NeverError:
        return None
    return Glob(is_negated, only_folders, segments)


def _without_trailing_spaces(line: str) -> str:
    stripped = line.rstrip(" ")
    backslashes = len(stripped) - len(stripped.rstrip("\\"))
    return f"{stripped} " if stripped != line and backslashes % 2 else stripped


def _is_any_folders(name: str) -> bool:
    return len(name) > 1 and not name.strip("*")


def _names(text: str) -> list[str]:
    """Split at slashes, but not at a slash in brackets, which matches nothing."""
    names = [""]
    position = 0
    while position < len(text):
        start, character = position, text[position]
        position += 1
        if character == "/":
            names.append("")
            continue
        if character == "[":
            _, position = _class(text, position)
        elif character == "\\" and text[position : position + 1] != "/":
            position += 1
        elif character == "\\":
            continue  # an escaped slash is a slash
        names[-1] += text[start:position]
    return names


def _match_segments(segments: Sequence[re.Pattern[str] | None], parts: Sequence[str]) -> bool:
    """Match from the left; on a mismatch let the last `**` take one more folder, never an earlier one."""
    at_segment = at_part = 0
    retry_segment, retry_part = -1, 0
    while at_part < len(parts):
        segment = segments[at_segment] if at_segment < len(segments) else _ANY_FOLDERS
        if at_segment < len(segments) and segment is _ANY_FOLDERS:
            at_segment += 1
            retry_segment, retry_part = at_segment, at_part
        elif segment is not None and segment.fullmatch(parts[at_part]):
            at_segment += 1
            at_part += 1
        elif retry_segment >= 0:
            retry_part += 1
            at_segment, at_part = retry_segment, retry_part
        else:
            return False
    return all(segment is _ANY_FOLDERS for segment in segments[at_segment:])


def _compile(name: str) -> re.Pattern[str]:
    chunks = [""]
    for token in _tokens(name):
        if token != _STAR:
            chunks[-1] += token
        elif chunks[-1] or len(chunks) == 1:
            chunks.append("")
    if len(chunks) == 1:
        return re.compile(chunks[0], re.DOTALL)
    middle = "".join(f"(?>.*?{chunk})" for chunk in chunks[1:-1])
    return re.compile(f"{chunks[0]}{middle}.*{chunks[-1]}", re.DOTALL)


def _tokens(name: str) -> Iterator[str]:
    """Yield `*` for a star, and for anything else an expression that matches exactly one character."""
    position = 0
    while position < len(name):
        character = name[position]
        position += 1
        if character == "*":
            yield _STAR
        elif character == "?":
            yield "."
        elif character == "[":
            expression, position = _class(name, position)
            yield expression
        elif character == "\\":
            if position == len(name):
                raise _NeverError
            yield re.escape(name[position])
            position += 1
        else:
            yield re.escape(character)


def _class(name: str, position: int) -> tuple[str, int]:
    """Translate a class after its `[`; return the expression and the position after its `]`."""
    is_negated = name[position : position + 1] in ("!", "^")
    position += is_negated
    items: list[str] = []
    start = position
    while True:
        match = _CLASS_ITEM.match(name, position)
        if match is None:
            raise _NeverError
        position = match.end()
        if match["plain"] == "]" and match.start() != start:
            break
        if match["posix"] is not None:
            if match["posix"] not in _POSIX_CLASSES:
                raise _NeverError
            items.append(_POSIX_CLASSES[match["posix"]])
            continue
        first = match["escaped"] or match["plain"]
        last = _CLASS_ITEM.match(name, position + 1) if name[position : position + 1] == "-" else None
        if last is None or last["plain"] == "]" or last["posix"] is not None:
            items.append(re.escape(first))
            continue
        position = last.end()
        end = last["escaped"] or last["plain"]
        if first <= end:  # a reversed range matches nothing
            items.append(f"{re.escape(first)}-{re.escape(end)}")
    if not items:
        return (".", position) if is_negated else (r"(?!)", position)
    return f"[{'^' if is_negated else ''}{''.join(items)}]", position
