"""Keep renderings in files, so that a process that starts again need not repeat them.

Only the controller reads and writes its folder. What was made with a Secret or a decrypted file must not be
put here.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import time
from pathlib import Path

import msgspec

from nopea import log_events
from nopea.logs import Log
from nopea.state.store import Rendered

log = Log(__name__)
LIMIT_BYTES = 64 * 1024 * 1024
_DIGEST_BYTES = 32
_SUFFIX = ".rendering"


class RenderingStore:
    """Renderings by name; a file that is damaged or of another release counts as missing.

    The least recently used files are deleted beyond `limit_bytes`. An error of the file system is logged and
    costs a rendering, nothing else.
    """

    def __init__(self, folder: Path, *, limit_bytes: int = LIMIT_BYTES) -> None:
        self._folder = folder
        self._limit = limit_bytes
        self._lock = asyncio.Lock()

    async def get(self, name: str) -> Rendered | None:
        """Return a rendering."""
        return await asyncio.to_thread(self._read, name)

    async def put(self, name: str, rendered: Rendered) -> None:
        """Keep a rendering."""
        async with self._lock:
            await asyncio.to_thread(self._write, name, rendered)

    def _read(self, name: str) -> Rendered | None:
        file = self._folder / f"{name}{_SUFFIX}"
        try:
            content = file.read_bytes()
            _touch(file)
        except FileNotFoundError:
            return None
        except OSError as error:
            log.write(log_events.rendering_not_kept, error=str(error))
            return None
        body = content[_DIGEST_BYTES:]
        if hashlib.sha256(body).digest() != content[:_DIGEST_BYTES]:
            return None
        try:
            return msgspec.msgpack.decode(body, type=Rendered)
        except msgspec.DecodeError:
            return None

    def _write(self, name: str, rendered: Rendered) -> None:
        try:
            body = msgspec.msgpack.encode(rendered)
        except (OverflowError, msgspec.MsgspecError) as error:
            log.write(log_events.rendering_not_kept, error=str(error))
            return
        new = self._folder / f"{name}.new"
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            new.touch(mode=0o600)
            new.write_bytes(hashlib.sha256(body).digest() + body)
            _touch(new)
            new.replace(self._folder / f"{name}{_SUFFIX}")
            self._make_room()
        except OSError as error:
            log.write(log_events.rendering_not_kept, error=str(error))
            with contextlib.suppress(OSError):
                new.unlink()

    def _make_room(self) -> None:
        files = [(entry.stat(), Path(entry)) for entry in os.scandir(self._folder)]
        size = sum(stat.st_size for stat, _ in files)
        for stat, file in sorted(files, key=lambda each: each[0].st_mtime_ns):
            if size <= self._limit:
                return
            file.unlink()
            size -= stat.st_size


def _touch(file: Path) -> None:
    """Say that a file is used now; the file system's own clock is too coarse to tell two uses apart."""
    now = time.time_ns()
    os.utime(file, ns=(now, now))
