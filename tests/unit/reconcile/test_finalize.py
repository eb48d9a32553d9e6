"""The deletion of a GitRepository: its finalizer, its objects, and what blocks it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.fakes.installation import (
    Installation,
    config_map,
    installed,
    key_of,
    manifest,
    outcomes,
    repository_key,
)
from tests.fakes.object_store import CONFIG_MAPS, served

from nopea.core.api import names
from nopea.core.objects import Resource, Target
from nopea.core.plan.prune import PruneReason
from nopea.core.problem import Code
from nopea.core.status.report import Outcome, ReconcileReport, Result
from nopea.core.trigger import Trigger
from nopea.kube.errors import ApiFailure, ForbiddenError, ServerError
from nopea.kube.kinds import DEFINITIONS, GIT_REPOSITORIES, INVENTORIES, NAMESPACES

pytestmark = pytest.mark.looptime

FILES = {"a.yaml": config_map("a", colour="blue"), "b.yaml": config_map("b")}
REPOSITORY = repository_key()
FORBIDDEN = ForbiddenError(ApiFailure(code=403, reason="Forbidden", message="a policy says no"))


@asynccontextmanager
async def synced(files: dict[str, str] = FILES, **spec: Any) -> AsyncIterator[Installation]:
    """Yield an installation that has synced once and deletes the objects with the GitRepository."""
    async with installed(files, **{"deletionPolicy": "Delete", **spec}) as place:
        await place.sync()
        yield place


async def end(place: Installation) -> ReconcileReport:
    """Delete the GitRepository as a user does, and reconcile."""
    place.cluster.delete(REPOSITORY)
    return await place.sync(Trigger.DELETION)


def finalizers(place: Installation) -> list[str]:
    """Return the finalizers of the GitRepository."""
    found: list[str] = place.cluster.objects[REPOSITORY]["metadata"].get("finalizers", [])
    return found


async def test_a_repository_is_held_before_the_first_write() -> None:
    """A deletion can come at any time after that write."""
    async with installed(FILES, deletionPolicy="Delete") as place:
        await place.sync()
        names_of_writes = [request for request in place.cluster.writes if "apply" in request]
        assert names_of_writes[0] == f"apply {GIT_REPOSITORIES.at(name='web', namespace='shop')}"
        assert finalizers(place) == [names.FINALIZER]


async def test_a_repository_whose_objects_stay_has_no_finalizer() -> None:
    """The finalizer follows the deletion policy; finalizers of other controllers stay."""
    async with synced(deletionPolicy="Orphan") as place:
        assert finalizers(place) == []
        place.cluster.change(REPOSITORY, {"metadata": {"finalizers": ["example.com/other"]}})
        place.configure(deletionPolicy="Delete")
        await place.sync(Trigger.SPEC_CHANGE)
        assert set(finalizers(place)) == {"example.com/other", names.FINALIZER}

        place.configure(deletionPolicy="Orphan")
        await place.sync(Trigger.SPEC_CHANGE)

        assert finalizers(place) == ["example.com/other"]


async def test_nothing_is_written_to_a_repository_that_cannot_be_held() -> None:
    """Otherwise a deletion could leave its objects behind."""
    async with installed(FILES, deletionPolicy="Delete") as place:
        place.cluster.fail_next("apply", GIT_REPOSITORIES, FORBIDDEN)

        report = await place.sync()

        assert report.result is Result.FAILED
        assert place.data("a") is None


async def test_the_objects_are_deleted_with_the_repository() -> None:
    """The objects are deleted first; then the finalizer is removed."""
    async with synced() as place:
        report = await end(place)

        assert report.result is Result.DELETED
        assert outcomes(report) == {"a": Outcome.PRUNED, "b": Outcome.PRUNED}
        assert [key for key in place.cluster.objects if key.kind == "ConfigMap"] == []
        assert REPOSITORY not in place.cluster.objects
        assert place.transitions[-1].report is not None


@pytest.mark.parametrize("spec", [{"deletionPolicy": "Orphan"}, {"deletionPolicy": None}, {"suspend": True}])
async def test_the_objects_stay_where_the_spec_says_so(spec: dict[str, Any]) -> None:
    """The policy Orphan, which is the default, and a suspended repository delete nothing."""
    async with synced() as place:
        place.configure(**spec)

        report = await end(place)

        assert report.result is Result.DELETED
        assert place.data("a") == {"colour": "blue"}
        assert REPOSITORY not in place.cluster.objects


async def test_an_abandoned_repository_is_released_at_once() -> None:
    """The annotation releases the GitRepository even if an object blocks the deletion."""
    async with synced() as place:
        place.cluster.change(key_of("a"), {"metadata": {"finalizers": ["example.com/hold"]}})
        assert (await end(place)).result is Result.FAILED
        place.configure(annotations={names.ABANDON_ANNOTATION: "true"})

        assert (await place.sync(Trigger.MANUAL)).result is Result.DELETED
        assert key_of("a") in place.cluster.objects
        assert REPOSITORY not in place.cluster.objects


async def test_an_object_with_a_finalizer_blocks_and_is_named() -> None:
    """The other objects are deleted; the GitRepository is deleted once the last object is gone."""
    async with synced() as place:
        place.cluster.change(key_of("a"), {"metadata": {"finalizers": ["example.com/hold"]}})

        report = await end(place)

        assert report.result is Result.FAILED
        assert [(problem.code, problem.object) for problem in report.problems] == [
            (Code.PRUNE_BLOCKED, "ConfigMap shop/a")
        ]
        assert place.data("b") is None
        assert finalizers(place) == [names.FINALIZER]
        assert (await place.sync(Trigger.RETRY)).result is Result.FAILED
        place.cluster.change(key_of("a"), {"metadata": {"finalizers": None}})
        assert (await place.sync(Trigger.RETRY)).result is Result.DELETED
        assert REPOSITORY not in place.cluster.objects


@pytest.mark.parametrize(
    ("change", "blocks"),
    [
        ({"annotations": {"nopea.io/prune": "false"}}, False),
        ({"annotations": {"nopea.io/suspend-heal": "true"}}, True),
        ({"labels": {"nopea.io/repository": "shop.api"}}, False),
        ({"labels": None}, True),
        ({"managedFields": [{}]}, True),
    ],
)
async def test_the_safeguards_apply_to_the_deletion_too(change: dict[str, Any], *, blocks: bool) -> None:
    """Protected objects stay; doubtful ones block the GitRepository until a user decides."""
    async with synced() as place:
        place.cluster.change(key_of("a"), {"metadata": change})

        report = await end(place)

        assert place.data("a") == {"colour": "blue"}
        assert (REPOSITORY in place.cluster.objects) is blocks
        assert report.result is (Result.FAILED if blocks else Result.DELETED)


@pytest.mark.parametrize(("annotation", "stays"), [(None, True), ("true", False)])
async def test_protected_kinds_stay_and_block_nothing(annotation: str | None, *, stays: bool) -> None:
    """The deletion of the GitRepository alone does not delete a Namespace, and ends all the same."""
    key = key_of("data", "Namespace", namespace="")
    async with synced({"n.yaml": manifest("v1", "Namespace", "data"), "a.yaml": config_map("a")}) as place:
        place.cluster.change(key, {"metadata": {"annotations": {"nopea.io/prune": annotation}}})

        report = await end(place)

        assert report.result is Result.DELETED
        assert (key in place.cluster.objects) is stays
        assert place.data("a") is None
        assert REPOSITORY not in place.cluster.objects
        assert [one.key for one in report.objects if one.kept] == ([key] if stays else [])


@pytest.mark.parametrize(
    ("doomed", "why"),
    [
        (DEFINITIONS.at(name="gitrepositories.nopea.io"), "definition deleted"),
        (NAMESPACES.at(name="shop"), "namespace deleted"),
        (NAMESPACES.at(name="nopea-system"), "namespace of Nopea deleted"),
    ],
)
async def test_who_removes_nopea_or_a_namespace_deletes_no_objects(doomed: Target, why: str) -> None:
    """The objects stay, and the GitRepository is released without a request for any of them."""
    async with synced() as place:
        place.cluster.objects[doomed.key] = {
            "apiVersion": doomed.resource.api_version,
            "kind": doomed.resource.kind,
            "metadata": {"name": doomed.name, "deletionTimestamp": "2026-11-24T05:00:00Z"},
        }

        report = await end(place)

        assert (report.result, report.why_objects_stay) == (Result.DELETED, why)
        assert place.data("a") == {"colour": "blue"}
        assert REPOSITORY not in place.cluster.objects


async def test_a_new_process_releases_what_the_deletion_of_the_kinds_has_begun() -> None:
    """The definition of Inventories is gone first, since these have no finalizer: none can be read."""
    definition = DEFINITIONS.at(name=GIT_REPOSITORIES.full_plural)
    async with synced() as place:
        place.cluster.objects[definition.key] = {
            "apiVersion": definition.resource.api_version,
            "kind": definition.resource.kind,
            "metadata": {"name": definition.name, "deletionTimestamp": "2026-11-24T05:00:00Z"},
        }
        place.cluster.kinds.remove(served(INVENTORIES))
        place.cluster.delete(REPOSITORY)
        await place.restart()

        assert (await place.sync(Trigger.STARTUP)).result is Result.DELETED

        assert place.data("a") == {"colour": "blue"}
        assert REPOSITORY not in place.cluster.objects


async def test_a_deletion_waits_until_it_is_known_what_is_deleted() -> None:
    """While the definition cannot be read, nothing is deleted."""
    async with synced() as place:
        place.cluster.fail_next("get", DEFINITIONS, FORBIDDEN)

        report = await end(place)

        assert report.result is Result.FAILED
        assert place.data("a") == {"colour": "blue"}
        assert (await place.sync(Trigger.RETRY)).result is Result.DELETED
        assert place.data("a") is None


async def test_a_failed_deletion_is_retried() -> None:
    """The GitRepository stays, and its report fails until a later deletion succeeds."""
    async with synced() as place:
        place.cluster.fail_next("delete", CONFIG_MAPS, FORBIDDEN)

        report = await end(place)

        assert report.result is Result.FAILED
        assert REPOSITORY in place.cluster.objects
        assert (await place.sync(Trigger.RETRY)).result is Result.DELETED


async def test_a_failed_removal_of_the_finalizer_is_retried() -> None:
    """The next run finds that the objects are gone and removes the finalizer."""
    async with synced() as place:
        down = ServerError(ApiFailure(code=503, reason="ServiceUnavailable", message="etcd is gone"))
        place.cluster.fail_next("patch", GIT_REPOSITORIES, down)

        report = await end(place)

        assert (report.result, report.transient) == (Result.FAILED, True)
        assert place.data("a") is None
        assert (await place.sync(Trigger.RETRY)).result is Result.DELETED
        assert REPOSITORY not in place.cluster.objects


async def test_a_broken_api_service_blocks_only_its_own_objects() -> None:
    """The others are deleted; the finalizer stays until the service answers, and says what it waits for."""
    widgets = served(
        Resource(group="shop.example.com", version="v1", kind="Widget", plural="widgets", namespaced=True)
    )
    async with installed(
        {**FILES, "w.yaml": manifest("shop.example.com/v1", "Widget", "w")}, deletionPolicy="Delete"
    ) as place:
        place.cluster.kinds.append(widgets)
        await place.sync()
        place.cluster.break_service("shop.example.com")
        await place.restart()

        report = await end(place)

        assert [(problem.code, problem.object) for problem in report.problems] == [
            (Code.API_BUSY, "shop.example.com/Widget shop/w")
        ]
        assert place.data("a") is None
        assert finalizers(place) == [names.FINALIZER]
        place.cluster.broken.clear()
        assert (await place.sync(Trigger.RETRY)).result is Result.DELETED
        assert REPOSITORY not in place.cluster.objects


async def test_the_finalizer_of_an_earlier_version_is_removed() -> None:
    """It was applied as the manager of what Git declares; another controller's stays."""
    async with installed(FILES) as place:
        finalizers_before = {"finalizers": ["example.com/other", names.FINALIZER]}
        place.cluster.change(REPOSITORY, {"metadata": finalizers_before}, manager=names.FIELD_MANAGER)
        await place.sync()
        assert finalizers(place) == ["example.com/other"]


async def test_finalizers_that_move_are_found_again() -> None:
    """Another controller removes its own at the same time."""
    async with synced() as place:
        both = {"metadata": {"finalizers": ["example.com/other", names.FINALIZER]}}
        place.cluster.change(REPOSITORY, both)
        only_ours = {"metadata": {"finalizers": [names.FINALIZER]}}
        place.cluster.before("patch", REPOSITORY, lambda: place.cluster.change(REPOSITORY, only_ours))

        assert (await end(place)).result is Result.DELETED

        assert REPOSITORY not in place.cluster.objects


async def test_another_process_finishes_the_deletion() -> None:
    """A new process reads the inventory from the status."""
    async with synced() as place:
        place.cluster.delete(REPOSITORY)
        await place.restart()

        assert (await place.sync(Trigger.STARTUP)).result is Result.DELETED
        assert place.data("a") is None
        assert REPOSITORY not in place.cluster.objects


async def test_an_unreadable_spec_does_not_block_the_deletion() -> None:
    """The deletion policy is unknown, so the objects stay."""
    async with synced() as place:
        place.configure(interval="soon")

        assert (await end(place)).result is Result.DELETED
        assert place.data("a") == {"colour": "blue"}


async def test_an_object_that_another_repository_waits_for_is_handed_over() -> None:
    """The object is not deleted with its GitRepository if another GitRepository declares it."""
    async with synced({"web/a.yaml": config_map("a", colour="blue")}, path="web") as place:
        place.git.push({"api/a.yaml": config_map("a", colour="red")})
        place.declare("api", path="api")
        assert (await place.sync(name="api")).result is Result.FAILED

        assert (await end(place)).result is Result.DELETED

        assert place.data("a") == {"colour": "blue"}
        assert REPOSITORY not in place.cluster.objects


async def test_a_repository_that_contains_itself_can_be_deleted() -> None:
    """It is one of its own objects; what leaves Git does not delete it, and with it everything."""
    spec: dict[str, Any] = {
        "deletionPolicy": "Delete",
        "pruneLimit": "100%",
        "serviceAccountName": "deployer",
    }
    itself = {"url": "https://git.example/shop.git", "ref": {"branch": "main"}, **spec}
    root = {"root.yaml": manifest(names.API_VERSION, names.KIND, "web", spec=itself)}
    async with installed({**FILES, **root}, **spec) as place:
        place.cluster.allowed.add("system:serviceaccount:shop:deployer")
        await place.sync()
        assert str(REPOSITORY) in place.inventory()
        place.git.push({"root.yaml": None})

        report = await place.sync(Trigger.POLL)

        kept = [(one.key, one.kept) for one in report.objects if one.kept]
        assert kept == [(REPOSITORY, PruneReason.PROTECTED_KIND)]
        assert "deletionTimestamp" not in place.cluster.objects[REPOSITORY]["metadata"]
        assert (await end(place)).result is Result.DELETED
        assert place.data("a") is None
        assert REPOSITORY not in place.cluster.objects
