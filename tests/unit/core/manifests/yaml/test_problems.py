"""The messages about problems with a YAML file."""

from __future__ import annotations

from collections import deque

import pytest
import yaml

from nopea.core.manifests.yaml.problems import (
    as_template,
    at_line,
    beyond,
    collection_as_key,
    duplicate_key,
    endless_alias,
    explain,
    second_document,
    shown,
    unknown_alias,
    wrong_value,
)
from nopea.core.problem import Code, Problem


def parser_error(text: str) -> yaml.YAMLError:
    """Return the error that the parser raises for a text."""
    with pytest.raises(yaml.YAMLError) as caught:
        deque(yaml.parse(text, Loader=yaml.CSafeLoader))
    return caught.value


@pytest.mark.parametrize(
    ("text", "words", "line"),
    [
        ("a: b: c\n", "second 'key: value'", 10),
        ("a:\n\tb: 1\n", "A value starts with a tab", 11),
        ("a: `b\n", "A value starts with a tab", 10),
        ('a: "b\n', "not closed", 11),
        ("a: [b\nc: d\n", "[list] is not closed", 11),
        ("a: {b: 1\nc: 2\n", "{mapping} is not closed", 11),
        ("a: 1\n b: 2\n", "second 'key: value'", 11),
        ("a: 1\nb\n", "no ':' after it", 12),
        ("- a\nb: 1\n", "list item is missing", 11),
        ("a: [,]\n", "value is missing", 10),
        ("a: - b\n", "list item is not allowed", 10),
        ("%YAML 1.2\n", "% directive", 11),
        ("a: |\n\tb\n", "tab", 11),
        ('a: "\\q"\n', "escape", 10),
        ("a: !<x y\n", "tag", 10),
    ],
)
def test_a_parser_error_is_explained(text: str, words: str, line: int) -> None:
    """The message is Nopea's own, the line is that of the file, and there is a hint."""
    problem = explain(parser_error(text), text=text, first_line=10)
    assert problem.code is Code.YAML_SYNTAX
    assert words in problem.message
    assert problem.source == f":{line}"
    assert problem.hint


SYNTAX = Problem(code=Code.YAML_SYNTAX, message="A [list] is not closed.", hint="Add it.", source=":12")


@pytest.mark.parametrize(
    "expression", ["{{ .Release.Name }}", '{{- include "web.labels" . }}', "{{ toYaml . }}"]
)
def test_a_helm_template_is_recognised_anywhere(expression: str) -> None:
    """The parser may fail far from the first template expression."""
    problem = as_template(SYNTAX, text=f"name: {expression}\n\n\nb: 1\n", first_line=10)
    assert problem.message == "The file is a Helm template. spec.path does not name its chart."
    assert "spec.helm.chart" in problem.hint
    assert (problem.code, problem.source) == (SYNTAX.code, SYNTAX.source)


def test_other_braces_count_on_the_line_of_the_problem_or_above_it() -> None:
    """Braces in a quoted string, as in an alert rule, do not explain a syntax error further down."""
    assert "is a template" in as_template(SYNTAX, text="a\nb: {{ x }}\nc\n", first_line=10).message
    assert as_template(SYNTAX, text='s: "{{ $labels.pod }}"\nb\nc: [\n', first_line=10) is SYNTAX


def test_a_name_is_shown_on_one_line_and_bounded() -> None:
    """A key from a file may contain control characters or be very long."""
    assert shown("a\nb\x1b") == "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}"
    assert len(shown("x" * 500)) == 81


@pytest.mark.parametrize(
    ("problem", "code"),
    [
        (duplicate_key("a", 3), Code.YAML_DUPLICATE_KEY),
        (wrong_value("A key is empty or null.", 3), Code.YAML_VALUE),
        (collection_as_key(3).problem, Code.YAML_VALUE),
        (unknown_alias(3).problem, Code.YAML_VALUE),
        (endless_alias(3).problem, Code.YAML_VALUE),
        (second_document(3).problem, Code.YAML_SYNTAX),
        (beyond("The file is too big.", source=at_line(3)).problem, Code.YAML_LIMIT),
    ],
)
def test_each_problem_has_sentences_and_a_line(problem: Problem, code: Code) -> None:
    """Message and hint start with a capital letter and end with a full stop."""
    assert (problem.code, problem.source) == (code, ":3")
    for sentence in (problem.message, problem.hint):
        assert sentence[0].isupper()
        assert sentence.endswith(".")


@pytest.mark.parametrize("character", ["\0", "\a", "\x7f"])
def test_a_control_character_is_an_encoding_problem_on_its_line(character: str) -> None:
    """The parser counts bytes; the line is correct after multi-byte characters as well."""
    text = f"a: ääääää\nb: ö{character}\n"
    problem = explain(parser_error(text), text=text, first_line=1)
    assert (problem.code, problem.source) == (Code.ENCODING, ":2")
