"""Where a value is written in a file, for messages."""

from __future__ import annotations

import pytest

from nopea.core.manifests.yaml.positions import Positions, SourceScalar

TEXT = "kind: List\nitems:\n- a: 1\n- metadata:\n    # comment\n    name: n\n    labels: {x: on}\n"


@pytest.mark.parametrize(
    ("path", "written"),
    [
        (("kind",), SourceScalar(line=10, text="List")),
        (("items", 1, "metadata", "name"), SourceScalar(line=15, text="n")),
        (("items", 1, "metadata", "labels", "x"), SourceScalar(line=16, text="on")),
    ],
)
def test_a_scalar_has_its_line_and_its_text(path: tuple[str | int, ...], written: SourceScalar) -> None:
    """Lines count from the document's first line, and the text is as written: `on`, not true."""
    assert Positions(TEXT, first_line=10).find(path) == written


@pytest.mark.parametrize("path", [("items",), ("items", 7), ("missing", "a"), ("kind", "a"), ("items", "a")])
def test_other_paths_have_no_position(path: tuple[str | int, ...]) -> None:
    """Collections and paths that do not exist have no position."""
    assert Positions(TEXT, first_line=1).find(path) is None


@pytest.mark.parametrize("text", ["a: &x 1\nb: &x 2\n", "a: 1\n#" + "x" * 1024 * 1024, ""])
def test_a_document_that_is_not_parsed_again_has_no_positions(text: str) -> None:
    """For documents with a redefined anchor, a megabyte of text or no content the position is unknown."""
    assert Positions(text, first_line=1).find(("a",)) is None
