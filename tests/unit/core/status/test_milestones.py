"""What the status remembers of earlier syncs: since when they fail, and the last deployment."""

from __future__ import annotations

from datetime import timedelta

import msgspec
from tests.fakes.samples import problem, result_of
from tests.fakes.story import Story, commit

from nopea.core.api.times import format_time
from nopea.core.status.report import Outcome, Result
from nopea.core.status.status import interrupted, progressing

CREATED, CHANGED = [result_of("a", Outcome.CREATED)], [result_of("a", Outcome.CONFIGURED)]
SAME = [result_of("a")]


def deployments(*passes: dict[str, object]) -> list[str | None]:
    """Return the number of the last deployment after each sync; the first sync has number 1."""
    story = Story()
    found: list[str | None] = []
    for one in passes:
        story.step(**one)  # type: ignore[arg-type]
        last = story.status.last_deployment
        found.append(last and last.removeprefix("01K").lstrip("0"))
    return found


def test_the_first_sync_is_a_deployment() -> None:
    """This holds even if all objects existed before."""
    assert deployments({"objects": SAME}) == ["1"]


def test_another_commit_is_a_deployment_if_it_changed_something() -> None:
    """A commit without changes, and changes at the same commit, are not deployments."""
    pruned = [result_of("a"), result_of("b", Outcome.PRUNED)]

    assert deployments(
        {"at": commit("1"), "objects": CREATED},
        {"at": commit("2"), "objects": SAME},
        {"at": commit("3"), "objects": pruned},
        {"at": commit("3"), "objects": CHANGED},
    ) == ["1", "1", "3", "3"]


def test_changes_of_failed_syncs_count_for_the_next_success() -> None:
    """What failed syncs changed is deployed by the first sync that succeeds."""
    half = {"result": Result.FAILED, "problems": [problem()], "at": commit("2"), "objects": CHANGED}

    assert deployments(
        {"at": commit("1"), "objects": CREATED},
        half,
        {"at": commit("3"), "objects": SAME},
        {"at": commit("4"), "objects": SAME},
    ) == ["1", "1", "3", "3"]


def test_failures_in_a_row_have_one_start() -> None:
    """The start of the failures does not depend on the errors, and is removed by a success."""
    story = Story()
    story.step(objects=CREATED)
    began = format_time(story.now + timedelta(minutes=1))
    found = []
    for number in range(3):
        story.step(Result.FAILED, problems=[problem(message=f"{number}")], at=None)
        found.append(story.status.failing_since)
    story.step(objects=SAME)

    assert found == [began] * 3
    assert story.status.failing_since is None


def test_unfinished_syncs_change_nothing() -> None:
    """Progress, suspension and a shutdown change neither field."""
    story = Story()
    story.step(objects=CREATED)
    story.step(Result.FAILED, problems=[problem()])
    known = (story.status.last_deployment, story.status.failing_since)
    slow = progressing(story.status, generation=2, message="fetching", now=story.now)
    done = story.step(Result.SUPERSEDED).report
    assert done is not None
    stopped, _ = interrupted(story.status, done, now=story.now)
    story.step(Result.SUSPENDED, at=None)

    for status in (slow, stopped, story.status):
        assert (status.last_deployment, status.failing_since) == known


def test_a_status_of_an_older_version_is_extended() -> None:
    """It has neither field: the next deployment is the first known one, and failures start now."""
    story = Story()
    story.step(objects=CREATED)
    story.step(Result.FAILED, problems=[problem()])
    story.status = msgspec.structs.replace(story.status, last_deployment=None, failing_since=None)
    story.step(Result.FAILED, problems=[problem()])
    assert story.status.failing_since == format_time(story.now)

    story.step(objects=CHANGED, at=commit("2"))
    assert story.status.last_deployment == f"01K{4:023d}"
