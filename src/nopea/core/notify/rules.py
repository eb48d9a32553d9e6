"""Decide which news of a step people are told: drift that is left, failures, recoveries, health and the like.

Pure. Only the statuses before and after are compared, so each piece of news is told once, also across
restarts, and retries tell nothing. What a policy asks to be silent about is not in here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from nopea.core.api.conditions import CONTENDED, HEALTHY, READY, find
from nopea.core.api.repository import ref_of
from nopea.core.api.spec import GitRepositorySpec, HealPolicy
from nopea.core.api.status import (
    SHORT_COMMIT,
    DriftEntry,
    FieldChange,
    GitRepositoryStatus,
    Phase,
    StatusError,
)
from nopea.core.notify.notification import (
    CodeText,
    CommitFacts,
    Line,
    Notification,
    NotificationKind,
    Severity,
    make_notice,
)
from nopea.core.notify.rate_limit import Role
from nopea.core.plan.model import Reason
from nopea.core.problem import Code as ProblemCode
from nopea.core.secret import mask_url
from nopea.core.status.rollback import pinned_note, released_note
from nopea.core.status.transition import Transition

PATIENCE: Final = 3
"""So many passes in a row must fail before a problem that may go away by itself is told."""

_OBJECTS: Final = 5
_FIELDS: Final = 3
_LEFT: Final = f"left: {Reason.POLICY}"
_TRANSIENT: Final = frozenset(code.value for code in ProblemCode if code.transient)


def notices(step: Transition) -> tuple[Notification, ...]:
    """Return what people are to be told of a step."""
    found = (_drift(step), _failure(step), _recovery(step), *_health(step))
    return tuple(one for one in (*found, _contention(step), _rollback(step)) if one is not None)


def told_codes(status: GitRepositoryStatus) -> frozenset[str]:
    """Return the codes in a status that people have been told: what may go away by itself only in the end."""
    codes = {error.code for error in status.errors}
    return frozenset(codes if status.failures >= PATIENCE else codes - _TRANSIENT)


# drift


def _drift(step: Transition) -> Notification | None:
    spec = step.repository.spec
    if not isinstance(spec, GitRepositorySpec) or spec.heal_policy is not HealPolicy.NOTIFY:
        return None
    known = {_drift_id(drift) for drift in step.before.drifts}
    new = [one for one in step.after.drifts if one.action == _LEFT and _drift_id(one) not in known]
    if not new:
        return None
    key = step.repository.key
    lines = [line for one in new[:_OBJECTS] for line in _drift_lines(one)]
    if len(new) > _OBJECTS:
        lines.append((f"and {len(new) - _OBJECTS} more objects",))
    asked = CodeText(f"nopea heal {key.name} --namespace {key.namespace}")
    lines.append(("Left as it is (healPolicy: notify). To put it right: ", asked))
    what = new[0].object if len(new) == 1 else f"{len(new)} objects"
    facts = {"drifts": [_drift_facts(one) for one in new], "driftedCount": step.after.drifted_count or 0}
    return _notice(
        step,
        kind=NotificationKind.DRIFT,
        severity=Severity.WARNING,
        title=f"{what} {_deed(new)}",
        lines=lines,
        facts=facts,
        same=f"{[_drift_id(one) for one in new]}",
    )


def _deed(new: list[DriftEntry]) -> str:
    if len(new) == 1 and _is_gone(new[0]):
        return "was deleted in the cluster"
    if len(new) > 1:
        return "were changed in the cluster"
    return f"was changed by {new[0].manager}" if new[0].manager else "was changed in the cluster"


def _drift_id(drift: DriftEntry) -> tuple[str, str | None, tuple[FieldChange, ...]]:
    """What makes drift the same drift: not since when, which may be known better later."""
    return drift.object, drift.manager, drift.fields


def _is_gone(drift: DriftEntry) -> bool:
    return any(field.path in ("", ".") for field in drift.fields)


def _drift_lines(drift: DriftEntry) -> Iterable[Line]:
    when = f" at {drift.since}" if drift.since else ""
    if _is_gone(drift):
        yield CodeText(drift.object), f" was deleted{when}; Kubernetes does not note by whom"
        return
    by: Line = (" by ", CodeText(drift.manager)) if drift.manager else (", nobody knows by whom",)
    yield CodeText(drift.object), " was changed", *by, when
    for field in drift.fields[:_FIELDS]:
        yield "• ", CodeText(field.path), ": ", *_value(field.from_), " → ", *_value(field.to)
    if len(drift.fields) > _FIELDS:
        yield (f"• and {len(drift.fields) - _FIELDS} more fields",)


def _value(value: str | None) -> Line:
    return ("nothing",) if value is None else (CodeText(value or '""'),)


def _drift_facts(drift: DriftEntry) -> dict[str, Any]:
    fields = [{"path": one.path, "from": one.from_, "to": one.to} for one in drift.fields]
    return {
        "object": drift.object,
        "kind": drift.kind,
        "manager": drift.manager,
        "operation": drift.operation,
        "since": drift.since,
        "deleted": _is_gone(drift),
        "fields": fields,
    }


# failures and their end


def _failure(step: Transition) -> Notification | None:
    new = told_codes(step.after) - told_codes(step.before)
    if not new:
        return None
    errors = sorted(step.after.errors, key=lambda error: error.code not in new)  # the new ones first
    lines = [line for error in errors[:_OBJECTS] for line in _error_lines(error)]
    if len(errors) > _OBJECTS:
        lines.append((f"and {len(errors) - _OBJECTS} more problems",))
    lines.append(_outlook(step.after, errors))
    reason = _reason(errors[0].code)
    facts = {
        "failures": step.after.failures,
        "transient": all(error.code in _TRANSIENT for error in errors),
        "lastAppliedCommit": step.after.last_applied_commit,
        "problems": [_error_facts(error) for error in errors],
    }
    return _notice(
        step,
        kind=NotificationKind.FAILURE,
        severity=Severity.ERROR,
        title=f"sync failed ({reason})",
        lines=lines,
        facts=facts,
        same=f"failed: {sorted(new)}",
        role=Role.OPENS,
    )


def _error_lines(error: StatusError) -> Iterable[Line]:
    where = " ".join(part for part in (error.source, error.object) if part)
    place: Line = (" ", CodeText(where)) if where else ()
    yield CodeText(error.code), *place, f": {error.message}"
    if error.hint:
        yield (f"→ {error.hint}",)


def _outlook(status: GitRepositoryStatus, errors: Sequence[StatusError]) -> Line:
    """Say what runs meanwhile, and whether somebody has to act."""
    applied = status.last_applied_commit
    runs: Line = ("Last applied in full: ", CodeText(applied[:SHORT_COMMIT]), ". ") if applied else ()
    if all(error.code in _TRANSIENT for error in errors):
        return *runs, f"Failed {status.failures} times in a row; it is tried again by itself."
    return *runs, "Somebody has to correct it; it is tried again by itself."


def _error_facts(error: StatusError) -> dict[str, Any]:
    return {
        "code": error.code,
        "reason": _reason(error.code),
        "message": error.message,
        "hint": error.hint,
        "object": error.object,
        "source": error.source,
    }


def _reason(code: str) -> str:
    try:
        return ProblemCode(code).reason
    except ValueError:  # a status that another version wrote
        return code


def _recovery(step: Transition) -> Notification | None:
    before, after = step.before, step.after
    if after.phase is not Phase.SYNCED or after.errors or not (before.errors or before.failures):
        return None
    ready = find(after.conditions, READY)
    said = ready.message if ready else ""
    count = before.failures
    attempts = f" Recovered after {count} failed attempt{'' if count == 1 else 's'}." if count else ""
    codes = sorted({error.code for error in before.errors})
    return _notice(
        step,
        kind=NotificationKind.RECOVERY,
        severity=Severity.INFO,
        title="sync works again",
        lines=[(f"{said}{attempts}",)],
        facts={"failures": before.failures, "codes": codes, "summary": said},
        same="recovered",
        role=Role.CLOSES if told_codes(before) else Role.CLOSES_IF_TOLD,
    )


# health and fights


def _health(step: Transition) -> Iterable[Notification | None]:
    before, after = (find(status.conditions, HEALTHY) for status in (step.before, step.after))
    was = before.status if before else ""
    if after is None or after.status == was or after.status not in ("True", "False"):
        return
    facts = {"healthy": after.status == "True", "reason": after.reason, "message": after.message}
    if after.status == "False":
        yield _notice(
            step,
            kind=NotificationKind.HEALTH,
            severity=Severity.WARNING,
            title="objects are unhealthy",
            lines=[(part,) for part in after.message.split("; ")],
            facts=facts,
            same=f"unhealthy: {after.message}",
            role=Role.OPENS,
        )
        return
    yield _notice(
        step,
        kind=NotificationKind.HEALTH,
        severity=Severity.INFO,
        title="all objects are healthy again",
        lines=[(f"{after.message}.",)],
        facts=facts,
        same="healthy",
        role=Role.CLOSES if was == "False" else Role.CLOSES_IF_TOLD,
    )


def _contention(step: Transition) -> Notification | None:
    before, after = (find(status.conditions, CONTENDED) for status in (step.before, step.after))
    if after is None or after.status != "True" or (before is not None and before.status == "True"):
        return None
    return _notice(
        step,
        kind=NotificationKind.CONTENTION,
        severity=Severity.WARNING,
        title="somebody changes an object back again and again",
        lines=[
            (after.message,),
            ("→ Stop it, or leave the field to it by ", CodeText("ignoreDifferences"), "."),
        ],
        facts={"message": after.message},
        same=f"contended: {after.message.partition(' back ')[0]}",
    )


def _rollback(step: Transition) -> Notification | None:
    """Tell of a repository that does not follow its spec, and of the end of that: others may wonder."""
    before, after = step.before.conditions, step.after.conditions
    follows = step.repository.follows
    held = pinned_note(before, after)
    note = held or released_note(before, after, follows=follows)
    if not note:
        return None
    commit = step.repository.rollback_to
    title = f"rolled back to {commit[:SHORT_COMMIT]}" if held else f"follows {follows} again"
    return _notice(
        step,
        kind=NotificationKind.ROLLBACK,
        severity=Severity.WARNING if held else Severity.INFO,
        title=title,
        lines=[(f"{note[:1].upper()}{note[1:]}.",)],
        facts={"rolledBack": bool(held), "commit": commit or None, "message": note},
        same=f"rolled back: {commit}",
        role=Role.OPENS if held else Role.CLOSES,
    )


def _notice(step: Transition, *, title: str, **rest: Any) -> Notification:
    repository = step.repository
    spec = repository.spec if isinstance(repository.spec, GitRepositorySpec) else None
    return make_notice(
        hidden=step.hidden,
        title=f"{repository.key}: {title}",
        repository=repository.key,
        url=mask_url(spec.url) if spec else "",
        ref=str(ref_of(spec)) if spec else "",
        commit=_commit(step),
        at=step.at,
        **rest,
    )


def _commit(step: Transition) -> CommitFacts | None:
    """Return the commit that was looked at; none when Git did not get that far."""
    if step.report is not None:
        found = step.report.commit
        return CommitFacts(id=found.id, message=found.message, author=found.author) if found else None
    status = step.after
    if not status.last_attempted_commit:
        return None
    return CommitFacts(
        id=status.last_attempted_commit,
        message=status.last_commit_message or "",
        author=status.last_commit_author or "",
    )
