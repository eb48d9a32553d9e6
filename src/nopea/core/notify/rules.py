"""Which notifications a transition causes: drift, failures, recoveries, health, contention, rollbacks.

Pure. Only the statuses before and after are compared, so each change is reported once, also across restarts,
and retries report nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from nopea.core.api.conditions import CONTENDED, HEALTHY, READY, find
from nopea.core.api.entries import DriftEntry, FieldChange, StatusError
from nopea.core.api.repository import ref_of
from nopea.core.api.spec import GitRepositorySpec, HealPolicy
from nopea.core.api.status import GitRepositoryStatus
from nopea.core.drift.find import who
from nopea.core.git.source import SHORT_COMMIT
from nopea.core.notify.notification import (
    CodeText,
    CommitFacts,
    Line,
    Notification,
    NotificationKind,
    Severity,
    make_notification,
)
from nopea.core.notify.rate_limit import AlertState
from nopea.core.plan.model import Reason
from nopea.core.problem import Code as ProblemCode
from nopea.core.secret import mask_url
from nopea.core.status.rollback import pinned_note, released_note
from nopea.core.status.transition import Transition

FAILURES_BEFORE_NOTIFYING: Final = 3
"""This many syncs in a row must fail before a transient problem is reported."""

_MAX_OBJECTS: Final = 5
_MAX_FIELDS: Final = 3
_LEFT: Final = f"left: {Reason.POLICY}"
_TRANSIENT: Final = frozenset(code.value for code in ProblemCode if code.transient)


def notifications_of(transition: Transition) -> tuple[Notification, ...]:
    """Return the notifications of a transition, in a fixed order."""
    candidates = (
        _drift(transition),
        _failure(transition),
        _recovery(transition),
        _health(transition),
        _contention(transition),
        _rollback(transition),
    )
    return tuple(notification for notification in candidates if notification is not None)


def reported_codes(status: GitRepositoryStatus) -> frozenset[str]:
    """Return the codes of a status that have been reported: transient ones only after repeated failures."""
    codes = {error.code for error in status.errors}
    return frozenset(codes if status.failures >= FAILURES_BEFORE_NOTIFYING else codes - _TRANSIENT)


# drift


def _drift(transition: Transition) -> Notification | None:
    spec = transition.repository.spec
    if not isinstance(spec, GitRepositorySpec) or spec.heal_policy is not HealPolicy.NOTIFY:
        return None
    known = {_drift_id(drift) for drift in transition.before.drifts}
    new = [
        drift for drift in transition.after.drifts if drift.action == _LEFT and _drift_id(drift) not in known
    ]
    if not new:
        return None
    key = transition.repository.key
    lines = [line for drift in new[:_MAX_OBJECTS] for line in _drift_lines(drift)]
    if len(new) > _MAX_OBJECTS:
        lines.append((f"and {_more(new, _MAX_OBJECTS, 'object')}",))
    command = CodeText(f"nopea heal {key.name} --namespace {key.namespace}")
    lines.append(("Not healed because of healPolicy: notify. To heal it: ", command))
    subject = str(new[0].object) if len(new) == 1 else f"{len(new)} objects"
    facts = {
        "drifts": [_drift_facts(drift) for drift in new],
        "driftedCount": transition.after.drifted_count or 0,
    }
    return _notification(
        transition,
        kind=NotificationKind.DRIFT,
        severity=Severity.WARNING,
        title=f"{subject} {_what_happened(new)}",
        lines=lines,
        facts=facts,
        fingerprint=f"{[_drift_id(drift) for drift in new]}",
    )


def _what_happened(new: list[DriftEntry]) -> str:
    if len(new) == 1 and new[0].is_deletion:
        return "was deleted in the cluster"
    if len(new) > 1:
        return "were changed in the cluster"
    whom = who(new[0].manager, new[0].user)
    return f"was changed by {whom}" if whom else "was changed in the cluster"


def _drift_id(drift: DriftEntry) -> tuple[str, str | None, tuple[FieldChange, ...]]:
    """Return what identifies drift; not its time, which may become known later."""
    return str(drift.object), drift.manager, drift.fields


def _drift_lines(drift: DriftEntry) -> Iterable[Line]:
    when = f" at {drift.since}" if drift.since else ""
    if drift.is_deletion:
        deleter: Line = (" by user ", CodeText(drift.user)) if drift.user else ()
        end = "." if drift.user else ". Kubernetes does not record by whom."
        yield CodeText(str(drift.object)), " was deleted", *deleter, f"{when}{end}"
        return
    whom = who(drift.manager, drift.user)
    by: Line = (" by ", CodeText(whom)) if whom else (" by an unknown client",)
    yield CodeText(str(drift.object)), " was changed", *by, when
    for field in drift.fields[:_MAX_FIELDS]:
        yield "• ", CodeText(field.path), _how(field)
    if len(drift.fields) > _MAX_FIELDS:
        yield (f"• and {_more(drift.fields, _MAX_FIELDS, 'field')}",)


def _how(field: FieldChange) -> str:
    """Return what happened to a field; values never leave the cluster."""
    if field.from_ is None:
        return " was added"
    return " was removed" if field.to is None else ""


def _drift_facts(drift: DriftEntry) -> dict[str, Any]:
    fields = [{"path": field.path} for field in drift.fields]
    return {
        "object": str(drift.object),
        "kind": drift.kind,
        "manager": drift.manager,
        **({"user": drift.user} if drift.user else {}),
        "operation": drift.operation,
        "since": drift.since,
        "deleted": drift.is_deletion,
        "fields": fields,
    }


def _more(items: Sequence[Any], shown: int, noun: str) -> str:
    count = len(items) - shown
    return f"{count} more {noun}{'s' * (count != 1)}"


# failures and recovery


def _failure(transition: Transition) -> Notification | None:
    new = reported_codes(transition.after) - reported_codes(transition.before)
    if not new:
        return None
    errors = sorted(transition.after.errors, key=lambda error: error.code not in new)  # the new ones first
    lines = [line for error in errors[:_MAX_OBJECTS] for line in _error_lines(error)]
    if len(errors) > _MAX_OBJECTS:
        lines.append((f"and {_more(errors, _MAX_OBJECTS, 'problem')}",))
    lines.append(_outlook(transition.after, errors))
    reason = _reason(errors[0].code)
    facts = {
        "failures": transition.after.failures,
        "transient": all(error.code in _TRANSIENT for error in errors),
        "lastAppliedCommit": transition.after.last_applied_commit,
        "problems": [_error_facts(error) for error in errors],
    }
    return _notification(
        transition,
        kind=NotificationKind.FAILURE,
        severity=Severity.ERROR,
        title=f"sync failed ({reason})",
        lines=lines,
        facts=facts,
        fingerprint=f"failed: {sorted(new)}",
        alert_state=AlertState.FIRING,
    )


def _error_lines(error: StatusError) -> Iterable[Line]:
    where = " ".join(str(part) for part in (error.source, error.object) if part)
    place: Line = (" ", CodeText(where)) if where else ()
    yield CodeText(error.code), *place, f": {error.message}"
    if error.hint:
        yield (f"→ {error.hint}",)


def _outlook(status: GitRepositoryStatus, errors: Sequence[StatusError]) -> Line:
    """Return what runs meanwhile, and whether somebody must act."""
    applied = status.last_applied_commit
    runs: Line = ("Still applied: ", CodeText(applied[:SHORT_COMMIT]), ". ") if applied else ()
    if all(error.code in _TRANSIENT for error in errors):
        return *runs, f"{status.failures} syncs in a row have failed. Nopea keeps trying."
    return *runs, "Somebody must correct this. Nopea keeps trying."


def _error_facts(error: StatusError) -> dict[str, Any]:
    return {
        "code": error.code,
        "reason": _reason(error.code),
        "message": error.message,
        "hint": error.hint,
        "object": str(error.object) if error.object else None,
        "source": error.source,
    }


def _reason(code: str) -> str:
    try:
        return ProblemCode(code).reason
    except ValueError:  # a status that another version wrote
        return code


def _recovery(transition: Transition) -> Notification | None:
    before, after = transition.before, transition.after
    if after.failures or after.errors or not (before.errors or before.failures):
        return None
    ready = find(after.conditions, READY)
    message = ready.message if ready else ""
    count = before.failures
    attempts = f" Recovered after {count} failed attempt{'' if count == 1 else 's'}." if count else ""
    codes = sorted({error.code for error in before.errors})
    return _notification(
        transition,
        kind=NotificationKind.RECOVERY,
        severity=Severity.INFO,
        title="sync works again",
        lines=[(f"{message}{attempts}",)],
        facts={"failures": before.failures, "codes": codes, "summary": message},
        fingerprint="recovered",
        alert_state=AlertState.RESOLVED if reported_codes(before) else AlertState.RESOLVED_IF_FIRING,
    )


# health, contention, rollback


def _health(transition: Transition) -> Notification | None:
    before, after = (find(status.conditions, HEALTHY) for status in (transition.before, transition.after))
    was = before.status if before else ""
    if after is None or after.status == was or after.status not in ("True", "False"):
        return None
    facts = {"healthy": after.status == "True", "reason": after.reason, "message": after.message}
    if after.status == "False":
        return _notification(
            transition,
            kind=NotificationKind.HEALTH,
            severity=Severity.WARNING,
            title="objects are unhealthy",
            lines=[(part,) for part in after.message.split("; ")],
            facts=facts,
            fingerprint=f"unhealthy: {after.message}",
            alert_state=AlertState.FIRING,
        )
    return _notification(
        transition,
        kind=NotificationKind.HEALTH,
        severity=Severity.INFO,
        title="all objects are healthy again",
        lines=[(after.message,)],
        facts=facts,
        fingerprint="healthy",
        alert_state=AlertState.RESOLVED if was == "False" else AlertState.RESOLVED_IF_FIRING,
    )


def _contention(transition: Transition) -> Notification | None:
    before, after = (find(status.conditions, CONTENDED) for status in (transition.before, transition.after))
    if after is None or after.status != "True" or (before is not None and before.status == "True"):
        return None
    return _notification(
        transition,
        kind=NotificationKind.CONTENTION,
        severity=Severity.WARNING,
        title="another client keeps changing an object back",
        lines=[
            (after.message,),
            ("→ Stop that client, or add the field to ", CodeText("ignoreDifferences"), "."),
        ],
        facts={"message": after.message},
        fingerprint=f"contended: {after.message.partition(' back ')[0]}",
    )


def _rollback(transition: Transition) -> Notification | None:
    """Report that a repository is held at a commit, and the end of that."""
    before, after = transition.before.conditions, transition.after.conditions
    follows = transition.repository.follows
    held = pinned_note(before, after)
    note = held or released_note(before, after, follows=follows)
    if not note:
        return None
    commit = transition.repository.rollback_to
    title = f"rolled back to {commit[:SHORT_COMMIT]}" if held else f"follows {follows} again"
    return _notification(
        transition,
        kind=NotificationKind.ROLLBACK,
        severity=Severity.WARNING if held else Severity.INFO,
        title=title,
        lines=[(f"{note[:1].upper()}{note[1:]}.",)],
        facts={"rolledBack": bool(held), "commit": commit or None, "message": note},
        fingerprint=f"rolled back: {commit}",
        alert_state=AlertState.FIRING if held else AlertState.RESOLVED,
    )


def _notification(transition: Transition, *, title: str, **rest: Any) -> Notification:
    repository = transition.repository
    spec = repository.spec if isinstance(repository.spec, GitRepositorySpec) else None
    return make_notification(
        hidden=transition.hidden,
        title=f"{repository.key}: {title}",
        repository=repository.key,
        url=mask_url(spec.url) if spec else "",
        ref=str(ref_of(spec)) if spec else "",
        commit=_commit(transition),
        at=transition.at,
        **rest,
    )


def _commit(transition: Transition) -> CommitFacts | None:
    """Return the commit of the sync; None if Git did not deliver one."""
    if transition.report is not None:
        commit = transition.report.commit
        return CommitFacts(id=commit.id, message=commit.message, author=commit.author) if commit else None
    status = transition.after
    if not status.last_attempted_commit:
        return None
    return CommitFacts(
        id=status.last_attempted_commit,
        message=status.last_commit_message or "",
        author=status.last_commit_author or "",
    )
