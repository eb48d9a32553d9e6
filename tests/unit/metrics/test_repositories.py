"""The series of the existing repositories."""

from __future__ import annotations

from typing import Any

import msgspec
from prometheus_client import CollectorRegistry, generate_latest
from tests.fakes.samples import repository
from tests.unit.metrics.samples import Scraped

from nopea.core.api.entries import Condition
from nopea.core.api.status import GitRepositoryStatus
from nopea.core.objects import RepoKey
from nopea.metrics.repositories import Known, families_of, known_of


class _Families:
    def __init__(self, known: list[Known]) -> None:
        self._known = known

    def collect(self) -> Any:
        """Return the metric families for the encoder."""
        return families_of(self._known)


def scraped(*known: Known) -> Scraped:
    """Return the series of these repositories."""
    registry = CollectorRegistry()
    registry.register(_Families(list(known)))
    return Scraped(generate_latest(registry))


def condition(type_: str, status: str) -> Condition:
    """Return a condition."""
    return Condition(
        type=type_, status=status, reason="Acme", message="", last_transition_time="2026-11-24T05:00:00Z"
    )


def known(name: str = "api", *, synced_at: float = 0.0, conditions: Any = (), **status: Any) -> Known:
    """Return a repository with this status."""
    return Known(repository(name), GitRepositoryStatus(conditions=tuple(conditions), **status), synced_at)


API = {"repository_namespace": "shop", "repository": "api"}


def test_a_repository_has_its_own_labels() -> None:
    """The values come from the status that was written last."""
    found = scraped(
        known(
            synced_at=1_795_000_000.0,
            conditions=[condition("Ready", "True"), condition("Healthy", "False")],
            resource_count=7,
            drifted_count=2,
            failures=3,
        )
    )

    assert found.value("nopea_repository_info", **API, heal_policy="auto") == 1.0
    values = {
        name: found.value(f"nopea_repository_{name}", **API)
        for name in ("ready", "healthy", "suspended", "objects", "drifted_objects", "failures")
    }
    assert values == {
        "ready": 1, "healthy": 0, "suspended": 0, "objects": 7, "drifted_objects": 2, "failures": 3,
    }  # fmt: skip
    assert found.value("nopea_repository_interval_seconds", **API) == 300.0
    assert found.value("nopea_repository_last_sync_timestamp_seconds", **API) == 1_795_000_000.0


def test_unknown_values_have_no_series() -> None:
    """Health and counts are unknown until the first sync; Ready is 0."""
    found = scraped(known())

    assert found.value("nopea_repository_ready", **API) == 0.0
    assert found.value("nopea_repository_healthy", **API) is None
    assert found.value("nopea_repository_objects", **API) is None
    assert found.value("nopea_repository_last_sync_timestamp_seconds", **API) is None


def test_what_is_only_planned_is_neither_ready_nor_failing() -> None:
    """An alert about it would wake somebody for what nobody may do; an error is shown as always."""
    planned = msgspec.structs.replace(condition("Ready", "False"), reason="ReadOnly")

    assert scraped(known(conditions=[planned])).value("nopea_repository_ready", **API) is None
    failing = scraped(known(conditions=[condition("Ready", "False")]))
    assert failing.value("nopea_repository_ready", **API) == 0.0


def test_conditions_are_counted_over_all_repositories() -> None:
    """For each condition, the counts of the three statuses add up to the number of repositories."""
    found = scraped(
        known("a", conditions=[condition("Ready", "True")]),
        known("b", conditions=[condition("Ready", "False"), condition("Stalled", "True")]),
        known("c"),
    )

    def counts(type_: str) -> list[float | None]:
        statuses = ("True", "False", "Unknown")
        return [found.value("nopea_repository_conditions", condition=type_, status=one) for one in statuses]

    assert counts("Ready") == [1, 1, 1]
    assert counts("Stalled") == [1, 2, 0]
    assert found.value("nopea_repositories") == 3


def test_an_invalid_spec_has_series() -> None:
    """Its heal policy is `unknown`, and it has no interval."""
    found = scraped(Known(repository("api", url=""), GitRepositoryStatus(), 0.0))

    assert found.value("nopea_repository_info", **API, heal_policy="unknown") == 1.0
    assert found.all("nopea_repository_interval_seconds") == {}


def test_a_deleted_repository_is_forgotten() -> None:
    """Its last sync is removed, so nothing grows without bound."""
    synced_at = {RepoKey("shop", "api"): 5.0, RepoKey("shop", "gone"): 6.0}

    (picture,) = known_of([repository("api")], {}, synced_at)

    assert picture.synced_at == 5.0
    assert synced_at == {RepoKey("shop", "api"): 5.0}
