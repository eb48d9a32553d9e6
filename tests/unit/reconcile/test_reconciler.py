"""One reconciliation from the request to the published report, including failures."""

from __future__ import annotations

import pytest
from tests.fakes.installation import (
    NAMESPACE,
    config_map,
    installed,
    key_of,
    outcomes,
    repository_key,
)
from tests.fakes.object_store import CONFIG_MAPS

from nopea.core.objects import ObjectKey
from nopea.core.plan.inventory import unpack
from nopea.core.problem import Code
from nopea.core.status.report import Outcome, Result
from nopea.core.trigger import Trigger
from nopea.kube.errors import ApiFailure, ForbiddenError, ServerError
from nopea.kube.kinds import GIT_REPOSITORIES, INVENTORIES

pytestmark = pytest.mark.looptime

BLUE = {"a.yaml": config_map("a", colour="blue")}
MANY = {f"{number:03}.yaml": config_map(f"c{number:03}") for number in range(110)}
BROKEN = ServerError(ApiFailure(code=500, reason="InternalError", message="etcd is slow"))
FORBIDDEN = ForbiddenError(ApiFailure(code=403, reason="Forbidden", message="a policy says no"))


async def test_a_report_is_published() -> None:
    """The status says what was applied, when and why; listeners get the same transition."""
    async with installed(BLUE) as place:
        report = await place.sync(Trigger.STARTUP)

        status = place.status()
        assert status.last_applied_commit == place.git.commit.id
        assert status.observed_generation == 1
        assert [entry.outcome for entry in status.history] == ["synced"]
        assert [entry.trigger for entry in status.history] == ["startup"]
        (transition,) = place.transitions
        assert transition.report == report
        assert transition.after == status
        assert report.triggers == ("startup",)


async def test_a_change_in_the_cluster_does_not_ask_git() -> None:
    """Git is asked only for a poll or a new spec."""
    async with installed(BLUE) as place:
        await place.sync(Trigger.STARTUP)
        place.git.refs.clear()

        assert (await place.sync(Trigger.OBJECT_CHANGE)).without_git
        assert place.git.refs == []
        assert not (await place.sync(Trigger.POLL)).without_git
        place.configure(prune=False)
        assert not (await place.sync(Trigger.OBJECT_CHANGE)).without_git
        assert len(place.git.refs) == 2


async def test_a_suspended_repository_is_not_synced() -> None:
    """No commit is applied and no drift is healed until the suspension ends."""
    async with installed(BLUE) as place:
        await place.sync()
        place.configure(suspend=True)
        place.edit("a", {"colour": "red"})
        place.git.refs.clear()

        report = await place.sync(Trigger.SPEC_CHANGE)

        assert report.result is Result.SUSPENDED
        assert place.data("a") == {"colour": "red"}
        assert place.git.refs == []
        assert place.inventory() == {"ConfigMap shop/a"}
        place.configure(suspend=False)
        await place.sync(Trigger.RESUME)
        assert place.data("a") == {"colour": "blue"}


async def test_an_unreadable_spec_is_reported() -> None:
    """Nothing is applied until a user corrects the spec."""
    async with installed(BLUE, interval="soon") as place:
        report = await place.sync()
        assert (report.result, report.codes) == (Result.FAILED, (Code.SPEC_INVALID,))
        assert place.data("a") is None
        assert place.status().errors[0].code == Code.SPEC_INVALID


async def test_an_unreadable_rollback_stops_the_reconciliation() -> None:
    """Nothing is applied, because the wanted commit is unknown."""
    async with installed(BLUE) as place:
        place.configure(annotations={"nopea.io/rollback-to": "yesterday"})
        report = await place.sync()
        assert report.result is Result.FAILED
        assert place.data("a") is None


async def test_an_abandoned_repository_needs_no_inventory() -> None:
    """A user can release a GitRepository whose inventory cannot be read."""
    async with installed(BLUE, deletionPolicy="Delete") as place:
        await place.sync()
        await place.restart()
        place.cluster.change(repository_key(), {"status": {"inventory": "rubbish"}}, subresource="status")
        place.configure(annotations={"nopea.io/abandon": "true"})
        place.cluster.delete(repository_key())

        assert (await place.sync(Trigger.DELETION)).result is Result.DELETED
        assert repository_key() not in place.cluster.objects


async def test_a_refused_object_is_not_claimed() -> None:
    """Otherwise its owner would be refused when it changes the object later."""
    async with installed(BLUE) as place:
        await place.sync()
        await place.restart()
        for verb in ("list", "watch"):  # so that nothing is known of the object before it is written
            place.cluster.fail_next(verb, CONFIG_MAPS, FORBIDDEN, times=10_000)
        owner = place.repository().key
        place.declare("other", path="")

        report = await place.sync(name="other")

        assert report.codes == (Code.OWNED_BY_OTHER,)
        assert place.services.ownership.claim(key_of("a"), owner) == owner


async def test_a_missing_secret_is_reported() -> None:
    """Git is not contacted without its credentials."""
    async with installed(BLUE, secretRef={"name": "git"}) as place:
        report = await place.sync()
        assert report.result is Result.FAILED
        assert "git" in report.problems[0].message
        assert place.git.refs == []


async def test_a_new_process_finds_its_state_in_the_cluster() -> None:
    """A new process writes nothing, and prunes what disappeared from Git meanwhile."""
    files = {**BLUE, "b.yaml": config_map("b"), "c.yaml": config_map("c")}
    async with installed(files, pruneLimit=1) as place:
        await place.sync()
        await place.restart()
        place.cluster.requests.clear()
        assert set(outcomes(await place.sync(Trigger.STARTUP)).values()) == {Outcome.UNCHANGED}
        assert place.cluster.writes == []

        await place.restart()
        place.git.push({"b.yaml": None})
        assert outcomes(await place.sync(Trigger.STARTUP))["b"] is Outcome.PRUNED


async def test_drift_is_detected_after_a_restart() -> None:
    """The hash and the projection of the last apply are in the inventory."""
    async with installed(BLUE, healPolicy="manual") as place:
        await place.sync()
        await place.restart()
        place.edit("a", {"colour": "red"})

        (result,) = (await place.sync(Trigger.STARTUP)).objects

        assert result.drifts
        assert result.seen is not None
        assert [field.path for field in result.seen.drift.fields] == [".data.colour"]


async def test_a_long_inventory_is_kept_in_inventory_objects() -> None:
    """Another process reads the Inventory objects; they are deleted when the status has room again."""
    chunk = ObjectKey(INVENTORIES.group, INVENTORIES.kind, NAMESPACE, "web-0")
    async with installed(MANY, pruneLimit="50%") as place:
        await place.sync()
        assert place.inventory() == set()
        assert len(unpack(place.cluster.objects[chunk]["spec"]["objects"])) == 110

        await place.restart()
        place.cluster.requests.clear()
        await place.sync(Trigger.STARTUP)
        assert place.cluster.writes == []
        place.git.push(dict.fromkeys(list(MANY)[:50]))
        await place.sync(Trigger.POLL)
        assert len(place.inventory()) == 60
        assert chunk not in place.cluster.objects


async def test_an_inventory_that_cannot_be_written_fails_the_report() -> None:
    """The next reconciliation writes it."""
    async with installed(MANY) as place:
        place.cluster.fail_next("apply", INVENTORIES, BROKEN)
        report = await place.sync()
        assert report.result is Result.FAILED
        assert report.count(Outcome.CREATED) == 110

        place.cluster.requests.clear()
        assert (await place.sync(Trigger.RETRY)).result is Result.SYNCED
        chunks = [request for request in place.cluster.writes if "inventories" in request]
        assert chunks == ["apply inventories.nopea.io/v1alpha1 shop/web-0"]


async def test_an_inventory_that_cannot_be_read_stops_the_reconciliation() -> None:
    """Without the inventory it is unknown what may be pruned."""
    async with installed(MANY) as place:
        await place.sync()
        await place.restart()
        place.cluster.fail_next("list", INVENTORIES, BROKEN)

        report = await place.sync(Trigger.STARTUP)

        assert report.result is Result.FAILED
        assert report.objects == ()


async def test_a_crash_between_an_apply_and_its_record_loses_nothing() -> None:
    """The object is found by its label, recorded, and pruned once it is gone from Git."""
    async with installed({**BLUE, "b.yaml": config_map("b"), "c.yaml": config_map("c")}) as place:
        await place.sync()
        place.git.push({"d.yaml": config_map("d")})
        place.cluster.fail_next("apply", GIT_REPOSITORIES, FORBIDDEN)
        assert (await place.sync(Trigger.POLL)).result is Result.FAILED
        assert place.data("d") == {}
        assert "ConfigMap shop/d" not in place.inventory()
        place.git.push({"d.yaml": None})
        await place.restart()

        await place.sync(Trigger.STARTUP)
        await place.sync()

        assert place.data("d") is None
        assert place.inventory() == {"ConfigMap shop/a", "ConfigMap shop/b", "ConfigMap shop/c"}


async def test_a_failed_status_write_is_retried() -> None:
    """The report counts as failed, so the worker retries; listeners get it after the write succeeded."""
    async with installed(BLUE) as place:
        await place.sync()
        place.transitions.clear()
        place.git.push({"a.yaml": config_map("a", colour="red")})
        place.cluster.fail_next("apply", GIT_REPOSITORIES, BROKEN)

        assert (await place.sync(Trigger.POLL)).result is Result.FAILED
        assert place.transitions == []
        assert place.data("a") == {"colour": "red"}

        assert (await place.sync(Trigger.RETRY)).result is Result.SYNCED
        assert place.status().last_applied_commit == place.git.commit.id


async def test_a_superseded_reconciliation_publishes_no_status() -> None:
    """The next run publishes its own status; at shutdown there is no next run, so Reconciling stays set."""
    async with installed(BLUE) as place:
        report = await place.sync(pending={Trigger.SPEC_CHANGE})
        assert report.result is Result.SUPERSEDED
        assert place.status().conditions == ()

        report = await place.sync(pending={Trigger.SHUTDOWN})
        assert report.result is Result.SUPERSEDED
        assert place.condition("Reconciling") == ("True", "Progressing")


async def test_a_deleted_repository_needs_no_status() -> None:
    """A deletion during the reconciliation is not a failure."""
    async with installed(BLUE, deletionPolicy="Orphan") as place:
        place.cluster.before("apply", key_of("a"), lambda: place.cluster.delete(repository_key()))
        assert (await place.sync()).result is Result.SYNCED
        assert repository_key() not in place.cluster.objects
