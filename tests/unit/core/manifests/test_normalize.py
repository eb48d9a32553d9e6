"""The normal form in which objects are applied, compared and hashed."""

from __future__ import annotations

import copy
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nopea.core.manifests.normalize import normalize

JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)
OBJECTS = st.fixed_dictionaries(
    {"apiVersion": st.just("v1"), "kind": st.sampled_from(["Secret", "ConfigMap"])},
    optional={"metadata": JSON, "data": JSON, "stringData": JSON, "status": JSON, "spec": JSON},
)


@settings(deadline=None)
@given(OBJECTS)
def test_normalizing_is_idempotent_and_pure(raw_object: dict[str, Any]) -> None:
    """The result can be normalized again and is JSON; the input does not change."""
    before = copy.deepcopy(raw_object)
    once = normalize(raw_object)
    assert normalize(once) == once
    assert raw_object == before
    assert orjson.loads(orjson.dumps(once)) == once


def test_fields_of_the_server_are_dropped() -> None:
    """The status and server-set metadata are dropped; fields with the same names elsewhere stay."""
    raw_object = {
        "apiVersion": "v1", "kind": "Foo", "status": {"a": 1},
        "metadata": {
            "name": "a", "creationTimestamp": "2020-01-01T00:00:00Z", "managedFields": [],
            "resourceVersion": "1", "uid": "x", "generation": 1, "selfLink": "/", "deletionTimestamp": "x",
            "labels": {"uid": "y"},
        },
        "spec": {"status": 1, "template": {"metadata": {"creationTimestamp": None, "uid": "z"}}},
    }  # fmt: skip
    assert normalize(raw_object) == {
        "apiVersion": "v1", "kind": "Foo", "metadata": {"name": "a", "labels": {"uid": "y"}},
        "spec": {"status": 1, "template": {"metadata": {"creationTimestamp": None, "uid": "z"}}},
    }  # fmt: skip


def test_nulls_stay() -> None:
    """A null overrides the default of a nullable field, so it is applied as it is."""
    spec: dict[str, Any] = {"a": None, "b": [None, {"c": None, "d": 0}], "e": {}, "f": [], "g": ""}
    assert normalize({"spec": spec}) == {"spec": spec}


@pytest.mark.parametrize(
    ("given_fields", "wanted_fields"),
    [
        ({"stringData": {"a": "ä"}}, {"data": {"a": "w6Q="}}),
        (
            {"stringData": {"a": "x"}, "data": {"a": "eQ==", "b": "eg=="}},
            {"data": {"a": "eA==", "b": "eg=="}},
        ),
        ({"stringData": {"a": 1, "b": "x"}}, {"stringData": {"a": 1}, "data": {"b": "eA=="}}),
        ({"stringData": {}}, {}),
        ({"stringData": None, "data": None}, {"data": None}),
        ({"stringData": {"a": None}, "data": None}, {"data": {"a": ""}}),
        ({"stringData": ["x"]}, {"stringData": ["x"]}),
        ({"stringData": {"a": "x"}, "data": "y"}, {"stringData": {"a": "x"}, "data": "y"}),
    ],
)
def test_string_data_becomes_data(given_fields: dict[str, Any], wanted_fields: dict[str, Any]) -> None:
    """Strings are encoded and override data; other values stay, so that the check can report them."""
    secret = {"apiVersion": "v1", "kind": "Secret"}
    assert normalize(secret | given_fields) == secret | wanted_fields


def test_string_data_of_other_kinds_is_unchanged() -> None:
    """Only the Secret of the core group has stringData."""
    other = {"apiVersion": "acme.example/v1", "kind": "Secret", "stringData": {"a": "x"}}
    assert normalize(other) == other
