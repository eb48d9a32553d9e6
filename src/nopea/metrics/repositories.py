"""The repositories that exist, as metrics. Pure: from values to families, so a thread may do it.

A repository that is gone has no series, for nothing is kept here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric as Family

from nopea.core.api.conditions import CONTENDED, DRIFTED, HEALTHY, READY, STALLED
from nopea.core.api.repository import Repository
from nopea.core.api.status import GitRepositoryStatus
from nopea.core.duration import parse_duration
from nopea.core.objects import RepoKey
from nopea.core.problem import Problem
from nopea.metrics import catalogue
from nopea.metrics.catalogue import Metric

_UNKNOWN_IF_ABSENT = (READY, HEALTHY)
_FALSE_IF_ABSENT = (STALLED, DRIFTED, CONTENDED)


@dataclass(frozen=True, slots=True)
class Known:
    """A repository, its status as last written, and when it was last synced (0: not by this process)."""

    repository: Repository
    status: GitRepositoryStatus
    synced_at: float


def known_of(
    repositories: Iterable[Repository],
    statuses: Mapping[RepoKey, GitRepositoryStatus],
    synced_at: dict[RepoKey, float],
) -> list[Known]:
    """Take a picture of the repositories, and forget when those that are gone were synced."""
    pictures = [
        Known(one, statuses.get(one.key, one.status), synced_at.get(one.key, 0.0)) for one in repositories
    ]
    if len(synced_at) > len(pictures):
        for key in synced_at.keys() - {one.repository.key for one in pictures}:
            del synced_at[key]
    return pictures


def families_of(known: Sequence[Known]) -> Iterator[Family]:
    """Return every family of the catalogue's `OF_REPOSITORIES`."""
    families = {
        metric: GaugeMetricFamily(metric.name, metric.help, labels=metric.labels)
        for metric in catalogue.OF_REPOSITORIES
    }
    families[catalogue.REPOSITORIES].add_metric((), len(known))
    suspended = sum(one.repository.suspended for one in known)
    families[catalogue.REPOSITORIES_SUSPENDED].add_metric((), suspended)
    counts: Counter[tuple[str, str]] = Counter(
        {
            (condition, status): 0
            for condition in (*_UNKNOWN_IF_ABSENT, *_FALSE_IF_ABSENT)
            for status in ("True", "False", "Unknown")
        }
    )
    for one in known:
        conditions = {condition.type: condition.status for condition in one.status.conditions}
        counts.update(_conditions(conditions))
        key = (one.repository.key.namespace, one.repository.key.name)
        for metric, value, *labels in _gauges(one, conditions):
            families[metric].add_metric((*key, *labels), value)
    for labels_, count in sorted(counts.items()):
        families[catalogue.CONDITIONS].add_metric(labels_, count)
    yield from families.values()


def _conditions(conditions: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for type_ in _UNKNOWN_IF_ABSENT:
        yield type_, conditions.get(type_, "Unknown")
    for type_ in _FALSE_IF_ABSENT:
        yield type_, conditions.get(type_, "False")


def _gauges(one: Known, conditions: Mapping[str, str]) -> Iterator[tuple[Metric, float, *tuple[str, ...]]]:
    """Return what there is to say of one repository: metric, value, labels beside its own."""
    repository, status = one.repository, one.status
    spec = repository.spec
    policy = "unknown" if isinstance(spec, Problem) else str(spec.heal_policy)
    phase = str(status.phase) if status.phase is not None else "unknown"
    yield catalogue.REPOSITORY_INFO, 1, phase, policy
    yield catalogue.REPOSITORY_READY, conditions.get(READY) == "True"
    if conditions.get(HEALTHY, "Unknown") != "Unknown":
        yield catalogue.REPOSITORY_HEALTHY, conditions[HEALTHY] == "True"
    yield catalogue.REPOSITORY_SUSPENDED, repository.suspended
    if status.resource_count is not None:
        yield catalogue.REPOSITORY_OBJECTS, status.resource_count
    yield catalogue.REPOSITORY_DRIFTED, status.drifted_count or 0
    yield catalogue.REPOSITORY_FAILED, status.failed_count or 0
    yield catalogue.REPOSITORY_FAILURES, status.failures
    if not isinstance(spec, Problem):
        yield catalogue.REPOSITORY_INTERVAL, parse_duration(spec.interval).total_seconds()
    if one.synced_at:
        yield catalogue.REPOSITORY_LAST_SYNC, one.synced_at
