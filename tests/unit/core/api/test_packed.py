"""Packed fields: records as one short text."""

from __future__ import annotations

import base64
import zlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nopea.core.api.packed import pack, unpack


@given(st.lists(st.tuples(st.text(), st.integers(0, 2**40))))
def test_what_is_packed_is_unpacked(value: list[tuple[str, int]]) -> None:
    """Equal values have equal texts, so that an unchanged status is not written."""
    assert unpack(pack(value), list[tuple[str, int]]) == value
    assert pack(list(value)) == pack(value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "rubbish",
        "bm9uZQ==",
        pack(["a" * 100])[:-8],
        base64.b64encode(zlib.compress(msgspec.msgpack.encode({"of": "another type"}))).decode(),
        base64.b64encode(zlib.compress(b"\x00" * 10_000_000)).decode(),
    ],
)
def test_any_other_text_is_an_error(text: str) -> None:
    """Cut, of another type, or small and enormous once it is unpacked."""
    with pytest.raises(ValueError, match=r"\w"):
        unpack(text, list[str])
