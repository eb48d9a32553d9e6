"""Content that is too long is truncated step by step, identifiers last."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from nopea.core.cdevents.truncate import CUT, cut, external_text, fit
from nopea.core.secret import Secret


def within(size: int) -> Callable[[Mapping[str, Any], Mapping[str, Any]], bool]:
    """Return whether both fit into so many bytes of JSON."""
    return lambda content, custom: len(orjson.dumps([content, custom])) <= size


def test_what_fits_is_unchanged() -> None:
    """Without a mark."""
    content, custom = {"id": "x", "list": [1, 2]}, {"nopea": {"a": None}}
    assert fit(content, custom, fits=within(1000)) == (content, custom)


def test_what_does_not_fit_is_marked() -> None:
    """Strings end in the mark, lists are shorter, and a fact says so."""
    content, custom = fit({"errors": "x" * 5000, "items": list(range(200))}, {"nopea": {}}, fits=within(4700))

    assert len(content["errors"]) == 4096
    assert content["errors"].endswith(CUT)
    assert content["items"] == list(range(100))
    assert custom == {"nopea": {"truncated": True}}


def test_identifiers_are_truncated_last() -> None:
    """A truncated identifier names something else."""
    content = {"id": "i" * 300, "description": "d" * 5000}
    shorter, _ = fit(content, {}, fits=within(600))
    assert shorter["id"] == content["id"]
    assert len(shorter["description"]) < 300

    nothing_fits, custom = fit(content, {"nopea": {"a": 1}}, fits=lambda *_: False)
    assert len(nothing_fits["id"]) == 256
    assert custom == {"nopea": {"truncated": True}}


def test_the_result_is_always_json() -> None:
    """Lone surrogates and endless nesting are replaced."""
    deep: dict[str, Any] = {}
    for _ in range(50):
        deep = {"a": deep}
    content, _ = fit({"text": "\udc80", "deep": deep, "tuple": ("a",)}, {}, fits=within(10_000))

    assert content["text"] == "?"
    assert content["tuple"] == ["a"]
    assert orjson.dumps(content)


def test_a_cut_string_has_at_most_its_length() -> None:
    """Also if the mark alone is longer."""
    assert cut("short", 5) == "short"
    assert len(cut("x" * 100, 50)) == 50
    assert len(cut("x" * 100, 3)) == 3


def test_external_text_is_masked_before_it_is_cut() -> None:
    """Half a URL would hide what must be masked."""
    assert "hunter2" not in external_text(f"{'a ' * 30}https://ada:hunter2@git.acme.example", 60)
    assert external_text("the token tok-123", 100, Secret("tok-123")) == "the token ***"
