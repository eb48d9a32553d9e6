"""The size of a mirror's folder, and what a killed process leaves in it."""

from __future__ import annotations

from pathlib import Path

from nopea.git.folder import occupied, remove_leftovers


def test_the_size_is_what_the_disk_gives(tmp_path: Path) -> None:
    """Blocks count, not lengths: a small file has a whole one, a hole has none; links are not followed."""
    folder = tmp_path / "mirror"
    (folder / "objects").mkdir(parents=True)
    (folder / "objects" / "pack").write_bytes(bytes(100_000))
    empty = occupied(folder)
    (folder / "small").write_bytes(b"x")
    (tmp_path / "big").write_bytes(bytes(1_000_000))
    (folder / "link").symlink_to(tmp_path / "big")
    (folder / "folder").symlink_to(tmp_path)

    assert 100_000 <= empty < 200_000
    assert empty < occupied(folder) < 200_000


def test_what_is_not_there_has_no_size(tmp_path: Path) -> None:
    """A mirror may be deleted while it is measured."""
    assert occupied(tmp_path / "missing") == 0


def test_leftovers_are_removed_and_nothing_else(tmp_path: Path) -> None:
    """Half a pack and locks go; whole packs and refs stay."""
    left = [
        "objects/pack/pack_1a2b3c",
        "shallow.lock",
        "HEAD.lock",
        "refs/heads/main.lock",
        "refs/tags/a/b.lock",
    ]
    kept = [
        "objects/pack/pack-1.pack",
        "objects/pack/pack-1.idx",
        "HEAD",
        "refs/heads/main",
        "refs/tags/a/locked",
    ]
    for name in left + kept:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")

    remove_leftovers(tmp_path)

    assert sorted(
        str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()
    ) == sorted(kept)
