"""Parse a manifest file: bytes in, Kubernetes objects and all problems out.

Never raises for the content of a file, never guesses after an error, never reads a second file.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import orjson

from nopea.core.git.source import ParsedDocument, ParsedFile
from nopea.core.manifests.encrypted import LFS_POINTER, encrypted_file, is_sops
from nopea.core.manifests.normalize import normalize
from nopea.core.manifests.shape import check, has_no_type, unfold
from nopea.core.manifests.yaml.budget import DEFAULT_LIMITS, Budget, YamlLimits
from nopea.core.manifests.yaml.documents import split
from nopea.core.manifests.yaml.jsonstream import read_stream
from nopea.core.manifests.yaml.loader import compose
from nopea.core.manifests.yaml.positions import Positions
from nopea.core.manifests.yaml.problems import EXCLUDE, UnreadableError, at_line, beyond
from nopea.core.problem import Code, Problem

_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Value:
    """One document; `value` is None when it is empty or has a problem."""

    value: Any
    number: int
    line: int
    item_lines: tuple[int, ...] = ()
    positions: Positions | None = None
    problems: tuple[Problem, ...] = ()


def parse_file(raw: bytes, *, limits: YamlLimits = DEFAULT_LIMITS) -> ParsedFile:
    """Return the file's objects, normalized, in order, and all its problems; never raises.

    A problem in one document hides neither the objects nor the problems of the others. A file without an
    object is a problem. Problems' sources are `:LINE` or `#DOCUMENT`; the caller puts the path before them.
    """
    encrypted = encrypted_file(raw)
    if encrypted is not None:
        return ParsedFile(documents=(), problems=(encrypted,))
    try:
        text = _text(raw, limits)
    except UnreadableError as error:
        return ParsedFile(documents=(), problems=(error.problem,))
    collector = _Collector(limits)
    for value in _values(text, limits):
        collector.add(value)
    return collector.parsed()


def check_objects(
    raw: bytes, *, index: str, limits: YamlLimits = DEFAULT_LIMITS
) -> Iterator[ParsedDocument | Problem]:
    """Yield the objects of a document in JSON, normalized, or what is wrong with them.

    `index` is the place of the document in its file.
    """
    for found in unfold(orjson.loads(raw), index=index, line=0):
        normal = normalize(found.value) if isinstance(found.value, dict) else found.value
        source = f"#{found.index}"
        problems = check(normal, replace(found, source=source))
        body = orjson.dumps(normal)
        if problems:
            yield from problems
        elif len(body) > limits.object_bytes:
            yield _too_big(body, limits, source=source)
        else:
            yield ParsedDocument(index=found.index, line=0, body=body)


def _too_big(body: bytes, limits: YamlLimits, *, source: str) -> Problem:
    message = f"The object has {len(body):,} bytes. The API server accepts {limits.object_bytes:,}."
    return beyond(message, source=source).problem


class _Collector:
    """Collects objects, and problems up to the limit."""

    def __init__(self, limits: YamlLimits) -> None:
        self._limits = limits
        self._documents: list[ParsedDocument] = []
        self._problems: list[Problem] = []
        self._untyped = 0
        self._more = 0

    def add(self, value: _Value) -> None:
        """Add one document."""
        self._report(value.problems)
        if value.value is None or value.problems:
            return
        for found in unfold(
            value.value, index=str(value.number), line=value.line, item_lines=value.item_lines
        ):
            self._untyped += has_no_type(found.value) and not is_sops(found.value)
            normal = normalize(found.value) if isinstance(found.value, dict) else found.value
            problems = check(normal, found, positions=value.positions)
            self._report(problems)
            if not problems:
                self._add_object(found.index, found.line, normal)

    def _add_object(self, index: str, line: int, normal: dict[str, Any]) -> None:
        body = orjson.dumps(normal)
        if len(body) > self._limits.object_bytes:
            self._report((_too_big(body, self._limits, source=at_line(line)),))
        else:
            self._documents.append(ParsedDocument(index=index, line=line, body=body))

    def _report(self, problems: tuple[Problem, ...]) -> None:
        room = max(0, self._limits.problems - len(self._problems))
        self._problems.extend(problems[:room])
        self._more += len(problems[room:])

    def parsed(self) -> ParsedFile:
        """Return the objects and problems; a file with neither has a problem."""
        problems = list(self._problems)
        if not self._documents and len(problems) + self._more == self._untyped:
            problems, self._more = [_no_object(problems)], 0
        if self._more:
            problems.append(
                Problem(
                    code=problems[-1].code,
                    message=f"{self._more:,} more problems in this file are not listed.",
                    hint="Correct the listed ones first.",
                )
            )
        return ParsedFile(documents=tuple(self._documents), problems=tuple(problems))


def _text(raw: bytes, limits: YamlLimits) -> str:
    """Decode the file; raises UnreadableError for one that is too big, an LFS pointer or not Unicode."""
    if len(raw) > limits.file_bytes:
        raise beyond(f"The file has {len(raw):,} bytes. Nopea reads up to {limits.file_bytes:,}.", source="")
    if raw.startswith(LFS_POINTER):
        raise UnreadableError(
            Problem(
                code=Code.LFS_POINTER,
                message="The file is a Git LFS pointer, not a manifest.",
                hint=f"Keep manifests out of Git LFS, or {EXCLUDE}.",
            )
        )
    encoding = "utf-16" if raw.startswith(_UTF16) else "utf-8-sig"
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError as error:
        raise UnreadableError(
            Problem(
                code=Code.ENCODING,
                message=f"The file is not valid {encoding.removesuffix('-sig').upper()}.",
                hint="Save the file as UTF-8. Put binary data into data or binaryData, as base64.",
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
                f"The file has more than {limits.documents:,} documents.", source=at_line(document.line)
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
                positions=Positions(document.text, first_line=document.line),
                problems=composed.problems,
            )


def _bad_separator(line: int) -> Problem:
    return Problem(
        code=Code.YAML_SYNTAX,
        message="The line of --- has more than a comment after it.",
        hint="Put --- on a line of its own.",
        source=at_line(line - 1),
    )


def _no_object(untyped: list[Problem]) -> Problem:
    return Problem(
        code=Code.NO_OBJECT_IN_FILE,
        message="The file contains no Kubernetes object.",
        hint=f"Add an object, with apiVersion and kind, or {EXCLUDE}.",
        source=untyped[0].source if untyped else "",
    )
