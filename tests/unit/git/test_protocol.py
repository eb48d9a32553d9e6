"""Frames: split in any way they give the same messages, and invalid ones are refused."""

from __future__ import annotations

import contextlib
from typing import Any

import msgpack  # type: ignore[import-untyped]
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nopea.git.protocol import Decoder, FrameError, FrameTooBigError, check_answer, encode

VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.text(max_size=8)
    | st.binary(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
MESSAGES = st.builds(lambda id_, ok: {"id": id_, "ok": ok}, st.integers(0, 2**32), VALUES)


@settings(deadline=None, max_examples=30)
@given(st.lists(MESSAGES, max_size=4), st.data())
def test_any_split_of_the_stream_gives_the_same_messages(
    messages: list[dict[str, Any]], data: st.DataObject
) -> None:
    """A pipe may split a frame anywhere, even inside the length."""
    stream = b"".join(encode(message) for message in messages)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    decoder = Decoder()

    received: list[dict[str, Any]] = []
    for start, stop in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        received += decoder.feed(stream[start:stop])

    assert received == messages


def test_byte_by_byte() -> None:
    """A message is complete with its last byte."""
    decoder = Decoder()
    frame = encode({"id": 1, "ok": b"\x00\xff"})

    assert [list(decoder.feed(bytes([byte]))) for byte in frame] == [[]] * (len(frame) - 1) + [
        [{"id": 1, "ok": b"\x00\xff"}]
    ]


def test_bytes_and_strings_are_kept() -> None:
    """The content of a file remains bytes, even if it is not UTF-8."""
    (message,) = Decoder().feed(encode({"id": 1, "ok": {"blob": b"caf\xe9", "name": "café"}}))

    assert message["ok"] == {"blob": b"caf\xe9", "name": "café"}


@settings(deadline=None, max_examples=50)
@given(st.binary(max_size=64) | st.binary(max_size=32).map(lambda body: len(body).to_bytes(4, "big") + body))
def test_no_stream_raises_anything_but_a_frame_error(stream: bytes) -> None:
    """An invalid stream affects only its own child."""
    try:
        messages = list(Decoder(limit=32).feed(stream))
    except FrameError:
        return
    assert all(isinstance(message["id"], int) for message in messages)


@pytest.mark.parametrize(
    "body",
    [
        msgpack.packb([1]),
        msgpack.packb({"ok": 1}),
        msgpack.packb({"id": "1"}),
        msgpack.packb({"id": None}),
        b"\x81\x90\x01",  # a map whose key is a list
        b"\xc1",
        msgpack.packb({"id": 1})[:-1],
        msgpack.packb({"id": 1}) + b"\x00",
        b"",
        b"\xa1\xff",
    ],
    ids=repr,
)
def test_an_invalid_message_is_refused(body: bytes) -> None:
    """A message must be one msgpack map with a numeric id."""
    with pytest.raises(FrameError):
        list(Decoder().feed(len(body).to_bytes(4, "big") + body))


def test_a_length_over_the_limit_is_refused() -> None:
    """The frame is refused before its body is read."""
    with pytest.raises(FrameTooBigError, match="over the limit of 10"):
        list(Decoder(limit=10).feed((2**31).to_bytes(4, "big")))


def test_messages_before_an_invalid_one_are_given() -> None:
    """What one read brings together is not lost together."""
    messages = Decoder().feed(encode({"id": 1, "ok": 1}) + b"\0\0\0\1\xc1")

    assert next(messages) == {"id": 1, "ok": 1}
    with pytest.raises(FrameError):
        next(messages)


def test_the_limit_itself_is_allowed() -> None:
    """Encoder and decoder have the same limit."""
    frame = encode({"id": 1, "ok": "x" * 10})
    size = len(frame) - 4

    assert encode({"id": 1, "ok": "x" * 10}, limit=size) == frame
    assert list(Decoder(limit=size).feed(frame)) == [{"id": 1, "ok": "x" * 10}]
    with pytest.raises(FrameTooBigError):
        encode({"id": 1, "ok": "x" * 10}, limit=size - 1)
    with pytest.raises(FrameTooBigError):
        list(Decoder(limit=size - 1).feed(frame))


@pytest.mark.parametrize(
    ("message", "is_answer"),
    [
        ({"id": 1, "ok": {}}, True),
        ({"id": 1, "ok": None}, True),
        ({"id": 1, "err": {"kind": "timeout", "message": "late"}}, True),
        ({"id": 1}, False),
        ({"id": 1, "err": "late"}, False),
        ({"id": 1, "err": {"kind": "timeout"}}, False),
        ({"id": 1, "err": {"kind": "nonsense", "message": "late"}}, False),
        ({"id": 1, "err": {"kind": [], "message": "late"}}, False),
        ({"id": 1, "err": {"kind": "timeout", "message": "late", 2: 3}}, False),
    ],
)
def test_only_a_result_or_an_error_is_an_answer(message: dict[str, Any], is_answer: bool) -> None:
    """Anything else would end the pool, and with it the process."""
    with contextlib.nullcontext() if is_answer else pytest.raises(FrameError):
        check_answer(message)
