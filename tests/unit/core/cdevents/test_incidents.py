"""Incidents of failing syncs and of drift: the end has the subject and chain of the start."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from tests.fakes.samples import COMMIT, NOW, problem, repository, result_of
from tests.fakes.story import Story, commit
from tests.unit.core.cdevents.mapped import (
    ATTEMPT,
    MAPPER,
    SERVICE,
    SOURCE,
    Type,
    events,
    facts,
    linked,
    only,
    types,
)
from tests.unit.core.status.test_drifts_status import field, gone

from nopea.core.cdevents.builder import DriftAs
from nopea.core.cdevents.event import LinkType
from nopea.core.cdevents.mapping import MAX_EVENTS
from nopea.core.drift.find import Drift, FieldDrift
from nopea.core.drift.three_way import DriftKind
from nopea.core.objects import ObjectKey
from nopea.core.plan.model import ObservedDrift, Reason
from nopea.core.problem import Code
from nopea.core.status.report import ObjectResult, Outcome, Result

CUSTOM = replace(MAPPER, drift_as=DriftAs.CUSTOM)
WEB = ObjectKey("apps", "Deployment", "shop", "web")
SUBJECT = f"{SERVICE}/drift/apps.Deployment/shop/web"
DETECTED, RESOLVED = Type.INCIDENT_DETECTED, Type.INCIDENT_RESOLVED
AN_HOUR_AGO = NOW - timedelta(hours=1)


def met(
    outcome: Outcome = Outcome.SKIPPED,
    *fields: FieldDrift,
    key: ObjectKey = WEB,
    since: datetime = AN_HOUR_AGO,
    reason: Reason = Reason.POLICY,
) -> ObjectResult:
    """Return the result of an object in which drift was found; by default it was left as it is."""
    drift = Drift(kind=DriftKind.MANUAL_DRIFT, fields=fields or (field(),))
    seen = ObservedDrift(drift=drift, since=since)
    return ObjectResult(key=key, outcome=outcome, reason=reason, seen=seen)


def healthy_story(**spec: Any) -> Story:
    """Return a repository after its first deployment."""
    story = Story(repository=repository(**spec))
    story.step(objects=[result_of("a", Outcome.CREATED)])
    return story


def test_repeated_failures_are_one_incident() -> None:
    """The incident is sent once, when the configured number of failures is reached."""
    story = healthy_story()
    sent = [types(story.step(Result.FAILED, problems=[problem()])) for _ in range(6)]

    assert sent == [ATTEMPT, [], [DETECTED], [], [], []]


def test_the_content_of_an_incident() -> None:
    """The incident has its own subject, the count, start and cause of failures, and the deployed artifact."""
    story = healthy_story()
    for _ in range(2):
        story.step(Result.FAILED, problems=[problem()], at=commit("2"))
    event = only(story.step(Result.FAILED, problems=[problem()], at=commit("2")), DETECTED)

    assert event.subject_id == f"{SERVICE}/incident/sync-failing"
    assert event.content == {
        "environment": {"id": "shop", "source": SOURCE},
        "service": {"id": SERVICE, "source": SOURCE},
        "description": "3 sync attempts in a row failed: NOPEA-K003: it is wrong",
        "artifactId": f"pkg:git/git.acme.example/shop/api@{COMMIT.id}",
    }
    assert (facts(event)["failures"], facts(event)["failingSince"]) == (3, "2026-11-24T05:02:00Z")


def test_recovery_resolves_the_incident() -> None:
    """It links to the start even if the history no longer has it; fewer failures are not an incident."""
    story = healthy_story()
    story.step(Result.FAILED, problems=[problem()])
    assert RESOLVED not in types(story.step())
    steps = [story.step(Result.FAILED, problems=[problem(message=f"{number}")]) for number in range(15)]
    detected = only(steps[2], DETECTED)
    resolved = only(story.step(), RESOLVED)

    assert (resolved.subject_id, resolved.chain_id) == (detected.subject_id, detected.chain_id)
    assert linked(resolved) == [detected.id]
    assert [(link.type, link.kind) for link in resolved.links] == [(LinkType.RELATION, "RESOLVES")]
    assert resolved.content["description"] == "sync succeeded after 15 failures"


def test_the_next_incident_has_another_id() -> None:
    """The same failure in a later incident has another id, as consumers drop known ids."""
    story = healthy_story()
    found = []
    for _ in range(2):
        steps = [
            story.step(Result.FAILED, problems=[problem(Code.API_UNREACHABLE)], at=None) for _ in range(3)
        ]
        found.append(only(steps[2], DETECTED))
        story.step()

    assert found[0].id != found[1].id
    assert found[0].chain_id != found[1].chain_id


def test_the_number_of_failures_is_a_setting() -> None:
    """With `failing_after` 1 the first failure is an incident."""
    step = healthy_story().step(Result.FAILED, problems=[problem()])

    assert types(step, replace(MAPPER, failing_after=1)) == [*ATTEMPT, DETECTED]


def test_an_incident_of_an_invalid_spec() -> None:
    """The incident has no artifact and no facts about Git."""
    story = Story(repository=repository(url=7))
    steps = [story.step(Result.FAILED, problems=[problem(Code.SPEC_INVALID)], at=None) for _ in range(3)]
    event = only(steps[2], DETECTED)

    assert "artifactId" not in event.content
    assert facts(event).keys() == {"syncId", "triggers", "failures", "failingSince"}


def test_drift_that_is_left_is_an_incident() -> None:
    """The event contains the object, the fields with both values, the manager, the time and the action."""
    step = healthy_story().step(objects=[met()])
    event = only(step, DETECTED)

    assert types(step) == [DETECTED]
    assert event.subject_id == SUBJECT
    assert event.timestamp == step.at
    assert event.content == {
        "environment": {"id": "shop", "source": SOURCE},
        "service": {"id": SERVICE, "source": SOURCE},
        "description": "apps/Deployment shop/web differs from Git: spec.replicas, changed by kubectl-edit",
        "artifactId": f"pkg:git/git.acme.example/shop/api@{COMMIT.id}",
    }
    assert facts(event)["drift"] == {
        "object": "apps/Deployment shop/web",
        "kind": "manual_drift",
        "fields": [{"path": "spec.replicas"}],
        "manager": "kubectl-edit",
        "operation": "Update",
        "since": "2026-11-24T04:00:00Z",
        "action": "left: policy",
    }


@pytest.mark.parametrize(
    ("key", "place"),
    [
        (ObjectKey("", "ConfigMap", "shop", "settings"), "ConfigMap/shop/settings"),
        (ObjectKey("", "Namespace", "", "shop"), "Namespace/shop"),
        (
            ObjectKey("rbac.acme.example", "AlertState", "", "a:viewer"),
            "rbac.acme.example.AlertState/a:viewer",
        ),
    ],
)
def test_subjects_of_drift(key: ObjectKey, place: str) -> None:
    """The subject omits an empty group and an empty namespace."""
    assert (
        only(healthy_story().step(objects=[met(key=key)]), DETECTED).subject_id == f"{SERVICE}/drift/{place}"
    )


def test_drift_is_sent_once() -> None:
    """Unchanged drift is not sent again by later syncs."""
    story = healthy_story()
    story.step(objects=[met()])

    assert events(story.step(objects=[met()])) == ()


def test_undated_drift_is_sent_once_across_restarts() -> None:
    """A deletion has no date, so another process sees it at a later time; it is still the same drift."""
    story = healthy_story()
    story.step(objects=[met(Outcome.SKIPPED, gone())])
    again = story.step(objects=[met(Outcome.SKIPPED, gone(), since=NOW)])

    assert events(again) == ()
    assert story.status.drifts[0].since == "2026-11-24T04:00:00Z"


def test_another_change_of_the_object_is_sent() -> None:
    """A new change starts a new incident, to which the end links."""
    story = healthy_story()
    first = only(story.step(objects=[met()]), DETECTED)
    changed = met(Outcome.SKIPPED, field(to=7, changed_at=NOW), since=NOW)
    second = only(story.step(objects=[changed]), DETECTED)
    resolved = only(story.step(objects=[result_of("a")]), RESOLVED)

    assert (second.subject_id, second.id == first.id) == (first.subject_id, False)
    assert linked(resolved) == [second.id]


@pytest.mark.parametrize(
    ("end", "told"),
    [
        ([met(Outcome.CONFIGURED, reason=Reason.MANUAL_DRIFT)], "was healed"),
        ([replace(met(Outcome.UNCHANGED), seen=None)], "no longer differs from Git"),
        ([], "is no longer managed"),
    ],
)
def test_drift_that_ends_is_resolved(end: list[ObjectResult], told: str) -> None:
    """The incident ends if the drift was healed or undone, or if the object was removed from Git."""
    story = healthy_story()
    detected = only(story.step(objects=[met()]), DETECTED)
    resolved = only(story.step(objects=end), RESOLVED)

    assert (resolved.subject_id, resolved.chain_id) == (detected.subject_id, detected.chain_id)
    assert linked(resolved) == [detected.id]
    assert resolved.content["description"] == f"apps/Deployment shop/web {told}"


def test_drift_that_is_healed_at_once_starts_and_ends() -> None:
    """Drift that never was in the status has a start and an end, after the events of the sync."""
    step = healthy_story().step(objects=[met(Outcome.CONFIGURED, reason=Reason.MANUAL_DRIFT)])
    detected, resolved = events(step)[2:]

    assert types(step) == [*ATTEMPT, DETECTED, RESOLVED]
    assert linked(resolved) == [detected.id]
    assert facts(resolved)["drift"]["action"] == "reverted"


def test_an_aborted_sync_resolves_nothing() -> None:
    """A sync that stopped before it reached the object does not end its incident."""
    story = healthy_story()
    story.step(objects=[met()])
    step = story.step(Result.FAILED, problems=[problem(Code.API_UNREACHABLE)])

    assert RESOLVED not in types(step)


def test_a_conflict_that_keeps_the_drift_does_not_end_it() -> None:
    """Under `manual`, a change of Git is applied around the drift, which remains."""
    story = healthy_story(healPolicy="manual")
    story.step(objects=[met()])
    step = story.step(objects=[replace(met(Outcome.CONFIGURED), left=True)])

    assert not {DETECTED, RESOLVED} & set(types(step))


def test_drift_can_be_a_custom_event() -> None:
    """With the setting `custom`, ids and links are the same as for incidents."""
    story = healthy_story()
    begin = story.step(objects=[met()])
    end = story.step(objects=[met(Outcome.CONFIGURED, reason=Reason.MANUAL_DRIFT)])
    detected, healed = only(begin, Type.DRIFT_DETECTED, CUSTOM), only(end, Type.DRIFT_HEALED, CUSTOM)

    assert linked(healed) == [detected.id]
    assert linked(only(end, RESOLVED)) == [detected.id]
    assert detected.subject_id == SUBJECT


def test_the_deletion_of_a_repository_ends_its_incidents() -> None:
    """All open incidents are resolved by the deletion."""
    story = healthy_story()
    story.step(objects=[met()])
    for _ in range(3):
        story.step(Result.FAILED, problems=[problem()], objects=[met()])
    story.repository = replace(repository(deleting=True), has_finalizer=True)
    sent = events(story.step(Result.DELETED, at=None))[3:]

    assert [(one.type, one.subject_id) for one in sent] == [
        (RESOLVED, f"{SERVICE}/incident/sync-failing"),
        (RESOLVED, SUBJECT),
    ]
    assert all(one.content["description"].endswith("the GitRepository was deleted") for one in sent)


def test_no_value_is_sent() -> None:
    """Only paths leave the cluster, whether a key or all of the data drifted."""
    key = ObjectKey("", "Secret", "shop", "key")
    fields = [
        field("data.token", "b2xkLXRva2Vu", "bmV3LXRva2Vu"),
        field("data", {"token": "b2xkLXRva2Vu"}, {}),
    ]
    for outcome in (Outcome.SKIPPED, Outcome.CONFIGURED, Outcome.FAILED):
        sent = str(events(healthy_story().step(objects=[met(outcome, *fields, key=key)])))

        assert "data.token" in sent
        assert "b2xkLXRva2Vu" not in sent
        assert "bmV3LXRva2Vu" not in sent


def test_a_thousand_drifts_are_not_a_thousand_events() -> None:
    """The number of events is bounded; the events that are left out are counted."""
    keys = [replace(WEB, name=f"web-{number}") for number in range(1000)]
    story = healthy_story()
    story.step(objects=[met(key=key) for key in keys])
    objects = [
        *(met(Outcome.CONFIGURED, key=key) for key in keys[:500]),
        *(met(key=key) for key in keys[500:]),
    ]
    step = story.step(objects=objects)

    assert len(events(step)) <= MAX_EVENTS
    assert facts(only(step, ATTEMPT[1]))["leftOut"] == 960


def test_drift_beyond_the_limit_of_the_status_is_not_resolved() -> None:
    """The status lists twenty objects; drift that does not fit any more is not resolved."""
    keys = [replace(WEB, name=f"web-{number}") for number in range(30)]
    story = healthy_story()
    story.step(objects=[met(key=key) for key in keys[10:]])

    assert types(story.step(objects=[met(key=key) for key in keys])) == [DETECTED] * 10
