"""Renderings outlive the process, unless their file is damaged."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nopea.core.api.entries import ChartEntry
from nopea.core.downloads.items import RemoteItem, RemoteKind
from nopea.core.git.source import FileEntry, ParsedDocument, ParsedFile, PathListing
from nopea.core.problem import Code, Problem
from nopea.state.rendering_store import RenderingStore
from nopea.state.store import Rendered

RENDERED = Rendered(
    files={
        "base/web.yaml": ParsedFile(
            documents=(ParsedDocument(index="1", line=1, body=b'{"kind":"ConfigMap"}'),),
            problems=(Problem(code=Code.RENDERED_INVALID, message="It is wrong.", hint="Correct it."),),
        )
    },
    paths=("base/web.yaml", "missing"),
    listing=PathListing(files=(FileEntry("base/web.yaml", "0" * 40, 7),), missing=("missing",)),
    notes=("Left out 1 hook.",),
    items=(RemoteItem(RemoteKind.CHART, "oci://r.example", "web", "^1", source="spec.helm.chart"),),
    bases=("https://git.example/a.git",),
    is_pinned=False,
    chart=ChartEntry(source="oci://r.example/web", version="1.0.0", digest=f"sha256:{'0' * 64}"),
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that does not exist yet."""
    return tmp_path / "cache" / "renderings"


async def test_what_was_put_is_found_by_the_next_process(folder: Path) -> None:
    """With everything in it; nobody else may read the files."""
    await RenderingStore(folder).put("a", RENDERED)

    assert await RenderingStore(folder).get("a") == RENDERED
    assert await RenderingStore(folder).get("b") is None
    assert [_mode(file) for file in _files(folder)] == [0o600]
    assert _mode(folder) == 0o700


@given(at=st.integers(0, 10_000), bit=st.integers(0, 7))
async def test_a_damaged_file_counts_as_missing(
    tmp_path_factory: pytest.TempPathFactory, at: int, bit: int
) -> None:
    """One bit is enough, wherever; and so is a file that ends early."""
    store = RenderingStore(tmp_path_factory.mktemp("damaged"))
    await store.put("a", RENDERED)
    (file,) = _files(store._folder)
    content = bytearray(file.read_bytes())
    at %= len(content)
    content[at] ^= 1 << bit
    file.write_bytes(content)
    assert await store.get("a") is None

    file.write_bytes(content[:at])
    assert await store.get("a") is None


async def test_the_least_recently_used_go_first(folder: Path) -> None:
    """The bound holds for all files together."""
    await RenderingStore(folder).put("a", RENDERED)
    limit = _bytes(folder) * 5 // 2
    store = RenderingStore(folder, limit_bytes=limit)
    for name in ("a", "b", "c"):
        await store.put(name, RENDERED)
        if name == "b":
            assert await store.get("a") == RENDERED

    assert await store.get("b") is None
    assert await store.get("a") == RENDERED
    assert await store.get("c") == RENDERED
    assert _bytes(folder) <= limit


async def test_a_folder_that_cannot_be_written_costs_nothing_else(folder: Path) -> None:
    """The rendering is then made again."""
    store = RenderingStore(_a_file(folder))

    await store.put("a", RENDERED)

    assert await store.get("a") is None


def _files(folder: Path) -> list[Path]:
    return list(folder.iterdir())


def _bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in _files(folder))


def _mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def _a_file(path: Path) -> Path:
    path.parent.mkdir()
    path.write_text("a file")
    return path
