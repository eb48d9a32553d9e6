"""Write paths and commands so that they can be pasted into a shell, in any folder."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path


def quoted(path: Path) -> str:
    """Return the path for a shell, with `~` where it fits."""
    home = Path.home()
    if path.is_relative_to(home) and home != Path("/"):
        return f"~/{shlex.quote(str(path.relative_to(home)))}"
    return shlex.quote(str(path))


def this_program() -> str:
    """Return how to call `nopea` as it was called now."""
    called = Path(sys.argv[0]).absolute()
    if called.name != "nopea":
        return f"{quoted(Path(sys.executable))} -m nopea"
    on_path = shutil.which("nopea")
    return "nopea" if on_path and Path(on_path).samefile(called) else quoted(called)
