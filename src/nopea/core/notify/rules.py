"""Which notifications a transition causes at once. Pure.

The statuses before and after are compared, so each change is reported once, also across restarts, and retries
report nothing. Failures that may end without a person are left to `outages.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from nopea.core.api.conditions import CONTENDED, HEALTHY, find
from nopea.core.api.entries import DriftEntry, FieldChange
from nopea.core.api.notify import NotificationKind, Severity
from nopea.core.api.spec import GitRepositorySpec, HealPolicy
from nopea.core.drift.find import who
from nopea.core.git.source import SHORT_COMMIT
from nopea.core.notify.about import about, more_than
from nopea.core.notify.failures import failure_at_once, recovery
from nopea.core.notify.notification import CodeText, Line, Notification
from nopea.core.notify.rate_limit import AlertState
from nopea.core.plan.model import Reason
from nopea.core.status.report import ObjectResult, Outcome
from nopea.core.status.rollback import pinned_note, released_note
from nopea.core.status.transition import Transition

_MAX_OBJECTS: Final = 5
_MAX_FIELDS: Final = 3
_LEFT: Final = f"left: {Reason.POLICY}"


def notifications_of(transition: Transition) -> tuple[Notification, ...]:
    """Return the notifications of a transition, in a fixed order."""
    candidates = (
        _drift(transition),
        failure_at_once(transition),
        recovery(transition),
        _health(transition),
        _contention(transition),
        _rollback(transition),
        _deployment(transition),
        _healing(transition),
    )
    return tuple(notification for notification in candidates if notification is not None)


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
        lines.append((f"and {more_than(new, _MAX_OBJECTS, 'object')}",))
    command = CodeText(f"nopea heal {key.name} --namespace {key.namespace}")
    lines.append(("Not healed because of healPolicy: notify. To heal it: ", command))
    subject = str(new[0].object) if len(new) == 1 else f"{len(new)} objects"
    facts = {
        "drifts": [_drift_facts(drift) for drift in new],
        "driftedCount": transition.after.drifted_count or 0,
    }
    return about(
        transition,
        kind=NotificationKind.DRIFT,
        severity=Severity.WARNING,
        title=f"{subject} {what_happened(new)}",
        lines=lines,
        facts=facts,
        fingerprint=f"{[_drift_id(drift) for drift in new]}",
    )


def what_happened(new: Sequence[DriftEntry]) -> str:
    """Return what happened to drifted objects, after their names: `was changed by kubectl, user ada`."""
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
        yield (f"• and {more_than(drift.fields, _MAX_FIELDS, 'field')}",)


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


# health, contention, rollback


def _health(transition: Transition) -> Notification | None:
    before, after = (find(status.conditions, HEALTHY) for status in (transition.before, transition.after))
    was = before.status if before else ""
    if after is None or after.status == was or after.status not in ("True", "False"):
        return None
    facts = {"healthy": after.status == "True", "reason": after.reason, "message": after.message}
    if after.status == "False":
        return about(
            transition,
            kind=NotificationKind.HEALTH,
            severity=Severity.WARNING,
            title="objects are unhealthy",
            lines=[(part,) for part in after.message.split("; ")],
            facts=facts,
            fingerprint=f"unhealthy: {after.message}",
            alert_state=AlertState.FIRING,
        )
    return about(
        transition,
        kind=NotificationKind.HEALTH,
        severity=Severity.INFO,
        ends=Severity.WARNING,
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
    return about(
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
    return about(
        transition,
        kind=NotificationKind.ROLLBACK,
        severity=Severity.WARNING if held else Severity.INFO,
        ends=None if held else Severity.WARNING,
        title=title,
        lines=[(f"{note[:1].upper()}{note[1:]}.",)],
        facts={"rolledBack": bool(held), "commit": commit or None, "message": note},
        fingerprint=f"rolled back: {commit}",
        alert_state=AlertState.FIRING if held else AlertState.RESOLVED,
    )


# deployments, healed drift


def _deployment(transition: Transition) -> Notification | None:
    """Report that a new commit was applied in full and changed something."""
    report = transition.report
    deployed = transition.after.last_deployment
    if report is None or report.commit is None or deployed in (None, transition.before.last_deployment):
        return None
    counts = {
        "created": report.count(Outcome.CREATED),
        "changed": report.count(Outcome.CONFIGURED),
        "pruned": report.count(Outcome.PRUNED),
    }
    what = ", ".join(
        f"{count} {word}"
        for word, count in zip(("created", "changed", "deleted"), counts.values(), strict=True)
        if count
    )
    previous = transition.before.last_applied_commit
    before: Line = (" Before: ", CodeText(previous[:SHORT_COMMIT]), ".") if previous else ()
    return about(
        transition,
        kind=NotificationKind.DEPLOYMENT,
        severity=Severity.INFO,
        title=f"deployed {report.commit.id[:SHORT_COMMIT]}",
        lines=[(f"Objects: {what or 'none changed by this sync'}.", *before)],
        facts={**counts, "previousCommit": previous},
        fingerprint=f"deployed {report.commit.id} {deployed}",
    )


def _healing(transition: Transition) -> Notification | None:
    """Report drift that was found and reverted."""
    report = transition.report
    healed = [result for result in report.objects if result.healed] if report else []
    if not healed:
        return None
    lines: list[Line] = [_healed_line(result) for result in healed[:_MAX_OBJECTS]]
    if len(healed) > _MAX_OBJECTS:
        lines.append((f"and {more_than(healed, _MAX_OBJECTS, 'object')}",))
    facts = [_healed_facts(result) for result in healed]
    return about(
        transition,
        kind=NotificationKind.HEALING,
        severity=Severity.INFO,
        title=f"{healed[0].key if len(healed) == 1 else f'{len(healed)} objects'} "
        f"{'was' if len(healed) == 1 else 'were'} reverted to Git",
        lines=lines,
        facts={"healedCount": len(healed), "healed": facts},
        fingerprint=f"healed {facts}",
    )


def _healed_line(result: ObjectResult) -> Line:
    facts = _healed_facts(result)
    by: Line = (" by ", CodeText(whom)) if (whom := who(facts["manager"], facts["user"])) else ()
    if facts["deleted"]:
        return CodeText(facts["object"]), " was deleted", *by, ", and created again."
    shown: list[str | CodeText] = []
    for path in facts["fields"][:_MAX_FIELDS]:
        shown += [", " if shown else " ", CodeText(path)]
    more = (
        f" and {more_than(facts['fields'], _MAX_FIELDS, 'field')}"
        if len(facts["fields"]) > _MAX_FIELDS
        else ""
    )
    return CodeText(facts["object"]), *shown, f"{more}, changed", *by


def _healed_facts(result: ObjectResult) -> dict[str, Any]:
    drift = result.seen.drift if result.seen else None
    owner = drift.attributed if drift else None
    fields = drift.fields if drift else ()
    return {
        "object": str(result.key),
        "manager": (owner.manager or None) if owner else None,
        "user": (owner.user or None) if owner else None,
        "deleted": any(not field.keys for field in fields),
        "fields": [field.path for field in fields if field.keys],
    }
