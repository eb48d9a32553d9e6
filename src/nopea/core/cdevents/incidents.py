"""The events of what is wrong for longer than a pass: syncs that go on failing, objects that drift.

Beginning and end share subject and chain, and the end links to the beginning, also when a restart came
between them: both ids come from what the status says of the beginning.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from nopea.core.api.status import MAX_MESSAGE, DriftEntry, GitRepositoryStatus
from nopea.core.cdevents.event import CDEvent, resolves
from nopea.core.cdevents.ids import chain_id, event_id
from nopea.core.cdevents.scene import DriftAs, Scene
from nopea.core.cdevents.vocabulary import EventType
from nopea.core.plan.inventory import parse_key
from nopea.core.status.drifts import drift_of, object_line
from nopea.core.status.report import ObjectResult, ReconcileReport, Result

MAX_DRIFT_EVENTS: Final = 40
"""In one step: the status tells of 20 objects that drift and of 20 that did before."""
_FIELDS_IN_A_LINE: Final = 3


def failing_events(scene: Scene) -> list[CDEvent]:
    """Return that syncs fail again and again, once, and that they do not any more."""
    limit, was, is_ = scene.failing_after, scene.before.failures, scene.after.failures
    if was < limit <= is_:
        return [_failing(scene, is_)]
    if was >= limit and (is_ < limit or _is_end(scene)):
        return [_failing_no_more(scene)]
    return []


def _failing(scene: Scene, failures: int) -> CDEvent:
    first = scene.after.errors[0] if scene.after.errors else None
    where = "".join(f" {part}" for part in (first.source, first.object) if part) if first else ""
    why = f": {first.code}{where}: {first.message}" if first else ""
    known = scene.after.last_applied_commit
    return scene.event(
        EventType.INCIDENT_DETECTED,
        content=scene.about_service(
            commit=known,
            description=scene.foreign(f"{failures} sync attempts in a row failed{why}", MAX_MESSAGE),
        ),
        facts={"failures": failures, "failingSince": scene.after.failing_since or ""},
        **_failing_parts(scene, scene.after, EventType.INCIDENT_DETECTED),
    )


def _failing_no_more(scene: Scene) -> CDEvent:
    failures, known = scene.before.failures, scene.after.last_applied_commit
    told = "the GitRepository was deleted" if _is_end(scene) else f"sync succeeded after {failures} failures"
    began = _failing_parts(scene, scene.before, EventType.INCIDENT_DETECTED)["id_"]
    return scene.event(
        EventType.INCIDENT_RESOLVED,
        content=scene.about_service(commit=known, description=told),
        links=(resolves(began),),
        facts={"failures": failures, "failingSince": scene.before.failing_since or ""},
        **_failing_parts(scene, scene.before, EventType.INCIDENT_RESOLVED),
    )


def _failing_parts(scene: Scene, status: GitRepositoryStatus, type_: EventType) -> dict[str, Any]:
    seed = (scene.uid, "sync-failing", status.failing_since or "")
    return {
        "id_": event_id(type_, *seed),
        "chain": chain_id(*seed),
        "subject": f"{scene.service_id}/incident/sync-failing",
    }


@dataclass(slots=True)
class DriftTale:
    """The events about drift, and how many found no room among them."""

    events: list[CDEvent] = field(default_factory=list)
    left_out: int = 0


def drift_tale(scene: Scene) -> DriftTale:
    """Return what began to drift, what does not any more, and what was put right as soon as it was seen.

    An object that somebody changes once more drifts anew: its line in the status has another time.
    """
    report = scene.transition.report
    before = {_episode(one): one for one in scene.before.drifts}
    after = {} if _is_end(scene) else {_episode(one): one for one in scene.after.drifts}
    results = {object_line(one.key): one for one in report.objects} if report and before else {}
    tale = DriftTale()
    tale.events += [_detected(scene, one) for key, one in after.items() if key not in before]
    tale.events += [
        _resolved(scene, one, told)
        for one in before.values()
        if (told := _how_it_ended(scene, results.get(one.object)))
    ]
    if report is not None:
        _healed_at_once(scene, report, {one.object for one in before.values()}, tale)
    return tale


def _healed_at_once(scene: Scene, report: ReconcileReport, known: set[str], tale: DriftTale) -> None:
    healed = [one for one in report.objects if one.healed and object_line(one.key) not in known]
    room = (MAX_DRIFT_EVENTS - len(tale.events)) // 2
    for one in healed[:room]:
        drift = drift_of(one)
        tale.events += [_detected(scene, drift), _resolved(scene, drift, "was put right at once")]
    tale.left_out = 2 * len(healed[room:])


def _how_it_ended(scene: Scene, result: ObjectResult | None) -> str:
    """Say in words why an object does not drift any more; empty while that is not known."""
    report = scene.transition.report
    if _is_end(scene):
        return "is not looked after any more: the GitRepository was deleted"
    if result is None:
        # a pass that broke off has not looked at everything; one that went well has
        is_whole = report is not None and report.result is Result.SYNCED
        return "is not looked after any more" if is_whole else ""
    if result.healed:
        return "was put right"
    return "" if result.drifts else "does not differ from Git any more"


def _is_end(scene: Scene) -> bool:
    report = scene.transition.report
    return report is not None and report.result is Result.DELETED


def _episode(drift: DriftEntry) -> tuple[str, str]:
    """What tells one drift of an object from the next."""
    return drift.object, drift.since or ""


def _detected(scene: Scene, drift: DriftEntry) -> CDEvent:
    is_incident = scene.drift_as is DriftAs.INCIDENT
    paths = ", ".join(change.path or "the whole object" for change in drift.fields[:_FIELDS_IN_A_LINE])
    more = f" and {len(drift.fields) - _FIELDS_IN_A_LINE} more" if drift.fields[_FIELDS_IN_A_LINE:] else ""
    by = f", changed by {drift.manager}" if drift.manager else ""
    return _drift_event(
        scene,
        drift,
        EventType.INCIDENT_DETECTED if is_incident else EventType.DRIFT_DETECTED,
        id_=_drift_id(scene, drift, "detected"),
        description=f"{drift.object} differs from Git: {paths}{more}{by}",
    )


def _resolved(scene: Scene, drift: DriftEntry, told: str) -> CDEvent:
    is_incident = scene.drift_as is DriftAs.INCIDENT
    return _drift_event(
        scene,
        drift,
        EventType.INCIDENT_RESOLVED if is_incident else EventType.DRIFT_HEALED,
        id_=_drift_id(scene, drift, "resolved"),
        description=f"{drift.object} {told}",
        links=(resolves(_drift_id(scene, drift, "detected")),),
    )


def _drift_id(scene: Scene, drift: DriftEntry, what: str) -> str:
    """The setting that chooses the type may be changed between beginning and end, so it is not in the id."""
    return event_id(f"drift.{what}", scene.uid, *_episode(drift))


def _drift_event(
    scene: Scene, drift: DriftEntry, type_: EventType, *, description: str, **more: Any
) -> CDEvent:
    report = scene.transition.report
    commit = report.commit.id if report and report.commit else scene.after.last_attempted_commit
    return scene.event(
        type_,
        chain=chain_id(scene.uid, "drift", *_episode(drift)),
        subject=f"{scene.service_id}/drift/{_place(drift.object)}",
        content=scene.about_service(commit=commit, description=description),
        facts={"drift": _drift_facts(drift)},
        **more,
    )


def _place(name: str) -> str:
    """Return `apps.Deployment/shop/web` of `apps/Deployment shop/web`; what reads otherwise as it is."""
    key = parse_key(name)
    if key is None:
        return name
    kind = f"{key.group}.{key.kind}" if key.group else key.kind
    return "/".join(part for part in (kind, key.namespace, key.name) if part)


def _drift_facts(drift: DriftEntry) -> Mapping[str, Any]:
    """Return the status's line: its values are masked already where they must be."""
    fields = [
        {
            key: value
            for key, value in (("path", one.path), ("from", one.from_), ("to", one.to))
            if value is not None
        }
        for one in drift.fields
    ]
    facts = {
        "object": drift.object,
        "kind": drift.kind,
        "fields": fields,
        "manager": drift.manager,
        "operation": drift.operation,
        "since": drift.since,
        "action": drift.action,
    }
    return {key: value for key, value in facts.items() if value is not None}
