"""Which Kubernetes Events are about a GitRepository, and what they say."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from tests.unit.cli.conftest import Commands

from nopea.cli.reported_events import parse_event, read_events
from nopea.core.objects import ObjectKey, RepoKey
from nopea.kube.errors import ApiFailure, ForbiddenError
from nopea.kube.event_body import EVENTS

FORBIDDEN = ForbiddenError(ApiFailure(code=403, message="events is forbidden"))
REGARDING = {"apiVersion": "nopea.io/v1alpha1", "kind": "GitRepository", "namespace": "shop", "name": "api"}


def raw_event(name: str = "api.1", **changes: Any) -> dict[str, Any]:
    """Return an Event as the API server sends it."""
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": "shop"},
        "eventTime": "2026-11-24T05:00:00.250000Z",
        "type": "Warning",
        "reason": "Invalid",
        "action": "Sync",
        "note": "NOPEA-K003: refused",
        "regarding": REGARDING,
        **changes,
    }


def test_a_series_has_a_count_and_a_last_time() -> None:
    """A single Event happened once."""
    once = parse_event(raw_event())
    series = parse_event(raw_event(series={"count": 4, "lastObservedTime": "2026-11-24T05:09:00.000000Z"}))

    assert once is not None
    assert series is not None
    assert (once.count, once.first, once.last) == (1, once.last, once.first)
    assert (series.count, series.last) == (4, datetime(2026, 11, 24, 5, 9, tzinfo=UTC))
    assert (series.repository, series.warning, series.note) == (
        RepoKey("shop", "api"),
        True,
        "NOPEA-K003: refused",
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"regarding": {**REGARDING, "apiVersion": "source.toolkit.fluxcd.io/v1"}},
        {"regarding": {**REGARDING, "kind": "Inventory"}},
        {"eventTime": None},
    ],
)
def test_others_are_left_out(changes: dict[str, Any]) -> None:
    """Flux has a kind of the same name."""
    assert parse_event(raw_event(**changes)) is None


async def test_events_are_read_by_name(commands: Commands) -> None:
    """Or all of a namespace; who may not list them gets a hint."""
    other = raw_event("web.1", regarding={**REGARDING, "name": "web"})
    for event in (raw_event(), other):
        key = ObjectKey("events.k8s.io", "Event", "shop", event["metadata"]["name"])
        commands.cluster.objects[key] = event
    client = commands.cluster.client

    assert len(await read_events(client, "shop")) == 2
    assert [each.repository.name for each in await read_events(client, "shop", name="web")] == ["web"]


async def test_without_the_right_to_list_events(
    commands: Commands, capsys: pytest.CaptureFixture[str]
) -> None:
    """The status is still shown, and a hint says what is missing."""
    commands.cluster.fail_next("list", EVENTS, FORBIDDEN)

    assert await read_events(commands.cluster.client, "shop") == []
    assert capsys.readouterr().err == (
        "→ You may not list events.events.k8s.io in shop; this is what the status remembers.\n"
    )
