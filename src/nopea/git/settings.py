"""What child processes and the Git port may use: folders, time and size limits. Values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from nopea.core.git.networks import Networks

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolSettings:
    """Settings of a pool of child processes; `cache_dir` belongs to one controller process alone.

    `memory_bytes` bounds each child, `total_memory_bytes` what all together hold for themselves. A network
    request older than `slow_after_seconds` no longer counts against `young_per_child`, so hanging servers do
    not hold up healthy ones. Children start with the pool or, without `starts_early`, with the first request.
    """

    cache_dir: Path
    children: int = 1
    starts_early: bool = True
    quarantine_children: int = 8
    trust_children: int = 8
    memory_bytes: int = 768 * MIB
    total_memory_bytes: int = 1024 * MIB
    slow_after_seconds: float = 1
    young_per_child: int = 16
    threads_per_child: int = 64
    max_abandoned: int = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class GitSettings(PoolSettings):
    """Settings of the Git port.

    `connect_timeout_seconds` and `server_timeout_seconds` are libgit2's own limits on silence; the deadline
    of each call stands above them.
    `disk_bytes` is for all mirrors together, and `free_bytes` stay free in their file system.
    """

    connect_timeout_seconds: float = 10
    server_timeout_seconds: float = 10
    disk_bytes: int = 6 * 1024 * MIB
    free_bytes: int = 128 * MIB
    max_fetch_bytes: int = 1024 * MIB
    max_file_bytes: int = 16 * MIB
    # A mirror with this many packs is cloned again: libgit2 cannot repack one.
    max_packs: int = 50
    # A history with more objects than this is fetched without its past.
    max_history_objects: int = 50_000
    allow_file_urls: bool = False
    networks: Networks = Networks.ANY
    # The variables that name the proxy for https, and what is reached without.
    proxies: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def mirror_bytes(self) -> int:
        """The most that one mirror may have; a bigger one is cloned again."""
        return self.disk_bytes // 4

    @property
    def headroom_bytes(self) -> int:
        """What is kept free of `disk_bytes`, so that a fetch can begin and is measured before all is full."""
        return self.disk_bytes // 16


@dataclass(frozen=True, slots=True, kw_only=True)
class GitStatistics:
    """What the port is doing and has done; counts since the start, except where it says `now`."""

    children_now: int
    running_now: int
    queued_now: int
    abandoned_now: int
    suspects_now: int
    started: int
    crashed: int
    killed_late: int
    killed_big: int
    operations: int
    repeated: int
    mirrors_now: int = 0
    mirror_bytes_now: int = 0
