"""Which values are the same to the API server although they are written differently."""

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
    """Quantities have decimal or binary suffixes or exponents, and may be strings or numbers."""
    assert quantity(text) == amount


@pytest.mark.parametrize(
    "text", ["", "x", "1K", "1 Gi", "1GiB", ".", "1e999", "9" * 41, "٣", True, None, [], {}, "1\n", "0x1"]
)
def test_other_values_are_not_quantities(text: Any) -> None:
    """Values that Kubernetes rejects, and values that are too expensive to compute, are not quantities."""
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
    """Quantities in the fields of quantities, omitted zero values, and equal numbers are the same."""
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
def test_different(one: Any, other: Any, parent: str, name: str) -> None:
    """Other fields, other types, zero values that are stored, and empty structs are different."""
    assert not POD.same(one, other, parent=parent, name=name)
    assert not POD.same(other, one, parent=parent, name=name)


def test_fields_depend_on_the_kind() -> None:
    """`max` is a quantity only in a LimitRange, and `data` is base64 only in a Secret."""
    limit_range = Spelling(kind="LimitRange", built_in=True)
    secret, config = Spelling(kind="Secret", built_in=True), Spelling(kind="ConfigMap", built_in=True)
    assert limit_range.same("1000m", 1, parent="max", name="cpu")
    assert not POD.same("1000m", 1, parent="max", name="cpu")
    assert secret.same({"data": {"a": "QUJD\nREVG\n"}}, {"data": {"a": "QUJDREVG"}})
    assert config.same({"binaryData": {"a": "QUJD\n"}}, {"binaryData": {"a": "QUJD"}})
    assert not config.same({"data": {"a": "QUJD\n"}}, {"data": {"a": "QUJD"}})


def test_custom_resources_are_stored_as_written() -> None:
    """In custom resources only limits and requests are quantities, and zero values are stored."""
    assert CUSTOM.same(None, {}, name="a")
    assert CUSTOM.same(None, [], name="a")
    assert not CUSTOM.same(None, False, name="a")
    assert not CUSTOM.same(None, "", name="a")
    assert not CUSTOM.same("1Gi", "1024Mi", parent="hard", name="a")
    assert CUSTOM.same("1Gi", "1024Mi", parent="limits", name="memory")


def test_undeclared_fields_are_ignored() -> None:
    """Defaults in a struct or list item do not matter; another number of items does."""
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
def test_the_kind_comes_from_the_first_object_that_has_one(api_version: str, *, built_in: bool) -> None:
    """A custom group may end in k8s.io too."""
    found = Spelling.of(None, "x", {}, {"apiVersion": api_version, "kind": "Thing"}, {"apiVersion": "x"})
    assert found == Spelling(kind="Thing", built_in=built_in)
    assert Spelling.of(None) == Spelling(kind="", built_in=False)


@settings(deadline=None)
@given(JSON, st.sampled_from([POD, CUSTOM]))
def test_every_value_equals_itself(value: Any, spelling: Spelling) -> None:
    """Any value is the same as itself."""
    assert spelling.same(value, value)
    assert spelling.holds(value, value)


@settings(deadline=None)
@given(JSON, JSON)
def test_sameness_is_symmetric_and_implies_holds(one: Any, other: Any) -> None:
    """The order of the values does not matter, and a value holds whatever is the same."""
    assert POD.same(one, other) == POD.same(other, one)
    if POD.same(one, other):
        assert POD.holds(one, other)


def test_deep_values_do_not_overflow_the_stack() -> None:
    """Values with a hundred thousand levels are compared."""
    one: Any = 1
    other: Any = 1
    for _ in range(100_000):
        one, other = [one], [other]
    assert POD.same(one, other)
    assert not POD.same([one], other)
