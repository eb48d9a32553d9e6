"""The events of a sync attempt: the task, the service it deployed or removed, and the namespaces it touched.

They share the pass's chain; within it PATH links lead from each to the one before.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from nopea.core.api.conditions import HEALTHY, find
from nopea.core.api.status import MAX_ERRORS
from nopea.core.cdevents.event import CDEvent, Link, after
from nopea.core.cdevents.ids import chain_id, event_id, service_event_id
from nopea.core.cdevents.scene import Scene, work_facts
from nopea.core.cdevents.vocabulary import EventType
from nopea.core.objects import NAMESPACE
from nopea.core.status.report import ObjectResult, Outcome, ReconcileReport, Result

_ERRORS: Final = 4096
"""Characters of a failed attempt's errors."""
_NAMESPACES: Final = {
    Outcome.CREATED: EventType.ENVIRONMENT_CREATED,
    Outcome.CONFIGURED: EventType.ENVIRONMENT_MODIFIED,
    Outcome.PRUNED: EventType.ENVIRONMENT_DELETED,
}


def attempt_of(scene: Scene) -> ReconcileReport | None:
    """Return the pass, if it was an attempt to sync of which somebody could want to hear."""
    return scene.transition.report if scene.transition.is_news else None


def attempt_events(scene: Scene, report: ReconcileReport, *, room: int, left_out: int = 0) -> list[CDEvent]:
    """Return started, what became of namespaces and service, and finished; at most `room` of them.

    Namespaces that find no room are counted in finished's `leftOut`, with `left_out` others.
    """
    started = _started(scene, report)
    service = _service(scene, report, started)
    touched = [one for one in report.objects if _is_namespace(one)]
    told = touched[: max(room - 2 - len(service), 0)]
    left_out += len(touched) - len(told)
    environments = [_environment(scene, report, one, started) for one in told]
    last = (service or [started])[-1]
    return [started, *environments, *service, _finished(scene, report, last, left_out)]


def published(scene: Scene) -> list[CDEvent]:
    """Return the event that all objects came to be healthy; of a deployment also if they had been before."""
    health, before = find(scene.after.conditions, HEALTHY), find(scene.before.conditions, HEALTHY)
    if health is None or health.status != "True" or scene.after.last_applied_commit is None:
        return []
    if before is not None and before.status == "True" and not scene.is_deployment:
        return []
    deployment = scene.after.last_deployment
    seed = ("deployed", deployment or "") if scene.is_deployment else ("healthy", health.last_transition_time)
    return [
        scene.event(
            EventType.SERVICE_PUBLISHED,
            id_=event_id(EventType.SERVICE_PUBLISHED, scene.uid, *seed),
            chain=chain_id(scene.uid, deployment or health.last_transition_time),
            subject=scene.service_id,
            content={"environment": scene.environment_ref()},
            links=(after(service_event_id(scene.uid, deployment)),) if deployment else (),
            facts={"commit": scene.after.last_applied_commit},
        )
    ]


def _task(scene: Scene, report: ReconcileReport) -> dict[str, Any]:
    """Return what the events about the attempt itself share."""
    return {
        "chain": chain_id(scene.uid, report.id),
        "subject": f"{scene.service_id}/sync/{report.id}",
    }


def _end_of(scene: Scene, report: ReconcileReport) -> datetime:
    """When the pass was over: what it did was done by then. Never after the step: its clock is coarser."""
    return min(report.started_at + timedelta(seconds=report.seconds), scene.transition.at)


def _task_name(scene: Scene) -> str:
    return "delete" if scene.transition.repository.deleting else "sync"


def _started(scene: Scene, report: ReconcileReport) -> CDEvent:
    return scene.event(
        EventType.TASKRUN_STARTED,
        id_=event_id(EventType.TASKRUN_STARTED, scene.uid, report.id),
        content={"taskName": _task_name(scene)},
        at=report.started_at,
        **_task(scene, report),
    )


def _finished(scene: Scene, report: ReconcileReport, last: CDEvent, left_out: int) -> CDEvent:
    content = {"taskName": _task_name(scene), "outcome": _outcome(report)}
    if report.problems:
        text = "\n".join(str(problem) for problem in report.problems[:MAX_ERRORS])
        content["errors"] = scene.foreign(text, _ERRORS)
    facts = work_facts(report)
    facts |= {"codes": [code.value for code in report.codes]} if report.problems else {}
    facts |= {"leftOut": left_out} if left_out else {}
    return scene.event(
        EventType.TASKRUN_FINISHED,
        id_=event_id(EventType.TASKRUN_FINISHED, scene.uid, report.id),
        content=content,
        at=_end_of(scene, report),
        links=(after(last.id),),
        facts=facts,
        **_task(scene, report),
    )


def _outcome(report: ReconcileReport) -> str:
    """`failure` is for who wrote the manifests or the policy, `error` for the network and servers."""
    match report.result:
        case Result.SYNCED | Result.DELETED:
            return "success"
        case Result.SUPERSEDED:
            return "cancel"
        case _:
            return "error" if report.transient else "failure"


def _service(scene: Scene, report: ReconcileReport, started: CDEvent) -> list[CDEvent]:
    """Return what became of the service: at most one event."""
    if report.result is Result.DELETED:
        return _ended(scene, report, started)
    if not scene.is_deployment or report.commit is None:
        return []
    content = {"environment": scene.environment_ref()} | scene.artifact(report.commit.id)
    known = scene.before.last_applied_commit
    return [
        scene.event(
            _deployed_by(scene, report),
            id_=service_event_id(scene.uid, report.id),
            chain=chain_id(scene.uid, report.id),
            subject=scene.service_id,
            content=content,
            at=_end_of(scene, report),
            links=(after(started.id), *_since_last(scene)),
            facts=work_facts(report) | ({"previousCommit": known} if known else {}),
        )
    ]


def _deployed_by(scene: Scene, report: ReconcileReport) -> EventType:
    """Say how: going back is what a person asked for, while a `git revert` is a new commit like any other."""
    if scene.transition.is_first_sync:
        return EventType.SERVICE_DEPLOYED
    return EventType.SERVICE_UPGRADED if report.pin is None else EventType.SERVICE_ROLLEDBACK


def _since_last(scene: Scene) -> tuple[Link, ...]:
    """Link to the event of the deployment before, in whatever process it was."""
    known = scene.before.last_deployment
    return (after(service_event_id(scene.uid, known)),) if known else ()


def _ended(scene: Scene, report: ReconcileReport, started: CDEvent) -> list[CDEvent]:
    """Tell the service's end, or that it runs on without us; nothing of what never was deployed."""
    if scene.before.last_applied_commit is None:
        return []
    reason = _reason_to_stay(scene)
    type_ = EventType.REPOSITORY_RELEASED if reason else EventType.SERVICE_REMOVED
    content: dict[str, Any] = {"environment": scene.environment_ref()}
    if reason:
        content |= {"service": {"id": scene.service_id, "source": scene.source}, "reason": reason}
    return [
        scene.event(
            type_,
            id_=event_id(type_, scene.uid, report.id),
            chain=chain_id(scene.uid, report.id),
            subject=scene.service_id,
            content=content,
            at=_end_of(scene, report),
            links=(after(started.id), *_since_last(scene)),
            facts=work_facts(report) | {"previousCommit": scene.before.last_applied_commit},
        )
    ]


def _reason_to_stay(scene: Scene) -> str:
    """Say why the objects outlived their GitRepository; empty when they went with it.

    The same question as `reconcile/finalize.py` answers before it deletes anything.
    """
    repository = scene.transition.repository
    if repository.abandoned:
        return "abandoned"
    if repository.suspended:
        return "suspended"
    if not repository.deletes_objects:
        return "deletionPolicy"
    return "" if repository.has_finalizer else "finalizer removed by others"


def _is_namespace(one: ObjectResult) -> bool:
    return one.key.group_kind == NAMESPACE and one.outcome in _NAMESPACES


def _environment(scene: Scene, report: ReconcileReport, one: ObjectResult, started: CDEvent) -> CDEvent:
    type_ = _NAMESPACES[one.outcome]
    return scene.event(
        type_,
        id_=event_id(type_, scene.uid, report.id, one.key.name),
        chain=chain_id(scene.uid, report.id),
        subject=one.key.name,
        content={"name": one.key.name},
        at=_end_of(scene, report),
        links=(after(started.id),),
    )
