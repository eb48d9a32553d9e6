"""Links in the documentation have a target."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from docs import generate

ROOT = Path(__file__).parents[3]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`[^`\n]*`")
_LINK = re.compile(r"\]\(([^)\s]+)\)")


def links(page: Path) -> Iterator[str]:
    """Yield the targets of a page's links within this repository."""
    text = _CODE.sub("", _FENCE.sub("", page.read_text(encoding="utf-8")))
    for target in _LINK.findall(text):
        if not re.match(r"[a-z]+:", target):
            yield target


def is_generated(page: Path) -> bool:
    """Return whether a page is made from the code when the site is built."""
    return page.parent == ROOT / "docs" / "reference" and page.name in generate.PAGES


@cache
def anchors(page: Path) -> frozenset[str]:
    """Return the anchors of a page: its headings as GitHub names them, and `<a id>`."""
    text = _FENCE.sub(
        "", generate.page(page.name) if is_generated(page) else page.read_text(encoding="utf-8")
    )
    found: list[str] = re.findall(r'(?:<a id="|\{ #)([^" ]+)', text)
    for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE):
        words = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
        name = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        found.append(name if name not in found else f"{name}-{found.count(name)}")
    return frozenset(found)


def test_the_pages_are_found() -> None:
    """The list of pages is not empty."""
    names = {page.name for page in PAGES}
    assert {"README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "git.md", "spec.md"} <= names


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    """A relative link names a file of the repository, and its anchor a heading in it."""
    broken = []
    for target in links(page):
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if (
            not (file.exists() or is_generated(file))
            or not file.is_relative_to(ROOT)
            or (anchor and (file.suffix != ".md" or anchor not in anchors(file)))
        ):
            broken.append(target)
    assert broken == []
