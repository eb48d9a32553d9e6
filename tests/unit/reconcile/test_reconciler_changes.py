"""The changes in the cluster and in Git that need a reconciliation, and those that do not."""

from __future__ import annotations

import pytest
from tests.fakes.installation import (
    Installation,
    config_map,
    installed,
    key_of,
    manifest,
    outcomes,
)
from tests.fakes.object_store import CONFIG_MAPS

from nopea.core.status.report import Outcome
from nopea.core.trigger import Trigger

pytestmark = pytest.mark.looptime

BLUE = {"a.yaml": config_map("a", colour="blue")}
PROTECTED = {"nopea.io/suspend-heal": "true"}


async def test_only_git_decides_whether_there_is_a_new_commit() -> None:
    """A newer commit, a failing Git server and a failed report count; the same commit does not."""
    async with installed(BLUE) as place:
        assert await place.reconciler.has_new_commit(place.repository())
        await place.sync()
        assert not await place.reconciler.has_new_commit(place.repository())
        place.git.down = True
        assert await place.reconciler.has_new_commit(place.repository())
        place.git.down = False
        place.git.push({"b.yaml": "kind: ["})
        assert await place.reconciler.has_new_commit(place.repository())
        await place.sync(Trigger.POLL)
        assert await place.reconciler.has_new_commit(place.repository())


@pytest.fixture(params=["change", "deletion", "label"])
def drift(request: pytest.FixtureRequest) -> str:
    """A way in which an object can drift."""
    return str(request.param)


def drifts(place: Installation, how: str) -> None:
    """Make the ConfigMap drift in this way."""
    match how:
        case "change":
            place.edit("a", {"colour": "red"})
        case "deletion":
            place.cluster.delete(key_of("a"))
        case _:
            place.cluster.change(key_of("a"), {"metadata": {"labels": None}})


async def changed(place: Installation) -> bool:
    """Return whether the watches show a change that needs a reconciliation."""
    await place.settle()
    return place.reconciler.has_changed(place.repository())


async def test_drift_is_a_change(drift: str) -> None:
    """Drift is a change until it is healed; before the first reconciliation there is always a change."""
    async with installed(BLUE) as place:
        assert await changed(place)
        await place.sync()
        assert not await changed(place)

        drifts(place, drift)

        assert await changed(place)
        assert "shop.web" in place.woken
        await place.sync(Trigger.OBJECT_CHANGE)
        assert not await changed(place)


async def test_drift_that_is_left_is_a_change_once(drift: str) -> None:
    """Drift that the policy leaves needs no further reconciliation until something changes."""
    async with installed(BLUE, healPolicy="manual") as place:
        await place.sync()
        drifts(place, drift)
        assert await changed(place)

        await place.sync(Trigger.OBJECT_CHANGE)

        assert not await changed(place)
        if drift == "change":
            place.edit("a", {"colour": "green"})
            assert await changed(place)


async def test_the_end_of_break_glass_is_a_change() -> None:
    """The commit that arrived under break-glass is applied when break-glass ends."""
    async with installed(BLUE) as place:
        await place.sync()
        place.annotate("a", PROTECTED)
        place.git.push({"a.yaml": config_map("a", colour="green")})
        await place.sync(Trigger.POLL)
        assert not await changed(place)

        place.annotate("a", {"nopea.io/suspend-heal": None})

        assert await changed(place)
        await place.sync(Trigger.OBJECT_CHANGE)
        assert place.data("a") == {"colour": "green"}
        assert not await changed(place)


async def test_the_end_of_a_prune_safeguard_is_a_change() -> None:
    """The object is gone from Git and is pruned as soon as its annotation is removed."""
    files = {**BLUE, "b.yaml": config_map("b"), "c.yaml": config_map("c")}
    async with installed(files, pruneLimit=1) as place:
        await place.sync()
        place.annotate("b", {"nopea.io/prune": "false"})
        place.git.push({"b.yaml": None})
        await place.sync(Trigger.POLL)
        assert not await changed(place)

        place.annotate("b", {"nopea.io/prune": None})

        assert await changed(place)
        await place.sync(Trigger.OBJECT_CHANGE)
        assert place.data("b") is None


async def test_an_object_unrecorded_after_a_crash_is_a_change() -> None:
    """The object has our label and Apply entry but is in no inventory."""
    async with installed(BLUE) as place:
        await place.sync()
        del place.state().applied[key_of("a")]
        assert await changed(place)


async def test_a_rival_repository_is_a_change_until_it_is_reported() -> None:
    """The owner reports once that another GitRepository declares its object."""
    async with installed({"web/a.yaml": config_map("a")}, path="web") as place:
        place.git.push({"api/a.yaml": config_map("a")})
        place.declare("api", path="api")
        await place.sync()
        await place.sync(name="api")

        assert await changed(place)
        await place.sync(Trigger.OBJECT_CHANGE)
        assert not await changed(place)


async def test_health_is_followed_without_a_reconciliation() -> None:
    """The condition follows the objects; the return value True requests another check."""
    deployment = manifest("apps/v1", "Deployment", "d", spec={"replicas": 1})
    async with installed({"d.yaml": deployment}) as place:
        key = key_of("d", "Deployment", group="apps")
        await place.sync()
        assert await place.reconciler.follow_health(place.repository())
        ready = {
            "observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1,
            "availableReplicas": 1, "conditions": [{"type": "Available", "status": "True"}],
        }  # fmt: skip
        place.cluster.change(key, {"status": ready}, manager="kube-controller-manager", subresource="status")
        await place.settle()

        assert not await place.reconciler.follow_health(place.repository())
        assert place.condition("Healthy")[0] == "True"


async def test_a_change_of_ignored_fields_costs_one_check() -> None:
    """The apply under the new rules is a no-op, and the object counts as applied from then on."""
    rules = [{"kind": "ConfigMap", "jsonPointers": ["/data/colour"]}]
    async with installed({"a.yaml": config_map("a", colour="blue", size="1")}) as place:
        await place.sync()
        place.configure(ignoreDifferences=rules)
        await place.sync(Trigger.SPEC_CHANGE)
        assert not await changed(place)
        place.cluster.requests.clear()

        assert outcomes(await place.sync()) == {"a": Outcome.UNCHANGED}
        assert "get configmaps/v1 shop/a" not in place.cluster.requests


async def test_objects_listed_before_their_repository_are_checked_once() -> None:
    """A new process may list them before it knows their GitRepository's ignoreDifferences."""
    rules = [{"kind": "ConfigMap", "jsonPointers": ["/data/colour"]}]
    async with installed(
        {"a.yaml": config_map("a", colour="blue", size="1")}, ignoreDifferences=rules
    ) as place:
        await place.sync()
        await place.restart()
        await place.services.object_cache.ensure([(CONFIG_MAPS, "shop")])
        await place.settle()
        await place.sync(Trigger.STARTUP)
        place.cluster.requests.clear()

        assert outcomes(await place.sync()) == {"a": Outcome.UNCHANGED}
        assert "get configmaps/v1 shop/a" not in place.cluster.requests
