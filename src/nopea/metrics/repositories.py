"""The metrics of the existing repositories. Pure, so it may run in a thread.

Nothing is kept, so a deleted repository has no series.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric as Family

from nopea.core.api.conditions import APPLIED, CONTENDED, DRIFTED, FETCHED, HEALTHY, READY, STALLED
from nopea.core.api.repository import Repository
from nopea.core.api.status import GitRepositoryStatus
from nopea.core.duration import parse_duration
from nopea.core.objects import RepoKey
from nopea.core.problem import Problem
from nopea.core.status.read_only import is_read_only
from nopea.metrics import catalogue
from nopea.metrics.catalogue import Metric

_UNKNOWN_IF_ABSENT = (READY, FETCHED, APPLIED, HEALTHY)
_FALSE_IF_ABSENT = (STALLED, DRIFTED, CONTENDED)


@dataclass(frozen=True, slots=True)
class Known:
    """A repository, its last written status, and when this process last synced it (0: never)."""

    repository: Repository
    status: GitRepositoryStatus
    synced_at: float


def known_of(
    repositories: Iterable[Repository],
    statuses: Mapping[RepoKey, GitRepositoryStatus],
    synced_at: dict[RepoKey, float],
) -> list[Known]:
    """Return a snapshot of the repositories, and remove deleted ones from `synced_at`."""
    snapshot = [
        Known(repository, statuses.get(repository.key, repository.status), synced_at.get(repository.key, 0.0))
        for repository in repositories
    ]
    if len(synced_at) > len(snapshot):
        for key in synced_at.keys() - {known.repository.key for known in snapshot}:
            del synced_at[key]
    return snapshot


def families_of(known: Sequence[Known]) -> Iterator[Family]:
    """Return every family of the catalogue's `OF_REPOSITORIES`."""
    families = {
        metric: GaugeMetricFamily(metric.name, metric.help, labels=metric.labels)
        for metric in catalogue.OF_REPOSITORIES
    }
    families[catalogue.REPOSITORIES].add_metric((), len(known))
    suspended = sum(entry.repository.suspended for entry in known)
    families[catalogue.REPOSITORIES_SUSPENDED].add_metric((), suspended)
    counts: Counter[tuple[str, str]] = Counter(
        {
            (condition, status): 0
            for condition in (*_UNKNOWN_IF_ABSENT, *_FALSE_IF_ABSENT)
            for status in ("True", "False", "Unknown")
        }
    )
    for entry in known:
        conditions = {condition.type: condition.status for condition in entry.status.conditions}
        counts.update(_conditions(conditions))
        key = (entry.repository.key.namespace, entry.repository.key.name)
        for metric, value, *labels in _gauges(entry, conditions):
            families[metric].add_metric((*key, *labels), value)
    for labels_, count in sorted(counts.items()):
        families[catalogue.CONDITIONS].add_metric(labels_, count)
    yield from families.values()


def _conditions(conditions: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for type_ in _UNKNOWN_IF_ABSENT:
        yield type_, conditions.get(type_, "Unknown")
    for type_ in _FALSE_IF_ABSENT:
        yield type_, conditions.get(type_, "False")


def _gauges(known: Known, conditions: Mapping[str, str]) -> Iterator[tuple[Metric, float, *tuple[str, ...]]]:
    """Yield the metrics of one repository: metric, value, and labels besides those of the repository."""
    repository, status = known.repository, known.status
    spec = repository.spec
    policy = "unknown" if isinstance(spec, Problem) else str(spec.heal_policy)
    yield catalogue.REPOSITORY_INFO, 1, policy
    if not is_read_only(status.conditions):  # else nobody expects that it is applied
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
    if known.synced_at:
        yield catalogue.REPOSITORY_LAST_SYNC, known.synced_at
