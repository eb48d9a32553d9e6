"""How a rollback is shown in the conditions, the history and the Events."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.fakes.samples import COMMIT, NOW, problem, report, result_of

from nopea.core.api.conditions import READY, ROLLED_BACK, find
from nopea.core.api.pin import Pin
from nopea.core.api.status import GitRepositoryStatus
from nopea.core.git.source import Ref, RefKind
from nopea.core.problem import Code
from nopea.core.status.report import Outcome, ReconcileReport, Result
from nopea.core.status.rollback import has_moved, pinned_note, released_note, rolled_back
from nopea.core.status.status import reported

PIN = Pin(commit=COMMIT.id, instead_of=Ref(RefKind.BRANCH, "main"))
OTHER = Pin(commit="a" * 40, instead_of=Ref(RefKind.BRANCH, "main"))
NOTHING = GitRepositoryStatus()


def after(
    one: ReconcileReport, previous: GitRepositoryStatus = NOTHING, *, later: int = 0
) -> GitRepositoryStatus:
    """Return the status after a sync."""
    return reported(previous, one, now=NOW + timedelta(seconds=later), retry_at=None)


def moved(before: GitRepositoryStatus, status: GitRepositoryStatus) -> tuple[str, str]:
    """Return the notes about pinning and releasing for a transition."""
    steps = (before.conditions, status.conditions)
    return pinned_note(*steps), released_note(*steps, follows="branch main")


def test_a_pinned_repository_has_the_condition() -> None:
    """The message contains the commit, the ref that is not followed, and how to return."""
    found = find(after(report(pin=PIN)).conditions, ROLLED_BACK)

    assert found is not None
    assert (found.status, found.reason) == ("True", "Pinned")
    for part in (COMMIT.id, "branch main", "--resume", "nopea.io/rollback-to"):
        assert part in found.message


def test_a_repository_that_follows_its_spec_has_no_condition() -> None:
    """The condition is removed when the rollback ends."""
    held = after(report(pin=PIN))

    assert find(after(report()).conditions, ROLLED_BACK) is None
    assert find(after(report(), held).conditions, ROLLED_BACK) is None


def test_ready_names_the_branch_that_is_not_followed() -> None:
    """The condition's message contains the branch."""
    found = find(after(report(pin=PIN, objects=[result_of("a")])).conditions, READY)

    assert found is not None
    assert found.message == "Applied 1 object at c0ffee0. Rolled back: branch main is not followed."


@pytest.mark.parametrize("result", [Result.FAILED, Result.SUSPENDED])
def test_the_condition_is_set_even_if_nothing_was_applied(result: Result) -> None:
    """A pin is in effect before its commit is applied."""
    problems = [problem(Code.GIT_UNREACHABLE)] if result is Result.FAILED else []
    status = after(report(result, commit=None, problems=problems, pin=PIN))

    assert find(status.conditions, ROLLED_BACK) is not None


def test_an_invalid_rollback_keeps_the_condition() -> None:
    """An invalid annotation does not end the rollback, so no Event is sent."""
    held = after(report(pin=PIN))
    broken = after(report(Result.FAILED, commit=None, problems=[problem(Code.ROLLBACK_INVALID)]), held)

    assert find(broken.conditions, ROLLED_BACK) == find(held.conditions, ROLLED_BACK)
    assert moved(held, broken) == ("", "")


def test_pinning_and_releasing_are_in_the_history_even_at_the_same_commit() -> None:
    """Pinning is in the history even if no object changes; later syncs without changes are not."""
    free = after(report(objects=[result_of("a", Outcome.CREATED)]))
    held = after(report(id="P", pin=PIN, triggers=("rollback",)), free)
    again = after(report(id="Q", pin=PIN, triggers=("poll", "rollback")), held)
    released = after(report(id="R", triggers=("resume",)), again)

    assert [(one.id, one.trigger) for one in released.history[:2]] == [("R", "resume"), ("P", "rollback")]
    assert len(released.history) == 3
    assert again == held


def test_the_time_of_the_condition_stays() -> None:
    """The time of the condition is the start of the rollback."""
    held = after(report(pin=PIN))
    later = after(report(pin=PIN, objects=[result_of("a", Outcome.CONFIGURED)]), held, later=60)

    one, two = (find(status.conditions, ROLLED_BACK) for status in (held, later))
    assert one is not None
    assert two is not None
    assert one.last_transition_time == two.last_transition_time


def test_each_pin_and_the_release_have_a_note() -> None:
    """Pinning, pinning to another commit and releasing have one note each."""
    free = after(report())
    first, second = after(report(pin=PIN), free), after(report(pin=OTHER), free)

    assert moved(free, first) == (PIN.message, "")
    assert moved(first, second) == (OTHER.message, "")
    assert moved(second, free) == ("", "Follows branch main again after a rollback.")
    assert moved(first, first) == moved(free, free) == ("", "")


def test_moves_are_detected() -> None:
    """Setting, changing and removing the pin are moves."""
    held = rolled_back(PIN, generation=1, now=NOW)

    assert not has_moved((), None)
    assert not has_moved(held, PIN)
    assert has_moved((), PIN)
    assert has_moved(held, OTHER)
    assert has_moved(held, None)
