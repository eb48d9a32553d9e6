"""The parts of the process as metrics: each is asked at the scrape for what it is at that moment."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeAlias

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric as Family

from nopea.metrics.catalogue import Metric, Type

Point: TypeAlias = tuple[tuple[str, ...], float]
GaugeReader: TypeAlias = Callable[[], Iterable[Point]]
"""Returns values by their labels; called on the event loop, so it looks and does not search."""


def value(read: Callable[[], float]) -> GaugeReader:
    """Return the reading of a metric without labels."""
    return lambda: [((), read())]


def by_label(read: Callable[[], Mapping[str, float]]) -> GaugeReader:
    """Return the reading of a metric with one label."""
    return lambda: [((label,), number) for label, number in read().items()]


def families_of(readings: Mapping[Metric, GaugeReader]) -> Iterator[Family]:
    """Ask everyone now."""
    for metric, read in readings.items():
        family: CounterMetricFamily | GaugeMetricFamily = (
            CounterMetricFamily(metric.name, metric.help, labels=metric.labels)
            if metric.type is Type.COUNTER
            else GaugeMetricFamily(metric.name, metric.help, labels=metric.labels)
        )
        for labels, number in read():
            family.add_metric(labels, number)
        yield family
