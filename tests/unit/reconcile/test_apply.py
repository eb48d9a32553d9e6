"""A write names the version that the decision was based on: which requests are sent."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from tests.fakes.field_management import Json
from tests.fakes.object_store import CONFIG_MAPS
from tests.unit.reconcile.acting import APPLY, GET, KEY, PATCH, PROTECTED, Acting, acting

from nopea.core.drift.find import Drift
from nopea.core.drift.three_way import DriftKind
from nopea.core.plan.model import LastApplied, ObservedDrift, Reason, Step
from nopea.core.status.report import Outcome
from nopea.kube.errors import ApiFailure, Cause, ConflictError, ServerError
from nopea.reconcile.apply import TRIES

pytestmark = pytest.mark.looptime
HEAD = {"apiVersion": "v1", "kind": "ConfigMap"}


async def test_a_write_needs_one_request() -> None:
    """The version is known from the plan, so the object is not read again."""
    async with acting() as actor:
        written = await actor.applier().apply(actor.step(actor.live()))
        assert written.applied is not None
        assert actor.data() == {"colour": "green"}
        assert actor.cluster.requests == [APPLY]


async def test_an_object_that_does_not_exist_is_created_with_one_request() -> None:
    """No read comes before it."""
    async with acting() as actor:
        actor.cluster.delete(KEY)
        await actor.settle()
        written = await actor.applier().apply(actor.step(None))
        assert written.applied is not None
        assert written.applied.created
        assert actor.cluster.requests == [APPLY]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"annotations": PROTECTED}, Reason.BREAK_GLASS),
        ({"labels": {"nopea.io/repository": "shop.api"}}, Reason.OWNED_BY_OTHER),
    ],
    ids=["break-glass", "owned by another"],
)
async def test_an_object_that_nobody_knew_of_is_not_overwritten(change: Json, reason: Reason) -> None:
    """The write would only create; the object that exists is read, and the decision is made again."""
    async with acting() as actor:
        actor.cluster.delete(KEY)
        await actor.settle()
        unknown = {"metadata": {"name": "web", "namespace": "shop", **change}, "data": {"colour": "blue"}}
        actor.cluster.before("apply", KEY, lambda: actor.cluster.create({**HEAD, **unknown}))
        written = await actor.applier().apply(actor.step(None, Reason.NOT_THERE))
        assert (written.applied, written.step.reason) == (None, reason)
        assert actor.cluster.requests == [APPLY, GET]
        assert actor.data() == {"colour": "blue"}


async def test_a_later_version_of_the_watch_is_named() -> None:
    """An object that changed irrelevantly since the plan is not read again."""
    async with acting() as actor:
        planned = actor.live()
        actor.move_on()
        await actor.settle()
        await actor.applier().apply(actor.step(planned))
        assert actor.cluster.requests == [APPLY]
        assert actor.data()["colour"] == "green"


async def test_a_change_since_the_plan_is_decided_again() -> None:
    """Break-glass that arrived through the watch stops the write before it is sent."""
    async with acting() as actor:
        planned = actor.live()
        actor.annotate(PROTECTED)
        await actor.settle()
        written = await actor.applier().apply(actor.step(planned))
        assert (written.applied, written.step.reason) == (None, Reason.BREAK_GLASS)
        assert actor.cluster.requests == [GET]


async def test_a_write_is_repeated_after_a_conflict() -> None:
    """The object is read, and the second write names the new version."""
    async with acting() as actor:
        actor.cluster.before("apply", KEY, actor.move_on)
        written = await actor.applier().apply(actor.step(actor.live()))
        assert written.applied is not None
        assert actor.cluster.requests == [APPLY, GET, APPLY]
        assert actor.data()["colour"] == "green"


async def test_break_glass_during_the_write_prevents_it() -> None:
    """The write conflicts and is not repeated."""
    async with acting() as actor:
        actor.cluster.before("apply", KEY, lambda: actor.annotate(PROTECTED))
        written = await actor.applier().apply(actor.step(actor.live()))
        assert (written.applied, written.step.reason) == (None, Reason.BREAK_GLASS)
        assert actor.cluster.requests == [APPLY, GET]
        assert actor.data() == {"colour": "blue"}


async def test_a_new_owner_during_the_write_prevents_it() -> None:
    """The object now has the label of another GitRepository."""
    async with acting() as actor:
        actor.cluster.before("apply", KEY, actor.give_away)
        written = await actor.applier().apply(actor.step(actor.live()))
        assert (written.applied, written.step.reason) == (None, Reason.OWNED_BY_OTHER)
        assert actor.data() == {"colour": "blue"}


async def test_an_object_that_keeps_changing_is_a_conflict() -> None:
    """After some tries the write fails, and a later reconciliation tries again."""
    async with acting() as actor:
        for _ in range(TRIES + 1):
            actor.cluster.before("apply", KEY, actor.move_on)
        with pytest.raises(ConflictError) as conflict:
            await actor.applier().apply(actor.step(actor.live()))
        assert conflict.value.retryable
        assert actor.cluster.requests == [APPLY, *[GET, APPLY] * (TRIES - 1)]
        assert actor.data()["colour"] == "blue"


async def test_another_conflict_is_not_retried() -> None:
    """If the object still has the named version, the conflict has another reason, such as a quota."""
    quota = ConflictError(ApiFailure(code=409, reason="Conflict", kind="resourcequotas", name="shop"))
    async with acting() as actor:
        actor.cluster.fail_next("apply", CONFIG_MAPS, quota)
        with pytest.raises(ConflictError):
            await actor.applier().apply(actor.step(actor.live()))
        assert actor.cluster.requests == [APPLY, GET]


async def test_a_field_conflict_is_not_retried() -> None:
    """Field ownership does not depend on the version."""
    causes = (Cause("FieldManagerConflict", "conflict", ".data.colour"),)
    async with acting() as actor:
        fields = ConflictError(ApiFailure(code=409, reason="Conflict", causes=causes))
        actor.cluster.fail_next("apply", CONFIG_MAPS, fields)
        with pytest.raises(ConflictError):
            await actor.applier().apply(actor.step(actor.live()))
        assert actor.cluster.requests == [APPLY]


async def edited(actor: Acting, *, colour: str = "green") -> Step:
    """Return the step that heals the ConfigMap after kubectl changed the colour."""
    actor.cluster.change(KEY, {"data": {"colour": "red" if colour == "green" else colour}})
    await actor.settle()
    seen = ObservedDrift(drift=Drift(kind=DriftKind.MANUAL_DRIFT), since=datetime.now(UTC))
    return replace(actor.step(actor.live(), Reason.MANUAL_DRIFT, colour=colour), seen=seen)


async def test_a_heal_continues_after_an_adoption() -> None:
    """After adoption our own fields no longer show as drift; a concurrent change must not end the heal."""
    async with acting() as actor:
        step = await edited(actor)
        actor.cluster.before("apply", KEY, actor.move_on)
        written = await actor.applier().apply(step)
        assert written.applied is not None
        assert (written.step.reason, written.step.seen) == (Reason.MANUAL_DRIFT, step.seen)
        assert actor.cluster.requests == [GET, PATCH, APPLY, GET, APPLY]
        assert actor.data()["colour"] == "green"


async def test_an_adopted_object_under_break_glass_is_applied_later() -> None:
    """The record marks the object as out of date, because its drift can no longer be detected."""
    async with acting() as actor:
        step = await edited(actor)
        actor.cluster.before("apply", KEY, lambda: actor.annotate(PROTECTED))
        execution = await actor.execute(step)
        result = execution.results[KEY]
        assert (result.outcome, result.reason) == (Outcome.SKIPPED, Reason.BREAK_GLASS)
        assert execution.applied == {KEY: LastApplied(hash="", projection=None)}
        assert actor.data() == {"colour": "red"}


async def test_an_adoption_counts_as_a_change() -> None:
    """The apply after an adoption counts as a change even if it is a no-op."""
    async with acting() as actor:
        step = await edited(actor, colour="yellow")
        version = actor.cluster.version
        execution = await actor.execute(step)
        assert actor.cluster.version == version + 1
        assert execution.results[KEY].outcome is Outcome.CONFIGURED


GONE = ServerError(
    ApiFailure(code=500, message="request to convert CR to an invalid group/version: shop.example/v1beta1")
)


def _managers(actor: Acting) -> dict[str, str]:
    entries = actor.cluster.objects[KEY]["metadata"]["managedFields"]
    return {entry["manager"]: entry["apiVersion"] for entry in entries}


async def test_managed_fields_of_a_version_that_is_gone_are_migrated() -> None:
    """The refused apply is repeated once the entries name a version that the kind has."""
    async with acting() as actor:
        actor.move_on()
        await actor.settle()
        for entry in actor.cluster.objects[KEY]["metadata"]["managedFields"]:
            entry["apiVersion"] = "v0"
        actor.cluster.fail_next("apply", CONFIG_MAPS, GONE)
        written = await actor.applier().apply(actor.step(actor.live()))
        assert written.applied is not None
        assert actor.data()["colour"] == "green"
        assert _managers(actor) == {"nopea": "v1", "operator": "v1"}
        assert [request for request in actor.cluster.requests if "/v1" in request] == [
            APPLY,
            GET,
            PATCH,
            APPLY,
        ]


async def test_break_glass_holds_while_a_version_is_migrated() -> None:
    """What came after the decision forbids the migration as it forbids the apply."""
    async with acting() as actor:
        actor.cluster.objects[KEY]["metadata"]["managedFields"][0]["apiVersion"] = "v0"
        actor.cluster.fail_next("apply", CONFIG_MAPS, GONE)
        actor.cluster.before("get", KEY, lambda: actor.annotate(PROTECTED))
        written = await actor.applier().apply(actor.step(actor.live()))
        assert (written.applied, written.step.reason) == (None, Reason.BREAK_GLASS)
        assert actor.data() == {"colour": "blue"}
        assert _managers(actor)["nopea"] == "v0"


async def test_a_version_that_is_nowhere_named_is_reported() -> None:
    """The apply is repeated once, not for ever."""
    async with acting() as actor:
        actor.cluster.fail_next("apply", CONFIG_MAPS, GONE, times=TRIES)
        with pytest.raises(ServerError):
            await actor.applier().apply(actor.step(actor.live()))
        assert actor.cluster.requests.count(APPLY) == 2
