"""What counts as a Kubernetes object, and how lists unfold."""

from __future__ import annotations

from typing import Any

import pytest

from nopea.core.manifests.shape import check, unfold
from nopea.core.problem import Code

OBJECT: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "web", "namespace": "shop"},
}


def test_an_object_passes() -> None:
    """A complete object has no problem."""
    assert check(OBJECT, index="1", line=1) == ()


@pytest.mark.parametrize(
    ("value", "code", "words"),
    [
        ([1], Code.NOT_AN_OBJECT, "no mapping"),
        ("text", Code.NOT_AN_OBJECT, "no mapping"),
        ({"replicas": 1}, Code.NOT_AN_OBJECT, "without apiVersion and kind"),
        ({"kind": "A"}, Code.NOT_AN_OBJECT, "apiVersion"),
        ({"apiVersion": "v1", "kind": ""}, Code.NOT_AN_OBJECT, "kind"),
        ({"apiVersion": 1, "kind": "A"}, Code.NOT_AN_OBJECT, "apiVersion"),
        (OBJECT | {"metadata": None}, Code.OBJECT_METADATA, "metadata is missing"),
        (OBJECT | {"metadata": ["a"]}, Code.OBJECT_METADATA, "metadata is missing or no mapping"),
        (OBJECT | {"metadata": {}}, Code.OBJECT_METADATA, "metadata.name is missing"),
        (OBJECT | {"metadata": {"name": ""}}, Code.OBJECT_METADATA, "metadata.name is missing"),
        (OBJECT | {"metadata": {"name": 1}}, Code.OBJECT_METADATA, "metadata.name is not a text"),
        (OBJECT | {"metadata": {"generateName": "a-"}}, Code.OBJECT_METADATA, "generateName"),
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
def test_what_is_missing_or_of_the_wrong_type_is_named(value: Any, code: Code, words: str) -> None:
    """One problem with its code, the field, the document and a hint."""
    (problem,) = check(value, index="2[0]", line=7)
    assert problem.code is code
    assert words in problem.message
    assert "document 2[0]" in problem.message
    assert problem.source == ":7"
    assert problem.hint


def test_everything_wrong_with_an_object_is_told_at_once() -> None:
    """Problems do not hide each other, name the object, and never show a value."""
    secret = OBJECT | {"kind": "Secret", "data": {"key": 1234567}}
    secret["metadata"] = {"name": "web", "namespace": "shop", "labels": {"a": 1, "b": True}}
    problems = check(secret, index="1", line=1)
    assert len(problems) == 3
    assert {problem.object for problem in problems} == {"Secret shop/web"}
    assert "1234567" not in str(problems)


def test_a_kustomization_says_what_to_do_with_it() -> None:
    """It looks like an object and is none."""
    (problem,) = check(
        {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization"}, index="1", line=1
    )
    assert "kustomize" in problem.hint


def indexes(value: Any) -> list[str]:
    """Return the indexes of what a value unfolds to."""
    return [found.index for found in unfold(value, index="2", line=1)]


def test_lists_unfold_and_lists_in_them_too() -> None:
    """Each item has its list's index and its own position."""
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
def test_what_is_no_list_stays_whole(value: Any) -> None:
    """A kind that ends in List needs items to be one."""
    assert [found.value for found in unfold(value, index="2", line=1)] == [value]


def test_items_of_a_typed_list_take_its_type() -> None:
    """Items that name neither apiVersion nor kind inherit both; others, and items of a plain List, do not."""
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


def test_items_know_their_lines() -> None:
    """Where lines are known they are the items' own."""
    found = unfold({"kind": "List", "items": [OBJECT, OBJECT]}, index="1", line=1, item_lines=(4,))
    assert [item.line for item in found] == [4, 1]
