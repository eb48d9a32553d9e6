"""Read a file that starts with `{` as kubectl does: one JSON object after another. Never reads YAML."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

import orjson

from nopea.core.manifests.yaml.budget import YamlLimits
from nopea.core.manifests.yaml.problems import (
    UnreadableError,
    as_template,
    at_line,
    beyond,
    duplicate_key,
    wrong_value,
)
from nopea.core.manifests.yaml.scalars import Scalar, to_json
from nopea.core.problem import Code, Problem

_SPACE = re.compile(r"[ \t\r\n]*")
# Possessive, so that a text that never ends is looked at once and not once per quote in it.
_TOKEN = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[\]{},]', re.DOTALL)
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_INT64_CHARACTERS = 20
_HINT = "Correct the JSON. If the file is YAML, start it with a line of ---."


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonDocument:
    """One value of the stream, the line where it starts, and what is wrong in it."""

    value: Any
    line: int
    problems: tuple[Problem, ...] = ()


def read_stream(text: str, *, limits: YamlLimits) -> Iterator[JsonDocument]:
    """Yield the stream's values in order; text that is not JSON is a problem, and ends the stream."""
    problem = _beyond_limits(text, limits)
    position, line = 0, 1
    while problem is None:
        start = _skip_space(text, position)
        line += text.count("\n", position, start)
        if start == len(text):
            return
        reader = _Reader(line, limits.problems)
        try:
            value, position = reader.decoder().raw_decode(text, start)
            _refuse_half_pairs(value, text[start:position], line)
        except json.JSONDecodeError as error:
            problem = _explain(error, text, line + text.count("\n", start, error.pos))
        except UnreadableError as error:
            problem = error.problem
        else:
            yield JsonDocument(value=value, line=line, problems=tuple(reader.problems))
            line += text.count("\n", start, position)
    yield JsonDocument(value=None, line=line, problems=(problem,))


class _Reader:
    """The rules for one value: duplicate keys are problems, numbers are narrowed."""

    def __init__(self, line: int, most_problems: int) -> None:
        self._line = line
        self._most_problems = most_problems
        self.problems: list[Problem] = []

    def decoder(self) -> json.JSONDecoder:
        return json.JSONDecoder(
            object_pairs_hook=self._object,
            parse_int=self._integer,
            parse_float=self._float,
            parse_constant=self._refuse,
        )

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        value = dict(pairs)
        if len(value) != len(pairs):
            seen: set[str] = set()
            for key, _ in pairs:
                if key in seen and len(self.problems) < self._most_problems:
                    self.problems.append(duplicate_key(key, self._line))
                seen.add(key)
        return value

    def _integer(self, text: str) -> Scalar:
        if len(text) <= _INT64_CHARACTERS:
            return to_json(int(text))
        return self._float(text)

    def _float(self, text: str) -> Scalar:
        number = float(text)
        if math.isinf(number):
            self._refuse(text)
        return to_json(number)

    def _refuse(self, _text: str) -> NoReturn:
        raise UnreadableError(wrong_value("A number does not fit into JSON or 64 bits.", self._line))


def _beyond_limits(text: str, limits: YamlLimits) -> Problem | None:
    """Check depth and count before the recursive parser sees the text."""
    depth = nodes = 0
    for match in _TOKEN.finditer(text):
        token = match[0]
        if token[0] == '"':
            continue
        if token in "]}":
            depth -= 1
            continue
        nodes += 1
        depth += token != ","
        if depth > limits.depth or nodes > limits.nodes:
            what = (
                f"The document is nested deeper than {limits.depth} levels."
                if depth > limits.depth
                else f"The file has more than {limits.nodes:,} values."
            )
            return beyond(what, source=at_line(text.count("\n", 0, match.start()) + 1)).problem
    return None


def _refuse_half_pairs(value: Any, text: str, line: int) -> None:
    """Raise UnreadableError for a lone surrogate, which Python reads and JSON writers reject."""
    if not _SURROGATE.search(text):
        return
    try:
        orjson.dumps(value)
    except orjson.JSONEncodeError as error:
        raise UnreadableError(
            Problem(
                code=Code.ENCODING,
                message="A string contains half of a \\u escape pair, which is not a character.",
                hint="Write the character itself, or both halves.",
                source=at_line(line),
            )
        ) from error


def _skip_space(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    return match.end() if match else position


def _explain(error: json.JSONDecodeError, text: str, line: int) -> Problem:
    problem = Problem(
        code=Code.YAML_SYNTAX,
        message=f"The file is not valid JSON: {error.msg}.",
        hint=_HINT,
        source=at_line(line),
    )
    return as_template(problem, text=text, first_line=1)
