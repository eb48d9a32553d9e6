"""Splitting a stream into lines."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nopea.kube.errors import ServerError
from nopea.kube.lines import LineSplitter


@given(st.lists(st.binary(min_size=1, max_size=20).filter(lambda b: b.strip() and b"\n" not in b)), st.data())
def test_any_split_gives_the_same_lines(lines: list[bytes], data: st.DataObject) -> None:
    """The lines do not depend on how the stream is split into chunks."""
    stream = b"".join(line + b"\n" for line in lines)
    splitter, read = LineSplitter(), []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        read += splitter.feed(stream[:size])
        stream = stream[size:]

    assert read == lines


def test_empty_lines_are_dropped_and_incomplete_ones_kept() -> None:
    """A line without a newline is returned once it is complete."""
    splitter = LineSplitter()

    assert splitter.feed(b"\n\r\n a\n\nb") == [b" a"]
    assert splitter.feed(b"c\n") == [b"bc"]


@pytest.mark.parametrize(
    "chunks", [[b"x" * 11], [b"x" * 6, b"x" * 6], [b"x" * 11 + b"\n"], [b"x" * 6, b"x" * 6 + b"\n"]]
)
def test_a_line_beyond_the_limit(chunks: list[bytes]) -> None:
    """A line over the limit is an error, complete or not."""
    splitter = LineSplitter(limit=10)
    with pytest.raises(ServerError) as error:
        _feed(splitter, chunks)
    assert error.value.reason == "LineTooBig"


def _feed(splitter: LineSplitter, chunks: list[bytes]) -> None:
    for chunk in chunks:
        splitter.feed(chunk)
