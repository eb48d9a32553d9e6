"""Incidents: syncs that go on failing, drift; each ends on the subject and in the chain that it began."""

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
    """Return what became of an object in which drift was met; skipped is left as it is."""
    drift = Drift(kind=DriftKind.MANUAL_DRIFT, fields=fields or (field(),))
    seen = ObservedDrift(drift=drift, since=since)
    return ObjectResult(key=key, outcome=outcome, reason=reason, seen=seen)


def healthy_story(**spec: Any) -> Story:
    """Return the story of a repository that has been deployed and is well."""
    story = Story(repository=repository(**spec))
    story.step(objects=[result_of("a", Outcome.CREATED)])
    return story


def test_failing_again_and_again_is_one_incident() -> None:
    """Exactly when the number is reached, though a failure that goes on is no news; never again after it."""
    story = healthy_story()
    told = [types(story.step(Result.FAILED, problems=[problem()])) for _ in range(6)]

    assert told == [ATTEMPT, [], [DETECTED], [], [], []]


def test_what_the_incident_says() -> None:
    """How often, since when and why; what runs meanwhile; a subject of its own."""
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
    """It links to the beginning even when the history has forgotten it; after fewer failures none is due."""
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


def test_the_next_incident_is_another() -> None:
    """The same commit, the same error, the same subject: another id, for consumers drop what they know."""
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
    """One is enough if people want it so."""
    step = healthy_story().step(Result.FAILED, problems=[problem()])

    assert types(step, replace(MAPPER, failing_after=1)) == [*ATTEMPT, DETECTED]


def test_a_repository_whose_spec_cannot_be_read() -> None:
    """Its incidents know no artifact, and it has no facts about Git."""
    story = Story(repository=repository(url=7))
    steps = [story.step(Result.FAILED, problems=[problem(Code.SPEC_INVALID)], at=None) for _ in range(3)]
    event = only(steps[2], DETECTED)

    assert "artifactId" not in event.content
    assert facts(event).keys() == {"syncId", "triggers", "failures", "failingSince"}


def test_drift_that_is_left_is_an_incident() -> None:
    """Of the object: which fields, from what to what, who changed them, how and when, and what is done."""
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
        "fields": [{"path": "spec.replicas", "from": "2", "to": "5"}],
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
    """The core group and cluster-scoped objects leave out what they have not."""
    assert (
        only(healthy_story().step(objects=[met(key=key)]), DETECTED).subject_id == f"{SERVICE}/drift/{place}"
    )


def test_drift_is_told_once() -> None:
    """As long as it stays the same, whichever process looks at it."""
    story = healthy_story()
    story.step(objects=[met()])

    assert events(story.step(objects=[met()])) == ()


def test_undated_drift_is_told_once_across_restarts() -> None:
    """Nobody dates a deletion: another process sees it later, and yet it is the same one."""
    story = healthy_story()
    story.step(objects=[met(Outcome.SKIPPED, gone())])
    again = story.step(objects=[met(Outcome.SKIPPED, gone(), since=NOW)])

    assert events(again) == ()
    assert story.status.drifts[0].since == "2026-11-24T04:00:00Z"


def test_another_change_of_the_object_is_told() -> None:
    """Somebody else may have made it; the end links to the newest."""
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
    """Healed, changed back by somebody, or gone from Git: the incident is over and links to its beginning."""
    story = healthy_story()
    detected = only(story.step(objects=[met()]), DETECTED)
    resolved = only(story.step(objects=end), RESOLVED)

    assert (resolved.subject_id, resolved.chain_id) == (detected.subject_id, detected.chain_id)
    assert linked(resolved) == [detected.id]
    assert resolved.content["description"] == f"apps/Deployment shop/web {told}"


def test_drift_that_is_healed_at_once_is_both() -> None:
    """It happened, though the status never knew of it: the attempt, then the beginning and the end."""
    step = healthy_story().step(objects=[met(Outcome.CONFIGURED, reason=Reason.MANUAL_DRIFT)])
    detected, resolved = events(step)[2:]

    assert types(step) == [*ATTEMPT, DETECTED, RESOLVED]
    assert linked(resolved) == [detected.id]
    assert facts(resolved)["drift"]["action"] == "reverted"


def test_a_pass_that_broke_off_resolves_nothing_it_did_not_see() -> None:
    """The API server was lost before the object's turn came."""
    story = healthy_story()
    story.step(objects=[met()])
    step = story.step(Result.FAILED, problems=[problem(Code.API_UNREACHABLE)])

    assert RESOLVED not in types(step)


def test_a_conflict_that_keeps_the_drift_does_not_end_it() -> None:
    """Under `manual` only Git's change is applied; what a person changed beside it stays."""
    story = healthy_story(healPolicy="manual")
    story.step(objects=[met()])
    step = story.step(objects=[replace(met(Outcome.CONFIGURED), left=True)])

    assert not {DETECTED, RESOLVED} & set(types(step))


def test_drift_is_a_custom_event_if_people_want_it() -> None:
    """Where paging tools listen to incidents; ids stay, so that a changed setting breaks no link."""
    story = healthy_story()
    begin = story.step(objects=[met()])
    end = story.step(objects=[met(Outcome.CONFIGURED, reason=Reason.MANUAL_DRIFT)])
    detected, healed = only(begin, Type.DRIFT_DETECTED, CUSTOM), only(end, Type.DRIFT_HEALED, CUSTOM)

    assert linked(healed) == [detected.id]
    assert linked(only(end, RESOLVED)) == [detected.id]
    assert detected.subject_id == SUBJECT


def test_the_end_of_a_repository_ends_its_incidents() -> None:
    """Nobody is left who would."""
    story = healthy_story()
    story.step(objects=[met()])
    for _ in range(3):
        story.step(Result.FAILED, problems=[problem()], objects=[met()])
    story.repository = replace(repository(deleting=True), has_finalizer=True)
    told = events(story.step(Result.DELETED, at=None))[3:]

    assert [(one.type, one.subject_id) for one in told] == [
        (RESOLVED, f"{SERVICE}/incident/sync-failing"),
        (RESOLVED, SUBJECT),
    ]
    assert all(one.content["description"].endswith("the GitRepository was deleted") for one in told)


def test_secrets_stay_secret() -> None:
    """Of a Secret's value only a mark is told, wherever it drifted."""
    key = ObjectKey("", "Secret", "shop", "key")
    fields = [
        field("data.token", "b2xkLXRva2Vu", "bmV3LXRva2Vu"),
        field("data", {"token": "b2xkLXRva2Vu"}, {}),
    ]
    for outcome in (Outcome.SKIPPED, Outcome.CONFIGURED, Outcome.FAILED):
        told = str(events(healthy_story().step(objects=[met(outcome, *fields, key=key)])))

        assert "*** (9 bytes)" in told
        assert "b2xkLXRva2Vu" not in told
        assert "bmV3LXRva2Vu" not in told


def test_a_thousand_drifts_are_not_a_thousand_events() -> None:
    """What was put right at once and found no room is counted; what is left is the status's first twenty."""
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


def test_drift_that_the_status_has_no_room_for_goes_on() -> None:
    """It tells of twenty objects; one that others push out of the list is not put right by that."""
    keys = [replace(WEB, name=f"web-{number}") for number in range(30)]
    story = healthy_story()
    story.step(objects=[met(key=key) for key in keys[10:]])

    assert types(story.step(objects=[met(key=key) for key in keys])) == [DETECTED] * 10
