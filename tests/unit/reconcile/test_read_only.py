"""A process that runs read-only: it plans like any other, and the cluster stays as it is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from tests.fakes.cluster import FakeCluster
from tests.fakes.git import FakeGit
from tests.fakes.installation import (
    AS_CONTROLLER,
    Installation,
    config_map,
    key_of,
    repository_key,
)

from nopea.core.api.conditions import find
from nopea.core.api.names import FINALIZER
from nopea.core.problem import Code
from nopea.core.status.report import Result
from nopea.core.trigger import Trigger

pytestmark = pytest.mark.looptime

READ_ONLY = replace(AS_CONTROLLER, read_only=True)
BLUE = {"a.yaml": config_map("a", colour="blue"), "b.yaml": config_map("b")}
LIVE = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "shop"}}


@asynccontextmanager
async def watching(files: Mapping[str, str], **spec: Any) -> AsyncIterator[Installation]:
    """Yield an installation that runs read-only."""
    place = Installation(FakeCluster(), FakeGit(files), READ_ONLY)
    place.declare(**spec)
    try:
        yield place
    finally:
        await place.end()


@asynccontextmanager
async def after_writing(files: Mapping[str, str], **spec: Any) -> AsyncIterator[Installation]:
    """Yield an installation that has applied the files, and runs read-only now."""
    place = Installation(FakeCluster(), FakeGit(files))
    place.declare(**spec)
    try:
        await place.sync()
        await place.restart(READ_ONLY)
        place.cluster.requests.clear()
        yield place
    finally:
        await place.end()


def writes(place: Installation) -> list[str]:
    """Return what was written beside statuses and Events."""
    return [each for each in place.cluster.writes if not each.startswith("apply gitrepositories")]


def ready(place: Installation) -> tuple[str, str, str]:
    """Return status, reason and message of Ready."""
    found = find(place.status().conditions, "Ready")
    assert found is not None
    return found.status, found.reason, found.message


async def test_what_would_be_created_is_counted() -> None:
    """Nothing is written but the status, which does not say that anything was applied."""
    async with watching(BLUE, deletionPolicy="Delete") as place:
        report = await place.sync(Trigger.STARTUP)

        commit = place.git.commit.id
        assert report.result is Result.PLANNED
        assert writes(place) == []
        assert place.data("a") is None
        status, reason, message = ready(place)
        assert (status, reason) == ("False", "ReadOnly")
        assert message.startswith("Read-only: 2 objects would be created at ")
        status_ = place.status()
        assert status_.summary == "Read-only; would be: 2 created"
        assert (status_.last_attempted_commit, status_.last_applied_commit) == (commit, None)
        assert (status_.last_sync_time, status_.inventory, status_.revisions) == (None, "", ())
        assert [each.outcome for each in status_.history] == ["planned"]
        assert place.condition("Applied") == ("", "")
        assert place.condition("Fetched")[0] == "True"


async def test_an_object_that_another_tool_applied_is_compared() -> None:
    """That it would get Nopea's label is no change; another value is."""
    async with watching({"a.yaml": BLUE["a.yaml"]}) as place:
        place.cluster.create({**LIVE, "data": {"colour": "blue"}})
        await place.sync(Trigger.STARTUP)

        assert ready(place)[:2] == ("True", "ReadOnly")
        assert "nothing would change" in ready(place)[2]
        assert "1 object is as in Git and would be adopted." in ready(place)[2]
        assert place.status().in_sync_count == 1
        assert place.status().summary == "Read-only; nothing would change"

        place.edit("a", {"colour": "red"})
        await place.sync(Trigger.RECONCILE)

        assert ready(place)[:2] == ("False", "ReadOnly")
        assert "1 object would be changed" in ready(place)[2]
        assert writes(place) == []
        assert place.data("a") == {"colour": "red"}


async def test_an_idle_plan_writes_nothing() -> None:
    """Not even a status, however often it is made."""
    async with watching(BLUE) as place:
        await place.sync(Trigger.STARTUP)
        place.cluster.requests.clear()

        await place.sync(Trigger.RECONCILE)
        await place.sync(Trigger.POLL)

        assert place.cluster.writes == []
        assert len(place.status().history) == 1


async def test_a_problem_in_git_is_told_with_the_rest() -> None:
    """The error has its code, and what is readable is planned."""
    async with watching({**BLUE, "c.yaml": "kind: ["}) as place:
        report = await place.sync(Trigger.STARTUP)

        assert report.codes == (Code.YAML_SYNTAX,)
        status, reason, message = ready(place)
        assert (status, reason) == ("False", "YamlSyntax")
        assert "2 objects would be created" in message
        assert (place.status().summary or "").startswith("Read-only; c.yaml")
        assert place.condition("Stalled")[0] == "True"
        assert writes(place) == []


async def test_two_repositories_that_declare_one_object() -> None:
    """The second is told, as it would be refused."""
    async with watching(BLUE) as place:
        place.declare("other")
        await place.sync(Trigger.STARTUP)
        report = await place.sync(Trigger.STARTUP, name="other")

        assert set(report.codes) == {Code.OWNED_BY_OTHER}


async def test_a_repository_does_not_wait_for_another() -> None:
    """Nothing is applied that could be too early; the other is never applied."""
    async with watching(BLUE, dependsOn=[{"name": "infra"}]) as place:
        place.declare("infra")

        assert (await place.sync(Trigger.STARTUP)).result is Result.PLANNED


async def test_drift_and_deletions_of_what_was_applied_before() -> None:
    """Both are told and neither is carried out, and the stored inventory stays."""
    async with after_writing(BLUE) as place:
        before = place.status()
        place.edit("a", {"colour": "red"})
        place.git.push({"b.yaml": None, "c.yaml": config_map("c")})
        place.configure(pruneLimit="100%")

        await place.sync(Trigger.POLL)

        status = place.status()
        assert writes(place) == []
        message = "Read-only: 1 object would be created, 1 changed, 1 deleted"
        assert message in ready(place)[2]
        assert [each.action for each in status.drifts] == ["left: read-only"]
        assert place.condition("Drifted")[0] == "True"
        assert status.inventory == before.inventory
        assert status.last_applied_commit == before.last_applied_commit
        assert status.revisions == before.revisions
        assert status.last_sync_time == before.last_sync_time


async def test_a_request_is_answered_by_a_plan() -> None:
    """Whoever waits for it reads that nothing was done."""
    async with after_writing(BLUE, healPolicy="manual") as place:
        place.edit("a", {"colour": "red"})
        place.configure(annotations={"nopea.io/heal-requested": "now", "nopea.io/sync-requested-at": "now"})

        await place.sync(Trigger.MANUAL)

        assert place.data("a") == {"colour": "red"}
        assert place.status().last_handled_heal_at == place.status().last_handled_sync_at == "now"
        assert place.status().history[0].outcome == "planned"


async def test_writing_again_continues_where_it_was() -> None:
    """What was applied is known, what was pushed meanwhile is applied, and what left Git is deleted."""
    async with after_writing(BLUE) as place:
        place.configure(pruneLimit="100%")
        place.git.push({"a.yaml": config_map("a", colour="green"), "b.yaml": None, "c.yaml": config_map("c")})
        await place.sync(Trigger.POLL)
        await place.restart(AS_CONTROLLER)

        report = await place.sync(Trigger.STARTUP)

        assert report.result is Result.SYNCED, report.problems
        assert place.data("a") == {"colour": "green"}
        assert place.data("b") is None
        assert place.data("c") == {}
        assert place.condition("Ready") == ("True", "Succeeded")
        assert place.condition("Applied")[0] == "True"
        assert [each.outcome for each in place.status().history[:2]] == ["synced", "planned"]


async def test_what_was_only_planned_is_applied_later() -> None:
    """The first sync that writes is the first deployment."""
    async with watching(BLUE, deletionPolicy="Delete") as place:
        await place.sync(Trigger.STARTUP)
        await place.restart(AS_CONTROLLER)

        await place.sync(Trigger.STARTUP)

        assert place.data("a") == {"colour": "blue"}
        assert place.inventory() == {"ConfigMap shop/a", "ConfigMap shop/b"}
        assert place.transitions[-1].is_first_sync
        assert FINALIZER in place.cluster.objects[repository_key()]["metadata"]["finalizers"]


@pytest.mark.parametrize("annotation", [{}, {"nopea.io/abandon": "true"}])
async def test_a_finalizer_of_earlier_days_stays(annotation: dict[str, str]) -> None:
    """Nothing is deleted or let go, and the status says what to do; a process that writes ends it."""
    async with after_writing(BLUE, deletionPolicy="Delete") as place:
        place.configure(annotations=annotation)
        place.cluster.delete(repository_key())

        report = await place.sync(Trigger.DELETION)

        assert report.codes == (Code.PRUNE_BLOCKED,)
        assert FINALIZER in place.cluster.objects[repository_key()]["metadata"]["finalizers"]
        assert place.data("a") == {"colour": "blue"}
        assert "read-only" in ready(place)[2]
        assert "--read-only" in place.status().errors[0].hint

        await place.restart(AS_CONTROLLER)
        assert (await place.sync(Trigger.DELETION)).result is Result.DELETED
        assert repository_key() not in place.cluster.objects
        assert (place.data("a") is None) == (not annotation)


async def test_a_change_of_an_applied_object_is_noticed_once() -> None:
    """Drift that was told is no news; another change is."""
    async with after_writing(BLUE) as place:
        place.edit("a", {"colour": "red"})
        await place.sync(Trigger.OBJECT_CHANGE)
        await place.settle()
        assert not place.reconciler.has_changed(place.repository())

        place.cluster.delete(key_of("b"))
        await place.settle()
        assert place.reconciler.has_changed(place.repository())
