"""The base of the API's parts."""

from __future__ import annotations

import msgspec

from nopea.core.api.model import Model


class _Part(Model, frozen=True, kw_only=True):
    two_words: str = ""
    other: int = 0


def test_names_are_camel_case_and_defaults_are_left_out() -> None:
    """As the API server stores them."""
    assert msgspec.to_builtins(_Part(two_words="x")) == {"twoWords": "x"}
