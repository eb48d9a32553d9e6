"""One child process seen from its parent: start, configure, exchange frames, kill, reap.

It decides nothing about requests; `pool` does. Nothing of a request reaches the child's arguments,
environment or log. What is started is a Git child, or what a subclass says.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from nopea import log_events
from nopea.core.secret import mask_text
from nopea.git.protocol import TEMPORARY, Decoder, FrameError, Op, check_answer, encode
from nopea.git.settings import GitSettings
from nopea.logs import Log
from nopea.tasks import end, spawn

log = Log("nopea.git")

HOMES = ".children"
_START_SECONDS = 30
_READ = 256 * 1024
_LOG_LINE = 500
_LOG_LINES = 200
_CONFIGURE_ID = 0
# Where OpenSSL looks for public authorities; everything else stays out.
_TRUST_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR")


@dataclass(frozen=True, slots=True)
class Trust:
    """Whom a child trusts beside the public authorities; libgit2 keeps both per process.

    Only requests with an equal value share a child. With a namespace it is a child of that one alone.
    """

    ca_crt: str = ""
    known_hosts: str = ""
    namespace: str = ""


OnAnswer = Callable[[dict[str, Any]], None]


class ChildProcess(ABC):
    """A child from its start to its end; `on_answer` gets every answer, in order."""

    kind: ClassVar[str]

    def __init__(self, name: str, cache_dir: Path, *, on_answer: OnAnswer) -> None:
        """Its home will be a folder in `cache_dir`."""
        self.name = name
        self.ready = False
        self._cache_dir = cache_dir
        self._on_answer = on_answer
        self._process: asyncio.subprocess.Process | None = None
        self._unsent: list[bytes] = []
        self._killed = False

    @property
    def _title(self) -> str:
        return f"{self.kind} {self.name}"

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._process.pid if self._process and self._process.returncode is None else None

    def send(self, frame: bytes) -> None:
        """Hand a frame to the child, at the latest when it has been configured; a dead one gets nothing."""
        if self.ready and self._process and self._process.stdin:
            self._process.stdin.write(frame)
        else:
            self._unsent.append(frame)

    def kill(self) -> None:
        """End the child now; `run` returns once it is reaped."""
        self._killed = True
        if self._process is not None and self._process.returncode is None:
            self._process.kill()

    def resident_bytes(self) -> int:
        """Return how much memory it holds now, with the files that it maps; 0 when it has none."""
        return self._statm()[0]

    def private_bytes(self) -> int:
        """Return how much memory is its own: what the kernel cannot drop, and no other child shares."""
        resident, shared = self._statm()
        return resident - shared

    def _statm(self) -> tuple[int, int]:
        with contextlib.suppress(OSError, ValueError, IndexError):
            fields = Path(f"/proc/{self.pid}/statm").read_text(encoding="ascii").split()
            page = os.sysconf("SC_PAGE_SIZE")
            return int(fields[1]) * page, int(fields[2]) * page
        return 0, 0

    async def run(self) -> None:
        """Start the child and carry its answers until it ends or is killed; always reaps it."""
        home = self._cache_dir / HOMES / f"{os.getpid()}-{self.name}"
        try:
            shutil.rmtree(home, ignore_errors=True)
            home.mkdir(parents=True, mode=0o700)
            self._furnish(home)
            self._process = await self._start(home)
            await self._converse(self._process, home)
        except OSError as error:
            log.write(log_events.child_cannot_be_started, child=self._title, error=str(error))
        finally:
            self.ready = False
            await self._reap()
            shutil.rmtree(home, ignore_errors=True)
            if self._process is not None:
                await asyncio.to_thread(_remove_half_made, self._cache_dir, self._process.pid)

    @abstractmethod
    def command(self) -> Sequence[str]:
        """Return the program and its arguments."""

    @abstractmethod
    def environment(self) -> Mapping[str, str]:
        """Return the variables beside HOME; it gets no others."""

    @abstractmethod
    def configuration(self, home: Path) -> dict[str, Any]:
        """Return the fields of the first request."""

    def _furnish(self, home: Path) -> None:  # noqa: B027 — most children need no files
        """Write the files that the child needs into its home."""

    def checked(self, message: dict[str, Any]) -> dict[str, Any]:
        """Return the answer that a message is; raises FrameError for anything else."""
        check_answer(message)
        return message

    async def _start(self, home: Path) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *self.command(),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**self.environment(), "HOME": str(home)},
            cwd=home,
            umask=0o077,
            start_new_session=True,
        )

    async def _converse(self, process: asyncio.subprocess.Process, home: Path) -> None:
        assert process.stdin and process.stdout and process.stderr  # noqa: S101, PT018 — all three are pipes
        if self._killed:
            return
        errors = spawn(self._log_errors(process.stderr), name=f"child {self._title} stderr")
        decoder = Decoder()
        try:
            process.stdin.write(encode({"id": _CONFIGURE_ID, "op": Op.CONFIGURE, **self.configuration(home)}))
            async with asyncio.timeout(_START_SECONDS) as starting:
                while data := await process.stdout.read(_READ):
                    for message in decoder.feed(data):
                        answer = self.checked(message)
                        if answer["id"] == _CONFIGURE_ID:
                            starting.reschedule(None)
                            self._become_ready(process.stdin)
                        else:
                            self._on_answer(answer)
        except FrameError as error:
            log.write(log_events.child_speaks_nonsense, child=self._title, error=str(error))
        except TimeoutError:
            log.write(log_events.child_did_not_start, child=self._title)
        finally:
            await end(errors)

    def _become_ready(self, stdin: asyncio.StreamWriter) -> None:
        self.ready = True
        for frame in self._unsent:
            stdin.write(frame)
        self._unsent.clear()

    async def _log_errors(self, stream: asyncio.StreamReader) -> None:
        """Put the first lines that the child writes on standard error into the debug log; drop the rest."""
        lines = 0
        while data := await stream.read(_READ):
            for line in data.decode(errors="replace").splitlines():
                lines += 1
                if lines <= _LOG_LINES:
                    log.write(log_events.child_output, child=self._title, line=mask_text(line[:_LOG_LINE]))

    async def _reap(self) -> None:
        process = self._process
        if process is None:
            return
        if process.returncode is None:
            process.kill()
        for stream in (process.stdout, process.stderr):
            while stream is not None and await stream.read(_READ):
                pass  # to the end of the pipe, so that its transport closes
        if process.stdin is not None:
            process.stdin.close()
        await process.wait()


class GitProcess(ChildProcess):
    """A child that runs `nopea.git.child`, for requests with one trust."""

    kind = "git"

    def __init__(self, name: str, settings: GitSettings, trust: Trust, *, on_answer: OnAnswer) -> None:
        super().__init__(name, settings.cache_dir, on_answer=on_answer)
        self._settings = settings
        self._trust = trust

    def command(self) -> Sequence[str]:
        """Return Python with its module. It dies with this process."""
        threads = str(self._settings.threads_per_child)
        return sys.executable, "-I", "-m", "nopea.git.child", str(os.getpid()), threads

    def environment(self) -> Mapping[str, str]:
        """Return where TLS finds authorities."""
        trusted = {name: os.environ[name] for name in _TRUST_VARIABLES if name in os.environ}
        return trusted | {"LANG": "C.UTF-8", "MALLOC_ARENA_MAX": "2"}

    def _furnish(self, home: Path) -> None:
        (home / ".ssh").mkdir(mode=0o700)
        (home / ".ssh" / "known_hosts").write_text(self._trust.known_hosts, encoding="utf-8")
        (home / "ca.crt").write_text(self._trust.ca_crt, encoding="utf-8")

    def configuration(self, home: Path) -> dict[str, Any]:
        """Return the limits, and what libgit2 is set to once per process."""
        settings = self._settings
        return {
            "home": str(home),
            "cache": str(settings.cache_dir),
            "file_urls": settings.allow_file_urls,
            "ca_file": str(home / "ca.crt") if self._trust.ca_crt else "",
            "networks": settings.networks,
            "connect_timeout_ms": int(settings.connect_timeout_seconds * 1000),
            "server_timeout_ms": int(settings.server_timeout_seconds * 1000),
            "memory_bytes": settings.memory_bytes,
            "max_fetch_bytes": min(settings.max_fetch_bytes, settings.mirror_bytes),
            "max_mirror_bytes": settings.mirror_bytes,
            "max_file_bytes": settings.max_file_bytes,
            "max_packs": settings.max_packs,
            "max_objects": settings.max_history_objects,
        }


def git_process(settings: GitSettings) -> Callable[..., GitProcess]:
    """Return what makes a Git child of a name and a trust, for a pool."""
    return lambda name, trust, *, on_answer: GitProcess(name, settings, trust, on_answer=on_answer)


def _remove_half_made(cache_dir: Path, pid: int) -> None:
    """Remove the mirrors that a child was making when it was killed: up to a gigabyte each."""
    for path in cache_dir.glob(f"*{TEMPORARY}{pid}-*"):
        shutil.rmtree(path, ignore_errors=True)
