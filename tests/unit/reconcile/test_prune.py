"""The safeguards of pruning: an object that is gone from Git is deleted only if all of them allow it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
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
from tests.fakes.object_store import CONFIG_MAPS, DEPLOYMENTS, served

from nopea.core.api.spec import GitRepositorySpec
from nopea.core.objects import Resource
from nopea.core.plan.model import Action
from nopea.core.plan.prune import PruneReason, PruneVerdict
from nopea.core.problem import Code, TransientError
from nopea.core.status.report import Outcome, Result
from nopea.core.trigger import Trigger
from nopea.informers.informer import Informers
from nopea.kube.errors import ApiFailure, ForbiddenError, ServerError
from nopea.kube.watch import DEFAULT_TIMING
from nopea.reconcile.prune import Pruner, Prunes

pytestmark = pytest.mark.looptime

KEPT = {f"keep{number}.yaml": config_map(f"keep{number}") for number in range(3)}
OLD = key_of("old")
WIDGET = ("shop.example.com", "Widget")
WIDGETS = served(Resource(group=WIDGET[0], version="v1", kind=WIDGET[1], plural="widgets", namespaced=True))
GONE_FROM_GIT = {"old.yaml": None}
Change = Callable[[Installation], object]


@asynccontextmanager
async def with_old(**spec: Any) -> AsyncIterator[Installation]:
    """Yield an installation in which the ConfigMap `old` was applied and is still in Git."""
    async with installed({**KEPT, "old.yaml": config_map("old", colour="blue")}, **spec) as place:
        await place.sync()
        assert OLD in place.cluster.objects
        yield place


async def look(
    place: Installation, wanted: Iterable[str] = (), *, clean: bool = True, deleting: bool = False
) -> Prunes:
    """Return the pruner's decisions if Git declares only the ConfigMaps with these names."""
    await place.settle()
    repository = place.repository()
    assert isinstance(repository.spec, GitRepositorySpec)
    pruner = Pruner(
        place.services, repository, repository.spec, place.state(), client=place.cluster.client, watcher=None
    )
    keys = {key_of(name) for name in wanted}
    return await pruner.steps(keys, clean=clean, commit="c0ffee0", deleting=deleting)


async def test_an_object_gone_from_git_is_deleted() -> None:
    """The object is deleted after everything else is applied, and leaves the inventory."""
    async with with_old() as place:
        place.git.push(GONE_FROM_GIT)

        report = await place.sync(Trigger.POLL)

        assert outcomes(report)["old"] is Outcome.PRUNED
        assert report.result is Result.SYNCED
        assert OLD not in place.cluster.objects
        assert "ConfigMap shop/old" not in place.inventory()
        assert place.cluster.writes[-2].startswith("delete configmaps/v1 shop/old")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"annotations": {"nopea.io/prune": "false"}}, PruneReason.ANNOTATED),
        ({"annotations": {"nopea.io/prune": "never"}}, PruneReason.ANNOTATED),
        ({"annotations": {"nopea.io/suspend-heal": "true"}}, PruneReason.BREAK_GLASS),
        ({"labels": {"nopea.io/repository": "shop.api"}}, PruneReason.OWNED_BY_OTHER),
        ({"labels": None}, PruneReason.NO_LABEL),
        ({"managedFields": [{}]}, PruneReason.NOT_APPLIED),
    ],
)
async def test_each_safeguard_keeps_the_object(change: dict[str, Any], reason: PruneReason) -> None:
    """A safeguard applies even if it is set just before the prune."""
    async with with_old() as place:
        place.cluster.change(OLD, {"metadata": change})
        found = await look(place, ["keep0", "keep1", "keep2"])
        place.git.push(GONE_FROM_GIT)

        await place.sync(Trigger.POLL)

        assert found.decisions[OLD].reason is reason
        assert place.data("old") == {"colour": "blue"}


async def test_with_pruning_off_nothing_is_deleted() -> None:
    """The object stays in the inventory, so it is deleted when pruning is turned on."""
    async with with_old(prune=False) as place:
        place.git.push(GONE_FROM_GIT)
        assert outcomes(await place.sync(Trigger.POLL))["old"] is Outcome.SKIPPED
        assert place.data("old") is not None
        assert "ConfigMap shop/old" in place.inventory()

        place.configure(prune=True)
        await place.sync(Trigger.SPEC_CHANGE)

        assert place.data("old") is None


async def test_protected_kinds_are_deleted_on_request_only() -> None:
    """Deleting a Namespace deletes its contents, so it needs an annotation."""
    files = {**KEPT, "old.yaml": manifest("v1", "Namespace", "old")}
    key = key_of("old", "Namespace", namespace="")
    async with installed(files) as place:
        await place.sync()
        place.git.push(GONE_FROM_GIT)

        report = await place.sync(Trigger.POLL)

        assert report.result is Result.SYNCED
        assert [(one.key, one.kept) for one in report.objects if one.kept] == [
            (key, PruneReason.PROTECTED_KIND)
        ]
        assert key in place.cluster.objects
        assert "Namespace old" in place.inventory()
        place.cluster.change(key, {"metadata": {"annotations": {"nopea.io/prune": "true"}}})
        assert (await place.sync(Trigger.RETRY)).result is Result.SYNCED
        assert key not in place.cluster.objects


async def test_pruning_most_objects_needs_a_confirmation() -> None:
    """Three of four objects are kept until the annotation names the commit."""
    async with with_old() as place:
        commit = place.git.push(dict.fromkeys(KEPT))

        report = await place.sync(Trigger.POLL)

        assert report.codes == (Code.PRUNE_GUARD,)
        assert "`nopea confirm-prune web -n shop`" in report.problems[0].hint
        assert len(place.inventory()) == 4
        place.configure(annotations={"nopea.io/confirm-prune": commit.id[:7]})
        assert (await place.sync(Trigger.MANUAL)).result is Result.SYNCED
        assert place.inventory() == {"ConfigMap shop/old"}
        assert {key.name for key in place.cluster.objects if key.kind == "ConfigMap"} == {"old"}


async def test_the_limit_of_the_spec_replaces_the_default() -> None:
    """A number or a share of the spec allows what the default would hold back."""
    for limit in (3, "75%"):
        async with with_old(pruneLimit=limit) as place:
            place.git.push(dict.fromkeys(KEPT))

            assert (await place.sync(Trigger.POLL)).result is Result.SYNCED
            assert place.inventory() == {"ConfigMap shop/old"}


async def test_a_limit_of_zero_holds_back_every_prune() -> None:
    """Every removal is confirmed, even one that the default would allow."""
    async with with_old(pruneLimit=0) as place:
        place.git.push(GONE_FROM_GIT)

        report = await place.sync(Trigger.POLL)

        assert report.codes == (Code.PRUNE_GUARD,)
        assert "`nopea confirm-prune web -n shop`" in report.problems[0].hint
        assert OLD in place.cluster.objects


async def test_nothing_is_deleted_when_git_renders_to_nothing_or_not_cleanly() -> None:
    """An empty or broken rendering does not mean that the objects are unwanted."""
    async with with_old() as place:
        empty = await look(place)
        unclean = await look(place, ["keep0", "keep1", "keep2"], clean=False)

        assert empty.decisions[OLD].reason is PruneReason.RENDERED_TO_NOTHING
        assert unclean.decisions[OLD].reason is PruneReason.RENDER_FAILED
        assert all(step.action is Action.REFUSE for step in (*empty.steps, *unclean.steps))


async def test_an_object_that_is_already_deleted_is_forgotten() -> None:
    """The object leaves the inventory, and the report does not mention it."""
    async with with_old() as place:
        place.cluster.delete(OLD)
        place.git.push(GONE_FROM_GIT)

        report = await place.sync(Trigger.POLL)

        assert report.result is Result.SYNCED
        assert "old" not in outcomes(report)
        assert "ConfigMap shop/old" not in place.inventory()


async def test_a_terminating_object_stays_in_the_inventory() -> None:
    """While a finalizer keeps the object, it stays in the inventory and is not deleted again."""
    async with with_old() as place:
        place.cluster.change(OLD, {"metadata": {"finalizers": ["example.com/hold"]}})
        place.git.push(GONE_FROM_GIT)
        assert outcomes(await place.sync(Trigger.POLL))["old"] is Outcome.PRUNED
        assert "ConfigMap shop/old" in place.inventory()
        place.cluster.requests.clear()

        await place.sync()

        assert not any(request.startswith("delete") for request in place.cluster.requests)
        place.cluster.change(OLD, {"metadata": {"finalizers": None}})
        await place.sync()
        assert "ConfigMap shop/old" not in place.inventory()


@pytest.mark.parametrize(
    "meanwhile",
    [
        {"annotations": {"nopea.io/prune": "false"}},
        {"annotations": {"nopea.io/suspend-heal": "true"}},
        {"labels": {"nopea.io/repository": "shop.api"}},
    ],
)
async def test_a_safeguard_set_during_the_deletion_is_respected(meanwhile: dict[str, Any]) -> None:
    """The deletion has the version of the decision as precondition; a later run decides again."""
    async with with_old() as place:
        place.git.push(GONE_FROM_GIT)
        place.cluster.before("delete", OLD, lambda: place.cluster.change(OLD, {"metadata": meanwhile}))

        report = await place.sync(Trigger.POLL)

        assert outcomes(report)["old"] is Outcome.SKIPPED
        assert report.retry_at is not None
        assert place.data("old") == {"colour": "blue"}


async def test_another_object_with_the_same_name_is_not_deleted() -> None:
    """An object that was created again during the deletion has another uid."""
    async with with_old() as place:

        def create_again() -> None:
            place.cluster.delete(OLD)
            place.cluster.create(
                {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "old", "namespace": "shop"}}
            )

        place.git.push(GONE_FROM_GIT)
        place.cluster.before("delete", OLD, create_again)

        await place.sync(Trigger.POLL)

        assert OLD in place.cluster.objects


async def test_forged_objects_do_not_raise_the_limit_of_the_guard() -> None:
    """They have the label and our Apply entry, as an object that a crash left unrecorded has."""
    async with with_old() as place:
        stored = place.cluster.objects[OLD]
        for number in range(40):
            name = f"forged{number}"
            metadata = {**stored["metadata"], "name": name, "uid": f"uid-{name}"}
            place.cluster.objects[key_of(name)] = {**stored, "metadata": metadata}
        await place.restart()
        place.git.push(dict.fromkeys(KEPT))

        report = await place.sync(Trigger.STARTUP)

        assert report.codes == (Code.PRUNE_GUARD,)
        assert place.data("keep0") is not None


async def test_an_object_unrecorded_after_a_crash_is_pruned_in_two_steps() -> None:
    """The object is in no inventory: it is recorded first, and a later run prunes it."""
    async with with_old() as place:
        del place.state().applied[OLD]

        first = await look(place, ["keep0", "keep1", "keep2"])
        second = await look(place, ["keep0", "keep1", "keep2"])

        assert first.decisions[OLD].reason is PruneReason.NOT_IN_INVENTORY
        assert OLD in place.state().applied
        assert second.decisions[OLD].verdict is PruneVerdict.PRUNE


async def test_an_unrecorded_object_is_deleted_with_its_repository() -> None:
    """No later run would find the object in the inventory."""
    async with with_old() as place:
        del place.state().applied[OLD]
        found = await look(place, deleting=True)
        assert found.decisions[OLD].verdict is PruneVerdict.PRUNE


@pytest.mark.parametrize("is_deleted", [False, True])
async def test_an_object_whose_kind_is_not_served_stays_recorded(*, is_deleted: bool) -> None:
    """It comes back with its aggregated API and is deleted then; with a deleted definition it is gone."""
    async with installed({**KEPT, "old.yaml": manifest("apps/v1", "Deployment", "old", spec={})}) as place:
        await place.sync()
        assert "apps/Deployment shop/old" in place.inventory()
        place.configure(pruneLimit="100%")
        await place.restart()
        await place.services.discovery.all()
        place.cluster.kinds.remove(DEPLOYMENTS)
        if is_deleted:
            place.services.discovery.note_definitions(["deployments.apps"])
            place.services.discovery.note_definitions([])
        place.services.discovery.invalidate()
        place.git.push(GONE_FROM_GIT)

        report = await place.sync(Trigger.STARTUP)

        assert report.result is Result.SYNCED
        assert ("apps/Deployment shop/old" in place.inventory()) is not is_deleted
        stays = [] if is_deleted else [PruneReason.UNKNOWN_KIND]
        assert [one.kept for one in report.objects if one.kept] == stays
        place.cluster.kinds.append(DEPLOYMENTS)
        place.services.discovery.invalidate()
        if not is_deleted:
            await place.sync(Trigger.RETRY)
            assert "apps/Deployment shop/old" not in place.inventory()
            assert key_of("old", "Deployment", group="apps") not in place.cluster.objects


async def test_a_definition_deleted_while_nopea_was_away_leaves_no_entry() -> None:
    """Until it is known which definitions exist, the entry stays; then the repository is woken."""
    files = {**KEPT, "old.yaml": manifest("shop.example.com/v1", "Widget", "old")}
    async with installed(files, pruneLimit="100%") as place:
        place.cluster.kinds.append(WIDGETS)
        await place.sync()
        place.cluster.kinds.remove(WIDGETS)
        await place.restart()
        place.git.push(GONE_FROM_GIT)

        await place.sync(Trigger.STARTUP)
        early = [entry.object.kind for entry in place.status().kept]
        is_woken_by_kinds = place.state().unknown_kinds
        place.services.discovery.note_definitions(["cars.other.example"])
        await place.sync(Trigger.KIND_CHANGE)

        assert early == ["Widget"]
        assert is_woken_by_kinds
        assert place.status().kept == ()
        assert "shop.example.com/Widget shop/old" not in place.inventory()


async def test_an_object_without_our_label_is_refused_and_stays_recorded() -> None:
    """The watch no longer shows the object, but it exists, so a user has to decide."""
    async with with_old(healPolicy="manual") as place:
        place.cluster.change(OLD, {"metadata": {"labels": None}})
        await place.sync()
        place.git.push(GONE_FROM_GIT)

        for trigger in (Trigger.POLL, Trigger.RETRY):
            report = await place.sync(trigger)
            assert [(problem.code, problem.object) for problem in report.problems] == [
                (Code.PRUNE_PROTECTED, "ConfigMap shop/old")
            ]
        assert "ConfigMap shop/old" in place.inventory()
        assert place.data("old") == {"colour": "blue"}

        place.cluster.delete(OLD)
        assert (await place.sync(Trigger.RETRY)).result is Result.SYNCED
        assert "ConfigMap shop/old" not in place.inventory()


async def test_a_kind_that_cannot_be_listed_is_read_object_by_object() -> None:
    """Its objects do not count as gone, and one that cannot be read is neither deleted nor forgotten."""
    async with with_old() as place:
        place.services.object_cache._informers = Informers()
        broken = ServerError(ApiFailure(code=500, reason="InternalError", message="a webhook is broken"))
        place.cluster.fail_next("list", CONFIG_MAPS, broken, times=1000)

        found = await look(place, ["keep0", "keep1", "keep2"])

        assert found.decisions[OLD].verdict is PruneVerdict.PRUNE
        place.cluster.fail_next("get", CONFIG_MAPS, broken)
        kept = await look(place, ["keep0", "keep1"])
        assert kept.decisions[key_of("keep2")].reason is PruneReason.UNREADABLE
        assert kept.decisions[OLD].reason is PruneReason.GONE_FROM_GIT
        place.cluster.stop()
        with pytest.raises(TransientError):
            await look(place, ["keep0", "keep1", "keep2"])


@pytest.mark.parametrize("ends", [False, True])
async def test_what_was_in_a_namespace_that_is_gone_is_gone(*, ends: bool) -> None:
    """The account's rights in it went with the namespace, which holds up neither a sync nor the end."""
    namespace, there = key_of("elsewhere", "Namespace", namespace=""), key_of("old", namespace="elsewhere")
    old = {"old.yaml": config_map("old", metadata={"namespace": "elsewhere"})}
    async with installed(KEPT, deletionPolicy="Delete", pruneLimit=1) as place:
        place.cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "elsewhere"}})
        place.git.push(old)
        await place.sync()
        forbidden = ForbiddenError(ApiFailure(code=403, reason="Forbidden", message="no RoleBinding"))
        place.cluster.fail_next("get", CONFIG_MAPS, forbidden, times=1000)
        place.git.push(GONE_FROM_GIT)
        place.cluster.delete(there)
        if ends:
            place.cluster.delete(repository_key())
        triggers = [Trigger.DELETION] if ends else [Trigger.POLL]
        assert (await place.sync(*triggers)).result is Result.FAILED
        place.cluster.delete(namespace)

        report = await place.sync(*triggers)

        assert report.result is (Result.DELETED if ends else Result.SYNCED)
        assert ends or str(there) not in place.inventory()


async def test_a_broken_api_service_holds_up_the_prune_of_its_objects_only() -> None:
    """They may be there: they stay in the inventory, until the service answers again."""
    widget = manifest("shop.example.com/v1", "Widget", "w")
    for restart in (False, True):
        async with installed({**KEPT, "old.yaml": config_map("old"), "w.yaml": widget}) as place:
            place.cluster.kinds.append(WIDGETS)
            place.configure(pruneLimit=5)
            await place.sync()
            place.cluster.break_service("shop.example.com")
            await asyncio.sleep(DEFAULT_TIMING.stale_after)
            place.services.discovery.invalidate()
            place.git.push({**GONE_FROM_GIT, "w.yaml": None})
            if restart:
                await place.restart()

            report = await place.sync(Trigger.POLL)

            assert [(problem.code, problem.object) for problem in report.problems] == [
                (Code.API_BUSY, "shop.example.com/Widget shop/w")
            ]
            assert report.transient
            assert OLD not in place.cluster.objects
            assert key_of("w", WIDGET[1], group=WIDGET[0]) in place.cluster.objects
            assert "shop.example.com/Widget shop/w" in place.inventory()

            place.cluster.broken.clear()
            await asyncio.sleep(DEFAULT_TIMING.longest_pause)
            assert (await place.sync(Trigger.RETRY)).result is Result.SYNCED
            assert key_of("w", WIDGET[1], group=WIDGET[0]) not in place.cluster.objects
