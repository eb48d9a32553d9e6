"""ARCHITECTURE.md mentions existing folders and files, and every room of the source."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
SOURCE = ROOT / "src" / "nopea"
TEXT = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
NAMES = set(re.findall(r"`([\w./-]+(?:\.py|/))`", TEXT)) | set(re.findall(r" ([a-z_]+/[\w/]+\.py)\b", TEXT))


def exists(name: str) -> bool:
    """Return whether a path exists: from the root, from the package, or as a file name in any folder."""
    return any((base / name).exists() for base in (ROOT, SOURCE)) or (
        "/" not in name and any(SOURCE.rglob(name))
    )


def test_every_path_exists() -> None:
    """Every folder and file that the page mentions exists."""
    assert len(NAMES) > 60
    assert sorted(name for name in NAMES if not exists(name)) == []


def test_every_room_is_a_row() -> None:
    """Every folder of the source is in a table, with its promise."""
    rooms = [path.parent.relative_to(SOURCE).as_posix() for path in SOURCE.rglob("__init__.py")]
    missing = [
        room for room in rooms if room not in (".", "core/manifests/yaml") and f"| `{room}/`" not in TEXT
    ]

    assert sorted(missing) == []


def test_rooms_are_folders_and_not_lists_of_files() -> None:
    """A room is a folder, so no row contains a list in braces."""
    assert "{" not in TEXT
