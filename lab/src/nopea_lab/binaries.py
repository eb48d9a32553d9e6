"""Find the lab's binaries, or get them.

In this order: `KUBEBUILDER_ASSETS`, the user's cache, the official releases, a build from pinned sources.
Never mixes a folder given by the user with binaries of another version, and never shows a half-made file
under its final name.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from nopea_lab.download import OFFICIAL, DownloadError, Releases, fetch
from nopea_lab.errors import LabError
from nopea_lab.files import locked
from nopea_lab.gobuild import (
    BUILD_CACHE_BYTES,
    LINKING_BYTES,
    MODULE_CACHE_BYTES,
    Toolchain,
    Workshop,
    require_space,
)
from nopea_lab.programs import Program, cache_key, programs
from nopea_lab.progress import SILENCE, LabProgress

DOWNLOAD_SWITCH = "NOPEA_LAB_DOWNLOAD"
BINARIES_BYTES = 450 * 2**20
# Somebody else's build from empty caches may take this long on a slow machine.
LOCK_SECONDS = 3600.0
_TEMPORARY_PREFIX = ".making-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Binaries:
    """A folder that holds every program; `origin` says in words where it is from."""

    folder: Path
    origin: str

    def path(self, name: str) -> Path:
        """Return the path of a program by its name."""
        return self.folder / name


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """How to look: with which environment, from which releases (None: do not download), telling whom.

    With `pods` the programs that run Pods are needed too.
    """

    environment: Mapping[str, str]
    releases: Releases | None
    progress: LabProgress
    pods: bool = False

    @property
    def programs(self) -> tuple[Program, ...]:
        """Return what is looked for."""
        return programs(pods=self.pods)

    @classmethod
    def by_environment(
        cls,
        environment: Mapping[str, str] = os.environ,
        *,
        offline: bool = False,
        pods: bool = False,
        progress: LabProgress = SILENCE,
    ) -> Search:
        """Return the usual search; `NOPEA_LAB_DOWNLOAD=0` is the same as `offline`."""
        wanted = environment.get(DOWNLOAD_SWITCH, "1").lower() not in ("0", "false", "no")
        releases = OFFICIAL if wanted and not offline else None
        return cls(environment=environment, releases=releases, progress=progress, pods=pods)

    def ensure(self) -> Binaries:
        """Return the binaries; get them first where they are missing, once per machine.

        Raises LabError that says what was tried. What was got before is kept.
        """
        if found := self.find():
            return found
        folder = cache_folder(self.environment)
        waiting = "Another process gets the lab's programs. Waiting for it."
        with locked(
            folder / "lock", deadline_seconds=LOCK_SECONDS, on_wait=lambda: self.progress.say(waiting)
        ):
            _remove_leftovers(folder)
            reasons = self._download(folder)
            self._build(folder, reasons)
        return Binaries(folder=folder, origin="cache")

    def find(self) -> Binaries | None:
        """Return the binaries that are on this machine already; None when some are missing."""
        if assets := self.environment.get("KUBEBUILDER_ASSETS"):
            absent = missing(Path(assets), self.programs)
            if not absent:
                return Binaries(folder=Path(assets).absolute(), origin="KUBEBUILDER_ASSETS")
            self.progress.say(f"KUBEBUILDER_ASSETS={assets} is ignored because it lacks {', '.join(absent)}.")
        folder = cache_folder(self.environment)
        return None if missing(folder, self.programs) else Binaries(folder=folder, origin="cache")

    def _download(self, folder: Path) -> list[str]:
        """Download what is missing; return why some could not be."""
        if self.releases is None:
            return ["Nothing was downloaded: downloads are switched off."]
        reasons: dict[bool, str] = {}
        for program in self._absent(folder):
            if not program.verifiable or program.archive in reasons:
                continue  # nothing to check it with, or the same host has just failed
            try:
                with _made_whole(folder / program.name) as temporary:
                    fetch(program, temporary, releases=self.releases, on_bytes=self._tell_bytes(program.name))
                self.progress.say(f"✓ {program.name} downloaded")
            except DownloadError as error:
                reasons[program.archive] = f"{program.name} was not downloaded: {error}."
                self.progress.say(reasons[program.archive])
        return list(reasons.values())

    def _build(self, folder: Path, reasons: Sequence[str]) -> None:
        absent = self._absent(folder)
        if not absent:
            return
        try:
            toolchain = Toolchain.find(self.environment)
            self._announce(folder, toolchain, absent)
            with Workshop.opened(toolchain, self.environment) as workshop:
                for program in absent:
                    with _made_whole(folder / program.name) as temporary:
                        workshop.build(program, temporary, on_seconds=self._tell_seconds(program))
                    self.progress.say(f"✓ {program.name} built")
        except LabError as error:
            tried = "\n".join(f"  | {reason}" for reason in reasons)
            raise LabError(
                error.message, detail="\n".join(filter(None, (tried, error.detail))), hint=error.hint
            ) from error

    def _absent(self, folder: Path) -> list[Program]:
        names = missing(folder, self.programs)
        return [program for program in self.programs if program.name in names]

    def _announce(self, folder: Path, toolchain: Toolchain, absent: Sequence[Program]) -> None:
        minutes = max(1, sum(program.build_seconds for program in absent) / 60)
        names = ", ".join(program.name for program in absent)
        self.progress.say(
            f"Building {names} from source, once per machine. "
            f"This takes about {minutes:.0f} min on two cores."
        )
        self.progress.say(
            f"It needs up to 1 GB in {toolchain.module_cache}, about 2 GB in {toolchain.build_cache} "
            f"and 0.4 GB in {folder}."
        )
        require_space(
            {
                toolchain.module_cache: MODULE_CACHE_BYTES,
                toolchain.build_cache: BUILD_CACHE_BYTES,
                Path(tempfile.gettempdir()): LINKING_BYTES,
                folder: BINARIES_BYTES,
            }
        )

    def _tell_seconds(self, program: Program) -> Callable[[float], None]:
        place = self.programs.index(program) + 1
        count = len(self.programs)
        text = f"Building {program.name} ({place} of {count}), about {_spoken(program.build_seconds)}"
        self.progress.say(f"{text} on two cores…")
        return lambda seconds: self.progress.tick(f"  {text}: {seconds:.0f} s so far")

    def _tell_bytes(self, name: str) -> Callable[[int], None]:
        began_at = time.monotonic()
        self.progress.say(f"Downloading {name}…")
        return lambda come: self.progress.tick(
            f"  Downloading {name}: {come / 2**20:.0f} MiB in {time.monotonic() - began_at:.0f} s"
        )


def cache_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Return the folder for this version's binaries, by the XDG base directories."""
    given = Path(environment.get("XDG_CACHE_HOME") or "")
    home = given if given.is_absolute() else Path.home() / ".cache"
    return home / "nopea" / "controlplane" / cache_key()


def missing(folder: Path, wanted: Sequence[Program]) -> list[str]:
    """Return the names of the programs that the folder does not hold as executable files."""
    paths = {program.name: folder / program.name for program in wanted}
    return [name for name, path in paths.items() if not (path.is_file() and os.access(path, os.X_OK))]


def ensure(*, pods: bool = False, progress: LabProgress = SILENCE) -> Binaries:
    """Return the binaries by the usual search; see `Search.ensure`."""
    return Search.by_environment(pods=pods, progress=progress).ensure()


@contextmanager
def _made_whole(path: Path) -> Iterator[Path]:
    """Yield a temporary path; rename it to `path`, executable, unless the block raises."""
    temporary = path.with_name(f"{_TEMPORARY_PREFIX}{path.name}")
    try:
        yield temporary
        temporary.chmod(0o755)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _remove_leftovers(folder: Path) -> None:
    """Remove what a killed process was making; the caller holds the lock, so nobody is making it now."""
    for leftover in folder.glob(f"{_TEMPORARY_PREFIX}*"):
        leftover.unlink()


def _spoken(seconds: int) -> str:
    return f"{seconds / 60:.1f} minutes" if seconds >= 60 else f"{seconds} seconds"
