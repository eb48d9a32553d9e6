"""The catalogue of metrics."""

from __future__ import annotations

import pytest

from nopea.metrics import catalogue
from nopea.metrics.catalogue import Metric, Type


def test_every_metric_is_in_one_group() -> None:
    """Each metric is in exactly one group, and names are unique."""
    declared = {value for value in vars(catalogue).values() if isinstance(value, Metric)}
    names = [metric.name for metric in catalogue.ALL]

    assert declared | set(catalogue.PROCESS) == set(catalogue.ALL)
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("metric", catalogue.ALL, ids=lambda metric: metric.name)
def test_counters_end_in_total_and_histograms_have_buckets(metric: Metric) -> None:
    """These are the conventions of Prometheus."""
    assert metric.name.endswith("_total") == (metric.type is Type.COUNTER)
    assert bool(metric.buckets) == (metric.type is Type.HISTOGRAM)
    assert list(metric.buckets) == sorted(metric.buckets)


@pytest.mark.parametrize("metric", catalogue.ALL, ids=lambda metric: metric.name)
def test_no_label_can_grow_without_bound(metric: Metric) -> None:
    """Labels do not contain commits, URLs, messages or objects, nor the scrape's own `namespace`."""
    forbidden = {"commit", "url", "message", "object", "namespace", "name", "path"}
    assert not forbidden & set(metric.labels)
    assert metric.help.endswith(".")
