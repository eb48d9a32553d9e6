"""The health of applied objects, from the watches and from the Pods of unhealthy workloads."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

import pytest
from tests.fakes.installation import Installation, config_map, installed, key_of, manifest, status_writes
from tests.fakes.object_store import DEPLOYMENTS

from nopea.core.api.times import format_time
from nopea.kube.errors import ApiFailure, ForbiddenError, ServerError
from nopea.kube.kinds import GIT_REPOSITORIES, PODS
from nopea.reconcile.health import HealthFollower
from nopea.reconcile.publish import DETAILS_SECONDS

pytestmark = pytest.mark.looptime

WEB = key_of("web", "Deployment", group="apps")
SELECTOR = {"matchLabels": {"app": "web"}}
FILES = {
    "web.yaml": manifest(
        "apps/v1", "Deployment", "web", spec={"replicas": 1, "selector": SELECTOR, "template": {}}
    ),
    "a.yaml": config_map("a"),
}
READY = {
    "observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1,
    "availableReplicas": 1, "conditions": [{"type": "Available", "status": "True"}],
}  # fmt: skip
CRASHING = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}}


def pod(state: dict[str, Any]) -> dict[str, Any]:
    """Return a Pod of the Deployment whose container is in this state."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web-1", "namespace": "shop", "labels": {"app": "web"}},
        "status": {
            "phase": "Pending",
            "containerStatuses": [{"name": "web", "ready": False, "state": state}],
        },
    }


async def look(place: Installation) -> Any:
    """Return the health that the process sees now; only requests after this call are recorded."""
    await place.settle()
    place.cluster.requests.clear()
    follower = HealthFollower(place.services)
    return await follower.look(place.repository(), place.state())


async def test_healthy_objects_cost_no_request() -> None:
    """The health comes from the watches."""
    async with installed({"a.yaml": config_map("a")}) as place:
        await place.sync()

        health = await look(place)

        assert (health.status, health.message) == ("True", "1 object is healthy.")
        assert place.cluster.requests == []


async def test_the_pods_of_an_unhealthy_workload_give_the_cause() -> None:
    """One list request by the workload's selector finds the cause for the message."""
    async with installed(FILES) as place:
        await place.sync()
        place.cluster.change(WEB, {"status": {"replicas": 1}}, subresource="status")
        place.cluster.create(pod(CRASHING))

        health = await look(place)

        assert (health.status, health.reason) == ("False", "Unhealthy")
        assert health.message == (
            "apps/Deployment shop/web: pod web-1 container web: CrashLoopBackOff: back-off 10s"
        )
        assert place.cluster.requests == ["list pods/v1 in shop"]


@pytest.mark.parametrize(("seconds", "reason"), [(20, "Progressing"), (180, "Unhealthy")])
async def test_a_rollout_whose_pods_start_is_no_failure(seconds: int, reason: str) -> None:
    """A container that runs and is not ready yet is a step of each rollout; for minutes, it is a cause."""
    started = (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat()
    async with installed(FILES) as place:
        await place.sync()
        place.cluster.change(WEB, {"status": {**READY, "availableReplicas": 0}}, subresource="status")
        place.cluster.create(pod({"running": {"startedAt": started}}))

        health = await look(place)

        assert health.reason == reason
        assert health.brief.startswith("Deployment web: ")


class _Later(datetime):
    """A clock that is a minute fast."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> _Later:
        return super().now(tz) + timedelta(minutes=1)


async def test_a_pod_that_no_node_takes_fails_without_a_change(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its age makes it fail, and no watch tells the age. Nothing is asked for that."""
    bare = key_of("bare", "Pod")
    async with installed({"pod.yaml": manifest("v1", "Pod", "bare", spec={})}) as place:
        await place.sync()
        unplaced = {
            "type": "PodScheduled",
            "status": "False",
            "reason": "Unschedulable",
            "message": "no node",
        }
        place.cluster.objects[bare]["metadata"]["creationTimestamp"] = format_time(datetime.now(UTC))
        place.cluster.change(
            bare, {"status": {"phase": "Pending", "conditions": [unplaced]}}, subresource="status"
        )
        assert (await look(place)).reason == "Progressing"
        monkeypatch.setattr("nopea.reconcile.health.datetime", _Later)

        assert (await look(place)).reason == "Unhealthy"
        assert place.cluster.requests == []


async def test_a_workload_without_pods_costs_no_request() -> None:
    """Its controller has not looked at it yet, or cannot create any."""
    async with installed(FILES) as place:
        await place.sync()

        health = await look(place)

        assert (health.status, health.reason) == ("Unknown", "Progressing")
        assert place.cluster.requests == []


async def test_pods_that_may_not_be_read_leave_the_workloads_own_message() -> None:
    """If Pods are forbidden, the health is known but its cause is not."""
    async with installed(FILES) as place:
        await place.sync()
        place.cluster.change(WEB, {"status": {"replicas": 1}}, subresource="status")
        place.cluster.create(pod(CRASHING))
        place.cluster.fail_next(
            "list", PODS, ForbiddenError(ApiFailure(code=403, reason="Forbidden", message="no"))
        )

        health = await look(place)

        assert (health.status, health.reason) == ("Unknown", "Progressing")
        assert health.message == "apps/Deployment shop/web: 0 of 1 replicas are updated"


async def test_a_kind_without_a_watch_has_the_health_that_the_sync_read() -> None:
    """If list and watch are forbidden, the health comes from the reads of each sync."""
    error = ForbiddenError(ApiFailure(code=403, reason="Forbidden", message="no"))
    async with installed(FILES) as place:
        for verb in ("list", "watch"):
            place.cluster.fail_next(verb, DEPLOYMENTS, error, times=10_000)
        await place.sync()
        assert place.condition("Healthy")[0] == "Unknown"

        place.cluster.change(WEB, {"status": READY}, manager="kube-controller-manager", subresource="status")
        await place.sync()
        assert place.condition("Healthy")[0] == "True"

        place.cluster.change(WEB, {"status": {"availableReplicas": 0}}, subresource="status")
        await place.sync()
        place.cluster.change(WEB, {"status": {"availableReplicas": 1}}, subresource="status")
        assert (await look(place)).status == "True"  # between two syncs, the unhealthy ones are read

        failed = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}
        place.cluster.change(
            WEB,
            {"status": {"conditions": [failed], "availableReplicas": 0}},
            manager="kube-controller-manager",
            subresource="status",
        )
        await place.sync()
        assert place.condition("Healthy")[0] == "False"

        place.configure(healPolicy="manual")
        place.cluster.delete(WEB)
        await place.sync()
        assert place.condition("Healthy")[0] == "True"


async def test_a_status_that_could_not_be_written_is_written_at_the_next_check() -> None:
    """The health is checked again until the status is written, since no further event comes."""
    error = ServerError(ApiFailure(code=503, reason="ServiceUnavailable", message="etcd is gone"))
    async with installed(FILES) as place:
        await place.sync()
        place.cluster.change(WEB, {"status": READY}, manager="kube-controller-manager", subresource="status")
        await place.settle()
        place.cluster.fail_next("apply", GIT_REPOSITORIES, error)

        assert await place.reconciler.follow_health(place.repository())
        assert not await place.reconciler.follow_health(place.repository())

        assert place.condition("Healthy")[0] == "True"


async def test_the_steps_of_a_rollout_are_one_write() -> None:
    """Its end is written at once; a mere change of the message waits for the next check."""
    async with installed(FILES, deletionPolicy="Orphan") as place:
        await place.sync()
        place.cluster.requests.clear()
        for status in ({"replicas": 1}, {"replicas": 1, "updatedReplicas": 1}):
            place.cluster.change(WEB, {"status": status}, subresource="status")
            await place.settle()
            assert await place.reconciler.follow_health(place.repository())
        assert status_writes(place) == 0

        place.cluster.change(WEB, {"status": READY}, subresource="status")
        await place.settle()
        assert not await place.reconciler.follow_health(place.repository())
        assert status_writes(place) == 1

        place.cluster.change(WEB, {"status": {"availableReplicas": 0}}, subresource="status")
        await place.settle()
        await place.reconciler.follow_health(place.repository())
        place.cluster.change(
            WEB, {"status": {"readyReplicas": 0, "updatedReplicas": 0}}, subresource="status"
        )
        await asyncio.sleep(DETAILS_SECONDS)
        await place.reconciler.follow_health(place.repository())
        assert status_writes(place) == 3


async def test_nothing_is_known_before_something_was_applied() -> None:
    """No condition is better than a wrong one."""
    async with installed(FILES) as place:
        place.git.down = True
        await place.sync()

        assert await look(place) is None
        assert WEB not in place.cluster.objects


async def test_the_health_of_what_is_suspended_is_followed() -> None:
    """Somebody suspends to repair by hand, and wants to see whether it works again."""
    async with installed(FILES) as place:
        await place.sync()
        place.configure(suspend=True)
        await place.sync()
        failed = {
            "type": "Progressing",
            "status": "False",
            "reason": "ProgressDeadlineExceeded",
            "message": "Late.",
        }
        for status, health, summary in (
            ({**READY, "conditions": [failed]}, "False", "Suspended; Deployment web: Late."),
            (READY, "True", "Suspended; nothing is applied or reverted"),
        ):
            place.cluster.change(WEB, {"status": status}, subresource="status")
            await place.settle()
            await place.reconciler.follow_health(place.repository())

            assert place.condition("Healthy")[0] == health
            assert place.repository().status.summary == summary
