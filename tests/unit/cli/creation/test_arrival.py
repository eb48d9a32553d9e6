"""When the wait for a new GitRepository ends."""

from __future__ import annotations

from typing import Any

import pytest
from tests.fakes.cluster import FakeCluster
from tests.fakes.samples import READY, raw_repository

from nopea.cli.creation.arrival import Arrival
from nopea.core.objects import ObjectKey, RepoKey

KEY = RepoKey("shop", "api")
HEALTHY = {**READY, "type": "Healthy"}
APPLIED = {"lastAppliedCommit": "a" * 40, "resourceCount": 2}
REFUSED = {"code": "NOPEA-K002", "message": "No\x1bpe.", "hint": "Grant it."}
BUSY = {"code": "NOPEA-G001", "message": "Later.", "hint": "Wait."}


async def arrived(**status: Any) -> tuple[str, Arrival]:
    """Wait a virtual moment for a GitRepository with this status."""
    cluster = FakeCluster()
    cluster.objects[ObjectKey("nopea.io", "GitRepository", "shop", "api")] = raw_repository(
        "api", status=status
    )
    arrival = Arrival(cluster.client, KEY)
    return await arrival.wait(seconds=15.0, show=lambda _: None), arrival


@pytest.mark.looptime
@pytest.mark.parametrize(
    ("status", "why"),
    [
        ({**APPLIED, "conditions": [READY, HEALTHY]}, ""),
        ({**APPLIED, "conditions": [READY]}, ""),
        ({}, "The controller has not looked at it yet."),
        ({"conditions": [READY]}, "It is being applied."),
        ({"conditions": [READY], "errors": [BUSY]}, "Later."),
        ({"conditions": [{**READY, "reason": "ReadOnly", "message": "It only plans."}]}, "It only plans."),
        (
            {**APPLIED, "conditions": [READY, {**HEALTHY, "status": "False", "message": "Starting."}]},
            "Starting.",
        ),
    ],
)
async def test_it_waits_for_what_may_still_come(status: dict[str, Any], why: str) -> None:
    """Not for a condition that nobody will set: objects without health are healthy."""
    assert (await arrived(**status))[0] == why


@pytest.mark.looptime
async def test_what_somebody_must_mend_is_not_waited_for(looptime: Any) -> None:
    """The message is fit for a terminal."""
    why, arrival = await arrived(conditions=[READY], errors=[BUSY, REFUSED])

    assert why == "Later."
    assert looptime < 1
    assert arrival.repository is not None
    why, _ = await arrived(conditions=[READY], errors=[REFUSED])
    assert why == "Nope."


@pytest.mark.looptime
async def test_the_end_is_one_line() -> None:
    """With the number of objects."""
    _, arrival = await arrived(**APPLIED, conditions=[READY, HEALTHY])

    assert arrival.line(after="3s") == "Applied 2 objects, all healthy after 3s."
