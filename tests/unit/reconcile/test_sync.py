"""One commit becomes the state of the cluster: what is written, what is left, what is recorded."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import orjson
import pytest
from tests.fakes.installation import (
    NAMESPACE,
    config_map,
    installed,
    key_of,
    manifest,
    outcomes,
    repository_key,
)
from tests.fakes.object_store import CONFIG_MAPS

from nopea.core.plan.model import Reason
from nopea.core.problem import Code
from nopea.core.status.report import ObjectResult, Outcome, ReconcileReport, Result
from nopea.core.trigger import Trigger
from nopea.kube.errors import ApiFailure, ForbiddenError

pytestmark = pytest.mark.looptime

BLUE = {"a.yaml": config_map("a", colour="blue")}
PROTECTED = {"nopea.io/suspend-heal": "true"}
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
FORBIDDEN = ForbiddenError(ApiFailure(code=403, reason="Forbidden", message="a policy says no"))


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
    """Everything in Git is in the cluster and in the inventory, and ours by label."""
    async with installed({"a.yaml": config_map("a", colour="blue"), "b.yaml": config_map("b")}) as place:
        report = await place.sync()

        assert report.result is Result.SYNCED
        assert outcomes(report) == {"a": Outcome.CREATED, "b": Outcome.CREATED}
        assert place.data("a") == {"colour": "blue"}
        assert place.inventory() == {"ConfigMap shop/a", "ConfigMap shop/b"}
        labels = place.cluster.objects[key_of("a")]["metadata"]["labels"]
        assert labels == {"nopea.io/repository": "shop.web"}
        assert place.condition("Ready") == ("True", "Succeeded")


async def test_what_others_need_is_created_first() -> None:
    """Namespaces and definitions come before what is in them, in one reconciliation."""
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
        first, then = set(created[1:3]), set(created[3:5])
        assert first == {"new", "widgets.shop.example.com"}
        assert then == {"new/w", "new/c"}
        assert key_of("w", "Widget", group="shop.example.com", namespace="new") in place.cluster.objects


async def test_a_second_sync_writes_nothing() -> None:
    """No request changes anything when Git and the cluster are as before."""
    async with installed(BLUE) as place:
        await place.sync()
        version = place.cluster.version
        place.cluster.requests.clear()

        report = await place.sync()

        assert outcomes(report) == {"a": Outcome.UNCHANGED}
        assert place.cluster.writes == []
        assert place.cluster.version == version


async def test_a_new_commit_is_applied() -> None:
    """Fields change, come and go with Git; what Git left as it was is not touched."""
    async with installed({**BLUE, "b.yaml": config_map("b", size="1", old="1")}) as place:
        await place.sync()
        version = place.cluster.objects[key_of("a")]["metadata"]["resourceVersion"]

        place.git.push({"b.yaml": config_map("b", size="2", new="1")})
        report = await place.sync(Trigger.POLL)

        assert outcomes(report) == {"a": Outcome.UNCHANGED, "b": Outcome.CONFIGURED}
        assert place.data("b") == {"size": "2", "new": "1"}
        assert place.cluster.objects[key_of("a")]["metadata"]["resourceVersion"] == version
        assert report.commit == place.git.commit
        commits = {entry.object: entry.commit for entry in place.status().inventory}
        assert commits["ConfigMap shop/b"] == place.git.commit.id


async def test_manual_drift_is_healed() -> None:
    """What kubectl changed and added goes; the report says what it was and who did it."""
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
    """It is drift like any other."""
    async with installed(BLUE) as place:
        await place.sync()
        place.cluster.delete(key_of("a"))

        result = only(await place.sync())

        assert (result.outcome, result.reason) == (Outcome.CREATED, Reason.MANUAL_DRIFT)
        assert place.data("a") == {"colour": "blue"}


async def test_what_controllers_do_to_an_object_is_not_drift() -> None:
    """Fields that are not ours and not set by a person's tool stay, and cost no write."""
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
    """Everything, or the one object that is named; once, not for ever."""
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
    """Under `manual`, a new commit is applied around the drift that is left."""
    async with installed({"a.yaml": config_map("a", colour="blue", size="1")}, healPolicy="manual") as place:
        await place.sync()
        place.edit("a", {"colour": "red"})
        place.git.push({"a.yaml": config_map("a", colour="blue", size="2")})

        result = only(await place.sync(Trigger.POLL))

        assert place.data("a") == {"colour": "red", "size": "2"}
        assert (result.outcome, result.left) == (Outcome.CONFIGURED, True)
        assert only(await place.sync()).reason is Reason.POLICY


async def test_drift_stays_for_the_grace_period() -> None:
    """It is left until then, and the report says when to look again; old drift is healed at once."""
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


async def test_a_heal_ends_the_drift_that_it_undid() -> None:
    """The next one, at once after it, is given the whole grace period again."""
    async with installed(BLUE, healGracePeriod="1h") as place:
        await place.sync()
        place.cluster.delete(key_of("a"))
        assert only(await place.sync()).reason is Reason.GRACE
        place.state().drifted_since[key_of("a")] = LONG_AGO
        assert only(await place.sync()).healed
        place.cluster.delete(key_of("a"))

        result = only(await place.sync())

        assert (result.outcome, result.reason) == (Outcome.SKIPPED, Reason.GRACE)


async def test_ignored_fields_are_left_to_others() -> None:
    """`ignoreDifferences` makes a change by somebody else neither drift nor a write."""
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


async def test_a_label_that_somebody_removed_comes_back() -> None:
    """The object stays ours although the watch does not show it any more."""
    async with installed(BLUE) as place:
        await place.sync()
        place.cluster.change(key_of("a"), {"metadata": {"labels": None}})

        assert only(await place.sync()).healed
        labels = place.cluster.objects[key_of("a")]["metadata"]["labels"]
        assert labels == {"nopea.io/repository": "shop.web"}
        assert outcomes(await place.sync()) == {"a": Outcome.UNCHANGED}


async def test_break_glass_holds_until_it_is_taken_off() -> None:
    """Neither drift nor a new commit is written to the object meanwhile."""
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


async def test_break_glass_that_comes_while_a_write_is_under_way_holds() -> None:
    """The write is refused by its version, and the new decision is to leave the object."""
    async with installed(BLUE) as place:
        await place.sync()
        place.git.push({"a.yaml": config_map("a", colour="green")})
        place.cluster.before("apply", key_of("a"), lambda: place.annotate("a", PROTECTED))

        result = only(await place.sync(Trigger.POLL))

        assert (result.outcome, result.reason) == (Outcome.SKIPPED, Reason.BREAK_GLASS)
        assert place.data("a") == {"colour": "blue"}


async def test_a_change_while_a_write_is_under_way_is_not_lost() -> None:
    """The object is decided about again in its new version, and then written."""
    async with installed(BLUE) as place:
        await place.sync()
        place.git.push({"a.yaml": config_map("a", colour="green")})
        place.cluster.before("apply", key_of("a"), lambda: place.edit("a", {"by": "it"}, manager="operator"))

        assert only(await place.sync(Trigger.POLL)).outcome is Outcome.CONFIGURED
        assert place.data("a") == {"colour": "green", "by": "it"}


async def test_an_object_that_exists_is_adopted() -> None:
    """It becomes ours, and what a person's tool had set in it beside Git goes."""
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


async def test_another_repositorys_object_is_refused() -> None:
    """Neither its data nor its label change; the owner is woken to say so too."""
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
    """The one that wants it waits until the other lets go of it; it is never deleted on the way."""
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


async def test_an_object_of_a_repository_that_is_gone_is_taken_over() -> None:
    """Its label names nobody that could object."""
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
    """Its problem names it; the other objects are applied, and the kind is looked for when one appears."""
    files = {**BLUE, "w.yaml": manifest("shop.example.com/v1", "Widget", "w")}
    async with installed(files) as place:
        report = await place.sync()

        assert report.result is Result.FAILED
        assert [(problem.code, problem.source) for problem in report.problems] == [
            (Code.KIND_UNKNOWN, "w.yaml#1")
        ]
        assert place.data("a") == {"colour": "blue"}
        assert place.state().unknown_kinds

        place.cluster.serve(orjson.loads(definition())["spec"])
        assert (await place.sync(Trigger.KIND_CHANGE)).result is Result.SYNCED
        assert not place.state().unknown_kinds


async def test_an_object_that_is_refused_fails_alone() -> None:
    """The API server's words are in the report; the next reconciliation tries again."""
    files = {**BLUE, "b.yaml": config_map("b")}
    async with installed(files) as place:
        place.cluster.fail_next("apply", CONFIG_MAPS, FORBIDDEN)

        report = await place.sync()

        assert sorted(outcomes(report).values()) == [Outcome.CREATED, Outcome.FAILED]
        assert len(place.inventory()) == 1
        assert (await place.sync(Trigger.RETRY)).result is Result.SYNCED
        assert place.inventory() == {"ConfigMap shop/a", "ConfigMap shop/b"}


async def test_objects_are_written_as_the_service_account() -> None:
    """Without its rights nothing is written, with them all; the controller's own are not used."""
    async with installed(BLUE, serviceAccountName="deployer") as place:
        report = await place.sync()
        assert report.result is Result.FAILED
        assert place.data("a") is None

        place.cluster.allowed.add("system:serviceaccount:shop:deployer")
        assert (await place.sync(Trigger.RETRY)).result is Result.SYNCED
        assert place.data("a") == {"colour": "blue"}


async def test_an_immutable_object_is_recreated_with_force_only() -> None:
    """The new object has another uid; without force the old one stays."""

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


async def test_an_api_server_that_goes_down_in_the_middle_stops_the_rest() -> None:
    """What was written is recorded as soon as that is possible, and the next reconciliation does the rest."""
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


async def test_a_crash_in_the_middle_is_finished_by_the_next_process() -> None:
    """The new process knows nothing but the cluster, and does what is left, no more."""
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
    """What was applied is remembered; the next run applies the newer commit."""
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
    """Prunes come last, and only after everything else went well."""
    files = {**BLUE, "b.yaml": config_map("b"), "c.yaml": config_map("c")}
    async with installed(files) as place:
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
    """The object that is missing may stand in it."""
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
    """It may be under break-glass or another repository's."""
    async with installed(BLUE) as place:
        await place.sync()
        place.edit("a", {"colour": "red"})
        place.cluster.fail_next("get", CONFIG_MAPS, FORBIDDEN)

        result = only(await place.sync())

        assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.UNREADABLE)
        assert place.data("a") == {"colour": "red"}


async def test_without_discovery_nothing_is_decided() -> None:
    """A kind that cannot be looked up is not taken for one that does not exist."""
    async with installed(BLUE) as place:
        place.cluster.stop()

        report = await place.sync()

        assert report.result is Result.FAILED
        assert report.codes == (Code.API_UNREACHABLE,)
        assert report.transient


async def test_fights_are_fought_ever_more_seldom() -> None:
    """Who changes an object back each time is named, and the heals come apart."""
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
