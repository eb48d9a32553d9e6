"""What a sync of one commit writes, what it leaves alone and what it records."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from tests.fakes.installation import (
    NAMESPACE,
    config_map,
    installed,
    key_of,
    manifest,
    outcomes,
)
from tests.fakes.samples import problem, report, result_of

from nopea.core.plan.contention import NO_FIGHTS
from nopea.core.plan.inventory import unpack
from nopea.core.plan.model import Reason
from nopea.core.problem import Code
from nopea.core.status.report import ObjectResult, Outcome, ReconcileReport, Result
from nopea.core.trigger import Trigger
from nopea.reconcile.execution import Execution
from nopea.reconcile.sync import with_execution

pytestmark = pytest.mark.looptime

BLUE = {"a.yaml": config_map("a", colour="blue")}
PROTECTED = {"nopea.io/suspend-heal": "true"}
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


def only(report: ReconcileReport) -> ObjectResult:
    """Return the result of the one object."""
    (result,) = report.objects
    return result


def definition() -> str:
    """Return a file with the CustomResourceDefinition of Widgets in shop.example.com."""
    version = {"name": "v1", "served": True, "storage": True, "schema": {}, "subresources": {"status": {}}}
    return manifest(
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
        "widgets.shop.example.com",
        spec={
            "group": "shop.example.com",
            "scope": "Namespaced",
            "names": {"kind": "Widget", "plural": "widgets"},
            "versions": [version],
        },
    )


async def test_a_first_sync_creates_and_records() -> None:
    """Every object in Git is in the cluster with our label and in the inventory."""
    async with installed({"a.yaml": config_map("a", colour="blue"), "b.yaml": config_map("b")}) as place:
        report = await place.sync()

        assert report.result is Result.SYNCED
        assert outcomes(report) == {"a": Outcome.CREATED, "b": Outcome.CREATED}
        assert place.data("a") == {"colour": "blue"}
        assert place.inventory() == {"ConfigMap shop/a", "ConfigMap shop/b"}
        labels = place.cluster.objects[key_of("a")]["metadata"]["labels"]
        assert labels == {"nopea.io/repository": "shop.web"}
        assert place.condition("Ready") == ("True", "Succeeded")


async def test_dependencies_are_created_first() -> None:
    """Namespaces and CustomResourceDefinitions come first, in the same reconciliation."""
    in_new = {"namespace": "new"}
    files = {
        "a.yaml": manifest("shop.example.com/v1", "Widget", "w", metadata=in_new, spec={"size": 1}),
        "b.yaml": config_map("c", metadata=in_new),
        "c.yaml": definition(),
        "d.yaml": manifest("v1", "Namespace", "new"),
    }
    async with installed(files) as place:
        report = await place.sync()

        assert report.result is Result.SYNCED
        created = [request.split()[-1] for request in place.cluster.requests if request.startswith("apply ")]
        first, then = set(created[:2]), set(created[2:4])
        assert first == {"new", "widgets.shop.example.com"}
        assert then == {"new/w", "new/c"}
        assert key_of("w", "Widget", group="shop.example.com", namespace="new") in place.cluster.objects


async def test_a_second_sync_writes_nothing() -> None:
    """If neither Git nor the cluster changed, the sync sends no write."""
    async with installed(BLUE) as place:
        await place.sync()
        version = place.cluster.version
        place.cluster.requests.clear()

        report = await place.sync()

        assert outcomes(report) == {"a": Outcome.UNCHANGED}
        assert place.cluster.writes == []
        assert place.cluster.version == version


async def test_a_new_commit_is_applied() -> None:
    """Fields are changed, added and removed as in Git; unchanged objects are not touched."""
    async with installed({**BLUE, "b.yaml": config_map("b", size="1", old="1")}) as place:
        await place.sync()
        version = place.cluster.objects[key_of("a")]["metadata"]["resourceVersion"]

        place.git.push({"b.yaml": config_map("b", size="2", new="1")})
        report = await place.sync(Trigger.POLL)

        assert outcomes(report) == {"a": Outcome.UNCHANGED, "b": Outcome.CONFIGURED}
        assert place.data("b") == {"size": "2", "new": "1"}
        assert place.cluster.objects[key_of("a")]["metadata"]["resourceVersion"] == version
        assert report.commit == place.git.commit
        assert unpack(place.status().inventory)[key_of("b")].commit == place.git.commit.id


async def test_manual_drift_is_healed() -> None:
    """Changes and additions by kubectl are undone; the report names them and their author."""
    async with installed(BLUE) as place:
        await place.sync()
        place.edit("a", {"colour": "red", "added": "1"})

        result = only(await place.sync())

        assert place.data("a") == {"colour": "blue"}
        assert (result.outcome, result.reason, result.healed) == (
            Outcome.CONFIGURED, Reason.MANUAL_DRIFT, True,
        )  # fmt: skip
        assert result.seen is not None
        assert {field.manager for field in result.seen.drift.fields} == {"kubectl-edit"}
        assert outcomes(await place.sync()) == {"a": Outcome.UNCHANGED}


async def test_an_object_deleted_by_hand_is_created_again() -> None:
    """A deletion is drift as well."""
    async with installed(BLUE) as place:
        await place.sync()
        place.cluster.delete(key_of("a"))

        result = only(await place.sync())

        assert (result.outcome, result.reason) == (Outcome.CREATED, Reason.MANUAL_DRIFT)
        assert place.data("a") == {"colour": "blue"}


async def test_fields_of_controllers_are_not_drift() -> None:
    """Fields that a controller added stay and cause no write."""
    async with installed(BLUE) as place:
        await place.sync()
        place.edit("a", {"added": "1"}, manager="operator")
        place.cluster.requests.clear()

        assert outcomes(await place.sync()) == {"a": Outcome.UNCHANGED}
        assert place.data("a") == {"colour": "blue", "added": "1"}
        assert place.cluster.writes == []


async def test_the_policy_manual_leaves_drift() -> None:
    """The object stays as it is and the status says so."""
    async with installed(BLUE, healPolicy="manual") as place:
        await place.sync()
        place.edit("a", {"colour": "red"})

        report = await place.sync()

        assert (only(report).outcome, only(report).reason) == (Outcome.SKIPPED, Reason.POLICY)
        assert report.result is Result.SYNCED
        assert place.data("a") == {"colour": "red"}
        assert place.condition("Drifted")[0] == "True"
        assert [drift.manager for drift in place.status().drifts] == ["kubectl-edit"]


@pytest.mark.parametrize(
    ("annotations", "healed"),
    [
        ({"nopea.io/sync-requested-at": "2026-11-28T05:00:00Z"}, {"a", "b"}),
        ({"nopea.io/heal-requested": "2026-11-28T05:00:00Z"}, {"a", "b"}),
        ({"nopea.io/heal-requested": "2026-11-28T05:00:00Z ConfigMap shop/b"}, {"b"}),
    ],
)
async def test_a_request_heals_what_the_policy_leaves(annotations: dict[str, str], healed: set[str]) -> None:
    """It heals every object or the named one, and only once."""
    files = {**BLUE, "b.yaml": config_map("b", colour="blue")}
    async with installed(files, healPolicy="manual") as place:
        await place.sync()
        for name in ("a", "b"):
            place.edit(name, {"colour": "red"})
        place.configure(annotations=annotations)

        await place.sync(Trigger.MANUAL)

        assert {name for name in ("a", "b") if place.data(name) == {"colour": "blue"}} == healed
        for name in ("a", "b"):
            place.edit(name, {"colour": "green"})
        await place.sync()
        assert place.data("a") == place.data("b") == {"colour": "green"}


async def test_git_wins_on_the_fields_that_git_changed() -> None:
    """Under the policy `manual`, a new commit is applied, and the drift in other fields stays."""
    async with installed({"a.yaml": config_map("a", colour="blue", size="1")}, healPolicy="manual") as place:
        await place.sync()
        place.edit("a", {"colour": "red"})
        place.git.push({"a.yaml": config_map("a", colour="blue", size="2")})

        result = only(await place.sync(Trigger.POLL))

        assert place.data("a") == {"colour": "red", "size": "2"}
        assert (result.outcome, result.left) == (Outcome.CONFIGURED, True)
        assert only(await place.sync()).reason is Reason.POLICY


async def test_drift_stays_for_the_grace_period() -> None:
    """Until it ends the drift is left, and the report says when to check again; old drift is healed."""
    async with installed(BLUE, healGracePeriod="1h") as place:
        await place.sync()
        place.edit("a", {"colour": "red"})

        result = only(await place.sync())

        assert (result.outcome, result.reason) == (Outcome.SKIPPED, Reason.GRACE)
        assert result.retry_at is not None
        assert timedelta(minutes=59) < result.retry_at - datetime.now(UTC) <= timedelta(hours=1)
        assert place.data("a") == {"colour": "red"}

        place.cluster.now = lambda: LONG_AGO
        place.edit("a", {"colour": "green"})
        assert only(await place.sync()).healed
        assert place.data("a") == {"colour": "blue"}


async def test_a_drift_that_nothing_dates_has_a_time_of_its_own() -> None:
    """The grace period of a removed field does not protect another that is removed at its end."""
    files = {"a.yaml": config_map("a", colour="blue", size="2")}
    async with installed(files, healGracePeriod="1h") as place:
        await place.sync()
        place.edit("a", {"colour": None})
        assert only(await place.sync()).reason is Reason.GRACE
        seen_at = place.state().drifted_since[key_of("a")]
        place.state().drifted_since[key_of("a")] = replace(seen_at, at=LONG_AGO)
        place.edit("a", {"size": None})

        result = only(await place.sync())

        assert (result.outcome, result.reason) == (Outcome.SKIPPED, Reason.GRACE)
        assert result.seen is not None
        assert result.seen.since > LONG_AGO


async def test_a_heal_ends_the_drift() -> None:
    """A drift right after the heal gets the whole grace period again."""
    async with installed(BLUE, healGracePeriod="1h") as place:
        await place.sync()
        place.cluster.delete(key_of("a"))
        assert only(await place.sync()).reason is Reason.GRACE
        seen_at = place.state().drifted_since[key_of("a")]
        place.state().drifted_since[key_of("a")] = replace(seen_at, at=LONG_AGO)
        assert only(await place.sync()).healed
        place.cluster.delete(key_of("a"))

        result = only(await place.sync())

        assert (result.outcome, result.reason) == (Outcome.SKIPPED, Reason.GRACE)


async def test_ignored_fields_are_left_to_others() -> None:
    """A change by another manager in an ignored field is not drift and is not overwritten."""
    rules = [{"kind": "ConfigMap", "jsonPointers": ["/data/colour"]}]
    async with installed(
        {"a.yaml": config_map("a", colour="blue", size="1")}, ignoreDifferences=rules
    ) as place:
        await place.sync()
        place.edit("a", {"colour": "red"})

        assert outcomes(await place.sync()) == {"a": Outcome.UNCHANGED}
        place.git.push({"a.yaml": config_map("a", colour="blue", size="2")})
        await place.sync(Trigger.POLL)

        assert place.data("a") == {"colour": "red", "size": "2"}


async def test_a_removed_label_is_restored() -> None:
    """The object stays ours although the watch no longer shows it."""
    async with installed(BLUE) as place:
        await place.sync()
        place.cluster.change(key_of("a"), {"metadata": {"labels": None}})

        assert only(await place.sync()).healed
        labels = place.cluster.objects[key_of("a")]["metadata"]["labels"]
        assert labels == {"nopea.io/repository": "shop.web"}
        assert outcomes(await place.sync()) == {"a": Outcome.UNCHANGED}


async def test_break_glass_applies_until_it_is_removed() -> None:
    """Until then neither drift nor a new commit causes a write to the object."""
    async with installed(BLUE) as place:
        await place.sync()
        place.annotate("a", PROTECTED)
        place.edit("a", {"colour": "red"})
        place.git.push({"a.yaml": config_map("a", colour="green")})

        report = await place.sync(Trigger.POLL)

        assert (only(report).outcome, only(report).reason) == (Outcome.SKIPPED, Reason.BREAK_GLASS)
        assert place.data("a") == {"colour": "red"}
        place.annotate("a", {"nopea.io/suspend-heal": None})
        await place.sync()
        assert place.data("a") == {"colour": "green"}


async def test_an_existing_object_is_adopted() -> None:
    """The object becomes ours, and fields that kubectl had set and Git omits are removed."""
    async with installed(BLUE) as place:
        place.cluster.create(
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": "a", "namespace": NAMESPACE},
                "data": {"colour": "red", "old": "1"},
            }
        )

        result = only(await place.sync())

        assert (result.outcome, result.reason) == (Outcome.CONFIGURED, Reason.ADOPTED)
        assert place.data("a") == {"colour": "blue"}
        assert place.inventory() == {"ConfigMap shop/a"}


async def test_objects_are_written_as_the_service_account() -> None:
    """Writes use the rights of the service account, not those of the controller."""
    async with installed(BLUE, serviceAccountName="deployer") as place:
        report = await place.sync()
        assert report.result is Result.FAILED
        assert place.data("a") is None

        place.cluster.allowed.add("system:serviceaccount:shop:deployer")
        assert (await place.sync(Trigger.RETRY)).result is Result.SYNCED
        assert place.data("a") == {"colour": "blue"}


async def test_an_immutable_object_is_recreated_with_force_only() -> None:
    """With force, the object gets a new uid; without force it stays as it is."""

    def sealed(colour: str) -> str:
        return manifest("v1", "ConfigMap", "a", immutable=True, data={"colour": colour})

    async with installed({"a.yaml": sealed("blue")}) as place:
        await place.sync()
        uid = place.cluster.objects[key_of("a")]["metadata"]["uid"]
        place.git.push({"a.yaml": sealed("red")})
        assert only(await place.sync(Trigger.POLL)).outcome is Outcome.FAILED
        assert place.data("a") == {"colour": "blue"}

        place.configure(force=True)
        assert (await place.sync(Trigger.SPEC_CHANGE)).result is Result.SYNCED

        assert place.data("a") == {"colour": "red"}
        assert place.cluster.objects[key_of("a")]["metadata"]["uid"] != uid


async def test_contended_objects_are_healed_less_and_less_often() -> None:
    """The manager that keeps changing the object is named, and heals become less frequent."""
    async with installed(BLUE) as place:
        await place.sync()
        report = await place.sync()
        for _ in range(6):
            place.edit("a", {"colour": "red"})
            report = await place.sync()

        assert only(report).reason is Reason.CONTENDED
        assert only(report).retry_at is not None
        assert "kubectl-edit" in report.rivals
        assert place.condition("Contended")[0] == "True"


@pytest.mark.parametrize(("since", "writes"), [(timedelta(minutes=59), 0), (timedelta(hours=2), 1)])
async def test_what_admission_changed_is_applied_again_once_an_hour(since: timedelta, writes: int) -> None:
    """The API server stores nothing if admission changes it again; when it does not, the record is clean."""
    async with installed(BLUE) as place:
        await place.sync()
        state, key = place.state(), key_of("a")
        state.applied[key] = replace(state.applied[key], admission="d1ce5700")
        state.admission_tried_at = datetime.now(UTC) - since
        version = place.cluster.objects[key]["metadata"]["resourceVersion"]
        place.cluster.requests.clear()
        report = await place.sync()
        assert place.cluster.requests.count("apply configmaps/v1 shop/a") == writes
        assert only(report).outcome is Outcome.UNCHANGED
        assert place.cluster.objects[key]["metadata"]["resourceVersion"] == version
        assert bool(place.state().applied[key].admission) is not bool(writes)


async def test_a_change_in_git_ends_the_contention() -> None:
    """It may be the answer to the fight, such as giving a field to an autoscaler."""
    async with installed(BLUE) as place:
        await place.sync()
        for _ in range(6):
            place.edit("a", {"colour": "red"})
            await place.sync()
        assert place.condition("Contended")[0] == "True"

        place.git.push({"a.yaml": config_map("a", shape="round")})
        report = await place.sync(Trigger.POLL)

        assert report.rivals == ""
        assert place.state().fights == NO_FIGHTS


def test_a_problem_that_halts_a_sync_is_said_once() -> None:
    """The object that could not be applied is the one that the others wait for."""
    why = problem(Code.IMMUTABLE)
    failed = result_of("job", Outcome.FAILED, why)
    execution = Execution(results={failed.key: failed}, halt=why)

    assert with_execution(report(), execution, ()).problems == (why,)
