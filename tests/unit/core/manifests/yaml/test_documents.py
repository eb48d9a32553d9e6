"""How a file is split into documents."""

from __future__ import annotations

import pytest

from nopea.core.manifests.yaml.documents import split


@pytest.mark.parametrize("separator", ["---", "--- # comment", "---   ", "---\t", "---\r"])
def test_a_line_of_three_dashes_separates(separator: str) -> None:
    """Whitespace and comments may follow the dashes."""
    documents = list(split(f"a: 1\n{separator}\nb: 2\n"))
    assert [document.text for document in documents] == ["a: 1\n", "b: 2\n"]
    assert not any(document.bad_separator for document in documents)


@pytest.mark.parametrize("separator", ["---foo", "----", "--- {a: 1}", "--- |"])
def test_anything_else_after_the_dashes_is_marked(separator: str) -> None:
    """The document after such a line is marked."""
    assert [document.bad_separator for document in split(f"a: 1\n{separator}\nb: 2\n")] == [False, True]


def test_documents_are_numbered_as_a_reader_counts_them() -> None:
    """Comments before the first `---` are not a document; later empty documents are counted."""
    text = "# licence\n---\na: 1\n---\n# nothing\n---\nb: 2\n"
    found = [(document.number, document.line, document.has_content) for document in split(text)]
    assert found == [(1, 3, True), (2, 5, False), (3, 7, True)]


def test_an_indented_separator_is_text() -> None:
    """Dashes separate documents only in the first column."""
    assert len(list(split("a: |\n  x\n  ---\n  y\n"))) == 1


def test_every_document_ends_with_a_newline_and_has_no_byte_order_mark() -> None:
    """A block scalar at the end of a document keeps its newline."""
    assert [document.text for document in split("a: |\n  x\n---\n\ufeffb: |\n  y")] == [
        "a: |\n  x\n",
        "b: |\n  y\n",
    ]
