"""Find the program that renders. It is built from `renderer/`, and the image has it."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

import nopea

NAME = "nopea-render"
VARIABLE = "NOPEA_RENDERER"


def find_program(environment: Mapping[str, str], *, cache_dir: Path) -> Path | None:
    """Return the program, or None where there is none.

    It is the one that NOPEA_RENDERER names, else the one beside this program, in PATH, or in the cache
    folder. Where NOPEA_RENDERER names none that can be run, there is none.
    """
    if named := environment.get(VARIABLE):
        return _program(Path(named))
    beside = Path(sys.argv[0]).parent, Path(sys.executable).parent
    for folder in beside:
        if (found := _program(folder / NAME)) is not None:
            return found
    in_path = shutil.which(NAME, path=environment.get("PATH", ""))
    return Path(in_path).absolute() if in_path else _program(cache_dir / NAME)


def version_of(program: Path | None) -> str:
    """Return what tells a program, and this package, from another one; empty without a program."""
    if program is None:
        return ""
    file = program.stat()
    return f"{nopea.__version__} {file.st_size} {file.st_mtime_ns}"


def _program(path: Path) -> Path | None:
    return path.absolute() if shutil.which(path.absolute()) else None
