"""The folder of a mirror as the file system shows it: what it occupies, and what a killed process left in it.

Parent and child both use it; it knows nothing of libgit2.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

_BLOCK = 512  # the unit of st_blocks, whatever the file system's own is


def occupied(folder: Path) -> int:
    """Return how many bytes of disk a folder and all below it occupy; what cannot be read is left out."""
    total, folders = 0, [str(folder)]
    while folders:
        try:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                    total += entry.stat(follow_symlinks=False).st_blocks * _BLOCK
        except OSError:
            continue
    return total


def remove_leftovers(mirror: Path) -> None:
    """Remove what a killed fetch left: half a pack, and locks that would fail every later fetch.

    Only for who is the only writer of the mirror. No ref can end in `.lock`.
    """
    for pattern in ("objects/pack/pack_*", "*.lock", "refs/**/*.lock"):
        for path in mirror.glob(pattern):
            with contextlib.suppress(OSError):
                path.unlink()
