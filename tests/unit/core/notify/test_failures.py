"""The words of failures, and for how long a repository has failed; `test_rules.py` has what is sent."""

from __future__ import annotations

from datetime import timedelta

from tests.fakes.samples import NOW, problem, report
from tests.fakes.transitions import EMPTY, History

from nopea.core.api.notify import Severity
from nopea.core.notify.failures import seconds_of, severity_of
from nopea.core.problem import Code
from nopea.core.status.report import Result


def test_the_time_of_failing_is_that_since_the_first_failure() -> None:
    """It is 0 without one."""
    world = History()
    world.did(report(Result.FAILED, problems=[problem(Code.GIT_UNREACHABLE)]))
    assert seconds_of(world.status, at=NOW + timedelta(seconds=90)) == 90
    assert seconds_of(EMPTY, at=NOW) == 0


def test_waiting_is_no_error() -> None:
    """Only a failure that waits for another repository or for a person is a warning."""
    assert severity_of([Code.DEPENDENCY_NOT_READY]) is Severity.WARNING
    assert severity_of([Code.PRUNE_GUARD]) is Severity.WARNING
    assert severity_of([Code.DEPENDENCY_NOT_READY, Code.FORBIDDEN]) is Severity.ERROR
