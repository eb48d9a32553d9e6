"""Which part of the process answers which metric: the only place that knows both.

Each answer is a look at something that lives; nothing is counted or kept here.
"""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from nopea import __version__
from nopea.controller.controller import Controller
from nopea.core.notify.delivery import DeliveryStats, DropReason
from nopea.core.objects import RepoKey
from nopea.git.port import GitPort
from nopea.git.settings import GitStatistics
from nopea.informers.object_cache import ObjectCache
from nopea.kube.client import KubeClient
from nopea.kube.events import EventRecorder
from nopea.metrics import catalogue
from nopea.metrics.catalogue import Metric
from nopea.metrics.exposition import GaugeReader, Point, by_label, value
from nopea.metrics.repositories import Known, known_of
from nopea.notify.outbox import Outbox
from nopea.state.repositories import RepositoryStore
from nopea.state.store import StateStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What is looked at."""

    client: KubeClient
    git: GitPort
    events: EventRecorder
    object_cache: ObjectCache
    repositories: RepositoryStore
    store: StateStore
    controller: Controller
    is_ready: Callable[[], bool]
    outboxes: Callable[[], Sequence[Outbox]] = tuple
    """The queues of now: some begin when they are first needed."""


def readings_of(parts: Parts) -> dict[Metric, GaugeReader]:
    """Return the reading of every metric in the catalogue's `LIVE`."""
    git, limiter, object_cache = parts.git, parts.client.limiter, parts.object_cache
    version = (__version__, platform.python_version())
    return {
        catalogue.GIT_RUNNING: value(lambda: git.statistics().running_now),
        catalogue.GIT_CHILDREN: value(lambda: git.statistics().children_now),
        catalogue.GIT_CHILD_STARTS: value(lambda: git.statistics().started),
        catalogue.GIT_CHILD_ENDS: by_label(lambda: child_ends(git.statistics())),
        catalogue.API_RUNNING: value(lambda: limiter.used),
        catalogue.API_ALLOWED: value(lambda: limiter.limit.allowed),
        catalogue.WATCHES: by_label(lambda: object_cache.statistics().watches),
        catalogue.WATCH_LISTS: value(lambda: object_cache.statistics().lists),
        **_sinks(parts.outboxes),
        catalogue.QUEUE_LENGTH: by_label(lambda: _queues(parts)),
        catalogue.EVENTS_DROPPED: value(lambda: parts.events.dropped),
        catalogue.WORKERS: value(lambda: parts.controller.workers),
        catalogue.WORKER_RESTARTS: value(lambda: parts.controller.restarts),
        catalogue.CACHE_BYTES: by_label(lambda: _bytes(parts)),
        catalogue.CACHE_ENTRIES: by_label(lambda: _entries(parts)),
        catalogue.READY: value(lambda: float(parts.is_ready())),
        catalogue.LEADER: value(lambda: 1.0),
        catalogue.BUILD_INFO: lambda: [(version, 1.0)],
    }


def _sinks(outboxes: Callable[[], Sequence[Outbox]]) -> dict[Metric, GaugeReader]:
    def each(read: Callable[[DeliveryStats], float]) -> GaugeReader:
        def summed() -> dict[str, float]:
            sums: dict[str, float] = {}
            for outbox in outboxes():
                sums[outbox.label] = sums.get(outbox.label, 0.0) + read(outbox.stats())
            return sums

        return by_label(summed)

    def dropped() -> list[Point]:
        sums: dict[str, Counter[DropReason]] = {}
        for outbox in outboxes():
            sums.setdefault(outbox.label, Counter()).update(outbox.stats().dropped)
        # all reasons from the beginning: a rate does not see a series' first value
        return [
            ((name, reason.value), counts[reason]) for name, counts in sums.items() for reason in DropReason
        ]

    return {
        catalogue.SINK_DELIVERED: each(lambda stats: stats.delivered),
        catalogue.SINK_DROPPED: dropped,
        catalogue.SINK_RETRIED: each(lambda stats: stats.retried),
        catalogue.SINK_QUEUED: each(lambda stats: stats.queued),
        catalogue.SINK_STOPPED: each(lambda stats: float(stats.stopped)),
    }


def repositories_of(parts: Parts, synced_at: dict[RepoKey, float]) -> list[Known]:
    """Return a picture of all repositories; the status is the one that was written last."""
    states = parts.store.states
    return known_of(parts.repositories.all(), {key: state.status for key, state in states.items()}, synced_at)


def child_ends(counts: GitStatistics) -> Mapping[str, float]:
    """Return how often Git processes ended before their time, by cause."""
    return {"crashed": counts.crashed, "late": counts.killed_late, "memory": counts.killed_big}


def _queues(parts: Parts) -> Mapping[str, float]:
    return {
        "triggers": parts.controller.pending,
        "syncs": parts.controller.waiting,
        "git_operations": parts.git.statistics().queued_now,
        "api_requests": parts.client.limiter.waiting,
        "events": parts.events.queued,
    }


def _bytes(parts: Parts) -> Mapping[str, float]:
    return {
        "manifests": parts.store.manifests.currsize,
        "mirrors": parts.git.statistics().mirror_bytes_now,
    }


def _entries(parts: Parts) -> Mapping[str, float]:
    return {
        "manifests": len(parts.store.manifests),
        "live_objects": parts.object_cache.statistics().objects,
        "repositories": len(parts.store.states),
        "mirrors": parts.git.statistics().mirrors_now,
    }
