"""One reconciliation from its request to the published report, whatever fails on the way."""

from __future__ import annotations

import pytest
from tests.fakes.installation import (
    NAMESPACE,
    Installation,
    config_map,
    installed,
    key_of,
    manifest,
    outcomes,
    repository_key,
)
from tests.fakes.object_store import CONFIG_MAPS, served

from nopea.core.objects import ObjectKey
from nopea.core.problem import Code
from nopea.core.status.report import Outcome, Result
from nopea.core.trigger import Trigger
from nopea.kube.errors import ApiFailure, ForbiddenError, ServerError
from nopea.kube.kinds import GIT_REPOSITORIES, INVENTORIES

pytestmark = pytest.mark.looptime

BLUE = {"a.yaml": config_map("a", colour="blue")}
MANY = {f"{number:03}.yaml": config_map(f"c{number:03}") for number in range(150)}
PROTECTED = {"nopea.io/suspend-heal": "true"}
BROKEN = ServerError(ApiFailure(code=500, reason="InternalError", message="etcd is slow"))
FORBIDDEN = ForbiddenError(ApiFailure(code=403, reason="Forbidden", message="a policy says no"))


async def test_a_report_is_published() -> None:
    """The status says what was applied, when and why; listeners hear of the same."""
    async with installed(BLUE) as place:
        report = await place.sync(Trigger.STARTUP)

        status = place.status()
        assert status.last_applied_commit == place.git.commit.id
        assert status.observed_generation == 1
        assert [entry.outcome for entry in status.history] == ["synced"]
        assert [entry.trigger for entry in status.history] == ["startup"]
        (transition,) = place.told
        assert transition.report == report
        assert transition.after == status
        assert report.triggers == ("startup",)


async def test_while_git_fails_its_last_version_holds() -> None:
    """Drift is healed all the same, and the failure is a problem of the report."""
    async with installed(BLUE) as place:
        await place.sync()
        place.git.down = True
        place.edit("a", {"colour": "red"})

        report = await place.sync(Trigger.POLL)

        assert (report.result, report.codes) == (Result.FAILED, (Code.GIT_UNREACHABLE,))
        assert report.commit == place.git.commit
        assert place.data("a") == {"colour": "blue"}
        assert place.condition("Ready")[0] == "False"
        place.git.down = False
        assert (await place.sync(Trigger.RETRY)).result is Result.SYNCED


async def test_a_commit_of_another_spec_does_not_hold() -> None:
    """While Git fails, a new ref or path is not answered with what the old one gave."""
    async with installed(BLUE) as place:
        await place.sync()
        place.git.down = True
        place.configure(branch="other")
        place.cluster.delete(key_of("a"))

        report = await place.sync(Trigger.SPEC_CHANGE)

        assert (report.result, report.commit) == (Result.FAILED, None)
        assert place.data("a") is None


async def test_without_any_commit_nothing_is_written() -> None:
    """The failure is reported; the first answer of Git is applied."""
    async with installed(BLUE) as place:
        place.git.down = True
        report = await place.sync(Trigger.STARTUP)
        assert (report.result, report.codes) == (Result.FAILED, (Code.GIT_UNREACHABLE,))
        assert report.transient
        assert place.data("a") is None

        place.git.down = False
        assert (await place.sync(Trigger.RETRY)).result is Result.SYNCED
        assert place.data("a") == {"colour": "blue"}


async def test_what_the_known_commit_answers_does_not_ask_git() -> None:
    """A change in the cluster does not; a poll, a new spec and a failure before it do."""
    async with installed(BLUE) as place:
        await place.sync(Trigger.STARTUP)
        place.git.refs.clear()

        assert (await place.sync(Trigger.OBJECT_CHANGE)).without_git
        assert place.git.refs == []
        assert not (await place.sync(Trigger.POLL)).without_git
        place.configure(prune=False)
        assert not (await place.sync(Trigger.OBJECT_CHANGE)).without_git
        assert len(place.git.refs) == 2


async def test_news_are_asked_of_git_only() -> None:
    """Nothing is new at the same commit; a newer one, a failing Git and a failed report call for a look."""
    async with installed(BLUE) as place:
        assert await place.reconciler.has_news(place.repository())
        await place.sync()
        assert not await place.reconciler.has_news(place.repository())
        place.git.down = True
        assert await place.reconciler.has_news(place.repository())
        place.git.down = False
        place.git.push({"b.yaml": "kind: ["})
        assert await place.reconciler.has_news(place.repository())
        await place.sync(Trigger.POLL)
        assert await place.reconciler.has_news(place.repository())


async def test_a_suspended_repository_is_left_alone() -> None:
    """Neither Git nor drift is applied; it goes on when the suspension ends."""
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
    """Nothing is done until somebody corrects it."""
    async with installed(BLUE, interval="soon") as place:
        report = await place.sync()
        assert (report.result, report.codes) == (Result.FAILED, (Code.SPEC_INVALID,))
        assert place.data("a") is None
        assert place.status().errors[0].code == Code.SPEC_INVALID


async def test_an_unreadable_rollback_stops_everything() -> None:
    """Nobody knows which commit is wanted."""
    async with installed(BLUE) as place:
        place.configure(annotations={"nopea.io/rollback-to": "yesterday"})
        report = await place.sync()
        assert report.result is Result.FAILED
        assert place.data("a") is None


async def test_a_repository_waits_for_those_it_depends_on() -> None:
    """Until they are Ready nothing is applied, and the problem names them."""
    files = {"web/a.yaml": config_map("a", colour="blue"), "base/b.yaml": config_map("b")}
    async with installed(files, path="web", dependsOn=[{"name": "base"}]) as place:
        place.declare("base", path="base")
        place.repository("base")
        report = await place.sync()
        assert report.codes == (Code.DEPENDENCY_NOT_READY,)
        assert "shop/base" in report.problems[0].message
        assert place.data("a") is None

        await place.sync(name="base")
        place.repository("base")
        assert (await place.sync(Trigger.DEPENDENCY)).result is Result.SYNCED
        assert place.data("a") == {"colour": "blue"}


async def test_a_secret_that_is_not_there_is_reported() -> None:
    """Git is not asked without it."""
    async with installed(BLUE, secretRef={"name": "git"}) as place:
        report = await place.sync()
        assert report.result is Result.FAILED
        assert "git" in report.problems[0].message
        assert place.git.refs == []


async def test_a_restart_finds_everything_in_the_cluster() -> None:
    """Nothing is written, nothing forgotten, and what went from Git meanwhile is pruned."""
    async with installed({**BLUE, "b.yaml": config_map("b"), "c.yaml": config_map("c")}) as place:
        await place.sync()
        await place.restart()
        place.cluster.requests.clear()
        assert set(outcomes(await place.sync(Trigger.STARTUP)).values()) == {Outcome.UNCHANGED}
        assert place.cluster.writes == []

        await place.restart()
        place.git.push({"b.yaml": None})
        assert outcomes(await place.sync(Trigger.STARTUP))["b"] is Outcome.PRUNED


async def test_drift_is_seen_across_a_restart() -> None:
    """The baseline is in the inventory."""
    async with installed(BLUE, healPolicy="manual") as place:
        await place.sync()
        await place.restart()
        place.edit("a", {"colour": "red"})

        (result,) = (await place.sync(Trigger.STARTUP)).objects

        assert result.drifts
        assert result.seen is not None
        assert [field.path for field in result.seen.drift.fields] == [".data.colour"]


async def test_a_long_inventory_is_kept_beside_the_status() -> None:
    """In Inventory objects, which another process reads and which go when they are not needed any more."""
    chunk = ObjectKey(INVENTORIES.group, INVENTORIES.kind, NAMESPACE, "web-0")
    async with installed(MANY) as place:
        await place.sync()
        assert place.inventory() == set()
        assert len(place.cluster.objects[chunk]["spec"]["entries"]) == 150

        await place.restart()
        place.cluster.requests.clear()
        await place.sync(Trigger.STARTUP)
        assert place.cluster.writes == []
        place.git.push(dict.fromkeys(list(MANY)[:60]))
        await place.sync(Trigger.POLL)
        assert len(place.inventory()) == 90
        assert chunk not in place.cluster.objects


async def test_an_inventory_that_cannot_be_written_fails_the_report() -> None:
    """What was applied is remembered, and written by the next reconciliation."""
    async with installed(MANY) as place:
        place.cluster.fail_next("apply", served(INVENTORIES), BROKEN)
        report = await place.sync()
        assert report.result is Result.FAILED
        assert report.count(Outcome.CREATED) == 150

        place.cluster.requests.clear()
        assert (await place.sync(Trigger.RETRY)).result is Result.SYNCED
        chunks = [request for request in place.cluster.writes if "inventories" in request]
        assert chunks == ["apply inventories.nopea.io/v1alpha1 shop/web-0"]


async def test_an_inventory_that_cannot_be_read_stops_the_reconciliation() -> None:
    """Without it nobody knows what may be pruned."""
    async with installed(MANY) as place:
        await place.sync()
        await place.restart()
        place.cluster.fail_next("list", served(INVENTORIES), BROKEN)

        report = await place.sync(Trigger.STARTUP)

        assert report.result is Result.FAILED
        assert report.objects == ()


async def test_a_crash_between_an_apply_and_its_record_loses_nothing() -> None:
    """The object is found by its label; it is recorded, and pruned when it goes from Git."""
    async with installed({**BLUE, "b.yaml": config_map("b"), "c.yaml": config_map("c")}) as place:
        await place.sync()
        place.git.push({"d.yaml": config_map("d")})
        place.cluster.fail_next("apply", served(GIT_REPOSITORIES), FORBIDDEN)
        assert (await place.sync(Trigger.POLL)).result is Result.FAILED
        assert place.data("d") == {}
        assert "ConfigMap shop/d" not in place.inventory()
        place.git.push({"d.yaml": None})
        await place.restart()

        await place.sync(Trigger.STARTUP)
        await place.sync()

        assert place.data("d") is None
        assert place.inventory() == {"ConfigMap shop/a", "ConfigMap shop/b", "ConfigMap shop/c"}


async def test_a_status_that_cannot_be_written_is_tried_again() -> None:
    """The report counts as failed, so that the worker comes back; nothing is told before that."""
    async with installed(BLUE) as place:
        await place.sync()
        place.told.clear()
        place.git.push({"a.yaml": config_map("a", colour="red")})
        place.cluster.fail_next("apply", served(GIT_REPOSITORIES), BROKEN)

        assert (await place.sync(Trigger.POLL)).result is Result.FAILED
        assert place.told == []
        assert place.data("a") == {"colour": "red"}

        assert (await place.sync(Trigger.RETRY)).result is Result.SYNCED
        assert place.status().last_applied_commit == place.git.commit.id


async def test_a_superseded_reconciliation_publishes_no_status() -> None:
    """The next one follows at once and tells its own; at the end of the process there is none."""
    async with installed(BLUE) as place:
        report = await place.sync(pending={Trigger.SPEC_CHANGE})
        assert report.result is Result.SUPERSEDED
        assert place.status().conditions == ()

        report = await place.sync(pending={Trigger.SHUTDOWN})
        assert report.result is Result.SUPERSEDED
        assert place.condition("Reconciling") == ("True", "Progressing")


@pytest.fixture(params=["change", "deletion", "label"])
def drift(request: pytest.FixtureRequest) -> str:
    """Ways in which an object stops being as it was applied."""
    return str(request.param)


def drifts(place: Installation, how: str) -> None:
    """Let the ConfigMap drift."""
    match how:
        case "change":
            place.edit("a", {"colour": "red"})
        case "deletion":
            place.cluster.delete(key_of("a"))
        case _:
            place.cluster.change(key_of("a"), {"metadata": {"labels": None}})


async def changed(place: Installation) -> bool:
    """Return whether the watches have something to reconcile."""
    await place.settle()
    return place.reconciler.has_changed(place.repository())


async def test_drift_is_a_change(drift: str) -> None:
    """Until it is healed; before the first reconciliation everything is."""
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
    """What the policy leaves does not call for a reconciliation again until something else changes."""
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
    """What Git had changed meanwhile is applied then."""
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


async def test_the_end_of_what_keeps_an_object_is_a_change() -> None:
    """It is gone from Git, and pruned as soon as its annotation allows that."""
    async with installed({**BLUE, "b.yaml": config_map("b"), "c.yaml": config_map("c")}) as place:
        await place.sync()
        place.annotate("b", {"nopea.io/prune": "false"})
        place.git.push({"b.yaml": None})
        await place.sync(Trigger.POLL)
        assert not await changed(place)

        place.annotate("b", {"nopea.io/prune": None})

        assert await changed(place)
        await place.sync(Trigger.OBJECT_CHANGE)
        assert place.data("b") is None


async def test_what_a_crash_left_unrecorded_is_a_change() -> None:
    """An object with our label and Apply entry that no inventory names."""
    async with installed(BLUE) as place:
        await place.sync()
        del place.state().applied[key_of("a")]
        assert await changed(place)


async def test_a_rival_is_a_change_until_it_is_told() -> None:
    """The owner says once that another repository wants its object."""
    async with installed({"web/a.yaml": config_map("a")}, path="web") as place:
        place.git.push({"api/a.yaml": config_map("a")})
        place.declare("api", path="api")
        await place.sync()
        await place.sync(name="api")

        assert await changed(place)
        await place.sync(Trigger.OBJECT_CHANGE)
        assert not await changed(place)


async def test_health_is_followed_without_a_reconciliation() -> None:
    """The condition tells a failing object; an answer of True asks for another look."""
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


async def test_a_repository_that_is_gone_needs_no_status() -> None:
    """It was deleted by force while it was reconciled: that is no failure."""
    async with installed(BLUE, deletionPolicy="Orphan") as place:
        place.cluster.before("apply", key_of("a"), lambda: place.cluster.delete(repository_key()))
        assert (await place.sync()).result is Result.SYNCED
        assert repository_key() not in place.cluster.objects


async def test_a_change_of_ignored_fields_costs_one_look() -> None:
    """The apply under new rules writes nothing, and yet the object is as applied from then on."""
    rules = [{"kind": "ConfigMap", "jsonPointers": ["/data/colour"]}]
    async with installed({"a.yaml": config_map("a", colour="blue", size="1")}) as place:
        await place.sync()
        place.configure(ignoreDifferences=rules)
        await place.sync(Trigger.SPEC_CHANGE)
        assert not await changed(place)
        place.cluster.requests.clear()

        assert outcomes(await place.sync()) == {"a": Outcome.UNCHANGED}
        assert "get configmaps/v1 shop/a" not in place.cluster.requests


async def test_objects_listed_before_their_repository_are_looked_at_once() -> None:
    """A new process may see them before it knows what their GitRepository ignores."""
    rules = [{"kind": "ConfigMap", "jsonPointers": ["/data/colour"]}]
    async with installed(
        {"a.yaml": config_map("a", colour="blue", size="1")}, ignoreDifferences=rules
    ) as place:
        await place.sync()
        await place.restart()
        place.services.object_cache.follow(CONFIG_MAPS)
        await place.settle()
        await place.sync(Trigger.STARTUP)
        place.cluster.requests.clear()

        assert outcomes(await place.sync()) == {"a": Outcome.UNCHANGED}
        assert "get configmaps/v1 shop/a" not in place.cluster.requests
