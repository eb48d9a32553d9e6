"""One scrape: reads everything on the event loop, then renders thousands of series in a thread.

Prometheus' text format, or OpenMetrics for a client that accepts it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric as Family

from nopea.metrics import repositories
from nopea.metrics.catalogue import Metric, Type
from nopea.metrics.repositories import Known

Point: TypeAlias = tuple[tuple[str, ...], float]
GaugeReader: TypeAlias = Callable[[], Iterable[Point]]
"""Returns current values by their labels; called on the event loop, so it must be quick."""


def value(read: Callable[[], float]) -> GaugeReader:
    """Return the reader of a metric without labels."""
    return lambda: [((), read())]


def by_label(read: Callable[[], Mapping[str, float]]) -> GaugeReader:
    """Return the reader of a metric with one label."""
    return lambda: [((label,), number) for label, number in read().items()]


def _families_of(readings: Mapping[Metric, GaugeReader]) -> Iterator[Family]:
    """Read all current values."""
    for metric, read in readings.items():
        family: CounterMetricFamily | GaugeMetricFamily = (
            CounterMetricFamily(metric.name, metric.help, labels=metric.labels)
            if metric.type is Type.COUNTER
            else GaugeMetricFamily(metric.name, metric.help, labels=metric.labels)
        )
        for labels, number in read():
            family.add_metric(labels, number)
        yield family


@dataclass(frozen=True, slots=True)
class _Scrape:
    """A registry for the encoder: each family once, without `_created`, which would double the series."""

    families: tuple[Family, ...]
    known: list[Known]
    registry: CollectorRegistry

    def collect(self) -> Iterator[Family]:
        yield from _without_created(self.registry.collect())
        yield from repositories.families_of(self.known)
        yield from self.families


class Exposition:
    """Serves scrapes one after the other, each from its own snapshot: many at once would take all threads."""

    def __init__(
        self,
        registry: CollectorRegistry,
        *,
        readings: Mapping[Metric, GaugeReader],
        repositories: Callable[[], list[Known]],
    ) -> None:
        self._registry = registry
        self._readings = readings
        self._repositories = repositories
        self._turn = asyncio.Lock()

    async def scrape(self, accept: str) -> tuple[bytes, str]:
        """Return the body and its content type for a client's `Accept` header."""
        encode, content_type = choose_encoder(accept)
        async with self._turn:
            scrape = _Scrape(tuple(_families_of(self._readings)), self._repositories(), self._registry)
            return await asyncio.to_thread(encode, scrape), content_type


def _without_created(families: Iterable[Family]) -> Iterator[Family]:
    for family in families:
        family.samples = [sample for sample in family.samples if not sample.name.endswith("_created")]
        yield family
