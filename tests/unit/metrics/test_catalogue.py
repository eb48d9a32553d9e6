"""The catalogue of the metrics."""

from __future__ import annotations

import pytest

from nopea.metrics import catalogue
from nopea.metrics.catalogue import Metric, Type


def test_every_metric_is_read_in_one_place() -> None:
    """It is in exactly one of the groups that are read or counted, and its name is unique."""
    declared = {value for value in vars(catalogue).values() if isinstance(value, Metric)}
    names = [metric.name for metric in catalogue.ALL]

    assert declared | set(catalogue.PROCESS) == set(catalogue.ALL)
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("metric", catalogue.ALL, ids=lambda metric: metric.name)
def test_counters_end_in_total_and_histograms_have_buckets(metric: Metric) -> None:
    """As Prometheus expects."""
    assert metric.name.endswith("_total") == (metric.type is Type.COUNTER)
    assert bool(metric.buckets) == (metric.type is Type.HISTOGRAM)
    assert list(metric.buckets) == sorted(metric.buckets)


@pytest.mark.parametrize("metric", catalogue.ALL, ids=lambda metric: metric.name)
def test_no_label_can_grow_without_bound(metric: Metric) -> None:
    """Neither commits nor URLs, messages or objects; `namespace` would clash with that of the scrape."""
    forbidden = {"commit", "url", "message", "object", "namespace", "name", "path"}
    assert not forbidden & set(metric.labels)
    assert metric.help.endswith(".")
