"""The receivers of `spec.notify`."""

from __future__ import annotations

from typing import Any

import pytest
from tests.fakes.cluster import FakeCluster
from tests.unit.cli.doctor.test_named_objects import FORBIDDEN
from tests.unit.cli.doctor.test_secrets import read, repository, store_secret

from nopea.cli.doctor.finding import Finding, Verdict
from nopea.cli.doctor.receivers import examine_receivers
from nopea.core.api.repository import Repository
from nopea.kube.event_body import EVENTS

SLACK: dict[str, Any] = {"notify": [{"type": "slack", "secretRef": {"name": "chat"}}]}
REFUSED = "NOPEA-N001: https://hooks.example/*** answered 404. Check the url in Secret shop/chat."


def store_event(cluster: FakeCluster, name: str, note: str, reason: str = "NotificationFailed") -> None:
    """Store an Event about a GitRepository."""
    about = {"apiVersion": "nopea.io/v1alpha1", "kind": "GitRepository", "namespace": "shop", "name": name}
    cluster.create(
        {
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": {"name": f"{name}.{len(cluster.objects)}", "namespace": "shop"},
            "regarding": about,
            "eventTime": "2026-11-24T05:00:00.000000Z",
            "type": "Warning",
            "reason": reason,
            "note": note,
        }
    )


async def findings(cluster: FakeCluster, *repositories: Repository) -> list[Finding]:
    """Return the findings of an examination."""
    named = await read(cluster, *repositories)
    return [each async for each in examine_receivers(cluster.client, repositories, named)]


@pytest.fixture
def cluster() -> FakeCluster:
    """A cluster with the Secret of a receiver."""
    found = FakeCluster()
    store_secret(found, "chat", url="https://hooks.example/x")
    return found


async def test_without_receivers_no_event_is_read(cluster: FakeCluster) -> None:
    """Most repositories have none."""
    assert await findings(cluster, repository()) == []
    assert cluster.requests == []


async def test_an_address_that_can_be_used_is_fine(cluster: FakeCluster) -> None:
    """Other Events are no matter of receivers."""
    store_event(cluster, "web", "It failed.", reason="SyncFailed")

    (found,) = await findings(cluster, repository(**SLACK))

    assert (found.verdict, found.message) == (
        Verdict.GOOD,
        "1 Secret of spec.notify has an address that may be used.",
    )


async def test_what_a_receiver_refused_is_one_line(cluster: FakeCluster) -> None:
    """Of all that share it; who has no receiver any more is left out."""
    many = [repository(f"r{each}", **SLACK) for each in range(4)]
    for each in many:
        store_event(cluster, each.key.name, REFUSED)
    store_event(cluster, "gone", REFUSED)

    (found,) = await findings(cluster, *many)

    assert found.verdict is Verdict.WARNING
    assert found.message.startswith(
        "spec.notify of 4 GitRepositories (shop/r0, shop/r1, shop/r2 and 1 more), "
    )
    assert found.message.endswith(f" ago: {REFUSED}")


async def test_what_was_found_now_is_not_told_again_by_events(cluster: FakeCluster) -> None:
    """The Secret is still missing."""
    other = repository(notify=[{"type": "slack", "secretRef": {"name": "gone"}}])
    store_event(
        cluster, "web", "NOPEA-N001: Secret shop/gone does not exist. Create it, or correct spec.notify."
    )

    (found,) = await findings(cluster, other)

    assert found.verdict is Verdict.PROBLEM
    assert "NOPEA-N001 Secret shop/gone does not exist." in found.message


async def test_events_that_may_not_be_read_are_told(cluster: FakeCluster) -> None:
    """Addresses are examined nevertheless."""
    cluster.fail_next("list", EVENTS, FORBIDDEN)

    refused, fine = await findings(cluster, repository(**SLACK))

    assert refused.verdict is Verdict.UNKNOWN
    assert fine.verdict is Verdict.GOOD


async def test_reasons_that_differ_are_counted_at_the_end(cluster: FakeCluster) -> None:
    """Ten lines are enough to begin with."""
    many = [repository(f"r{each:02}", **SLACK) for each in range(12)]
    for each in many:
        store_event(cluster, each.key.name, f"Reason {each.key.name}.")

    found = await findings(cluster, *many)

    assert len(found) == 11
    assert found[-1].message.startswith("Receivers of 2 GitRepositories (shop/")
