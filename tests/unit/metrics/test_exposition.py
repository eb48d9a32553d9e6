"""Whole scrapes: both formats, parsed strictly, the rules of promlint, and their cost."""

from __future__ import annotations

import asyncio
import re
from typing import Any

from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from tests.fakes.samples import NOW, report, repository
from tests.unit.metrics.samples import Scraped

from nopea import tasks
from nopea.core.api.status import GitRepositoryStatus
from nopea.core.status.transition import Transition
from nopea.metrics import catalogue
from nopea.metrics.catalogue import Type
from nopea.metrics.exposition import Exposition, GaugeReader, by_label, value
from nopea.metrics.instruments import Instruments
from nopea.metrics.repositories import Known

OPENMETRICS = "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"
BASE_UNITS = ("seconds", "bytes", "ratio")
OTHER_UNITS = re.compile(r"_(milliseconds|ms|minutes|hours|days|kilobytes|megabytes|percent|bits)(_|$)")


def reading(metric: catalogue.Metric) -> GaugeReader:
    """Return a reader with the labels of the metric."""
    match len(metric.labels):
        case 0:
            return value(lambda: 1.0)
        case 1:
            return by_label(lambda: {"a": 1.0, "b": 2.0})
        case _:
            return lambda: [(metric.labels, 1.0)]


def exposition(repositories: int = 2) -> Exposition:
    """Return an exposition with a series for every metric."""
    instruments = Instruments()
    instruments.api_request("get", "200", 0.01)
    instruments.git_operation("sync", "ok", 0.1)
    status = GitRepositoryStatus()
    step = Transition(repository=repository(), before=status, after=status, report=report(), at=NOW)
    instruments.on_transition(step)
    known = [Known(repository(f"r{number}"), status, 5.0) for number in range(repositories)]
    return Exposition(
        instruments.registry,
        readings={metric: reading(metric) for metric in catalogue.LIVE},
        repositories=lambda: known,
    )


async def test_the_text_format_is_the_default() -> None:
    """Without an Accept header the response is in the text format."""
    body, content_type = await exposition().scrape("")

    assert content_type.startswith("text/plain; version=")
    assert Scraped(body).value("nopea_repositories") == 2


async def test_openmetrics_on_request() -> None:
    """The strict parser accepts suffixes, order and end mark."""
    body, content_type = await exposition().scrape(OPENMETRICS)

    assert content_type.startswith("application/openmetrics-text")
    families: list[Any] = list(parse_openmetrics(body.decode()))  # type: ignore[no-untyped-call]
    assert "nopea_syncs" in {family.name for family in families}


async def test_names_types_and_help_are_the_catalogues() -> None:
    """Each metric of the catalogue is exposed once, with its type and help."""
    body, _ = await exposition().scrape("")
    text = body.decode()

    helps = dict(re.findall(r"^# HELP (\S+) (.+)$", text, re.MULTILINE))
    types = re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE)
    assert dict(types) == {metric.name: metric.type for metric in catalogue.ALL}
    assert len(types) == len(catalogue.ALL)
    assert {name: helps[name] for name, _ in types} == {metric.name: metric.help for metric in catalogue.ALL}
    assert "_created" not in text


async def test_no_series_is_duplicated() -> None:
    """Prometheus rejects a scrape with duplicates."""
    body, _ = await exposition(20).scrape("")
    series = [line.rpartition(" ")[0] for line in body.decode().splitlines() if not line.startswith("#")]

    assert len(series) == len(set(series))


def test_promlints_rules() -> None:
    """Names, units, suffixes and labels follow the rules of promlint."""
    for metric in catalogue.ALL:
        words = metric.name.split("_")
        assert metric.help, metric.name
        assert re.fullmatch(r"[a-z][a-z0-9_]*", metric.name), metric.name
        assert metric.name.endswith("_total") is (metric.type is Type.COUNTER), metric.name
        assert not OTHER_UNITS.search(metric.name), metric.name
        assert not {"gauge", "counter", "histogram", "summary", "count", "sum", "bucket"} & set(words)
        assert not {"le", "quantile", "job", "instance", "namespace", "pod"} & set(metric.labels)
        if unit := next((word for word in words if word in BASE_UNITS), None):
            assert unit in words[-2:], metric.name
    names = [metric.name for metric in catalogue.ALL]
    assert len(set(names)) == len(names)


async def test_a_big_scrape_does_not_block_the_loop() -> None:
    """A thousand repositories are rendered in a thread, and the event loop continues."""
    big = exposition(1_000)
    turns = 0
    scraping = tasks.spawn(big.scrape(""), name="scrape")
    while not scraping.done():
        turns += 1
        await asyncio.sleep(0.001)

    body, _ = await scraping
    assert body.count(b"nopea_repository_info{") == 1_000
    assert turns >= 3
