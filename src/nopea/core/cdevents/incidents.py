"""The events of problems that outlast one sync: repeated failures, and drift.

`detected` and `resolved` share subject and chain, and `resolved` links to `detected`, also across a restart:
both ids are derived from what the status says about the beginning.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from nopea.core.api.entries import MAX_MESSAGE, DriftEntry
from nopea.core.api.status import GitRepositoryStatus
from nopea.core.cdevents.builder import DriftAs, EventBuilder
from nopea.core.cdevents.event import CDEvent, resolves
from nopea.core.cdevents.ids import chain_id, event_id
from nopea.core.cdevents.vocabulary import EventType
from nopea.core.drift.find import who
from nopea.core.objects import ObjectKey
from nopea.core.status.drifts import drift_of
from nopea.core.status.report import ObjectResult, Result

MAX_DRIFT_EVENTS: Final = 40
"""Of one transition: the status has 20 drifted objects before it and 20 after it."""
_FIELDS_IN_A_LINE: Final = 3


def failing_events(builder: EventBuilder) -> list[CDEvent]:
    """Return the event that syncs fail repeatedly, once, or that they succeed again."""
    limit, before, now = builder.failing_after, builder.before.failures, builder.after.failures
    if before < limit <= now:
        return [_failing(builder, now)]
    if before >= limit and (now < limit or _is_deletion(builder)):
        return [_recovered(builder)]
    return []


def _failing(builder: EventBuilder, failures: int) -> CDEvent:
    first = builder.after.errors[0] if builder.after.errors else None
    where = "".join(f" {part}" for part in (first.source, first.object) if part) if first else ""
    why = f": {first.code}{where}: {first.message}" if first else ""
    return builder.event(
        EventType.INCIDENT_DETECTED,
        content=builder.about_service(
            commit=builder.after.last_applied_commit,
            description=builder.external_text(f"{failures} sync attempts in a row failed{why}", MAX_MESSAGE),
        ),
        facts={"failures": failures, "failingSince": builder.after.failing_since or ""},
        **_failing_parts(builder, builder.after, EventType.INCIDENT_DETECTED),
    )


def _recovered(builder: EventBuilder) -> CDEvent:
    failures, commit = builder.before.failures, builder.after.last_applied_commit
    description = f"sync succeeded after {failures} failures"
    if _is_deletion(builder):
        description = "the GitRepository was deleted"
    began = _failing_parts(builder, builder.before, EventType.INCIDENT_DETECTED)["id_"]
    return builder.event(
        EventType.INCIDENT_RESOLVED,
        content=builder.about_service(commit=commit, description=description),
        links=(resolves(began),),
        facts={"failures": failures, "failingSince": builder.before.failing_since or ""},
        **_failing_parts(builder, builder.before, EventType.INCIDENT_RESOLVED),
    )


def _failing_parts(builder: EventBuilder, status: GitRepositoryStatus, type_: EventType) -> dict[str, Any]:
    seed = (builder.uid, "sync-failing", status.failing_since or "")
    return {
        "id_": event_id(type_, *seed),
        "chain": chain_id(*seed),
        "subject": f"{builder.service_id}/incident/sync-failing",
    }


@dataclass(frozen=True, slots=True)
class DriftEvents:
    """The events about drift, and how many were left out."""

    events: list[CDEvent]
    left_out: int = 0


def drift_events(builder: EventBuilder) -> DriftEvents:
    """Return the events of drift that began, that ended, and that was healed as soon as it was detected.

    Another change of a drifted object is new drift: its entry in the status has another time.
    """
    report = builder.transition.report
    before = {_episode(entry): entry for entry in builder.before.drifts}
    after = {} if _is_deletion(builder) else {_episode(entry): entry for entry in builder.after.drifts}
    results = {result.key: result for result in report.objects} if report and before else {}
    events = [_detected(builder, entry) for key, entry in after.items() if key not in before]
    events += [
        _resolved(builder, entry, ending)
        for entry in before.values()
        if (ending := _how_it_ended(builder, results.get(entry.object.key)))
    ]
    if report is None:
        return DriftEvents(events)
    drifted_before = {entry.object.key for entry in before.values()}
    healed = [result for result in report.objects if result.healed and result.key not in drifted_before]
    room = (MAX_DRIFT_EVENTS - len(events)) // 2
    for result in healed[:room]:
        entry = drift_of(result)
        events += [_detected(builder, entry), _resolved(builder, entry, "was healed at once")]
    return DriftEvents(events, left_out=2 * len(healed[room:]))


def _how_it_ended(builder: EventBuilder, result: ObjectResult | None) -> str:
    """Return why drift ended; empty while that is not known."""
    report = builder.transition.report
    if _is_deletion(builder):
        return "is no longer managed: the GitRepository was deleted"
    if result is None:
        # a sync that failed may not have checked everything; one that succeeded has
        is_complete = report is not None and report.result is Result.SYNCED
        return "is no longer managed" if is_complete else ""
    if result.healed:
        return "was healed"
    return "" if result.drifts else "no longer differs from Git"


def _is_deletion(builder: EventBuilder) -> bool:
    report = builder.transition.report
    return report is not None and report.result is Result.DELETED


def _episode(drift: DriftEntry) -> tuple[str, str]:
    """Return what identifies the drift of an object: since when, or what where that is not known."""
    return str(drift.object), drift.since or repr(drift.fields)


def _detected(builder: EventBuilder, drift: DriftEntry) -> CDEvent:
    is_incident = builder.drift_as is DriftAs.INCIDENT
    paths = ", ".join(change.path or "the whole object" for change in drift.fields[:_FIELDS_IN_A_LINE])
    more = f" and {len(drift.fields) - _FIELDS_IN_A_LINE} more" if drift.fields[_FIELDS_IN_A_LINE:] else ""
    whom = who(drift.manager, drift.user)
    by = f", changed by {whom}" if whom else ""
    return _drift_event(
        builder,
        drift,
        EventType.INCIDENT_DETECTED if is_incident else EventType.DRIFT_DETECTED,
        id_=_drift_id(builder, drift, "detected"),
        description=f"{drift.object} differs from Git: {paths}{more}{by}",
    )


def _resolved(builder: EventBuilder, drift: DriftEntry, ending: str) -> CDEvent:
    is_incident = builder.drift_as is DriftAs.INCIDENT
    return _drift_event(
        builder,
        drift,
        EventType.INCIDENT_RESOLVED if is_incident else EventType.DRIFT_HEALED,
        id_=_drift_id(builder, drift, "resolved"),
        description=f"{drift.object} {ending}",
        links=(resolves(_drift_id(builder, drift, "detected")),),
    )


def _drift_id(builder: EventBuilder, drift: DriftEntry, what: str) -> str:
    """Return the id, without the type: the setting of the type may change between the two events."""
    return event_id(f"drift.{what}", builder.uid, *_episode(drift))


def _drift_event(
    builder: EventBuilder, drift: DriftEntry, type_: EventType, *, description: str, **more: Any
) -> CDEvent:
    report = builder.transition.report
    commit = report.commit.id if report and report.commit else builder.after.last_attempted_commit
    return builder.event(
        type_,
        chain=chain_id(builder.uid, "drift", *_episode(drift)),
        subject=f"{builder.service_id}/drift/{_place(drift.object.key)}",
        content=builder.about_service(commit=commit, description=description),
        facts={"drift": _drift_facts(drift)},
        **more,
    )


def _place(key: ObjectKey) -> str:
    """Return `apps.Deployment/shop/web` for `apps/Deployment shop/web`."""
    kind = f"{key.group}.{key.kind}" if key.group else key.kind
    return "/".join(part for part in (kind, key.namespace, key.name) if part)


def _drift_facts(drift: DriftEntry) -> Mapping[str, Any]:
    """Return the entry of the status without the values, which never leave the cluster."""
    fields = [{"path": field.path} for field in drift.fields]
    facts = {
        "object": str(drift.object),
        "kind": drift.kind,
        "fields": fields,
        "manager": drift.manager,
        "user": drift.user,
        "groups": list(drift.groups) or None,
        "operation": drift.operation,
        "since": drift.since,
        "action": drift.action,
    }
    return {key: value for key, value in facts.items() if value is not None}
