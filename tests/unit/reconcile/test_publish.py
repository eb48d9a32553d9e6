"""What a reconciliation writes to the API server, and what happens when a write is rejected."""

from __future__ import annotations

import asyncio

import pytest
from tests.fakes.installation import (
    Installation,
    config_map,
    installed,
    key_of,
    repository_key,
    status_writes,
)

from nopea import tasks
from nopea.core.status.report import Result
from nopea.kube.errors import ApiFailure, ConflictError
from nopea.kube.kinds import GIT_REPOSITORIES
from nopea.reconcile.publish import PROGRESS_AFTER_SECONDS

pytestmark = pytest.mark.looptime

FILES = {"a.yaml": config_map("a", colour="blue")}
BUSY = ConflictError(ApiFailure(code=409, reason="Conflict", message="the object has been modified"))


async def test_a_sync_is_published_with_one_status_write() -> None:
    """A sync causes one status write and one transition."""
    async with installed(FILES, deletionPolicy="Orphan") as place:
        await place.sync()

        assert status_writes(place) == 1
        assert place.condition("Ready") == ("True", "Succeeded")
        (transition,) = place.transitions
        assert transition.after == place.status()


async def test_a_sync_that_changes_nothing_writes_nothing() -> None:
    """An idle cluster gets no writes; the transition is published but not reportable."""
    async with installed(FILES) as place:
        await place.sync()
        before = len(place.cluster.writes)

        await place.sync()

        assert len(place.cluster.writes) == before
        assert not place.transitions[-1].is_reportable


async def test_a_conflict_on_the_status_is_not_taken_for_a_deletion() -> None:
    """The status is written by the next reconciliation; until then the sync counts as failed."""
    async with installed(FILES, deletionPolicy="Orphan") as place:
        place.cluster.fail_next("apply", GIT_REPOSITORIES, BUSY, times=1)
        failed = await place.sync()
        assert failed.result is Result.FAILED
        assert place.condition("Ready") == ("", "")

        again = await place.sync()

        assert again.result is Result.SYNCED
        assert place.condition("Ready") == ("True", "Succeeded")


async def test_a_deleted_repository_has_no_status_to_write() -> None:
    """A deletion during the status write is not a failure."""
    async with installed(FILES, deletionPolicy="Orphan") as place:
        place.cluster.before("apply", repository_key(), lambda: place.cluster.delete(repository_key()))

        report = await place.sync()

        assert report.result is Result.SYNCED
        assert repository_key() not in place.cluster.objects


async def events(place: Installation) -> list[str]:
    """Send the recorded Events and return their reasons, as stored."""
    place.events.stop()
    await place.events.run()
    return [value["reason"] for key, value in place.cluster.objects.items() if key.kind == "Event"]


async def test_a_healed_object_has_an_event_of_its_own() -> None:
    """Whoever describes the object reads there why it changed back; `related` is the GitRepository."""
    async with installed(FILES, deletionPolicy="Orphan") as place:
        await place.sync()
        place.edit("a", {"colour": "red"})
        await place.sync()
        await events(place)

        stored = [value for key, value in place.cluster.objects.items() if key.kind == "Event"]
        (about,) = (one for one in stored if one["regarding"]["kind"] == "ConfigMap")
        live = place.cluster.objects[key_of("a")]
        assert about["reason"] == "DriftHealed"
        assert about["regarding"] == {
            "apiVersion": "v1", "kind": "ConfigMap", "namespace": "shop", "name": "a",
            "uid": live["metadata"]["uid"],
        }  # fmt: skip
        assert about["related"]["kind"] == "GitRepository"
        assert about["note"].startswith(
            "Reverted ConfigMap shop/a: .data.colour red → blue (changed by kubectl"
        )
        assert about["note"].endswith(f"The GitRepository {repository_key().namespace}/web declares it.")


async def test_a_long_sync_is_reconciling_in_the_status() -> None:
    """The condition Reconciling is set while the sync runs and removed at its end."""
    async with installed(FILES, deletionPolicy="Orphan") as place:
        place.git.seconds = PROGRESS_AFTER_SECONDS + 1
        syncing = tasks.spawn(place.sync(), name="sync")
        await asyncio.sleep(PROGRESS_AFTER_SECONDS + 1.5)  # the sync begins after a second

        assert place.condition("Reconciling") == ("True", "Progressing")
        await syncing
        assert place.condition("Reconciling") == ("", "")
        assert status_writes(place) == 2


async def test_a_cancelled_sync_writes_no_progress() -> None:
    """No status write comes after the cancellation."""
    async with installed(FILES, deletionPolicy="Orphan") as place:
        place.git.seconds = PROGRESS_AFTER_SECONDS + 1
        syncing = tasks.spawn(place.sync(), name="sync")
        await asyncio.sleep(2)
        await tasks.end(syncing)

        await asyncio.sleep(10)
        assert status_writes(place) == 0


async def test_a_crashing_worker_is_in_the_status_and_in_an_event() -> None:
    """The error contains the last line of the traceback."""
    async with installed(FILES) as place:
        await place.sync()

        await place.services.publisher.crashed(place.repository(), place.state(), last_line="KeyError: 'a'")

        assert place.condition("Ready") == ("False", "WorkerCrashed")
        (error,) = place.status().errors
        assert error.message == "The worker of this GitRepository keeps crashing: KeyError: 'a'."
        assert place.transitions[-1].after == place.status()
        assert "WorkerCrashed" in await events(place)


@pytest.mark.parametrize("is_known", [True, False])
async def test_a_deleted_repository_is_reported_with_its_last_status(*, is_known: bool) -> None:
    """The status is the remembered one, or without it the one that the watch showed."""
    async with installed(FILES) as place:
        await place.sync()
        writes = len(place.cluster.writes)

        place.services.publisher.gone(place.repository(), place.state() if is_known else None)

        transition = place.transitions[-1]
        assert transition.report is not None
        assert transition.report.result is Result.DELETED
        assert transition.after == place.status()
        assert len(place.cluster.writes) == writes
