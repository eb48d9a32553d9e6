"""Find the control plane's binaries, or get them.

In this order: `KUBEBUILDER_ASSETS`, the user's cache, the official releases, a build from pinned sources.
Never mixes a folder given by the user with binaries of another version.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from nopea.lab.errors import LabError
from nopea.lab.programs import PROGRAM_NAMES, cache_key
from nopea.lab.progress import SILENCE, Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class Binaries:
    """A folder that holds every program; `origin` says in words where it is from."""

    folder: Path
    origin: str

    def path(self, name: str) -> Path:
        """Return the path of a program by its name."""
        return self.folder / name


def cache_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Return the folder for this version's binaries, by the XDG base directories."""
    given = environment.get("XDG_CACHE_HOME") or ""
    home = Path(given) if Path(given).is_absolute() else Path.home() / ".cache"
    return home / "nopea" / "controlplane" / cache_key()


def missing(folder: Path) -> list[str]:
    """Return the programs that the folder does not hold as executable files."""
    paths = {name: folder / name for name in PROGRAM_NAMES}
    return [name for name, path in paths.items() if not (path.is_file() and os.access(path, os.X_OK))]


def find(*, progress: Progress = SILENCE, environment: Mapping[str, str] = os.environ) -> Binaries | None:
    """Return the binaries that are on this machine already; None when there are none."""
    if assets := environment.get("KUBEBUILDER_ASSETS"):
        absent = missing(Path(assets))
        if not absent:
            return Binaries(folder=Path(assets).absolute(), origin="KUBEBUILDER_ASSETS")
        progress.say(f"KUBEBUILDER_ASSETS={assets} is not used: it lacks {', '.join(absent)}")
    folder = cache_folder(environment)
    return None if missing(folder) else Binaries(folder=folder, origin="cache")


def ensure(*, progress: Progress = SILENCE) -> Binaries:
    """Return the binaries."""
    found = find(progress=progress)
    if found is None:
        raise LabError("no control plane binaries", hint="Set KUBEBUILDER_ASSETS.")
    return found
