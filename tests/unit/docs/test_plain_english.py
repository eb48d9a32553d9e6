"""Messages, documentation and comments are plain English: certain invented words are forbidden."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[3]
SOURCES = sorted([*(ROOT / "src").rglob("*.py"), *(ROOT / "lab" / "src").rglob("*.py")])
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "deploy").rglob("*.yaml"),
        *(ROOT / "charts").rglob("*.yaml"),
    ]
)
HOUSE_WORDS = {
    r"put right": "reverted",
    r"(is|was|are|were|be) told of": "is reported",
    r"by itself": "automatically",
    r"wish(es)?\b": "document, desired object",
    r"as Git wants( it| them)?": "in sync",
    r"knows? (it|them|him|her|us) not\b": "does not know",
    r"well again": "recovered",
    r"\banew\b": "again",
    r"(?<!there )\b(is|are|was|were) no "
    r"(?!longer\b|more\b|other\b|later\b|earlier\b|need\b)[a-z]": "is not a",
    r"does not note\b": "does not record",
    r"a person's tool": "a user's tool",
    r"whoever is woken": "the person on call",
    r"the world hears": "CDEvents report",
    r"leave(s)? (it )?to others": "ignore",
    r"\bgoes on\b": "continues",
    r"something else than": "something other than",
    r"twice the same": "duplicate",
}
PATTERN = re.compile("|".join(f"(?:{word})" for word in HOUSE_WORDS), re.IGNORECASE)


def prose(source: Path) -> Iterator[tuple[int, str]]:
    """Yield the string literals, docstrings and comments of a module, with their lines."""
    text = source.read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value
    for number, line in enumerate(text.splitlines(), start=1):
        if (comment := re.search(r"(?:^|\s)#\s(.*)", line)) is not None:
            yield number, comment[1]


def test_no_house_word_in_the_sources() -> None:
    """Messages, docstrings and comments use the words of Kubernetes' documentation."""
    found = [
        f"{source.relative_to(ROOT)}:{line}: {match[0]}"
        for source in SOURCES
        for line, text in prose(source)
        for match in PATTERN.finditer(text)
    ]

    assert found == []


def test_no_house_word_in_the_documentation() -> None:
    """The documentation uses the same words."""
    found = [
        f"{page.relative_to(ROOT)}: {match[0]}"
        for page in PAGES
        for match in PATTERN.finditer(page.read_text(encoding="utf-8"))
    ]

    assert found == []
