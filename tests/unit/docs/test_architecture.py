"""ARCHITECTURE.md names folders and files that exist, and every room of the source."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
SOURCE = ROOT / "src" / "nopea"
TEXT = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
NAMES = set(re.findall(r"`([\w./-]+(?:\.py|/))`", TEXT)) | set(re.findall(r" ([a-z_]+/[\w/]+\.py)\b", TEXT))


def exists(name: str) -> bool:
    """Return whether a path is there: from the root, from the package, or as a file name in some room."""
    return any((base / name).exists() for base in (ROOT, SOURCE)) or (
        "/" not in name and any(SOURCE.rglob(name))
    )


def test_every_path_exists() -> None:
    """A reader who follows the page arrives somewhere."""
    assert len(NAMES) > 60
    assert sorted(name for name in NAMES if not exists(name)) == []


def test_every_room_is_a_row() -> None:
    """Every folder of the source stands in a table, with its promise."""
    rooms = [path.parent.relative_to(SOURCE).as_posix() for path in SOURCE.rglob("__init__.py")]
    missing = [
        room for room in rooms if room not in (".", "core/manifests/yaml") and f"| `{room}/`" not in TEXT
    ]

    assert sorted(missing) == []


def test_rooms_are_folders_and_not_lists_of_files() -> None:
    """A row that needs braces describes a room that is not there."""
    assert "{" not in TEXT
