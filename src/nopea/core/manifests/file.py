"""Read a manifest file: bytes in, Kubernetes objects and everything that is wrong with them out.

Never raises for what a file holds, never guesses past an error, never reads a second file.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from nopea.core.git.source import ParsedDocument, ParsedFile
from nopea.core.manifests.normalize import normalize
from nopea.core.manifests.shape import check, is_stranger, unfold
from nopea.core.manifests.yaml.aliases import Budget
from nopea.core.manifests.yaml.documents import split
from nopea.core.manifests.yaml.jsonstream import read_stream
from nopea.core.manifests.yaml.limits import DEFAULT_LIMITS, UnreadableError, YamlLimits, at_line, beyond
from nopea.core.manifests.yaml.loader import compose
from nopea.core.problem import Code, Problem

_LFS_POINTER = b"version https://git-lfs.github.com/spec/"
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Value:
    """A document as read: None when there is nothing to apply in it."""

    value: Any
    number: int
    line: int
    item_lines: tuple[int, ...] = ()
    problems: tuple[Problem, ...] = ()


def parse_file(raw: bytes, *, limits: YamlLimits = DEFAULT_LIMITS) -> ParsedFile:
    """Return the file's objects, normalized, in order, with all its problems; raises nothing.

    A problem in one document hides neither the objects nor the problems of the others. A file without any
    object has a problem. Problems' sources are `:LINE` or `#DOCUMENT`; the caller puts the path before them.
    """
    try:
        text = _text(raw, limits)
    except UnreadableError as error:
        return ParsedFile(documents=(), problems=(error.problem,))
    collector = _Collector(limits)
    for value in _values(text, limits):
        collector.add(value)
    return collector.parsed()


class _Collector:
    """Gather objects and problems, bounded."""

    def __init__(self, limits: YamlLimits) -> None:
        self._limits = limits
        self._documents: list[ParsedDocument] = []
        self._problems: list[Problem] = []
        self._strangers = 0
        self._more = 0

    def add(self, value: _Value) -> None:
        """Take one document in."""
        self._report(value.problems)
        if value.value is None or value.problems:
            return
        for found in unfold(
            value.value, index=str(value.number), line=value.line, item_lines=value.item_lines
        ):
            self._strangers += is_stranger(found.value)
            normal = normalize(found.value) if isinstance(found.value, dict) else found.value
            problems = check(normal, index=found.index, line=found.line)
            self._report(problems)
            if not problems:
                self._keep(found.index, found.line, normal)

    def _keep(self, index: str, line: int, normal: dict[str, Any]) -> None:
        body = orjson.dumps(normal)
        if len(body) > self._limits.object_bytes:
            what = f"an object of {len(body):,} bytes; the API server takes {self._limits.object_bytes:,}"
            self._report((beyond(what, source=at_line(line)).problem,))
        else:
            self._documents.append(ParsedDocument(index=index, line=line, body=body))

    def _report(self, problems: tuple[Problem, ...]) -> None:
        room = max(0, self._limits.problems - len(self._problems))
        self._problems.extend(problems[:room])
        self._more += len(problems[room:])

    def parsed(self) -> ParsedFile:
        """Return what was gathered; no object and no problem is itself a problem."""
        problems = list(self._problems)
        if not self._documents and len(problems) + self._more == self._strangers:
            problems, self._more = [_no_object(problems)], 0
        if self._more:
            problems.append(
                Problem(
                    code=problems[-1].code,
                    message=f"{self._more:,} more problems in this file are not listed",
                    hint="correct those above first",
                )
            )
        return ParsedFile(documents=tuple(self._documents), problems=tuple(problems))


def _text(raw: bytes, limits: YamlLimits) -> str:
    """Decode the file; raises UnreadableError when that is not possible or the file is no manifest at all."""
    if len(raw) > limits.file_bytes:
        raise beyond(f"a file of {len(raw):,} bytes; Nopea reads {limits.file_bytes:,}", source="")
    if raw.startswith(_LFS_POINTER):
        raise UnreadableError(
            Problem(
                code=Code.LFS_POINTER,
                message="a Git LFS pointer, not the file itself",
                hint="keep manifests out of Git LFS, or exclude the file by spec.exclude or .nopeaignore",
            )
        )
    encoding = "utf-16" if raw.startswith(_UTF16) else "utf-8-sig"
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError as error:
        raise UnreadableError(
            Problem(
                code=Code.ENCODING,
                message=f"a byte that is no {encoding.removesuffix('-sig').upper()} text",
                hint="save the file as UTF-8; put binary data as base64 into data or binaryData",
                source=at_line(raw.count(b"\n", 0, error.start) + 1),
            )
        ) from error


def _values(text: str, limits: YamlLimits) -> Iterator[_Value]:
    """Yield the file's documents in order, empty ones too."""
    if text.lstrip().startswith("{"):
        for number, found in enumerate(read_stream(text, limits=limits), start=1):
            yield _Value(value=found.value, number=number, line=found.line, problems=found.problems)
        return
    budget = Budget(limits)
    for document in split(text):
        if document.number > limits.documents:
            problem = beyond(
                f"more than {limits.documents:,} documents", source=at_line(document.line)
            ).problem
            yield _Value(value=None, number=document.number, line=document.line, problems=(problem,))
            return
        if document.bad_separator:
            problem = _bad_separator(document.line)
            yield _Value(value=None, number=document.number, line=document.line, problems=(problem,))
        if document.has_content:
            composed = compose(document.text, first_line=document.line, limits=limits, budget=budget)
            yield _Value(
                value=composed.value,
                number=document.number,
                line=composed.line,
                item_lines=composed.item_lines,
                problems=composed.problems,
            )


def _bad_separator(line: int) -> Problem:
    return Problem(
        code=Code.YAML_SYNTAX,
        message="something else than a comment follows --- on its line",
        hint="put --- on a line of its own",
        source=at_line(line - 1),
    )


def _no_object(strangers: list[Problem]) -> Problem:
    return Problem(
        code=Code.NO_OBJECT_IN_FILE,
        message="the file holds no Kubernetes object",
        hint="exclude it by spec.exclude or .nopeaignore, or give it apiVersion and kind",
        source=strangers[0].source if strangers else "",
    )
