"""Which failures are notified of at once, and in which words; the end of a failure. Pure.

A failure that may end without a person, or that has its cause outside of the repository, waits:
`outages.py` decides about it, with time and over all repositories.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from nopea.core.api.conditions import READY, find
from nopea.core.api.entries import StatusError
from nopea.core.api.notify import NotificationKind, Severity
from nopea.core.api.status import GitRepositoryStatus
from nopea.core.api.times import parse_time
from nopea.core.git.source import SHORT_COMMIT
from nopea.core.notify.about import about, more_than
from nopea.core.notify.notification import CodeText, Line, Notification
from nopea.core.notify.rate_limit import AlertState
from nopea.core.problem import Code as ProblemCode
from nopea.core.status.transition import Transition

HOLD_SECONDS: Final = 120.0
"""What may end without a person must last so long to be worth a message."""

_MAX_ERRORS: Final = 5
_TRANSIENT: Final = frozenset(code.value for code in ProblemCode if code.transient)
_NO_ERROR: Final = frozenset(
    code.value for code in ProblemCode if code.is_waiting or code is ProblemCode.PRUNE_GUARD
)
_OUTSIDE: Final = frozenset(code.value for code in ProblemCode if code.is_of_source)


def is_transient(code: str) -> bool:
    """Return whether the problem may go away without a person."""
    return code in _TRANSIENT


def is_held(code: str) -> bool:
    """Return whether a problem with this code is left to `outages.py`."""
    return code in _TRANSIENT or code in _OUTSIDE


def seconds_of(status: GitRepositoryStatus, *, at: datetime) -> float:
    """Return for how long the repository had been failing at a time; 0 if it does not fail."""
    since = parse_time(status.failing_since)
    return max((at - since).total_seconds(), 0.0) if since and status.failures else 0.0


def failure_at_once(transition: Transition) -> Notification | None:
    """Return the notification of problems that are new and that somebody must correct."""
    new = _own_codes(transition.after) - _own_codes(transition.before)
    return failure(transition, new) if new else None


def failure(transition: Transition, new: Collection[str], **rest: Any) -> Notification:
    """Return the notification of a failed sync; the problems with the new codes come first."""
    errors = sorted(transition.after.errors, key=lambda error: error.code not in new)
    lines = [line for error in errors[:_MAX_ERRORS] for line in error_lines(error)]
    if len(errors) > _MAX_ERRORS:
        lines.append((f"and {more_than(errors, _MAX_ERRORS, 'problem')}",))
    lines.append(_outlook(transition.after, errors))
    facts = {
        "failures": transition.after.failures,
        "transient": all(error.code in _TRANSIENT for error in errors),
        "lastAppliedCommit": transition.after.last_applied_commit,
        "problems": [error_facts(error) for error in errors],
    }
    is_guard = all(code == ProblemCode.PRUNE_GUARD for code in new)
    made: dict[str, Any] = {
        "kind": NotificationKind.PRUNE if is_guard else NotificationKind.FAILURE,
        "severity": severity_of(new),
        "title": "deletions wait for a confirmation"
        if is_guard
        else f"sync failed ({reason_of(errors[0].code)})",
        "lines": lines,
        "facts": facts,
        "fingerprint": f"failed: {sorted(new)}",
        "alert_state": AlertState.FIRING,
    }
    return about(transition, **(made | rest))


def severity_of(codes: Iterable[str]) -> Severity:
    """Return the severity of a failure: to wait for another repository, or for a person, is not an error."""
    return Severity.WARNING if all(code in _NO_ERROR for code in codes) else Severity.ERROR


def error_lines(error: StatusError) -> Iterable[Line]:
    """Yield a problem and its hint as lines."""
    where = " ".join(str(part) for part in (error.source, error.object) if part)
    place: Line = (" ", CodeText(where)) if where else ()
    yield CodeText(error.code), *place, f": {error.message}"
    if error.hint:
        yield (f"→ {error.hint}",)


def error_facts(error: StatusError) -> dict[str, Any]:
    """Return a problem for programs."""
    return {
        "code": error.code,
        "reason": reason_of(error.code),
        "message": error.message,
        "hint": error.hint,
        "object": str(error.object) if error.object else None,
        "source": error.source,
    }


def reason_of(code: str) -> str:
    """Return the name of a code, such as `GitUnreachable`."""
    try:
        return ProblemCode(code).reason
    except ValueError:  # a status that another version wrote
        return code


def recovery(transition: Transition) -> Notification | None:
    """Return the notification that a sync works again."""
    before, after = transition.before, transition.after
    if after.failures or after.errors or not (before.errors or before.failures):
        return None
    ready = find(after.conditions, READY)
    message = ready.message if ready else ""
    count = before.failures
    attempts = f" Recovered after {count} failed attempt{'' if count == 1 else 's'}." if count else ""
    codes = sorted({error.code for error in before.errors})
    return about(
        transition,
        kind=NotificationKind.RECOVERY,
        severity=Severity.INFO,
        ends=severity_of({error.code for error in before.errors}),
        title="sync works again",
        lines=[(f"{message}{attempts}",)],
        facts={"failures": before.failures, "codes": codes, "summary": message},
        fingerprint="recovered",
        alert_state=AlertState.RESOLVED if _own_codes(before) else AlertState.RESOLVED_IF_FIRING,
    )


def _own_codes(status: GitRepositoryStatus) -> frozenset[str]:
    return frozenset(error.code for error in status.errors if not is_held(error.code))


def _outlook(status: GitRepositoryStatus, errors: Sequence[StatusError]) -> Line:
    """Return what runs meanwhile, and whether somebody must act."""
    applied = status.last_applied_commit
    runs: Line = ("Still applied: ", CodeText(applied[:SHORT_COMMIT]), ". ") if applied else ()
    if all(error.code in _TRANSIENT for error in errors):
        since = f" Failing since {status.failing_since}." if status.failing_since else ""
        return *runs, f"{status.failures} syncs in a row have failed.{since} Nopea keeps trying."
    return *runs, "Somebody must correct this. Nopea keeps trying."
