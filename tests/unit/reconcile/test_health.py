"""Following the health of what was applied: from the watches, and from the Pods of what is not healthy."""

from __future__ import annotations

from typing import Any

import pytest
from tests.fakes.installation import Installation, config_map, installed, key_of, manifest

from nopea.kube.errors import ApiFailure, ForbiddenError
from nopea.kube.kinds import PODS
from nopea.reconcile.health import HealthFollower

pytestmark = pytest.mark.looptime

WEB = key_of("web", "Deployment", group="apps")
SELECTOR = {"matchLabels": {"app": "web"}}
FILES = {
    "web.yaml": manifest(
        "apps/v1", "Deployment", "web", spec={"replicas": 1, "selector": SELECTOR, "template": {}}
    ),
    "a.yaml": config_map("a"),
}
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
    """Return the health that the process sees now; requests count from here."""
    await place.settle()
    place.cluster.requests.clear()
    follower = HealthFollower(place.cluster.client, place.services.object_cache)
    return await follower.look(place.repository(), place.state())


async def test_what_is_healthy_costs_no_request() -> None:
    """The watches have shown it."""
    async with installed({"a.yaml": config_map("a")}) as place:
        await place.sync()

        health = await look(place)

        assert (health.status, health.message) == ("True", "1 object is healthy.")
        assert place.cluster.requests == []


async def test_the_pods_of_an_unhealthy_workload_say_why() -> None:
    """One list by the workload's selector; the cause is in the message."""
    async with installed(FILES) as place:
        await place.sync()
        place.cluster.create(pod(CRASHING))

        health = await look(place)

        assert (health.status, health.reason) == ("False", "Unhealthy")
        assert health.message == (
            "apps/Deployment shop/web: pod web-1 container web: CrashLoopBackOff: back-off 10s"
        )
        assert place.cluster.requests == ["list pods/v1 in shop"]


async def test_pods_that_may_not_be_read_leave_the_workloads_own_message() -> None:
    """The health stays known; only its cause is not."""
    async with installed(FILES) as place:
        await place.sync()
        place.cluster.create(pod(CRASHING))
        place.cluster.fail_next(
            "list", PODS, ForbiddenError(ApiFailure(code=403, reason="Forbidden", message="no"))
        )

        health = await look(place)

        assert (health.status, health.reason) == ("Unknown", "Progressing")
        assert health.message == "apps/Deployment shop/web: 0 of 1 replicas exist"


async def test_nothing_is_known_before_something_was_applied() -> None:
    """No condition is better than a wrong one."""
    async with installed(FILES) as place:
        place.git.down = True
        await place.sync()

        assert await look(place) is None
        assert WEB not in place.cluster.objects
