"""Failures, concurrent changes and interruptions while a commit is applied, and contested objects."""

from __future__ import annotations

import asyncio

import pytest
from tests.fakes.installation import (
    config_map,
    installed,
    key_of,
    manifest,
    outcomes,
    repository_key,
)
from tests.fakes.object_store import CLAIMS, CONFIG_MAPS, served

from nopea.core.objects import Resource
from nopea.core.plan.model import Reason
from nopea.core.problem import Code
from nopea.core.status.report import ObjectResult, Outcome, ReconcileReport, Result
from nopea.core.trigger import Trigger
from nopea.kube.errors import ApiFailure, ForbiddenError, ServerError
from nopea.kube.watch import DEFAULT_TIMING

WIDGETS = served(
    Resource(group="shop.example.com", version="v1", kind="Widget", plural="widgets", namespaced=True)
)
pytestmark = pytest.mark.looptime

KEY = key_of("a")
BLUE = {"a.yaml": config_map("a", colour="blue")}
PROTECTED = {"nopea.io/suspend-heal": "true"}
FORBIDDEN = ForbiddenError(ApiFailure(code=403, reason="Forbidden", message="a policy says no"))
BROKEN = ServerError(ApiFailure(code=500, reason="InternalError", message="a conversion webhook is down"))


def only(report: ReconcileReport) -> ObjectResult:
    """Return the result of the one object."""
    (result,) = report.objects
    return result


async def test_break_glass_set_during_a_write_is_respected() -> None:
    """The write conflicts with the new version, and the new decision leaves the object alone."""
    async with installed(BLUE) as place:
        await place.sync()
        place.git.push({"a.yaml": config_map("a", colour="green")})
        place.cluster.before("apply", key_of("a"), lambda: place.annotate("a", PROTECTED))

        result = only(await place.sync(Trigger.POLL))

        assert (result.outcome, result.reason) == (Outcome.SKIPPED, Reason.BREAK_GLASS)
        assert place.data("a") == {"colour": "blue"}


async def test_a_change_during_a_write_is_not_lost() -> None:
    """The decision is made again for the new version, which is then written."""
    async with installed(BLUE) as place:
        await place.sync()
        place.git.push({"a.yaml": config_map("a", colour="green")})
        place.cluster.before("apply", key_of("a"), lambda: place.edit("a", {"by": "it"}, manager="operator"))

        assert only(await place.sync(Trigger.POLL)).outcome is Outcome.CONFIGURED
        assert place.data("a") == {"colour": "green", "by": "it"}


async def test_another_repositorys_object_is_refused() -> None:
    """The object's data and label stay; the owner is woken to report the conflict as well."""
    async with installed({"web/a.yaml": config_map("a", colour="blue")}, path="web") as place:
        place.declare("api", path="api")
        place.git.push({"api/a.yaml": config_map("a", colour="red")})
        await place.sync()
        place.woken.clear()

        report = await place.sync(name="api")

        assert report.result is Result.FAILED
        assert report.codes == (Code.OWNED_BY_OTHER,)
        assert place.data("a") == {"colour": "blue"}
        assert "shop.web" in place.woken
        assert place.inventory("api") == set()
        contested = (await place.sync()).contested
        assert [(str(key), str(other)) for key, other in contested] == [("ConfigMap shop/a", "shop/api")]


async def test_an_object_is_handed_over() -> None:
    """The new owner waits until the old one releases the object; it is never deleted."""
    async with installed({"web/a.yaml": config_map("a", colour="blue")}, path="web") as place:
        place.git.push({"web/keep.yaml": config_map("keep"), "api/a.yaml": config_map("a", colour="red")})
        place.declare("api", path="api")
        await place.sync()
        assert (await place.sync(name="api")).codes == (Code.OWNED_BY_OTHER,)
        uid = place.cluster.objects[key_of("a")]["metadata"]["uid"]

        place.git.push({"web/a.yaml": None})
        assert (await place.sync(Trigger.POLL)).result is Result.SYNCED
        report = await place.sync(Trigger.RETRY, name="api")

        assert report.result is Result.SYNCED
        live = place.cluster.objects[key_of("a")]
        assert (live["metadata"]["uid"], live["data"]) == (uid, {"colour": "red"})
        assert live["metadata"]["labels"] == {"nopea.io/repository": "shop.api"}
        assert place.inventory("web") == {"ConfigMap shop/keep"}
        assert place.inventory("api") == {"ConfigMap shop/a"}


async def test_an_object_of_a_deleted_repository_is_taken_over() -> None:
    """The label of a deleted GitRepository protects nothing."""
    async with installed(BLUE, prune=False) as place:
        await place.sync()
        place.declare("api", path="api")
        place.git.push({"api/a.yaml": config_map("a", colour="red")})
        key = place.repository().key
        place.cluster.delete(repository_key("web"))
        place.services.repositories.remove(key)
        place.services.ownership.release(key)

        assert (await place.sync(name="api")).result is Result.SYNCED
        assert place.data("a") == {"colour": "red"}


async def test_an_unknown_kind_fails_alone() -> None:
    """The problem has the file of the object; others are applied, and a new kind causes a retry."""
    files = {**BLUE, "w.yaml": manifest("shop.example.com/v1", "Widget", "w")}
    async with installed(files) as place:
        report = await place.sync()

        assert report.result is Result.FAILED
        assert [(problem.code, problem.source) for problem in report.problems] == [
            (Code.KIND_UNKNOWN, "w.yaml#1")
        ]
        assert place.data("a") == {"colour": "blue"}
        assert place.state().unknown_kinds

        place.cluster.kinds.append(WIDGETS)
        assert (await place.sync(Trigger.KIND_CHANGE)).result is Result.SYNCED
        assert not place.state().unknown_kinds


@pytest.mark.parametrize("restart", [False, True])
async def test_a_broken_api_service_costs_its_objects_only(*, restart: bool) -> None:
    """Others are applied and healed; its own are reported with their files, and none is forgotten."""
    files = {**BLUE, "w.yaml": manifest("shop.example.com/v1", "Widget", "w")}
    async with installed(files) as place:
        place.cluster.kinds.append(WIDGETS)
        assert (await place.sync()).result is Result.SYNCED
        place.cluster.break_service(WIDGETS.group)
        place.services.discovery.invalidate()
        await asyncio.sleep(DEFAULT_TIMING.stale_after)
        if restart:
            await place.restart()
        place.edit("a", {"colour": "red"})
        place.git.push({"b.yaml": config_map("b")})

        report = await place.sync(Trigger.POLL)

        assert {(problem.code, problem.source) for problem in report.problems} == {
            (Code.API_BUSY, "w.yaml#1")
        }
        assert report.transient
        assert place.data("a") == {"colour": "blue"}
        assert place.data("b") == {}
        assert "shop.example.com/Widget shop/w" in place.inventory()
        place.cluster.broken.clear()
        await asyncio.sleep(DEFAULT_TIMING.longest_pause)
        place.cluster.requests.clear()
        assert (await place.sync()).result is Result.SYNCED
        assert not [write for write in place.cluster.writes if "widgets" in write]


async def test_an_apply_that_completes_a_deletion_is_followed_by_a_creation() -> None:
    """Git no longer has the finalizer of an object that is being deleted: the answer shows what is gone."""
    held = {"finalizers": ["shop.example.com/hold"]}
    async with installed({"a.yaml": config_map("a", metadata=held), "b.yaml": config_map("b")}) as place:
        await place.sync()
        before = place.cluster.objects[KEY]["metadata"]["uid"]
        place.cluster.delete(KEY)
        place.git.push({"a.yaml": config_map("a")})

        assert (await place.sync(Trigger.POLL)).result is Result.SYNCED

        assert place.cluster.objects[KEY]["metadata"]["uid"] != before
        await place.settle()
        place.cluster.delete(KEY)
        await place.sync()
        assert KEY in place.cluster.objects


async def test_a_watch_that_fails_hides_no_drift_for_long() -> None:
    """Ten seconds after the conversion webhook of a kind went down, its objects are read one by one."""
    async with installed(BLUE) as place:
        await place.sync()
        place.cluster.fail_next("watch", CONFIG_MAPS, BROKEN, times=1000)
        place.cluster.fail_next("list", CONFIG_MAPS, BROKEN, times=1000)
        place.cluster.end_watches()
        await asyncio.sleep(DEFAULT_TIMING.stale_after)
        place.edit("a", {"colour": "red"})

        report = await place.sync()

        assert report.result is Result.SYNCED
        assert place.data("a") == {"colour": "blue"}
        assert place.condition("Watching") == ("False", "NotWatched")


async def test_an_object_that_etcds_backup_had_is_applied_again() -> None:
    """Its fields are still ours, with the values of an older commit: nobody has changed it."""
    async with installed(BLUE, healPolicy="manual") as place:
        await place.sync()
        backup, version = place.cluster.objects[KEY], place.cluster.version
        place.git.push({"a.yaml": config_map("a", colour="red")})
        await place.sync(Trigger.POLL)
        await place.settle()
        place.cluster.restore({**place.cluster.objects, KEY: backup}, version=version)

        assert (await place.sync()).result is Result.SYNCED

        assert place.data("a") == {"colour": "red"}


async def test_several_kinds_that_cannot_be_watched_are_all_named() -> None:
    """Each with its namespace, in a fixed order."""
    files = {**BLUE, "c.yaml": manifest("v1", "PersistentVolumeClaim", "c", spec={})}
    async with installed(files) as place:
        for kind in (CONFIG_MAPS, CLAIMS):
            place.cluster.fail_next("list", kind, FORBIDDEN, times=1000)
        await place.sync()

        (watching,) = [one for one in place.status().conditions if one.type == "Watching"]
        assert "configmaps in shop, persistentvolumeclaims in shop" in watching.message


async def test_a_rejected_object_fails_alone() -> None:
    """The other objects are applied; the next reconciliation tries again."""
    files = {**BLUE, "b.yaml": config_map("b")}
    async with installed(files) as place:
        place.cluster.fail_next("apply", CONFIG_MAPS, FORBIDDEN)

        report = await place.sync()

        assert sorted(outcomes(report).values()) == [Outcome.CREATED, Outcome.FAILED]
        assert len(place.inventory()) == 1
        assert (await place.sync(Trigger.RETRY)).result is Result.SYNCED
        assert place.inventory() == {"ConfigMap shop/a", "ConfigMap shop/b"}


async def test_an_outage_of_the_api_server_stops_the_sync() -> None:
    """No further object is tried; the next reconciliation applies the rest."""
    files = {
        "a.yaml": manifest("v1", "Namespace", "new"),
        **{f"{number:02}.yaml": config_map(f"c{number:02}") for number in range(40)},
    }
    async with installed(files) as place:
        place.cluster.before("apply", key_of("c05"), place.cluster.stop)

        report = await place.sync()

        assert report.result is Result.FAILED
        assert Code.API_UNREACHABLE in report.codes
        written = {key.name for key in place.cluster.objects if key.kind == "ConfigMap"}
        assert len(written) < 10
        assert {key.name for key in place.state().applied} <= {*written, "new"}
        assert place.inventory() == set()

        place.cluster.down = False
        await place.settle()
        assert (await place.sync(Trigger.RETRY)).result is Result.SYNCED
        assert len(place.inventory()) == 41


async def test_the_next_process_finishes_after_a_crash() -> None:
    """A new process, which knows only the cluster, applies the rest and rewrites nothing."""
    files = {f"{number:02}.yaml": config_map(f"c{number:02}", colour="blue") for number in range(40)}
    async with installed(files) as place:
        place.cluster.before("apply", key_of("c20"), place.cluster.stop)
        await place.sync()
        written = {key for key in place.cluster.objects if key.kind == "ConfigMap"}
        assert 0 < len(written) < 40
        versions = {key: place.cluster.objects[key]["metadata"]["resourceVersion"] for key in written}

        place.cluster.down = False
        await place.restart()
        report = await place.sync(Trigger.STARTUP)

        assert report.result is Result.SYNCED
        assert len(place.inventory()) == 40
        assert all(
            place.cluster.objects[key]["metadata"]["resourceVersion"] == version
            for key, version in versions.items()
        )


async def test_a_newer_commit_stops_a_reconciliation_between_two_objects() -> None:
    """The objects applied so far are recorded; the next run applies the newer commit."""
    files = {f"{number:02}.yaml": config_map(f"c{number:02}", colour="blue") for number in range(40)}
    async with installed(files) as place:
        pending: set[Trigger] = set()

        def push() -> None:
            place.git.push({name: config_map(f"c{name[:2]}", colour="red") for name in files})
            pending.add(Trigger.WEBHOOK)

        place.cluster.before("apply", key_of("c05"), push)
        report = await place.sync(pending=pending)

        assert report.result is Result.SUPERSEDED
        written = [key for key in place.cluster.objects if key.kind == "ConfigMap"]
        assert 0 < len(written) < 40
        assert set(written) == set(place.state().applied)

        assert (await place.sync(Trigger.WEBHOOK)).result is Result.SYNCED
        assert all(place.data(f"c{number:02}") == {"colour": "red"} for number in range(40))


async def test_nothing_is_pruned_while_something_fails() -> None:
    """Prunes come last, and only if everything else succeeded."""
    files = {**BLUE, "b.yaml": config_map("b"), "c.yaml": config_map("c")}
    async with installed(files, pruneLimit=1) as place:
        await place.sync()
        place.git.push({"b.yaml": None, "a.yaml": config_map("a", colour="red")})
        place.cluster.fail_next("apply", CONFIG_MAPS, FORBIDDEN)

        assert (await place.sync(Trigger.POLL)).result is Result.FAILED
        assert place.data("b") == {}

        report = await place.sync(Trigger.RETRY)
        assert outcomes(report)["b"] is Outcome.PRUNED
        assert place.data("b") is None
        assert place.inventory() == {"ConfigMap shop/a", "ConfigMap shop/c"}


async def test_a_file_that_cannot_be_read_stops_pruning() -> None:
    """The missing object may be in that file."""
    files = {**BLUE, "b.yaml": config_map("b"), "c.yaml": config_map("c")}
    async with installed(files) as place:
        await place.sync()
        place.git.push({"b.yaml": "kind: [", "a.yaml": config_map("a", colour="red")})

        report = await place.sync(Trigger.POLL)

        assert report.result is Result.FAILED
        assert place.data("a") == {"colour": "red"}
        assert place.data("b") == {}
        assert "ConfigMap shop/b" in place.inventory()


async def test_an_object_that_cannot_be_read_is_not_written() -> None:
    """It may be under break-glass or belong to another GitRepository."""
    async with installed(BLUE) as place:
        await place.sync()
        place.edit("a", {"colour": "red"})
        place.cluster.fail_next("get", CONFIG_MAPS, FORBIDDEN)

        result = only(await place.sync())

        assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.UNREADABLE)
        assert place.data("a") == {"colour": "red"}


async def test_without_discovery_no_decision_is_made() -> None:
    """A kind that cannot be looked up does not count as missing."""
    async with installed(BLUE) as place:
        place.cluster.stop()

        report = await place.sync()

        assert report.result is Result.FAILED
        assert report.codes == (Code.API_UNREACHABLE,)
        assert report.transient


async def test_a_prune_that_fails_holds_up_only_what_depends_on_it() -> None:
    """What the object may still need stays; its siblings and objects elsewhere are deleted at once."""
    away = {"namespace": "infra"}
    removed = {
        "w.yaml": manifest("shop.example.com/v1", "Widget", "w"),
        "v.yaml": manifest("shop.example.com/v1", "Widget", "v"),
        "own.yaml": config_map("own"),
        "away.yaml": config_map("away", metadata=away),
    }
    async with installed({**BLUE, **removed}, pruneLimit="100%") as place:
        place.cluster.kinds.append(WIDGETS)
        place.cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "infra"}})
        assert (await place.sync()).result is Result.SYNCED
        place.git.push(dict.fromkeys(removed))
        place.cluster.fail_next("delete", WIDGETS, FORBIDDEN)

        failed = await place.sync(Trigger.POLL)
        left = place.inventory()
        mended = await place.sync(Trigger.RETRY)

        assert [problem.code for problem in failed.problems] == [Code.FORBIDDEN]
        assert left == {"ConfigMap shop/a", "ConfigMap shop/own", "shop.example.com/Widget shop/v"}
        assert mended.result is Result.SYNCED
        assert place.inventory() == {"ConfigMap shop/a"}
