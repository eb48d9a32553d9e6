"""What is written to the API server about a reconciliation, and what happens when that is refused."""

from __future__ import annotations

import pytest
from tests.fakes.installation import Installation, config_map, installed, repository_key

from nopea.core.status.report import Result
from nopea.kube.errors import ApiFailure, ConflictError
from nopea.kube.kinds import GIT_REPOSITORIES

pytestmark = pytest.mark.looptime

FILES = {"a.yaml": config_map("a", colour="blue")}
BUSY = ConflictError(ApiFailure(code=409, reason="Conflict", message="the object has been modified"))


def status_writes(place: Installation) -> int:
    """Return how many status writes were sent."""
    return sum("gitrepositories" in request and "status" in request for request in place.cluster.writes)


async def test_a_sync_is_published_with_one_status_write() -> None:
    """Status, an Event and a transition, once."""
    async with installed(FILES) as place:
        await place.sync()

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
