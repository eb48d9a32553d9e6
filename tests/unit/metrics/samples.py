"""Reading series by name and labels from a real scrape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from prometheus_client.parser import text_string_to_metric_families

Series: TypeAlias = dict[tuple[str, frozenset[tuple[str, str]]], float]


class Scraped:
    """A parsed scrape."""

    def __init__(self, body: bytes) -> None:
        self.families = list(text_string_to_metric_families(body.decode()))
        self._series: Series = {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in self.families
            for sample in family.samples
        }

    def value(self, name: str, **labels: str) -> float | None:
        """Return the value of a series; None if it does not exist."""
        return self._series.get((name, frozenset(labels.items())))

    def all(self, name: str) -> Mapping[frozenset[tuple[str, str]], float]:
        """Return the series of a metric by labels."""
        return {labels: value for (known, labels), value in self._series.items() if known == name}

    def labels(self, name: str) -> set[frozenset[str]]:
        """Return the sets of label names of a metric."""
        return {frozenset(key for key, _ in labels) for labels in self.all(name)}
