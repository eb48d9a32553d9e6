"""The Lease that shows that the process is alive; in virtual time."""

from __future__ import annotations

import asyncio

import pytest
from tests.fakes.cluster import FakeCluster
from tests.fakes.object_store import served

from nopea.controller.heartbeat import LEASE_SECONDS, RENEW_SECONDS, Heartbeat
from nopea.core.objects import ObjectKey
from nopea.kube.kinds import LEASES
from nopea.tasks import end, spawn

pytestmark = pytest.mark.looptime
LEASE = ObjectKey("coordination.k8s.io", "Lease", "shop", "nopea")


class Process:
    """A heartbeat in a cluster that serves Leases."""

    def __init__(self) -> None:
        self.cluster = FakeCluster(kinds=[*FakeCluster().kinds, served(LEASES)])
        self.why_not_ready = ""
        self.heartbeat = Heartbeat(
            self.cluster.client,
            namespace="shop",
            holder="nopea-7d9f",
            why_not_ready=lambda: self.why_not_ready,
        )

    def _why_not_ready(self) -> str:
        return self.why_not_ready

    @property
    def spec(self) -> dict[str, object]:
        """The Lease's spec; empty without one."""
        return dict(self.cluster.objects.get(LEASE, {}).get("spec", {}))


async def test_it_is_renewed_three_times_before_it_expires() -> None:
    """A missed renewal or two do not make a process look dead, and it writes nothing else."""
    process = Process()
    beating = spawn(process.heartbeat.run(), name="heartbeat")
    await asyncio.sleep(LEASE_SECONDS - 1)
    await end(beating)

    assert len(process.cluster.requests) == LEASE_SECONDS / RENEW_SECONDS
    assert set(process.cluster.requests) == {"apply leases.coordination.k8s.io/v1 shop/nopea"}
    assert (process.spec["holderIdentity"], process.spec["leaseDurationSeconds"]) == ("nopea-7d9f", 40)


async def test_a_process_that_does_not_work_has_no_heartbeat() -> None:
    """It starts within a second once the process is ready."""
    process = Process()
    process.why_not_ready = "the list of GitRepositories failed"
    beating = spawn(process.heartbeat.run(), name="heartbeat")
    await asyncio.sleep(60)
    assert process.cluster.requests == []

    process.why_not_ready = ""
    await asyncio.sleep(1.5)
    assert process.spec["holderIdentity"] == "nopea-7d9f"
    await end(beating)


async def test_failures_end_with_the_cause(caplog: pytest.LogCaptureFixture) -> None:
    """The heartbeat goes on after an outage, which is logged once."""
    process = Process()
    process.cluster.down = True
    beating = spawn(process.heartbeat.run(), name="heartbeat")
    await asyncio.sleep(600)
    assert [record.message for record in caplog.records].count("heartbeat not written") == 1

    process.cluster.down = False
    await asyncio.sleep(60)
    assert process.spec["holderIdentity"] == "nopea-7d9f"
    await end(beating)


async def test_a_stopped_process_lets_go() -> None:
    """The Lease keeps the time and has no holder, so that stopped is told from dead."""
    process = Process()
    beating = spawn(process.heartbeat.run(), name="heartbeat")
    await asyncio.sleep(1)
    await end(beating)

    await process.heartbeat.release()

    assert set(process.spec) == {"renewTime"}


async def test_the_lease_says_that_it_only_plans() -> None:
    """A process that writes says nothing of that, also if it renews the Lease of one that did not."""
    process = Process()
    planning = Heartbeat(
        process.cluster.client, namespace="shop", holder="a", why_not_ready=str, read_only=True
    )
    await planning.release()
    assert process.cluster.objects[LEASE]["metadata"]["annotations"]["nopea.io/read-only"] == "true"

    await process.heartbeat.release()
    assert "nopea.io/read-only" not in process.cluster.objects[LEASE]["metadata"]["annotations"]
