"""The structure of a document: keys, merges, anchors, limits, lines."""

from __future__ import annotations

from typing import Any

import pytest

from nopea.core.manifests.yaml.budget import Budget, YamlLimits
from nopea.core.manifests.yaml.loader import Composed, compose
from nopea.core.problem import Code


def read(text: str, limits: YamlLimits | None = None) -> Composed:
    """Compose a document that starts on line 1."""
    limits = limits or YamlLimits()
    return compose(text, first_line=1, limits=limits, budget=Budget(limits))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: [1, x, {b: }]\n", {"a": [1, "x", {"b": None}]}),
        ("on: 1\n1.5: 2\n'014': 3\n", {"true": 1, "1.5": 2, "014": 3}),
        ("? a\n: b\n", {"a": "b"}),
        ("a: 'yes'\nb: \"1\"\nc: ! 1\nd: !!int '1'\n", {"a": "yes", "b": "1", "c": "1", "d": 1}),
        (
            "a: !foo {b: 1}\nc: !!set {d}\ne: !!omap [f: 1]\n",
            {"a": {"b": 1}, "c": {"d": None}, "e": [{"f": 1}]},
        ),
        ("a: &x {b: 1}\nc: *x\n", {"a": {"b": 1}, "c": {"b": 1}}),
        ("a: &x k\n*x : *x\n", {"a": "k", "k": "k"}),
        ("a: &x 1\nb: &x 2\nc: *x\n", {"a": 1, "b": 2, "c": 2}),
        ("a: &x [&x 1, *x]\nc: *x\n", {"a": [1, 1], "c": 1}),
        ("a: &x\nb: *x\n", {"a": None, "b": None}),
        ("a: &x 1e6\n*x : v\n", {"a": 1000000, "1e+06": "v"}),
        ("a: <<\n", {"a": "<<"}),
        ("hello\n", "hello"),
        ("# nothing\n", None),
        ("a: |\n  x\n\n\nb: |+\n  y\n\nc: >-\n  z\n  z\n", {"a": "x\n", "b": "y\n\n", "c": "z z"}),
    ],
)
def test_a_document_has_kubectls_value(text: str, value: Any) -> None:
    """Collections, tags, anchors and aliases have the same value as in kubectl."""
    composed = read(text)
    assert composed.problems == ()
    assert composed.value == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{<<: *b, x: 9}", {"x": 9, "y0": 2}),
        ("{x: 9, <<: *b}", {"x": 9, "y0": 2}),
        ("{<<: [{x: 2}, *b], z: 3}", {"x": 2, "y0": 2, "z": 3}),
        ("{'<<': *b}", {"<<": {"x": 1, "y0": 2}}),
        ("{!!merge <<: *b}", {"x": 1, "y0": 2}),
        ("{! <<: *b}", {"x": 1, "y0": 2}),
        ("{!foo <<: 1}", {"<<": 1}),
    ],
)
def test_own_keys_win_over_merged_keys(text: str, value: Any) -> None:
    """Own keys win in any order, earlier mappings win over later ones, and a quoted << is an ordinary key."""
    composed = read(f"b: &b {{x: 1, y0: 2}}\nc: {text}\n")
    assert composed.problems == ()
    assert composed.value["c"] == value


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        ("a: 1\na: 2\n", Code.YAML_DUPLICATE_KEY, 2),
        ("a: 1\nb:\n  c: 1\n  'c': 2\n", Code.YAML_DUPLICATE_KEY, 4),
        ("1: a\n'1': b\n", Code.YAML_DUPLICATE_KEY, 2),
        ("b: {<<: {x: 1},\n <<: {z: 1}}\n", Code.YAML_DUPLICATE_KEY, 2),
        ("a: 1\nb: .inf\n", Code.YAML_VALUE, 2),
        ("a: &x .inf\n", Code.YAML_VALUE, 1),
        ("a:\n  ~: 1\n", Code.YAML_VALUE, 2),
        ("a: 1\n? [b]\n: c\n", Code.YAML_VALUE, 2),
        ("a: {{ .Values.x }}\n", Code.YAML_VALUE, 1),
        ("a: &x [1]\n*x : 1\n", Code.YAML_VALUE, 2),
        ("a: !!int abc\n", Code.YAML_VALUE, 1),
        ("a:\n  <<: 5\n", Code.YAML_VALUE, 2),
        ("a:\n  <<:\n", Code.YAML_VALUE, 2),
        ("a: &x [{b: 1}]\nc: {<<: *x}\n", Code.YAML_VALUE, 2),
        ("a: *nope\n", Code.YAML_VALUE, 1),
        ("a: &x\n  b: *x\n", Code.YAML_VALUE, 2),
        ("a: 1\n...\nb: 2\n", Code.YAML_SYNTAX, 3),
        ("a: 1\n...\n---\nb: 2\n", Code.YAML_SYNTAX, 3),
        ("a: {b: 1\nc: 2\n", Code.YAML_SYNTAX, 2),
        ("a: b\x07\n", Code.ENCODING, 1),
    ],
)
def test_an_error_has_its_line_and_code(text: str, code: Code, line: int) -> None:
    """A document with a problem has no value; the problem has a code and the line of the cause."""
    composed = read(text)
    assert composed.value is None
    assert [(problem.code, problem.source) for problem in composed.problems] == [(code, f":{line}")]
    assert all(problem.message and problem.hint for problem in composed.problems)


def test_all_wrong_values_are_reported() -> None:
    """A wrong value does not hide the next one."""
    composed = read("a: .inf\nb: 1\nb: 2\nc: !!int x\n~: 1\n")
    assert [problem.source for problem in composed.problems] == [":1", ":3", ":4", ":5"]


def test_problems_are_bounded() -> None:
    """A document with too many problems is not read further."""
    composed = read("a: 1\n" * 1_000, YamlLimits(problems=10))
    assert len(composed.problems) == 11
    assert composed.problems[-1].code is Code.YAML_LIMIT


@pytest.mark.parametrize("text", ["[" * 6 + "]" * 6, "a: {b: {c: {d: {e: {f: 1}}}}}", "- - - - - - 1"])
def test_depth_is_limited(text: str) -> None:
    """Nesting up to the limit is allowed; one level more is not."""
    assert read(text, YamlLimits(depth=6)).problems == ()
    assert read(text, YamlLimits(depth=5)).problems[0].code is Code.YAML_LIMIT


def test_aliases_cannot_exceed_the_depth() -> None:
    """The depth of an alias counts where it is used."""
    text = "a: &a [[1]]\nb: &b [[*a]]\nc: [*b]\n"
    assert read(text, YamlLimits(depth=6)).value["c"] == [[[[[1]]]]]
    assert read(text, YamlLimits(depth=5)).problems[0].code is Code.YAML_LIMIT


@pytest.mark.parametrize("levels", [4, 9, 30])
def test_a_billion_laughs_is_refused(levels: int) -> None:
    """Anchors that multiply are rejected before they are expanded."""
    lines = ["a0: &a0 [lol,lol,lol,lol,lol,lol,lol,lol,lol]"]
    for level in range(1, levels):
        lines.append(f"a{level}: &a{level} [{','.join([f'*a{level - 1}'] * 9)}]")
    problem = read("\n".join(lines) + "\n").problems[0]
    assert problem.code is Code.YAML_LIMIT
    assert "aliases" in problem.message


def test_the_line_is_where_the_content_starts() -> None:
    """Comments before the first key do not count, and each item has its own line."""
    composed = compose(
        "# comment\n\nkind: List\nitems:\n- a: 1\n- 5\n- b: 1\n",
        first_line=11,
        limits=YamlLimits(),
        budget=Budget(YamlLimits()),
    )
    assert composed.line == 13
    assert composed.item_lines == (15, 17, 17)
