"""The events of a sync attempt: the task, the service it deployed or removed, and the namespaces it touched.

They share the chain of the sync; in it a PATH link leads from each event to the previous one.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from nopea.core.api.conditions import HEALTHY, find
from nopea.core.api.status import MAX_ERRORS
from nopea.core.cdevents.builder import EventBuilder, work_facts
from nopea.core.cdevents.event import CDEvent, Link, after
from nopea.core.cdevents.ids import chain_id, event_id, service_event_id
from nopea.core.cdevents.vocabulary import EventType
from nopea.core.objects import NAMESPACE
from nopea.core.status.report import ObjectResult, Outcome, ReconcileReport, Result

_ERRORS: Final = 4096
"""Characters of the errors of a failed attempt."""
_NAMESPACES: Final = {
    Outcome.CREATED: EventType.ENVIRONMENT_CREATED,
    Outcome.CONFIGURED: EventType.ENVIRONMENT_MODIFIED,
    Outcome.PRUNED: EventType.ENVIRONMENT_DELETED,
}


def attempt_of(builder: EventBuilder) -> ReconcileReport | None:
    """Return the report of the sync if it is worth events; None for a sync that changed nothing."""
    return builder.transition.report if builder.transition.is_reportable else None


def attempt_events(
    builder: EventBuilder, report: ReconcileReport, *, room: int, left_out: int = 0
) -> list[CDEvent]:
    """Return started, the events of namespaces and service, and finished: at most `room` events.

    Namespaces beyond that are counted in `leftOut` of finished, together with `left_out` others.
    """
    started = _started(builder, report)
    service = _service(builder, report, started)
    changed = [result for result in report.objects if _is_namespace(result)]
    shown = changed[: max(room - 2 - len(service), 0)]
    left_out += len(changed) - len(shown)
    environments = [_environment(builder, report, result, started) for result in shown]
    last = (service or [started])[-1]
    return [started, *environments, *service, _finished(builder, report, last, left_out)]


def published(builder: EventBuilder) -> list[CDEvent]:
    """Return the event that all objects became healthy; for a deployment also if they were healthy before."""
    health, before = find(builder.after.conditions, HEALTHY), find(builder.before.conditions, HEALTHY)
    if health is None or health.status != "True" or builder.after.last_applied_commit is None:
        return []
    if before is not None and before.status == "True" and not builder.is_deployment:
        return []
    deployment = builder.after.last_deployment
    seed = (
        ("deployed", deployment or "") if builder.is_deployment else ("healthy", health.last_transition_time)
    )
    return [
        builder.event(
            EventType.SERVICE_PUBLISHED,
            id_=event_id(EventType.SERVICE_PUBLISHED, builder.uid, *seed),
            chain=chain_id(builder.uid, deployment or health.last_transition_time),
            subject=builder.service_id,
            content={"environment": builder.environment_ref()},
            links=(after(service_event_id(builder.uid, deployment)),) if deployment else (),
            facts={"commit": builder.after.last_applied_commit},
        )
    ]


def _task(builder: EventBuilder, report: ReconcileReport) -> dict[str, Any]:
    """Return the arguments that started and finished share."""
    return {
        "chain": chain_id(builder.uid, report.id),
        "subject": f"{builder.service_id}/sync/{report.id}",
    }


def _end_of(builder: EventBuilder, report: ReconcileReport) -> datetime:
    """Return when the sync ended, but never after the transition, whose clock is coarser."""
    return min(report.started_at + timedelta(seconds=report.seconds), builder.transition.at)


def _task_name(builder: EventBuilder) -> str:
    return "delete" if builder.transition.repository.deleting else "sync"


def _started(builder: EventBuilder, report: ReconcileReport) -> CDEvent:
    return builder.event(
        EventType.TASKRUN_STARTED,
        id_=event_id(EventType.TASKRUN_STARTED, builder.uid, report.id),
        content={"taskName": _task_name(builder)},
        at=report.started_at,
        **_task(builder, report),
    )


def _finished(builder: EventBuilder, report: ReconcileReport, last: CDEvent, left_out: int) -> CDEvent:
    content = {"taskName": _task_name(builder), "outcome": _outcome(report)}
    if report.problems:
        text = "\n".join(str(problem) for problem in report.problems[:MAX_ERRORS])
        content["errors"] = builder.external_text(text, _ERRORS)
    facts = work_facts(report)
    facts |= {"codes": [code.value for code in report.codes]} if report.problems else {}
    facts |= {"leftOut": left_out} if left_out else {}
    return builder.event(
        EventType.TASKRUN_FINISHED,
        id_=event_id(EventType.TASKRUN_FINISHED, builder.uid, report.id),
        content=content,
        at=_end_of(builder, report),
        links=(after(last.id),),
        facts=facts,
        **_task(builder, report),
    )


def _outcome(report: ReconcileReport) -> str:
    """Return the outcome: `failure` for manifests and policies, `error` for the network and servers."""
    match report.result:
        case Result.SYNCED | Result.DELETED:
            return "success"
        case Result.SUPERSEDED:
            return "cancel"
        case _:
            return "error" if report.transient else "failure"


def _service(builder: EventBuilder, report: ReconcileReport, started: CDEvent) -> list[CDEvent]:
    """Return the event of the service: at most one."""
    if report.result is Result.DELETED:
        return _ended(builder, report, started)
    if not builder.is_deployment or report.commit is None:
        return []
    content = {"environment": builder.environment_ref()} | builder.artifact(report.commit.id)
    previous = builder.before.last_applied_commit
    return [
        builder.event(
            _deployed_by(builder, report),
            id_=service_event_id(builder.uid, report.id),
            chain=chain_id(builder.uid, report.id),
            subject=builder.service_id,
            content=content,
            at=_end_of(builder, report),
            links=(after(started.id), *_since_last(builder)),
            facts=work_facts(report) | ({"previousCommit": previous} if previous else {}),
        )
    ]


def _deployed_by(builder: EventBuilder, report: ReconcileReport) -> EventType:
    """Return the type: a rollback was asked for; a `git revert` is a commit like any other."""
    if builder.transition.is_first_sync:
        return EventType.SERVICE_DEPLOYED
    return EventType.SERVICE_UPGRADED if report.pin is None else EventType.SERVICE_ROLLEDBACK


def _since_last(builder: EventBuilder) -> tuple[Link, ...]:
    """Return the link to the event of the previous deployment, also across restarts."""
    previous = builder.before.last_deployment
    return (after(service_event_id(builder.uid, previous)),) if previous else ()


def _ended(builder: EventBuilder, report: ReconcileReport, started: CDEvent) -> list[CDEvent]:
    """Return that the service was removed, or released by Nopea; nothing if it was never deployed."""
    if builder.before.last_applied_commit is None:
        return []
    reason = builder.transition.repository.why_objects_stay
    type_ = EventType.REPOSITORY_RELEASED if reason else EventType.SERVICE_REMOVED
    content: dict[str, Any] = {"environment": builder.environment_ref()}
    if reason:
        content |= {"service": {"id": builder.service_id, "source": builder.source}, "reason": reason}
    return [
        builder.event(
            type_,
            id_=event_id(type_, builder.uid, report.id),
            chain=chain_id(builder.uid, report.id),
            subject=builder.service_id,
            content=content,
            at=_end_of(builder, report),
            links=(after(started.id), *_since_last(builder)),
            facts=work_facts(report) | {"previousCommit": builder.before.last_applied_commit},
        )
    ]


def _is_namespace(result: ObjectResult) -> bool:
    return result.key.group_kind == NAMESPACE and result.outcome in _NAMESPACES


def _environment(
    builder: EventBuilder, report: ReconcileReport, result: ObjectResult, started: CDEvent
) -> CDEvent:
    type_ = _NAMESPACES[result.outcome]
    return builder.event(
        type_,
        id_=event_id(type_, builder.uid, report.id, result.key.name),
        chain=chain_id(builder.uid, report.id),
        subject=result.key.name,
        content={"name": result.key.name},
        at=_end_of(builder, report),
        links=(after(started.id),),
    )
