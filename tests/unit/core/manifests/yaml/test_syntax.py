"""Plain words for what the YAML parser finds."""

from __future__ import annotations

from collections import deque

import pytest
import yaml

from nopea.core.manifests.yaml.syntax import explain
from nopea.core.problem import Code


def parser_error(text: str) -> yaml.YAMLError:
    """Return what the parser itself says about a text."""
    with pytest.raises(yaml.YAMLError) as caught:
        deque(yaml.parse(text, Loader=yaml.CSafeLoader))
    return caught.value


@pytest.mark.parametrize(
    ("text", "words", "line"),
    [
        ("a: b: c\n", "second 'key: value'", 10),
        ("a:\n\tb: 1\n", "cannot start a value", 11),
        ("a: `b\n", "cannot start a value", 10),
        ('a: "b\n', "not closed", 11),
        ("a: [b\nc: d\n", "[list] is not closed", 11),
        ("a: {b: 1\nc: 2\n", "{mapping} is not closed", 11),
        ("a: 1\n b: 2\n", "second 'key: value'", 11),
        ("a: 1\nb\n", "without ':'", 12),
        ("- a\nb: 1\n", "list item is expected", 11),
        ("a: [,]\n", "value is expected", 10),
        ("a: - b\n", "list item starts", 10),
        ("%YAML 1.2\n", "% directive", 11),
        ("a: |\n\tb\n", "tab", 11),
        ('a: "\\q"\n', "escape", 10),
        ("a: !<x y\n", "tag", 10),
    ],
)
def test_an_error_is_told_in_plain_words(text: str, words: str, line: int) -> None:
    """The words are ours, the line is the file's, and there is a hint."""
    problem = explain(parser_error(text), text=text, first_line=10)
    assert problem.code is Code.YAML_SYNTAX
    assert words in problem.message
    assert problem.source == f":{line}"
    assert problem.hint


def test_a_template_is_recognised() -> None:
    """Double braces turn the hint to rendering."""
    text = "a: b: {{ .Values.c }}\n"
    assert "template" in explain(parser_error(text), text=text, first_line=1).hint


@pytest.mark.parametrize("character", ["\0", "\a", "\x7f"])
def test_a_control_character_is_an_encoding_problem_on_its_line(character: str) -> None:
    """The parser counts bytes; the line is right beside characters of several bytes, too."""
    text = f"a: ääääää\nb: ö{character}\n"
    problem = explain(parser_error(text), text=text, first_line=1)
    assert (problem.code, problem.source) == (Code.ENCODING, ":2")
