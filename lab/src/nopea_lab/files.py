"""Files that other processes look at: written whole or not at all, readable by their owner only, locked.

Never leaves a half-written file under its final name, and never waits for a lock without a deadline.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from nopea_lab.errors import LabError

_POLL_SECONDS = 0.1


def make_private_folder(path: Path) -> Path:
    """Create the folder and its parents, readable by its owner only; return it."""
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.chmod(0o700)
    return path


def write_private(path: Path, text: str) -> None:
    """Write a file of mode 0600 in one step: a reader sees the old text or the new one."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w") as file:
            file.write(text)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def locked(
    path: Path, *, deadline_seconds: float, on_wait: Callable[[], None] = lambda: None
) -> Iterator[None]:
    """Hold an exclusive lock on `path` across processes; the kernel lets go when the holder dies.

    `on_wait` is called once if somebody else holds it. Raises LabError after `deadline_seconds`.
    """
    handle = _take(path, give_up_at=time.monotonic() + deadline_seconds, on_wait=on_wait)
    try:
        yield
    finally:
        os.close(handle)


def _take(path: Path, *, give_up_at: float, on_wait: Callable[[], None]) -> int:
    told = False
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_still(path, handle):
                return handle
        except BlockingIOError:
            if not told:
                on_wait()
                told = True
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)
        if time.monotonic() > give_up_at:
            raise LabError(
                f"Another process holds {path}.", hint="Wait until it is done, or end it, and try again."
            )
        time.sleep(_POLL_SECONDS)


def _is_still(path: Path, handle: int) -> bool:
    """Say whether the locked file is still the one under that name; its folder may have been removed."""
    try:
        now = path.stat()
    except FileNotFoundError:
        return False
    mine = os.fstat(handle)
    return (now.st_dev, now.st_ino) == (mine.st_dev, mine.st_ino)
