"""Spellings that mean the same to the API server, and those that do not."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.core.apply.owned import JSON

from nopea.core.apply.equality import Spelling, quantity

POD = Spelling(kind="Pod", built_in=True)
CUSTOM = Spelling(kind="Shop", built_in=False)


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("2000m", 2), ("2", 2), (2, 2), (1.0, 1), ("1.0", 1), ("1Gi", 2**30), ("1024Mi", 2**30),
        ("1e3", 1000), ("1E3", 1000), ("1E", 10**18), ("1k", 1000), (".5", Fraction(1, 2)),
        ("500m", Fraction(1, 2)),
        ("5.", 5), ("-1", -1), ("+1", 1), ("1Ei", 2**60), ("100n", Fraction(1, 10**7)),
        ("1u", Fraction(1, 10**6)),
        (1e22, 10**22), ("1P", 10**15), ("0", 0),
    ],
)  # fmt: skip
def test_quantities(text: Any, amount: Any) -> None:
    """Suffixes of both kinds and exponents, as text or number."""
    assert quantity(text) == amount


@pytest.mark.parametrize(
    "text", ["", "x", "1K", "1 Gi", "1GiB", ".", "1e999", "9" * 41, "٣", True, None, [], {}, "1\n", "0x1"]
)
def test_what_is_no_quantity(text: Any) -> None:
    """What Kubernetes refuses, and what would cost too much to work out, has no amount."""
    assert quantity(text) is None


@pytest.mark.parametrize(
    ("one", "other", "parent", "name"),
    [
        ("2000m", "2", "limits", "cpu"),
        (1, "1", "requests", "cpu"),
        ("1Gi", "1024Mi", "hard", "memory"),
        ("1Gi", "1024Mi", "emptyDir", "sizeLimit"),
        ("1Gi", "1024Mi", "capacity", "storage"),
        ("1000m", "1", "target", "averageValue"),
        ("1000m", 1, "target", "value"),
        (1.0, 1, "spec", "replicas"),
        ("a", "a", "", ""),
        (None, None, "", ""),
        ({"a": None}, {}, "", "x"),
        (None, {}, "metadata", "labels"),
        (None, [], "spec", "args"),
        (None, False, "spec", "hostNetwork"),
        (None, "", "env", "value"),
        (None, 0, "spec", "minReadySeconds"),
        ({"x": {"limits": {"cpu": "1"}}}, {"x": {"limits": {"cpu": "1000m"}}}, "", ""),
        ("QUJD\n", "QUJD", "webhooks", "caBundle"),
    ],
)
def test_same(one: Any, other: Any, parent: str, name: str) -> None:
    """Quantities where quantities stand, zeros that are not stored, and numbers as numbers."""
    assert POD.same(one, other, parent=parent, name=name)
    assert POD.same(other, one, parent=parent, name=name)
    assert POD.holds(one, other, parent=parent, name=name) or one == {}


@pytest.mark.parametrize(
    ("one", "other", "parent", "name"),
    [
        ("2000m", "2", "data", "cpu"),
        (1, "1", "spec", "targetPort"),
        (True, 1, "limits", "cpu"),
        (True, 1, "", ""),
        ("true", True, "", ""),
        (1, 2, "limits", "cpu"),
        ("x", "y", "limits", "cpu"),
        (None, False, "securityContext", "allowPrivilegeEscalation"),
        (None, 0, "spec", "replicas"),
        (None, "", "spec", "storageClassName"),
        (None, {}, "volumes", "emptyDir"),
        (None, "x", "", ""),
        ([1], [1, 2], "", ""),
        ([1], {"0": 1}, "", ""),
        ({}, "", "", ""),
        ("QUJD", "QUJE", "webhooks", "caBundle"),
        ("a\n", "a", "spec", "text"),
    ],
)
def test_not_the_same(one: Any, other: Any, parent: str, name: str) -> None:
    """Other places, other types, zeros that are stored, and empty structs are differences."""
    assert not POD.same(one, other, parent=parent, name=name)
    assert not POD.same(other, one, parent=parent, name=name)


def test_places_depend_on_the_kind() -> None:
    """`max` is a quantity in a LimitRange, `data` base64 in a Secret, and neither elsewhere."""
    limit_range = Spelling(kind="LimitRange", built_in=True)
    secret, config = Spelling(kind="Secret", built_in=True), Spelling(kind="ConfigMap", built_in=True)
    assert limit_range.same("1000m", 1, parent="max", name="cpu")
    assert not POD.same("1000m", 1, parent="max", name="cpu")
    assert secret.same({"data": {"a": "QUJD\nREVG\n"}}, {"data": {"a": "QUJDREVG"}})
    assert config.same({"binaryData": {"a": "QUJD\n"}}, {"binaryData": {"a": "QUJD"}})
    assert not config.same({"data": {"a": "QUJD\n"}}, {"data": {"a": "QUJD"}})


def test_custom_resources_are_stored_as_written() -> None:
    """No zero is left out there and no quantity rewritten, but for the resources of a container."""
    assert CUSTOM.same(None, {}, name="a")
    assert CUSTOM.same(None, [], name="a")
    assert not CUSTOM.same(None, False, name="a")
    assert not CUSTOM.same(None, "", name="a")
    assert not CUSTOM.same("1Gi", "1024Mi", parent="hard", name="a")
    assert CUSTOM.same("1Gi", "1024Mi", parent="limits", name="memory")


def test_what_is_not_declared_does_not_count() -> None:
    """Defaults in a struct are held, also in the items of a list; another number of items is not."""
    declared = {"ports": [{"port": 80}], "tty": False}
    assert POD.holds(declared, {"ports": [{"port": 80, "protocol": "TCP"}], "x": 1})
    assert not POD.holds(declared, {"ports": [{"port": 81}]})
    assert not POD.holds(declared, {"ports": [{"port": 80}, {"port": 81}]})
    assert not POD.same(declared, {"ports": [{"port": 80, "protocol": "TCP"}]})


@pytest.mark.parametrize(
    ("api_version", "built_in"),
    [("v1", True), ("apps/v1", True), ("networking.k8s.io/v1", True), ("gateway.networking.k8s.io/v1", False),
     ("acme.example/v1", False)],
)  # fmt: skip
def test_the_kind_comes_from_the_first_object_that_tells(api_version: str, *, built_in: bool) -> None:
    """A group of its own ending in k8s.io is still a custom one."""
    found = Spelling.of(None, "x", {}, {"apiVersion": api_version, "kind": "Thing"}, {"apiVersion": "x"})
    assert found == Spelling(kind="Thing", built_in=built_in)
    assert Spelling.of(None) == Spelling(kind="", built_in=False)


@settings(deadline=None)
@given(JSON, st.sampled_from([POD, CUSTOM]))
def test_every_value_is_itself(value: Any, spelling: Spelling) -> None:
    """Whatever the shape."""
    assert spelling.same(value, value)
    assert spelling.holds(value, value)


@settings(deadline=None)
@given(JSON, JSON)
def test_sameness_goes_both_ways_and_is_held(one: Any, other: Any) -> None:
    """Order plays no part, and what is the same is held."""
    assert POD.same(one, other) == POD.same(other, one)
    if POD.same(one, other):
        assert POD.holds(one, other)


def test_depth_costs_no_stack() -> None:
    """Values nested a hundred thousand times are compared."""
    one: Any = 1
    other: Any = 1
    for _ in range(100_000):
        one, other = [one], [other]
    assert POD.same(one, other)
    assert not POD.same([one], other)
