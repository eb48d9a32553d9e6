"""The documentation is a site: every page is in it, every link leads somewhere, and it works offline."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from docs import generate

ROOT = Path(__file__).parents[3]
PAGES = sorted((ROOT / "docs").rglob("*.md"))
_LOADED = re.compile(r"""<(?:script|img|iframe)[^>]+src=["']?([^"' >]+)|<link[^>]+href=["']?([^"' >]+)""")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site as `make docs` does: a page outside of the navigation or a broken link is an error."""
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_every_page_is_built(site: Path) -> None:
    """Each Markdown file below docs/ is a page."""
    pages = {path.relative_to(ROOT / "docs").with_suffix("") for path in (ROOT / "docs").rglob("*.md")}
    names = {path.with_name("index") if path.name == "README" else path for path in pages}

    assert names <= {path.relative_to(site).with_suffix("") for path in site.rglob("*.html")}


@pytest.mark.parametrize("name", generate.PAGES)
def test_what_comes_from_the_code_is_built(site: Path, name: str) -> None:
    """Each field, option and metric can be linked to; no Markdown is left over."""
    built = (site / "reference" / name).with_suffix(".html").read_text(encoding="utf-8")
    text = re.sub(r"<[^>]+>", "", built)

    for anchor in re.findall(r"\{ #([^ ]+)", generate.page(name)):
        assert f'id="{anchor}"' in built
    assert built.count("<tr>") == len(re.findall(r"^\| (?!---)", generate.page(name), re.MULTILINE))
    assert "{ #" not in text
    assert "| ---" not in text


def test_a_page_loads_nothing_from_elsewhere(site: Path) -> None:
    """Scripts, styles, fonts and pictures come from the site itself: it works offline."""
    loaded = {
        source or style
        for page in site.rglob("*.html")
        for source, style in _LOADED.findall(page.read_text(encoding="utf-8"))
    }

    assert len(loaded) > 3
    assert [target for target in loaded if re.match(r"(https?:)?//", target)] == []


_FENCE = re.compile(r"^( *)(```+).*?^ *\2 *$", re.MULTILINE | re.DOTALL)
_ITEM = re.compile(r"([*-]|\d+\.) .*")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_site_reads_lists_and_code_as_github_does(page: Path) -> None:
    """Inside of an item, code and paragraphs are indented by four spaces; a list follows an empty line."""
    text = page.read_text(encoding="utf-8")
    wrong = [found[0].splitlines()[0] for found in _FENCE.finditer(text) if len(found[1]) % 4]
    before = last = ""
    for line in _FENCE.sub("", text).splitlines():
        in_code = last.startswith("    ")
        if line.strip() and not before and not in_code and (len(line) - len(line.lstrip())) % 4:
            wrong.append(line)
        if _ITEM.fullmatch(line) and before and not _ITEM.fullmatch(before) and not before.startswith(" "):
            wrong.append(line)
        before, last = line, line if line.strip() else last
    assert wrong == []


def test_a_broken_link_fails_the_build(tmp_path: Path) -> None:
    """The build is strict: a link to a heading that does not exist is an error."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text("[gone](other.md#gone)\n")
    (tmp_path / "docs" / "other.md").write_text("# Here\n")
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:")[0]
    (tmp_path / "mkdocs.yml").write_text(text)

    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode != 0
    assert "other.md#gone" in done.stderr + done.stdout


def test_make_builds_it_strictly() -> None:
    """`mkdocs build --quiet` counts no warnings, so that nothing would fail."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    recipe = re.findall(r"^\t.*mkdocs build.*$", makefile, re.MULTILINE)

    assert len(recipe) == 1
    assert "--strict" in recipe[0]
    assert "--quiet" not in recipe[0].partition("#")[0]
