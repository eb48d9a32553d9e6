"""Files that start with a brace are read as JSON."""

from __future__ import annotations

from typing import Any

import pytest

from nopea.core.manifests.yaml.budget import YamlLimits
from nopea.core.manifests.yaml.jsonstream import read_stream
from nopea.core.problem import Code


def test_a_stream_of_objects_is_read_in_order_with_lines() -> None:
    """Objects may follow each other with or without whitespace."""
    found = list(read_stream('\n{"a": 1}{"b":\n 2}\n\n{"c": 3}\n', limits=YamlLimits()))
    assert [(document.value, document.line) for document in found] == [
        ({"a": 1}, 2),
        ({"b": 2}, 2),
        ({"c": 3}, 5),
    ]


@pytest.mark.parametrize(
    ("text", "value"),
    [("1.0", 1), ("1e3", 1000), ("-0", 0), ("-0.0", 0), ("9223372036854775808", 2.0**63), ("0.5", 0.5),
     ("9223372036854775807", 2**63 - 1), ("-9223372036854775808", -(2**63)), ("null", None), ('"\\/"', "/")],
)  # fmt: skip
def test_numbers_are_narrowed_as_in_yaml(text: str, value: Any) -> None:
    """Whole numbers become integers; numbers beyond 64 bits become floats."""
    (document,) = read_stream(f'{{"a": {text}}}', limits=YamlLimits())
    assert document.value == {"a": value}
    assert type(document.value["a"]) is type(value)


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        ('{"a": 1,\n}', Code.YAML_SYNTAX, 2),
        ('{"a": 1}\n---\n{"b": 1}', Code.YAML_SYNTAX, 2),
        ("{{ .Values.x }}", Code.YAML_SYNTAX, 1),
        ("{a: 1}", Code.YAML_SYNTAX, 1),
        ('{"a": NaN}', Code.YAML_VALUE, 1),
        ('{"a": 1e400}', Code.YAML_VALUE, 1),
        ('{"a": %s}' % ("9" * 5_000), Code.YAML_VALUE, 1),
        ('{"a": "\\ud83d"}', Code.ENCODING, 1),
        ('{"a": 1, "a": 2}', Code.YAML_DUPLICATE_KEY, 1),
        ('{"a":' + "[" * 201 + "]" * 201 + "}", Code.YAML_LIMIT, 1),
        ('{"a": [' + "1," * 2_000 + "1]}", Code.YAML_LIMIT, 1),
        ('{"a": "' + '\\"' * 1_000, Code.YAML_SYNTAX, 1),
    ],
)
def test_an_error_has_its_line_and_code(text: str, code: Code, line: int) -> None:
    """Syntax errors, duplicate keys, lone surrogates and exceeded limits are problems, not exceptions."""
    problems = [
        problem for found in read_stream(text, limits=YamlLimits(nodes=1_000)) for problem in found.problems
    ]
    assert [(problem.code, problem.source) for problem in problems] == [(code, f":{line}")]


def test_objects_before_a_syntax_error_count() -> None:
    """Objects before the error are read."""
    found = list(read_stream('{"a": 1}\n{"b"', limits=YamlLimits()))
    assert found[0].value == {"a": 1}
    assert found[1].problems[0].source == ":2"
