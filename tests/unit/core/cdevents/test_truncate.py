"""How content that is too long is truncated: step by step, identifiers last."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from nopea.core.cdevents.truncate import CUT, cut, external_text, fit
from nopea.core.secret import Secret


def within(size: int) -> Callable[[Mapping[str, Any], Mapping[str, Any]], bool]:
    """Return whether content and custom data fit into this number of bytes of JSON."""
    return lambda content, custom: len(orjson.dumps([content, custom])) <= size


def test_content_that_fits_is_unchanged() -> None:
    """Content that fits is returned without a mark."""
    content, custom = {"id": "x", "list": [1, 2]}, {"nopea": {"a": None}}
    assert fit(content, custom, fits=within(1000)) == (content, custom)


def test_truncated_content_is_marked() -> None:
    """Strings end with the mark, lists are shorter, and the custom data says that it is truncated."""
    content, custom = fit({"errors": "x" * 5000, "items": list(range(200))}, {"nopea": {}}, fits=within(4700))

    assert len(content["errors"]) == 4096
    assert content["errors"].endswith(CUT)
    assert content["items"] == list(range(100))
    assert custom == {"nopea": {"truncated": True}}


def test_identifiers_are_truncated_last() -> None:
    """A truncated identifier would identify something else."""
    content = {"id": "i" * 300, "description": "d" * 5000}
    shorter, _ = fit(content, {}, fits=within(600))
    assert shorter["id"] == content["id"]
    assert len(shorter["description"]) < 300

    nothing_fits, custom = fit(content, {"nopea": {"a": 1}}, fits=lambda *_: False)
    assert len(nothing_fits["id"]) == 256
    assert custom == {"nopea": {"truncated": True}}


def test_the_result_is_always_json() -> None:
    """Lone surrogates and values that are nested too deeply are replaced."""
    deep: dict[str, Any] = {}
    for _ in range(50):
        deep = {"a": deep}
    content, _ = fit({"text": "\udc80", "deep": deep, "tuple": ("a",)}, {}, fits=within(10_000))

    assert content["text"] == "?"
    assert content["tuple"] == ["a"]
    assert orjson.dumps(content)


def test_a_truncated_string_has_at_most_the_given_length() -> None:
    """The limit holds even if it is shorter than the mark."""
    assert cut("short", 5) == "short"
    assert len(cut("x" * 100, 50)) == 50
    assert len(cut("x" * 100, 3)) == 3


def test_external_text_is_masked_before_it_is_truncated() -> None:
    """In a truncated URL the password would not be recognized."""
    assert "hunter2" not in external_text(f"{'a ' * 30}https://ada:hunter2@git.acme.example", 60)
    assert external_text("the token tok-123", 100, Secret("tok-123")) == "the token ***"
