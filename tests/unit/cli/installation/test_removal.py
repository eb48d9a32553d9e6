"""Letting go of GitRepositories, and waiting until everything is gone."""

from __future__ import annotations

from typing import Any

import pytest
from tests.fakes.cluster import FakeCluster
from tests.fakes.samples import raw_repository
from tests.unit.cli.installation.test_installed import bind

from nopea.cli.installation.profiles import definitions
from nopea.cli.installation.removal import (
    GONE_SECONDS,
    GRACE_SECONDS,
    Removal,
    dangling,
    find_removal,
    holders,
    release,
    wait_gone,
)
from nopea.core.api.names import ABANDON_ANNOTATION, FINALIZER
from nopea.core.objects import ObjectKey, RepoKey
from nopea.kube.errors import ApiFailure, ConflictError, ForbiddenError, InvalidError
from nopea.kube.kinds import DEFINITIONS, GIT_REPOSITORIES, INVENTORIES, ROLE_BINDINGS

CLEANUP = "customresourcecleanup.apiextensions.k8s.io"
WEB, API = RepoKey("shop", "web"), RepoKey("shop", "api")


def silent(_: str) -> None:
    """Show nothing."""


def of(key: RepoKey) -> ObjectKey:
    """Return a GitRepository's key."""
    return ObjectKey("nopea.io", "GitRepository", key.namespace, key.name)


def declare(cluster: FakeCluster, *keys: RepoKey, finalizers: tuple[str, ...] = (FINALIZER,)) -> None:
    """Store GitRepositories that have been applied once."""
    for key in keys:
        raw = raw_repository(key.name)
        raw["metadata"] |= {"namespace": key.namespace, "finalizers": list(finalizers)}
        cluster.objects[of(key)] = raw


def terminating(cluster: FakeCluster, *, reason: str) -> tuple[Removal, ObjectKey]:
    """Store a definition that is being deleted, and return the removal that waits for it."""
    manifest = definitions()[0]
    name = manifest["metadata"]["name"]
    key = ObjectKey("apiextensions.k8s.io", "CustomResourceDefinition", "", name)
    condition = {"type": "Terminating", "status": "True", "reason": reason, "message": "Wait."}
    metadata = {**manifest["metadata"], "finalizers": [CLEANUP], "deletionTimestamp": "2026-01-01T00:00:00Z"}
    cluster.objects[key] = {
        **manifest,
        "metadata": {**metadata, "uid": "1", "resourceVersion": "1"},
        "status": {"conditions": [condition]},
    }
    return Removal(objects=((manifest, DEFINITIONS.at(name=name)),), repositories=()), key


@pytest.mark.looptime
async def test_a_definition_that_the_server_gave_up_is_tried_again(looptime: Any) -> None:
    """The API server looks at it again after minutes, or as soon as it changes."""
    cluster = FakeCluster()
    removal, key = terminating(cluster, reason="InstanceDeletionFailed")
    cluster.before("patch", key, lambda: cluster.objects.pop(key))

    assert await wait_gone(cluster.client, removal, show=silent) == []
    assert looptime < GRACE_SECONDS


@pytest.mark.looptime
async def test_a_definition_that_the_server_works_on_is_left_alone(looptime: Any) -> None:
    """A change in the middle would make it start again."""
    cluster = FakeCluster()
    removal, _ = terminating(cluster, reason="InstanceDeletionInProgress")

    left = await wait_gone(cluster.client, removal, show=silent)

    assert left == ["CustomResourceDefinition gitrepositories.nopea.io"]
    assert GONE_SECONDS <= looptime < GONE_SECONDS + 1
    assert cluster.writes == []


@pytest.mark.looptime
async def test_what_was_made_meanwhile_is_let_go() -> None:
    """Until a definition is deleted, anybody may make another GitRepository; it would keep the definition."""
    cluster = FakeCluster()
    removal, key = terminating(cluster, reason="InstanceDeletionInProgress")
    declare(cluster, WEB)
    cluster.before("delete", of(WEB), lambda: cluster.objects.pop(key))

    assert await wait_gone(cluster.client, removal, show=silent) == []
    assert of(WEB) not in cluster.objects


@pytest.mark.looptime
async def test_a_busy_server_is_waited_for() -> None:
    """What does not answer may still be there."""
    cluster = FakeCluster()
    removal, key = terminating(cluster, reason="InstanceDeletionFailed")
    cluster.broken.add("nopea.io")
    cluster.before("patch", key, lambda: cluster.objects.pop(key))

    assert await wait_gone(cluster.client, removal, show=silent) == [
        "CustomResourceDefinition gitrepositories.nopea.io"
    ]
    cluster.broken.clear()
    assert await wait_gone(cluster.client, removal, show=silent) == []


async def test_nobody_can_stop_the_removal_of_the_others() -> None:
    """By annotations that leave no room for ours, or by changing the finalizers all the time."""
    cluster = FakeCluster()
    declare(cluster, API, WEB)
    cluster.fail_next("patch", GIT_REPOSITORIES, InvalidError(ApiFailure(code=422, message="Too long")))
    await release(cluster.client, [API, WEB], is_running=False, show=silent)

    assert of(WEB) not in cluster.objects
    assert not cluster.objects[of(API)]["metadata"].get("finalizers")

    declare(cluster, API, WEB)
    cluster.before(
        "get",
        of(API),
        lambda: cluster.fail_next("patch", GIT_REPOSITORIES, ConflictError(ApiFailure(code=409)), times=5),
    )
    await release(cluster.client, [API, WEB], is_running=False, show=silent)

    assert of(WEB) not in cluster.objects
    assert cluster.objects[of(API)]["metadata"]["annotations"][ABANDON_ANNOTATION] == "true"


@pytest.mark.looptime
async def test_the_controller_is_waited_for_with_one_request_for_all() -> None:
    """Hundreds of GitRepositories are not read one by one."""
    cluster = FakeCluster()
    keys = [RepoKey("shop", f"web-{number}") for number in range(30)]
    declare(cluster, *keys)

    await release(cluster.client, keys, is_running=True, show=silent)

    lists = [each for each in cluster.requests if each.startswith("list gitrepositories")]
    gets = [each for each in cluster.requests if each.startswith("get gitrepositories")]
    assert len(lists) > GRACE_SECONDS
    assert len(gets) == len(keys)  # each once, to remove its finalizer
    assert not any(key in cluster.objects for key in map(of, keys))


async def test_foreign_finalizers_are_named() -> None:
    """Of GitRepositories and of Inventories; the finalizers are theirs, and stay."""
    cluster = FakeCluster()
    declare(cluster, WEB, finalizers=("acme.example/stay",))
    declare(cluster, API, finalizers=())

    assert await holders(cluster.client) == ["GitRepository shop/web (acme.example/stay)"]
    cluster.fail_next("list", INVENTORIES, InvalidError(ApiFailure(code=400)))
    assert len(await holders(cluster.client)) == 1


async def test_kept_definitions_keep_their_objects() -> None:
    """Neither GitRepositories nor Inventories are touched."""
    cluster = FakeCluster()
    terminating(cluster, reason="")
    declare(cluster, WEB)

    assert (await find_removal(cluster.client, keeps_definitions=False)).repositories == (WEB,)
    kept = await find_removal(cluster.client, keeps_definitions=True)
    assert (kept.repositories, kept.objects) == ((), ())


async def test_rights_that_stay_are_named() -> None:
    """The service account is gone, but not what tenants gave it, nor what a component bound to it."""
    cluster = FakeCluster()
    bind(cluster)
    bind(cluster, "gitops")
    api = "rbac.authorization.k8s.io/v1"
    subjects = [{"kind": "ServiceAccount", "name": "nopea", "namespace": "nopea-system"}]
    metadata = {"name": "nopea", "namespace": "shop"}
    cluster.create({"apiVersion": api, "kind": "RoleBinding", "metadata": metadata, "subjects": subjects})
    cluster.create({"apiVersion": api, "kind": "RoleBinding", "metadata": {**metadata, "name": "none"}})

    assert await dangling(cluster.client) == [
        "ClusterRoleBinding nopea-system-nopea",
        "RoleBinding shop/nopea",
    ]
    cluster.fail_next("list", ROLE_BINDINGS, ForbiddenError(ApiFailure(code=403)))
    assert len(await dangling(cluster.client)) == 1
