"""What applied workloads own, by owner references."""

from __future__ import annotations

from typing import Any

from tests.fakes.object_store import served
from tests.unit.cli.conftest import Commands, commands

from nopea.core.health.descendants import JOBS, PODS, REPLICA_SETS
from nopea.core.health.rules import HealthStatus
from nopea.core.objects import ObjectKey, Resource
from nopea.kube.descendants import read_descendants
from nopea.kube.errors import ApiFailure, ForbiddenError

__all__ = ["commands"]

WEB = ObjectKey("apps", "Deployment", "shop", "web")


def _owned(
    api_version: str, kind: str, name: str, owner: tuple[str, str, str], **rest: Any
) -> dict[str, Any]:
    of_version, of_kind, of_name = owner
    reference = {"apiVersion": of_version, "kind": of_kind, "name": of_name, "uid": "1", "controller": True}
    metadata = {"name": name, "namespace": "shop", "ownerReferences": [reference]}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **rest}


def _store(commands: Commands) -> None:
    cluster = commands.cluster
    cluster.kinds += [served(REPLICA_SETS), served(JOBS)]
    of_web = ("apps/v1", "Deployment", "web")
    of_set = ("apps/v1", "ReplicaSet", "web-2")
    cluster.create(
        _owned("apps/v1", "ReplicaSet", "web-1", of_web, spec={"replicas": 0}, status={"replicas": 0})
    )
    cluster.create(
        _owned(
            "apps/v1",
            "ReplicaSet",
            "web-2",
            of_web,
            spec={"replicas": 2},
            status={"replicas": 2, "readyReplicas": 1},
        )
    )
    cluster.create(_owned("v1", "Pod", "web-2-a", of_set, status={"phase": "Running"}))
    crashing = {
        "phase": "Running",
        "containerStatuses": [
            {"name": "web", "restartCount": 3, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}
        ],
    }
    cluster.create(_owned("v1", "Pod", "web-2-b", of_set, status=crashing))
    cluster.create(_owned("v1", "Pod", "other", ("apps/v1", "ReplicaSet", "other")))


async def test_pods_are_found_below_their_workload(commands: Commands) -> None:
    """With their state and what is wrong; ReplicaSets of earlier rollouts are left out."""
    _store(commands)

    found = await read_descendants(commands.cluster.client, [WEB])

    (replica_set,) = found.of[WEB]
    good, bad = replica_set.children
    assert (replica_set.key.name, replica_set.state) == ("web-2", "1/2 ready")
    assert (good.key.name, good.state) == ("web-2-a", "Running")
    assert (bad.key.name, bad.state, bad.health.status) == (
        "web-2-b",
        "Running, 3 restarts",
        HealthStatus.FAILED,
    )
    assert "CrashLoopBackOff" in bad.health.message
    assert found.unread == ()


async def test_what_may_not_be_read_is_named(commands: Commands) -> None:
    """The rest is shown."""
    _store(commands)
    commands.cluster.fail_next("list", PODS, ForbiddenError(ApiFailure(code=403, message="no")))

    found = await read_descendants(commands.cluster.client, [WEB])

    assert [each.key.name for each in found.of[WEB]] == ["web-2"]
    assert found.unread == ("pods in shop: you may not list them",)


async def test_nothing_is_asked_for_what_owns_nothing(commands: Commands) -> None:
    """ConfigMaps and objects without a namespace cost no request."""
    before = len(commands.cluster.requests)
    keys = [ObjectKey("", "ConfigMap", "shop", "a"), ObjectKey("", "Namespace", "", "shop")]

    assert (await read_descendants(commands.cluster.client, keys)).of == {}
    assert len(commands.cluster.requests) == before


async def test_what_somebody_else_may_not_see_is_not_asked_for(commands: Commands) -> None:
    """The reader may have more rights than who looks."""
    _store(commands)

    async def may_list(resource: Resource, namespace: str) -> bool:
        return (resource, namespace) != (PODS, "shop")

    found = await read_descendants(commands.cluster.client, [WEB], may_list=may_list)

    assert [each.key.name for each in found.of[WEB]] == ["web-2"]
    assert found.of[WEB][0].children == ()
    assert found.unread == ("pods in shop: you may not list them",)
    assert not [request for request in commands.cluster.requests if "pods" in request]


async def test_reader_that_may_not_list_is_named(commands: Commands) -> None:
    """So that it is known who needs the right."""
    _store(commands)
    commands.cluster.fail_next("list", PODS, ForbiddenError(ApiFailure(code=403, message="no")))

    found = await read_descendants(commands.cluster.client, [WEB], reader="Nopea")

    assert found.unread == ("pods in shop: Nopea may not list them",)


async def test_no_more_is_read_than_the_bound(commands: Commands) -> None:
    """And that there is more is said."""
    _store(commands)

    found = await read_descendants(commands.cluster.client, [WEB], most=2)

    assert sum(len(each.children) for each in found.of[WEB]) <= 2
    assert "pods in shop: there are more than the 2 that were read" in found.unread
