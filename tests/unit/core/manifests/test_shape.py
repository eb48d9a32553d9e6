"""What a Kubernetes object must contain, and how lists are unfolded."""

from __future__ import annotations

from typing import Any

import pytest

from nopea.core.manifests.shape import Found, check, unfold
from nopea.core.manifests.yaml.positions import Positions
from nopea.core.problem import Code, Problem

OBJECT: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "web", "namespace": "shop"},
}


def problems_of(value: Any, *, text: str = "") -> tuple[Problem, ...]:
    """Check a value that starts on line 7, in the first item of document 2."""
    place = Found(value=value, index="2[0]", line=7, source=":7")
    return check(value, place, positions=Positions(text, first_line=7))


def test_a_valid_object_has_no_problem() -> None:
    """An object with apiVersion, kind and name has no problem."""
    assert problems_of(OBJECT) == ()


@pytest.mark.parametrize(
    ("value", "code", "words"),
    [
        ([1], Code.NOT_AN_OBJECT, "not a mapping"),
        ("text", Code.NOT_AN_OBJECT, "not a mapping"),
        ({"replicas": 1}, Code.NOT_AN_OBJECT, "apiVersion and kind are missing"),
        ({"kind": "A"}, Code.NOT_AN_OBJECT, "apiVersion"),
        ({"apiVersion": "v1", "kind": ""}, Code.NOT_AN_OBJECT, "kind"),
        ({"apiVersion": 1, "kind": "A"}, Code.NOT_AN_OBJECT, "apiVersion"),
        (OBJECT | {"metadata": None}, Code.OBJECT_METADATA, "metadata is missing"),
        (OBJECT | {"metadata": ["a"]}, Code.OBJECT_METADATA, "metadata is missing or is not a mapping"),
        (OBJECT | {"metadata": {}}, Code.OBJECT_METADATA, "metadata.name is missing"),
        (OBJECT | {"metadata": {"name": ""}}, Code.OBJECT_METADATA, "metadata.name is missing"),
        (OBJECT | {"metadata": {"name": 1}}, Code.OBJECT_METADATA, "metadata.name is a number, not a string"),
        (OBJECT | {"metadata": {"generateName": "a-"}}, Code.OBJECT_METADATA, "generateName"),
        (
            OBJECT | {"metadata": {"name": "{{ .Release.Name }}"}},
            Code.OBJECT_METADATA,
            "as in a template",
        ),
        ({"apiVersion": "v1", "kind": "List"}, Code.NOT_AN_OBJECT, "The List has no list of items."),
        (
            {"apiVersion": "v1", "kind": "List", "metadata": {"name": "a"}, "items": {}},
            Code.NOT_AN_OBJECT,
            "The List has no list of items.",
        ),
        (
            {"apiVersion": "v1", "kind": "ConfigMapList", "metadata": {}},
            Code.NOT_AN_OBJECT,
            "The ConfigMapList has no list of items.",
        ),
        (
            OBJECT | {"kind": "AllowList", "metadata": {"name": 1}},
            Code.OBJECT_METADATA,
            "metadata.name is a number",
        ),
        (OBJECT | {"metadata": {"name": "a", "namespace": 1}}, Code.OBJECT_METADATA, "metadata.namespace"),
        (OBJECT | {"metadata": {"name": "a", "labels": {"x": 1}}}, Code.OBJECT_METADATA, "metadata.labels.x"),
        (
            OBJECT | {"metadata": {"name": "a", "annotations": "x"}},
            Code.OBJECT_METADATA,
            "metadata.annotations",
        ),
        (OBJECT | {"data": {"port": 8080}}, Code.YAML_VALUE, "data.port"),
        (OBJECT | {"kind": "Secret", "stringData": {"on": True}}, Code.YAML_VALUE, "stringData.on"),
    ],
)
def test_a_missing_field_or_a_wrong_type_is_a_problem(value: Any, code: Code, words: str) -> None:
    """The problem has a code, the field, the line and a hint."""
    (problem,) = problems_of(value)
    assert problem.code is code
    assert words in problem.message
    assert problem.source == ":7"
    assert problem.hint


def test_all_problems_of_an_object_are_reported() -> None:
    """Each problem names the object, and none shows a value."""
    secret = OBJECT | {"kind": "Secret", "data": {"key": 1234567}}
    secret["metadata"] = {"name": "web", "namespace": "shop", "labels": {"a": 1, "b": True}}
    problems = problems_of(secret)
    assert len(problems) == 3
    assert {problem.object for problem in problems} == {"Secret shop/web"}
    assert "1234567" not in str(problems)


def test_nulls_are_left_to_the_api_server() -> None:
    """It stores an empty string for a null in a map of strings, and reads others as absent."""
    metadata = {"name": "a", "namespace": None, "generateName": None, "labels": {"a": None}}
    assert problems_of(OBJECT | {"metadata": metadata, "data": {"a": None}}) == ()


def test_an_unquoted_boolean_is_shown_with_its_line() -> None:
    """In YAML the name `n` is false; the message shows what has to be quoted."""
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: n\n  labels: {on: Yes}\n"
    value = OBJECT | {"metadata": {"name": False, "labels": {"on": True}}}

    name, label = problems_of(value, text=text)

    assert (name.message, name.source) == ("metadata.name: `n` means false in YAML.", ":10")
    assert name.hint == 'Write "n" in quotes.'
    assert (label.message, label.source) == ("metadata.labels.on: `Yes` means true in YAML.", ":11")


def test_values_in_data_are_never_shown() -> None:
    """A wrong value in data is reported with its line, but not shown."""
    text = "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData:\n  key: off\n"
    secret = OBJECT | {"kind": "Secret", "stringData": {"key": False}}

    (problem,) = problems_of(secret, text=text)

    assert (problem.message, problem.source) == ("stringData.key is a boolean, not a string.", ":11")


def indexes(value: Any) -> list[str]:
    """Return the indexes of the objects to which a value unfolds."""
    return [found.index for found in unfold(value, index="2", line=1)]


def test_nested_lists_unfold() -> None:
    """The index of an item contains that of its list and its own position."""
    nested = {
        "apiVersion": "v1",
        "kind": "List",
        "items": [OBJECT, {"kind": "List", "items": [OBJECT, OBJECT]}],
    }
    assert indexes(nested) == ["2[0]", "2[1][0]", "2[1][1]"]
    assert indexes({"kind": "List", "items": None}) == []


@pytest.mark.parametrize(
    "value",
    [
        OBJECT,
        {"kind": "AllowList", "spec": {}},
        {"kind": "Foo", "items": []},
        {"kind": "FooList", "items": 1},
        5,
    ],
)
def test_other_values_do_not_unfold(value: Any) -> None:
    """A kind that ends in List is a list only if it has items."""
    assert [found.value for found in unfold(value, index="2", line=1)] == [value]


def test_items_of_a_typed_list_take_its_type() -> None:
    """Items without apiVersion and kind inherit both; other items and those of a plain List do not."""
    typed = {
        "apiVersion": "v1",
        "kind": "ConfigMapList",
        "items": [{"metadata": {"name": "a"}}, {"kind": "Foo"}],
    }
    assert [found.value for found in unfold(typed, index="1", line=1)] == [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}},
        {"kind": "Foo"},
    ]
    plain = {"apiVersion": "v1", "kind": "List", "items": [{"metadata": {"name": "a"}}]}
    assert [found.value for found in unfold(plain, index="1", line=1)] == [{"metadata": {"name": "a"}}]


def test_items_have_their_lines() -> None:
    """The source of an item is its line, or its index if the line is unknown."""
    found = unfold({"kind": "List", "items": [OBJECT, OBJECT]}, index="1", line=1, item_lines=(4,))
    assert [(item.line, item.source, item.path) for item in found] == [
        (4, ":4", ("items", 0)),
        (1, "#1[1]", ("items", 1)),
    ]
