"""The parts that all events of a transition have in common."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.fakes.samples import NOW, report, repository

from nopea.core.api.status import GitRepositoryStatus
from nopea.core.cdevents.builder import DriftAs, EventBuilder, work_facts
from nopea.core.cdevents.vocabulary import EventType
from nopea.core.secret import Secret
from nopea.core.status.report import Outcome
from nopea.core.status.transition import Transition


def builder(*, environment: str = "", hidden: tuple[Secret, ...] = (), **spec: Any) -> EventBuilder:
    """Return the event builder for a sync of a repository."""
    status = GitRepositoryStatus()
    transition = Transition(
        repository=repository(**spec), before=status, after=status, report=report(), at=NOW, hidden=hidden
    )
    return EventBuilder(
        source="https://nopea.acme.example",
        environment=environment,
        drift_as=DriftAs.INCIDENT,
        failing_after=3,
        transition=transition,
    )


@pytest.mark.parametrize(
    ("environment", "spec", "expected"),
    [
        ("prod", {"targetNamespace": "web"}, "prod"),
        ("", {"targetNamespace": "web"}, "web"),
        ("", {}, "shop"),
        ("", {"url": 5}, "shop"),
    ],
)
def test_the_environment_is_configured_or_the_namespace(
    environment: str, spec: dict[str, Any], expected: str
) -> None:
    """The default is targetNamespace, or without one (or a valid spec) the GitRepository's namespace."""
    assert builder(environment=environment, **spec).environment_ref()["id"] == expected


def test_an_artifact_needs_a_commit_and_a_valid_spec() -> None:
    """Without a commit or a valid spec the content has no artifactId."""
    assert builder().artifact("c0ffee")["artifactId"].endswith("@c0ffee")
    assert builder().artifact(None) == {}
    assert builder(url=5).artifact("c0ffee") == {}


def test_an_event_has_the_facts_of_repository_and_sync() -> None:
    """The ref is written as in Git; the credentials of the URL are omitted."""
    made = builder(url="https://ada:hunter2@git.acme.example/shop.git", path="deploy").event(
        EventType.TASKRUN_STARTED, id_="1", chain="c", subject="s", content={}
    )

    facts = made.custom_data["nopea"]
    assert (facts["ref"], facts["path"], facts["syncId"]) == ("refs/heads/main", "deploy", report().id)
    assert "hunter2" not in str(made)
    assert made.timestamp == NOW


def test_the_credentials_of_the_repository_are_masked_everywhere() -> None:
    """Credentials are masked in the content and in the custom data."""
    made = builder(hidden=(Secret("tok-123456"),)).event(
        EventType.TASKRUN_FINISHED,
        id_="1", chain="c", subject="s", content={"errors": "bad tok-123456"}, facts={"why": "tok-123456"},
    )  # fmt: skip

    assert "tok-123456" not in str(made)


def test_a_subject_that_is_too_long_is_bounded() -> None:
    """A long subject is shortened with a hash, so different subjects remain different."""
    made = [
        builder().event(EventType.TASKRUN_STARTED, id_="1", chain="c", subject="s" * 3000 + end, content={})
        for end in "ab"
    ]
    assert all(len(event.subject_id) <= 1024 for event in made)
    assert made[0].subject_id != made[1].subject_id


def test_the_work_of_a_sync_is_counted_by_outcome() -> None:
    """The facts contain the count of each outcome and the rounded duration."""
    facts = work_facts(replace(report(), seconds=1.23456))
    assert facts["durationSeconds"] == 1.235
    assert set(facts["counts"]) == {outcome.value for outcome in Outcome}
