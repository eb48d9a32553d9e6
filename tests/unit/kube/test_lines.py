"""Lines out of any split of a stream."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nopea.kube.errors import ServerError
from nopea.kube.lines import LineSplitter


@given(st.lists(st.binary(min_size=1, max_size=20).filter(lambda b: b.strip() and b"\n" not in b)), st.data())
def test_any_split_gives_the_same_lines(lines: list[bytes], data: st.DataObject) -> None:
    """However the bytes are cut into chunks, the same lines come out."""
    stream = b"".join(line + b"\n" for line in lines)
    splitter, read = LineSplitter(), []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        read += splitter.feed(stream[:size])
        stream = stream[size:]

    assert read == lines


def test_empty_lines_are_dropped_and_an_unfinished_one_waits() -> None:
    """Blank lines are nothing; a line without its newline is not given."""
    splitter = LineSplitter()

    assert splitter.feed(b"\n\r\n a\n\nb") == [b" a"]
    assert splitter.feed(b"c\n") == [b"bc"]


@pytest.mark.parametrize(
    "chunks", [[b"x" * 11], [b"x" * 6, b"x" * 6], [b"x" * 11 + b"\n"], [b"x" * 6, b"x" * 6 + b"\n"]]
)
def test_a_line_beyond_the_limit(chunks: list[bytes]) -> None:
    """A line longer than the limit is an error, finished or not."""
    splitter = LineSplitter(limit=10)
    with pytest.raises(ServerError) as error:
        _feed(splitter, chunks)
    assert error.value.reason == "LineTooBig"


def _feed(splitter: LineSplitter, chunks: list[bytes]) -> None:
    for chunk in chunks:
        splitter.feed(chunk)
