"""Settings of `nopea run`: one frozen value, filled from flags and `NOPEA_*` by the command line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nopea.core.secret import Secret
from nopea.logs import Format

NO_SECRET = Secret(b"")


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
    webhook_secret: Secret = NO_SECRET
    """Of deliveries to repositories without a secret of their own; comes from the environment only."""
    webhook_secret_file: Path | None = None
    """The same as a file, which wins; it is read again when it changes."""
    webhook_body_limit: int = 2 * 1024 * 1024
    shutdown_seconds: float = 25.0
    """All of the drain, from SIGTERM to the end; below terminationGracePeriodSeconds."""
