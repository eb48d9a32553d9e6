"""Build a program from the pinned Go modules, the way that works where no release can be downloaded.

The modules are verified against our go.sum by the Go client. Never leaves a compiler running behind.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from nopea_lab.errors import LabError, tail
from nopea_lab.programs import MODULE_FILES, Module, Program

DEADLINE_SECONDS = 3600.0
GIB = 2**30
MODULE_CACHE_BYTES = 1 * GIB
BUILD_CACHE_BYTES = 2 * GIB
LINKING_BYTES = GIB // 2
_POLL_SECONDS = 0.25
_GRACE_SECONDS = 5.0
_ENV_SECONDS = 30.0
_NEEDED_GO = "1.26"


@dataclass(frozen=True, slots=True, kw_only=True)
class Toolchain:
    """The Go client and its two caches."""

    go: str
    module_cache: Path
    build_cache: Path

    @classmethod
    def find(cls, environment: Mapping[str, str]) -> Toolchain:
        """Return the Go client on the PATH. Raises LabError with where to get it."""
        go = shutil.which("go", path=environment.get("PATH"))
        if go is None:
            raise LabError(
                "The lab's programs must be built, and there is no Go toolchain on the PATH.",
                hint=f"Install Go {_NEEDED_GO} or later (https://go.dev/dl), or set KUBEBUILDER_ASSETS to a "
                "folder with etcd, kube-apiserver, kube-controller-manager and kubectl.",
            )
        command = [go, "env", "GOMODCACHE", "GOCACHE"]
        try:
            done = subprocess.run(
                command,
                capture_output=True,
                text=True,
                timeout=_ENV_SECONDS,
                check=True,
                env=dict(environment),
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise LabError(f"{go} does not work: {error}.", hint="Check the Go installation.") from error
        caches = done.stdout.split("\n")
        return cls(go=go, module_cache=Path(caches[0]), build_cache=Path(caches[1]))


def require_space(needs: Mapping[Path, int]) -> None:
    """Raise LabError when a file system lacks the bytes that the folders on it need together."""
    by_device: dict[int, tuple[Path, int]] = {}
    for folder, size in needs.items():
        place = _existing(folder)
        known, sum_so_far = by_device.get(place.stat().st_dev, (place, 0))
        by_device[place.stat().st_dev] = (known, sum_so_far + size)
    for place, size in by_device.values():
        free = shutil.disk_usage(place).free
        if free < size:
            raise LabError(
                f"The file system of {place} has {free / GIB:.1f} GiB free, "
                f"and the build may need {size / GIB:.1f} GiB.",
                hint="Make room, or point GOCACHE, GOMODCACHE, TMPDIR and XDG_CACHE_HOME to another disk.",
            )


def _existing(folder: Path) -> Path:
    return next(place for place in (folder, *folder.parents) if place.exists())


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """Private copies of the pinned modules, in which programs are built."""

    folder: Path
    toolchain: Toolchain
    environment: Mapping[str, str]

    @classmethod
    @contextmanager
    def opened(cls, toolchain: Toolchain, environment: Mapping[str, str]) -> Iterator[Workshop]:
        """Yield a workshop; its folder is removed afterwards."""
        with tempfile.TemporaryDirectory(prefix="nopea-lab-build-") as name:
            yield cls(folder=Path(name), toolchain=toolchain, environment=environment)

    def build(self, program: Program, into: Path, *, on_seconds: Callable[[float], None]) -> None:
        """Build one program to `into`; `on_seconds` hears how long it has taken. Raises LabError."""
        log = self.folder / f"{program.name}.log"
        command = [self.toolchain.go, "build", *program.module.build_flags, "-o", str(into), program.package]
        child: subprocess.Popen[bytes] | None = None
        try:
            # A session of its own: Ctrl-C is ours to handle, and ending the group ends the compilers too.
            with log.open("wb") as output, _interrupts_held_back():
                child = subprocess.Popen(
                    command,
                    cwd=self._copy(program.module),
                    env=self._environment(),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                )
            exit_code = _await(child, on_seconds)
        finally:
            if child is not None:
                _end_group(child)
        if exit_code:
            raise LabError(
                f"Building {program.name} failed: `go build` ended with exit code {exit_code}.",
                detail=tail(log),
                hint=f"Does `go env GOPROXY` reach a module proxy, and is Go {_NEEDED_GO} or later? What is "
                "built so far is kept; run the same command again to go on.",
            )

    def _copy(self, module: Module) -> Path:
        """Return the copy of a module; the Go client may write there."""
        copy = self.folder / module.name
        copy.mkdir(exist_ok=True)
        for file in MODULE_FILES:
            shutil.copyfile(module.folder / file, copy / file)
        return copy

    def _environment(self) -> dict[str, str]:
        ours = {"CGO_ENABLED": "0", "GOWORK": "off", "GOFLAGS": "-mod=readonly"}
        foreign = ("GOOS", "GOARCH")  # set for somebody's cross build, not for this machine
        return {name: value for name, value in self.environment.items() if name not in foreign} | ours


@contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """Let a Ctrl-C that comes in the block raise at its end: halfway through a start nobody knows the child.

    The child inherits that it does not hear SIGINT; it is ended with SIGTERM.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _await(child: subprocess.Popen[bytes], on_seconds: Callable[[float], None]) -> int:
    began_at = time.monotonic()
    while True:
        try:
            return child.wait(_POLL_SECONDS)
        except subprocess.TimeoutExpired:
            on_seconds(time.monotonic() - began_at)
        if time.monotonic() - began_at > DEADLINE_SECONDS:
            raise LabError(
                f"`go build` did not end within {DEADLINE_SECONDS / 60:.0f} minutes.",
                hint="What is built so far is kept; run the same command again to go on.",
            )


def _end_group(child: subprocess.Popen[bytes]) -> None:
    """End the Go client and the compilers that it started; do nothing when they are done."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if child.poll() is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(_GRACE_SECONDS)
