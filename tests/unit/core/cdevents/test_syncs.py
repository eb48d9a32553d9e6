"""The events of a sync: the task run, the service and the namespaces."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.fakes.samples import COMMIT, problem, repository, result_of
from tests.fakes.story import HEALTHY, PROGRESSING, Story, commit
from tests.unit.core.cdevents.mapped import (
    ATTEMPT,
    SERVICE,
    SOURCE,
    Type,
    events,
    facts,
    linked,
    only,
    types,
)

from nopea.core.api.names import ROLLBACK_ANNOTATION
from nopea.core.cdevents.event import LinkType
from nopea.core.cdevents.mapping import MAX_EVENTS, Mapper
from nopea.core.objects import ObjectKey
from nopea.core.problem import Code
from nopea.core.status.report import ObjectResult, Outcome, Result

STARTED, FINISHED = ATTEMPT
CREATED, CHANGED = [result_of("a", Outcome.CREATED)], [result_of("a", Outcome.CONFIGURED), result_of("b")]
SAME = [result_of("a"), result_of("b")]


def namespace(name: str, outcome: Outcome) -> ObjectResult:
    """Return the result of a Namespace."""
    return ObjectResult(key=ObjectKey("", "Namespace", "", name), outcome=outcome)


def deployed(**changes: Any) -> Story:
    """Return a repository after its first deployment."""
    story = Story(**changes)
    story.step(objects=CREATED)
    return story


def test_the_first_sync_deploys() -> None:
    """The service is the GitRepository, the artifact is the commit, and Nopea's facts are custom data."""
    step = Story().step(objects=CREATED)
    event = only(step, Type.SERVICE_DEPLOYED)

    assert types(step) == [STARTED, Type.SERVICE_DEPLOYED, FINISHED]
    assert event.subject_id == SERVICE
    assert event.content == {
        "environment": {"id": "shop", "source": SOURCE},
        "artifactId": f"pkg:git/git.acme.example/shop/api@{COMMIT.id}",
    }
    assert facts(event) == {
        "repository": "https://git.acme.example/shop/api.git",
        "ref": "refs/heads/main",
        "syncId": "01K00000000000000000000001",
        "triggers": ["startup"],
        "commit": COMMIT.id,
        "commitMessage": "Raise the replicas",
        "durationSeconds": 1.5,
        "counts": {
            "created": 1, "configured": 0, "unchanged": 0, "skipped": 0, "pruned": 0, "failed": 0,
        },
    }  # fmt: skip


def test_a_restart_does_not_deploy_again() -> None:
    """The status says which commit was deployed, so another process sends nothing."""
    story = deployed()

    assert events(story.step(objects=SAME)) == ()


def test_a_new_commit_upgrades() -> None:
    """The event links to the previous deployment and names its commit."""
    story = Story()
    first = only(story.step(objects=CREATED), Type.SERVICE_DEPLOYED)
    step = story.step(objects=CHANGED, at=commit("2"))
    event = only(step, Type.SERVICE_UPGRADED)

    assert types(step) == [STARTED, Type.SERVICE_UPGRADED, FINISHED]
    assert first.id in linked(event)
    assert {link.type for link in event.links} == {LinkType.PATH}
    assert event.content["artifactId"] == f"pkg:git/git.acme.example/shop/api@{'2' * 40}"
    assert facts(event)["previousCommit"] == COMMIT.id


def test_the_link_outlives_the_history() -> None:
    """The link to the previous deployment exists even if the history no longer contains it."""
    story = Story()
    first = only(story.step(objects=CREATED), Type.SERVICE_DEPLOYED)
    for number in range(12):
        story.step(Result.FAILED, problems=[problem(message=f"wrong {number}")])
        story.step(objects=CHANGED)

    assert first.id not in {one.id for one in story.status.history}
    assert first.id in linked(only(story.step(objects=CHANGED, at=commit("2")), Type.SERVICE_UPGRADED))


def test_a_commit_that_changes_nothing_is_not_a_deployment() -> None:
    """The sync of the new commit is sent, but no service event, because nothing was deployed."""
    step = deployed().step(objects=SAME, at=commit("2"))

    assert types(step) == ATTEMPT


def test_applying_a_commit_again_is_not_a_deployment() -> None:
    """A heal or a sync on request of the same commit is not a deployment."""
    step = deployed().step(objects=CHANGED)

    assert types(step) == ATTEMPT


def test_a_deployment_is_sent_by_the_sync_that_completes_it() -> None:
    """If a failed sync applied a part of the commit, the sync that succeeds sends the event."""
    story = deployed()
    failed = story.step(Result.FAILED, objects=CHANGED, problems=[problem()], at=commit("2"))
    done = story.step(objects=SAME, at=commit("2"))

    assert types(failed) == ATTEMPT
    assert Type.SERVICE_UPGRADED in types(done)


def test_a_pin_that_changes_the_commit_rolls_back() -> None:
    """A rollback is sent as such; the return to the branch is an upgrade."""
    story = Story()
    story.step(objects=CREATED, at=commit("1"))
    upgraded = only(story.step(objects=CHANGED, at=commit("2")), Type.SERVICE_UPGRADED)
    story.repository = repository(annotations={ROLLBACK_ANNOTATION: "1" * 40})
    event = only(story.step(objects=CHANGED, at=commit("1")), Type.SERVICE_ROLLEDBACK)
    story.repository = repository()
    back = only(story.step(objects=CHANGED, at=commit("2")), Type.SERVICE_UPGRADED)

    assert upgraded.id in linked(event)
    assert event.content["artifactId"].endswith(f"@{'1' * 40}")
    assert (facts(event)["rolledBackTo"], facts(event)["ref"]) == ("1" * 40, "refs/heads/main")
    assert event.id in linked(back)


def test_a_pin_at_the_applied_commit_is_not_a_rollback() -> None:
    """A pin to the applied commit changes nothing, so only the sync is sent."""
    story = deployed()
    story.repository = repository(annotations={ROLLBACK_ANNOTATION: COMMIT.id})

    assert types(story.step(objects=SAME)) == ATTEMPT


def ended(*, finalizer: bool = True, **spec: Any) -> list[Type]:
    """Return what is told of the deletion of a repository that had been deployed."""
    deleted = repository(**{"deleting": True, "deletionPolicy": "Delete", **spec})
    story = deployed(repository=replace(deleted, has_finalizer=finalizer))
    return types(story.step(Result.DELETED, objects=[result_of("a", Outcome.PRUNED)], at=None))


def test_a_deleted_repository_removes_its_service() -> None:
    """Its objects went with it; the task is called by what it did."""
    story = deployed(
        repository=replace(repository(deleting=True, deletionPolicy="Delete"), has_finalizer=True)
    )
    step = story.step(Result.DELETED, objects=[result_of("a", Outcome.PRUNED)], at=None)
    event = only(step, Type.SERVICE_REMOVED)

    assert types(step) == [STARTED, Type.SERVICE_REMOVED, FINISHED]
    assert event.content == {"environment": {"id": "shop", "source": SOURCE}}
    assert facts(event)["counts"]["pruned"] == 1
    assert only(step, FINISHED).content == {"taskName": "delete", "outcome": "success"}


@pytest.mark.parametrize(
    "orphaned",
    [
        {"deletionPolicy": "Orphan"},
        {"suspend": True},
        {"annotations": {"nopea.io/abandon": "true"}},
        {"finalizer": False},
    ],
    ids=str,
)
def test_a_service_whose_objects_stay_is_released(orphaned: dict[str, Any]) -> None:
    """If the objects stay in the cluster, the service is released, not removed."""
    assert ended() == [STARTED, Type.SERVICE_REMOVED, FINISHED]
    assert ended(**orphaned) == [STARTED, Type.REPOSITORY_RELEASED, FINISHED]


def test_a_service_that_never_was_deployed_is_not_removed() -> None:
    """Without a deployment, the deletion has no service event."""
    story = Story(repository=replace(repository(deleting=True), has_finalizer=True))

    assert types(story.step(Result.DELETED, at=None)) == ATTEMPT


@pytest.mark.parametrize(
    ("result", "code", "outcome"),
    [
        (Result.SYNCED, None, "success"),
        (Result.FAILED, Code.INVALID, "failure"),
        (Result.FAILED, Code.API_UNREACHABLE, "error"),
        (Result.SUPERSEDED, None, "cancel"),
    ],
)
def test_outcomes(result: Result, code: Code | None, outcome: str) -> None:
    """Failures that a user must correct, failures that may pass and superseded syncs are distinguished."""
    step = Story().step(result, objects=CREATED, problems=[problem(code)] if code else [])
    event = only(step, FINISHED)

    assert event.content["outcome"] == outcome
    assert facts(event).get("codes") == ([code.value] if code else None)
    assert ("errors" in event.content) == bool(code)


def test_errors_are_masked_and_bounded() -> None:
    """Passwords in URLs are masked, and the text is truncated."""
    many = [
        problem(message=f"{number} https://user:hunter2@git.acme.example " + "x" * 900)
        for number in range(99)
    ]
    errors = only(Story().step(Result.FAILED, problems=many), FINISHED).content["errors"]

    assert "hunter2" not in errors
    assert len(errors) == 4096
    assert errors.startswith("NOPEA-K003: 0 https://***@git.acme.example")


def test_a_sync_is_one_chain_in_order() -> None:
    """Each event links to the previous one; the first has the start time, all others the end time."""
    step = Story().step(objects=CREATED)
    started, service, finished = events(step)

    assert {one.chain_id for one in events(step)} == {started.chain_id}
    assert (linked(started), linked(service), linked(finished)) == ([], [started.id], [service.id])
    assert step.report is not None
    assert (started.timestamp, service.timestamp) == (step.report.started_at, finished.timestamp)
    assert finished.timestamp - started.timestamp == timedelta(seconds=1.5)
    assert started.subject_id == finished.subject_id == f"{SERVICE}/sync/{step.report.id}"


def test_times_are_in_the_order_of_the_events() -> None:
    """The times never decrease, and the last one is that of the transition."""
    for seconds in (0.0, 1.5, 61.0):
        story = Story()
        namespace = ObjectResult(key=ObjectKey("", "Namespace", "", "web"), outcome=Outcome.CREATED)
        step = story.step(objects=[*CREATED, namespace], health=HEALTHY, seconds=seconds)
        times = [one.timestamp for one in events(step)]

        assert len(times) == 5
        assert times == sorted(times)
        assert times[-1] == step.at


def test_syncs_without_a_new_result_are_not_sent() -> None:
    """A repeated failure and a suspended sync send no event."""
    story = Story()
    failed = [story.step(Result.FAILED, problems=[problem()]) for _ in range(2)]

    assert [types(step) for step in failed] == [ATTEMPT, []]
    assert events(deployed().step(Result.SUSPENDED, at=None)) == ()


def test_namespaces_are_environments() -> None:
    """Created, changed and deleted Namespaces have an event; an unchanged one has none."""
    step = deployed().step(
        objects=[
            namespace("one", Outcome.CREATED),
            namespace("two", Outcome.CONFIGURED),
            namespace("three", Outcome.PRUNED),
            namespace("four", Outcome.UNCHANGED),
        ]
    )
    sent = {one.subject_id: one for one in events(step) if "environment" in one.type.value}

    assert {name: one.type for name, one in sent.items()} == {
        "one": Type.ENVIRONMENT_CREATED,
        "two": Type.ENVIRONMENT_MODIFIED,
        "three": Type.ENVIRONMENT_DELETED,
    }
    assert sent["one"].content == {"name": "one"}


def test_a_thousand_namespaces_are_not_a_thousand_events() -> None:
    """The number of events is bounded; the events that are left out are counted."""
    step = Story().step(objects=[namespace(f"n{number}", Outcome.CREATED) for number in range(1000)])
    sent = events(step)

    assert len(sent) == MAX_EVENTS
    assert facts(only(step, FINISHED))["leftOut"] == 1000 - (MAX_EVENTS - 3)


def test_the_environment_can_be_configured() -> None:
    """The environment is that of the setting, else the target namespace."""
    named = Mapper(source=SOURCE, environment="production")
    aimed = Story(repository=repository(targetNamespace="live"))

    event = only(Story().step(objects=CREATED), Type.SERVICE_DEPLOYED, named)
    assert event.content["environment"] == {"id": "production", "source": SOURCE}
    event = only(aimed.step(objects=CREATED), Type.SERVICE_DEPLOYED)
    assert event.content["environment"] == {"id": "live", "source": SOURCE}


def test_healthy_after_a_rollout_is_published() -> None:
    """The event links to the deployment and is in its chain, and is sent once."""
    story = Story()
    deployment = only(story.step(objects=CREATED, health=PROGRESSING), Type.SERVICE_DEPLOYED)
    step = story.look(HEALTHY)
    event = only(step, Type.SERVICE_PUBLISHED)

    assert types(step) == [Type.SERVICE_PUBLISHED]
    assert (event.chain_id, linked(event)) == (deployment.chain_id, [deployment.id])
    assert event.content == {"environment": {"id": "shop", "source": SOURCE}}
    assert events(story.look(HEALTHY)) == ()


def test_a_deployment_that_was_healthy_at_once_is_published() -> None:
    """Each deployment is published once, even if the health did not change."""
    story = Story()
    first = story.step(objects=CREATED, health=HEALTHY)
    second = story.step(objects=CHANGED, at=commit("2"), health=HEALTHY)

    assert [types(step)[-1] for step in (first, second)] == [Type.SERVICE_PUBLISHED] * 2
    assert types(story.step(objects=CHANGED, at=commit("2"), health=HEALTHY)) == ATTEMPT


def test_a_partial_deployment_is_not_published() -> None:
    """If the first sync fails, healthy objects are not a published service."""
    step = Story().step(Result.FAILED, problems=[problem()], objects=CREATED, health=HEALTHY)

    assert types(step) == ATTEMPT


@pytest.mark.parametrize(
    ("spec", "ref"),
    [
        ({"ref": {"tag": "v1"}}, "refs/tags/v1"),
        ({"ref": {"semver": "1.x"}}, "semver 1.x"),
        ({"ref": {"commit": "2" * 40}}, "2" * 40),
        ({"ref": None}, "HEAD"),
    ],
)
def test_refs(spec: dict[str, str], ref: str) -> None:
    """Branches and tags are written as in Git."""
    story = Story(repository=repository(**spec))

    assert facts(only(story.step(objects=CREATED), FINISHED))["ref"] == ref


@pytest.mark.parametrize(
    "wrong",
    [
        {"source": ""},
        {"source": "a b"},
        {"source": "x" * 2000},
        {"environment": "x" * 2000},
        {"failing_after": 0},
    ],
    ids=str,
)
def test_invalid_settings_are_refused(wrong: dict[str, Any]) -> None:
    """Invalid settings are rejected at the start, not at the first event."""
    with pytest.raises(ValueError, match=r"source|environment|incident"):
        Mapper(**{"source": SOURCE, **wrong})


def test_the_url_is_sent_without_credentials() -> None:
    """The query of the URL is omitted, as it may contain a token."""
    story = Story(repository=repository(url="https://git.acme.example/shop/api.git?token=hunter2"))
    event = only(story.step(objects=CREATED), Type.SERVICE_DEPLOYED)

    assert facts(event)["repository"] == "https://git.acme.example/shop/api.git"
    assert "hunter2" not in str(event)
