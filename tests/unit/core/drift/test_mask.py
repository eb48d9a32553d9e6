"""Which values of an object may be shown."""

from __future__ import annotations

import base64
import copy
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.core.apply.owned import JSON

from nopea.core.apply.fieldset import Path
from nopea.core.apply.projection import LAST_APPLIED
from nopea.core.drift.mask import (
    is_secret,
    mask_change,
    mask_object,
    plain_line,
    show,
    show_field,
    without_guesses,
)
from nopea.core.objects import ObjectKey
from nopea.core.secret import Secret

SECRET = ObjectKey("", "Secret", "shop", "key")
CONFIG = ObjectKey("", "ConfigMap", "shop", "key")
COPY = ("f:metadata", "f:annotations", f"f:{LAST_APPLIED}")


def _secret(**fields: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "key"}, "type": "Opaque", **fields}


def test_a_secret_keeps_its_keys_and_loses_its_values() -> None:
    """Not even their size is told; the rest of the object is unchanged."""
    manifest = _secret(data={"password": "aHVudGVyMg==", "empty": ""}, stringData={"pin": "4711!"})
    before = copy.deepcopy(manifest)
    assert mask_object(manifest) == _secret(
        data={"password": "***", "empty": "***"}, stringData={"pin": "***"}
    )
    assert manifest == before


def test_kubectls_last_applied_annotation_is_masked() -> None:
    """The annotation contains a copy of the values."""
    copied = '{"data":{"password":"aHVudGVyMg=="}}'
    manifest = _secret(metadata={"name": "key", "annotations": {LAST_APPLIED: copied, "a": "b"}})
    annotations = mask_object(manifest)["metadata"]["annotations"]
    assert annotations == {LAST_APPLIED: "***", "a": "b"}


def test_other_kinds_are_shown() -> None:
    """A ConfigMap and a Secret of another group are not masked."""
    for head in (
        {"apiVersion": "v1", "kind": "ConfigMap"},
        {"apiVersion": "acme.example/v1", "kind": "Secret"},
    ):
        manifest = {**head, "data": {"a": "b"}}
        assert mask_object(manifest) == manifest
    assert not is_secret(CONFIG, ("f:data", "f:a"))
    assert not is_secret(ObjectKey("acme.example", "Secret", "shop", "a"), ("f:data",))


@pytest.mark.parametrize(
    ("path", "hidden"),
    [
        (("f:data",), True),
        (("f:data", "f:password"), True),
        (("f:stringData", "f:password"), True),
        ((), True),
        (("f:metadata",), True),
        (("f:metadata", "f:annotations"), True),
        (COPY, True),
        (("f:metadata", "f:annotations", "f:a"), False),
        (("f:metadata", "f:labels"), False),
        (("f:type",), False),
    ],
)
def test_which_fields_of_a_secret_are_hidden(path: Path, *, hidden: bool) -> None:
    """The values and all parents that contain them are masked."""
    assert is_secret(SECRET, path) == hidden
    assert ("hunter2" in show_field("hunter2 x", key=SECRET, path=path)) != hidden


@settings(deadline=None)
@given(JSON, JSON, st.sampled_from(["data", "stringData"]))
def test_no_content_of_a_secret_is_ever_shown(value: Any, more: Any, field: str) -> None:
    """No form of output shows a value, whatever its shape."""
    canary = "c0ffee-canary"
    for hidden in (canary, {"a": canary, "b": value}, [canary, value], {"a": {"kind": canary}}):
        manifest = _secret(**{field: hidden}, other=more)
        texts = (
            repr(mask_object(manifest)),
            show_field(manifest, key=SECRET, path=(), limit=10_000),
            show_field(hidden, key=SECRET, path=(f"f:{field}",), limit=10_000),
            show(hidden, secret=True, limit=10_000),
        )
        for text in texts:
            assert canary not in text
            assert base64.b64encode(canary.encode()).decode() not in text


def test_values_are_one_line_of_bounded_length() -> None:
    """Strings are shown as they are, other values as JSON; control characters are escaped."""
    assert show("web:1", secret=False) == "web:1"
    assert show(None, secret=False) == show(None, secret=True) == "(none)"
    assert show(2, secret=False) == "2"
    assert show({"a": [True, None]}, secret=False) == '{"a":[true,null]}'
    assert show("a\nb\x1b[31m", secret=False) == "a\\nb\\x1b[31m"
    assert show("x" * 256, secret=False) == "x" * 256
    assert show("x" * 257, secret=False) == "x" * 255 + "…"
    assert show("abcdef", secret=False, limit=4) == "abc…"
    assert show("hunter2", secret=True) == "***"
    assert show("a", secret=True) == "***"
    assert show(7, secret=True) == "***"
    assert orjson.loads(show({"a": "b!"}, secret=True)) == {"a": "***"}


@settings(deadline=None)
@given(value=JSON, limit=st.integers(1, 300), secret=st.booleans())
def test_every_value_can_be_shown(value: Any, limit: int, *, secret: bool) -> None:
    """The text of any value is printable and within the limit."""
    text = show(value, secret=secret, limit=limit)
    assert len(text) <= max(limit, len("(none)"))
    assert text.isprintable()


def test_values_too_deep_for_json() -> None:
    """A value that is nested too deeply is replaced by a note."""
    deep: Any = "x"
    for _ in range(300):
        deep = [deep]
    assert show(deep, secret=False) == "(nested too deeply to show)"


@given(st.text(), st.text(), st.integers(0, 200))
def test_a_line_is_printable_bounded_and_without_the_secret(before: str, after: str, limit: int) -> None:
    """The line has neither the secret nor control characters, for any text around the secret."""
    shown = plain_line(f"{before}hunter2{after}", Secret("hunter2"), limit=limit)
    assert "hunter2" not in shown
    assert len(shown) <= max(limit, 1)
    assert shown.isprintable()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\n\tb\u00a0 c", "a b c"),
        ("https://deploy:pw@git.acme.example/x?token=abc", "https://***@git.acme.example/x?***"),
        ("to\u200bken-1234", "***"),
        ("token-\x001234", "***"),
        ("x" * 20, "xxxxxxxxx…"),
    ],
)
def test_a_line_for_external_output(text: str, shown: str) -> None:
    """Whitespace is collapsed, URLs lose credentials, and secrets with invisible characters are masked."""
    assert plain_line(text, Secret("token-1234"), limit=10 if text.startswith("x") else 100) == shown


@given(
    st.dictionaries(st.text("ab", min_size=1), st.text("xyz", min_size=6), max_size=4),
    st.dictionaries(st.text("ab", min_size=1), st.text("xyz", min_size=6), max_size=4),
)
def test_a_change_of_a_secret_shows_which_values_differ_and_none_of_them(
    old: dict[str, str], new: dict[str, str]
) -> None:
    """A key that is added or removed is visible, and so is a value that is another one."""
    first, second = (
        {"apiVersion": "v1", "kind": "Secret", "metadata": {}, "data": data} for data in (old, new)
    )

    before, after = mask_change(first, second)

    assert before is not None
    assert (before["data"] == after["data"]) == (old == new)
    assert before["data"].keys() == old.keys()
    assert after["data"].keys() == new.keys()
    shown = set(before["data"].values()) | set(after["data"].values())
    assert shown <= {"***", "*** (before)", "*** (after)"}


def test_a_copy_of_a_secret_in_its_annotations_is_hidden() -> None:
    """Other tools than kubectl keep one too; a ConfigMap is shown as it is."""
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"annotations": {"tool.example/password": "hunter2-hunter2"}},
    }

    assert "hunter2" not in repr(mask_change(secret, secret))
    assert "hunter2" not in repr(mask_change(None, secret))
    assert "hunter2" in repr(mask_change(None, {**secret, "kind": "ConfigMap"}))


LEAVES = st.none() | st.integers(0, 3) | st.sampled_from(["", "x", "token=abc", "A" * 40_000])
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "password", "env", "name", "value"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(old=VALUES, new=VALUES)
def test_what_differs_differs_masked(old: Any, new: Any) -> None:
    """So a change is never hidden, and what is equal never looks changed."""
    before, after = without_guesses({"spec": old}, {"spec": new})

    assert (before == after) == (old == new)
