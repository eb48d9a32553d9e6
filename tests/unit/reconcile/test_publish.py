"""What is written to the API server about a reconciliation, and what happens when that is refused."""

from __future__ import annotations

import asyncio

import pytest
from tests.fakes.installation import Installation, config_map, installed, repository_key, status_writes

from nopea import tasks
from nopea.core.status.report import Result
from nopea.kube.errors import ApiFailure, ConflictError
from nopea.kube.kinds import GIT_REPOSITORIES
from nopea.reconcile.publish import PROGRESS_AFTER_SECONDS

pytestmark = pytest.mark.looptime

FILES = {"a.yaml": config_map("a", colour="blue")}
BUSY = ConflictError(ApiFailure(code=409, reason="Conflict", message="the object has been modified"))


async def test_a_sync_is_published_with_one_status_write() -> None:
    """Status, an Event and a transition, once."""
    async with installed(FILES, deletionPolicy="Orphan") as place:
        await place.sync()

        assert status_writes(place) == 1
        assert place.condition("Ready") == ("True", "Succeeded")
        (transition,) = place.transitions
        assert transition.after == place.status()


async def test_a_sync_that_changes_nothing_writes_nothing() -> None:
    """An idle cluster sees no writes; the transition is published and is not news."""
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
    """There is nothing to repeat."""
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


async def test_a_long_sync_shows_that_it_is_under_way() -> None:
    """And its end takes that back."""
    async with installed(FILES, deletionPolicy="Orphan") as place:
        place.git.seconds = PROGRESS_AFTER_SECONDS + 1
        syncing = tasks.spawn(place.sync(), name="sync")
        await asyncio.sleep(PROGRESS_AFTER_SECONDS + 1.5)  # the sync begins after a second

        assert place.condition("Reconciling") == ("True", "Progressing")
        await syncing
        assert place.condition("Reconciling") == ("", "")
        assert status_writes(place) == 2


async def test_a_sync_that_is_cancelled_ends_its_progress() -> None:
    """No write comes after its end."""
    async with installed(FILES, deletionPolicy="Orphan") as place:
        place.git.seconds = PROGRESS_AFTER_SECONDS + 1
        syncing = tasks.spawn(place.sync(), name="sync")
        await asyncio.sleep(2)
        await tasks.end(syncing)

        await asyncio.sleep(10)
        assert status_writes(place) == 0


async def test_a_crashing_worker_is_in_the_status_and_in_an_event() -> None:
    """With the last line of the traceback."""
    async with installed(FILES) as place:
        await place.sync()

        await place.services.publisher.crashed(place.repository(), place.state(), last_line="KeyError: 'a'")

        assert place.condition("Ready") == ("False", "WorkerCrashed")
        (error,) = place.status().errors
        assert error.message == "The worker of this GitRepository keeps crashing: KeyError: 'a'."
        assert place.transitions[-1].after == place.status()
        assert "WorkerCrashed" in await events(place)


@pytest.mark.parametrize("is_known", [True, False])
async def test_a_repository_that_is_gone_is_reported_as_it_was_last(*, is_known: bool) -> None:
    """Its memory counts; without any, the status that the watch showed."""
    async with installed(FILES) as place:
        await place.sync()
        writes = len(place.cluster.writes)

        place.services.publisher.gone(place.repository(), place.state() if is_known else None)

        transition = place.transitions[-1]
        assert transition.report is not None
        assert transition.report.result is Result.DELETED
        assert transition.after == place.status()
        assert len(place.cluster.writes) == writes
