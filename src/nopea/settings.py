"""Settings of `nopea run`: one frozen value, filled from flags and `NOPEA_*` by the command line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nopea.logs import Format


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the process is told. Sizes in bytes, durations in seconds."""

    kubeconfig: Path | None = None
    context: str | None = None
    namespace: str | None = None
    """Watch this namespace only; None is the whole cluster."""
    host: str = "0.0.0.0"  # noqa: S104 - kubelet probes reach the pod's address
    port: int = 4000
    log_level: str = "info"
    log_format: Format = "json"
    cache_dir: Path = Path("/var/cache/nopea")
    git_children: int = 2
    git_memory_bytes: int = 512 * 1024 * 1024
    allow_file_urls: bool = False
    shutdown_seconds: float = 25.0
    """All of the drain, from SIGTERM to the end; below terminationGracePeriodSeconds."""
