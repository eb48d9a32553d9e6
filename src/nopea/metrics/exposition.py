"""One scrape: looks at everything on the event loop, then renders in a thread what thousands of series need.

Prometheus' text format, or OpenMetrics for a client that asks for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric as Family

from nopea.metrics import live, repositories
from nopea.metrics.catalogue import Metric
from nopea.metrics.live import GaugeReader
from nopea.metrics.repositories import Known


@dataclass(frozen=True, slots=True)
class _Scrape:
    """What the encoder wants: families, each once; without `_created`, which doubles series for nothing."""

    families: tuple[Family, ...]
    known: list[Known]
    registry: CollectorRegistry

    def collect(self) -> Iterator[Family]:
        yield from _without_created(self.registry.collect())
        yield from repositories.families_of(self.known)
        yield from self.families


class Exposition:
    """Answers scrapes one after the other, each from its own picture: many at once would take all threads."""

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
            scrape = _Scrape(tuple(live.families_of(self._readings)), self._repositories(), self._registry)
            return await asyncio.to_thread(encode, scrape), content_type


def _without_created(families: Iterable[Family]) -> Iterator[Family]:
    for family in families:
        family.samples = [sample for sample in family.samples if not sample.name.endswith("_created")]
        yield family
