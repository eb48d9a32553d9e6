"""For any transition the mapper's events are valid, bounded and few."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.fakes.cdevents import check, has_reference, official_errors, reference
from tests.fakes.samples import problem, repository, result_of
from tests.fakes.story import HEALTHY, Story, commit
from tests.unit.core.cdevents.mapped import MAPPER, events
from tests.unit.core.cdevents.test_incidents import CUSTOM, met
from tests.unit.core.status.test_drifts_status import field

from nopea.core.api.names import ROLLBACK_ANNOTATION
from nopea.core.cdevents.event import CDEvent, to_json
from nopea.core.cdevents.vocabulary import EventType, SpecVersion
from nopea.core.objects import ObjectKey
from nopea.core.secret import Secret
from nopea.core.status.report import ObjectResult, Outcome, Result
from nopea.core.status.transition import Transition

texts = st.text(max_size=200)  # a status cannot contain lone surrogates
long_texts = st.builds(lambda text, times: text * times, texts, st.integers(1, 500))


def everything() -> Story:
    """Return a repository with a deployment, drift and repeated failures."""
    story = Story()
    story.step(objects=[result_of("a", Outcome.CREATED), met()], health=HEALTHY)
    for _ in range(3):
        story.step(Result.FAILED, objects=[met()], problems=[problem()])
    return story


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    message=texts,
    error=long_texts,
    name=long_texts,
    path=long_texts,
    value=long_texts,
    url=texts,
    folder=texts,
)
def test_any_text_gives_valid_events(
    message: str, error: str, name: str, path: str, value: str, url: str, folder: str
) -> None:
    """Any text in messages, errors, names, fields, values and URLs gives valid events in both versions."""
    story = everything()
    story.repository = repository(url=f"https://git.acme.example/{url}", path=folder)
    key = ObjectKey(name, "Kind", name, name)
    drifted = met(Outcome.CONFIGURED, *[field(path, value, value, manager=name)] * 30, key=key)
    namespace = ObjectResult(key=ObjectKey("", "Namespace", "", name or "x"), outcome=Outcome.CREATED)
    steps = [
        story.step(objects=[drifted, namespace], at=commit("2", message)),
        story.step(Result.FAILED, problems=[problem(message=error, source=path, object=name)] * 30),
    ]
    for step in steps:
        for mapper in (MAPPER, CUSTOM):
            assert events(step, mapper)


def test_no_event_shows_credentials() -> None:
    """Git credentials and passwords in URLs are masked in all texts; names are not."""
    token = "api-token-1"
    url = f"https://deploy:hunter22@db.acme.example said {token}"
    story = Story(repository=repository(name=token))
    drifted = met(Outcome.SKIPPED, field(".data.url", url, url, manager=token))
    sent = [
        *events(hiding(story.step(objects=[drifted], at=commit("2", f"Use {url}")), token)),
        *events(hiding(story.step(Result.FAILED, problems=[problem(message=url)] * 9), token)),
    ]
    for length in range(4000, 4200):
        failed = story.step(Result.FAILED, problems=[problem(message="x" * length + token * 9)])
        sent += events(hiding(failed, token))

    assert {one.type for one in sent} >= {EventType.TASKRUN_FINISHED, EventType.INCIDENT_DETECTED}
    for one in sent:
        named = f"gitrepository/shop/{token}"
        assert one.subject_id.startswith(named)
        texts = to_json(one).decode().replace(named, "")
        assert "hunter22" not in texts
        assert token[:6] not in texts


def hiding(step: Transition, token: str) -> Transition:
    """Return the transition of a repository with this token as its Git credentials."""
    return replace(step, hidden=(Secret(token),))


def mutations() -> list[tuple[str, Callable[[dict[str, Any]], object]]]:
    """Return changes that make an event invalid."""
    return [
        ("no id", lambda event: event["context"].pop("id")),
        ("old version key", lambda event: event["context"].update(version="0.4.1")),
        ("no version", lambda event: event["context"].pop("specversion")),
        ("a subject type", lambda event: event["subject"].update(type="service")),
        ("time without offset", lambda event: event["context"].update(timestamp="2026-11-24T05:00:00")),
        ("empty id", lambda event: event["subject"].update(id="")),
        ("unknown type", lambda event: event["context"].update(type="dev.nopea.service.deployed.0.1.0")),
        ("outcome of a service", lambda event: event["subject"]["content"].update(outcome="success")),
        ("no artifact", lambda event: event["subject"]["content"].pop("artifactId")),
        ("null", lambda event: event.update(customData=None)),
        ("root key", lambda event: event.update(data={})),
        ("START link", lambda event: event["context"].update(links=[{"linkType": "START"}])),
    ]


@pytest.mark.parametrize(("what", "spoil"), mutations(), ids=[name for name, _ in mutations()])
def test_the_own_checker_is_strict(what: str, spoil: Callable[[dict[str, Any]], object]) -> None:
    """It finds what the official schemas find, because they are not present everywhere."""
    (event,) = [one for one in events(Story().step()) if one.type is EventType.SERVICE_DEPLOYED]
    broken = json.loads(to_json(event))
    spoil(broken)
    raw = json.dumps(broken).encode()

    assert check(raw), what
    if has_reference() and what != "unknown type":
        assert official_errors(raw), what


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("artifactId", "pkg:git/api@c0ffee"),
        ("artifactId", "pkg:github/acme/a b@c0ffee"),
        ("artifactId", "api"),
    ],
)
def test_the_own_checker_checks_purls(key: str, value: str) -> None:
    """The official schemas do not check purls, but consumers do."""
    (event,) = [one for one in events(Story().step()) if one.type is EventType.SERVICE_DEPLOYED]
    broken = json.loads(to_json(event))
    broken["subject"]["content"][key] = value

    assert check(json.dumps(broken).encode()) == [f"artifactId {value}"]


def life() -> list[CDEvent]:
    """Return events of every type, from the syncs of one repository."""
    story = everything()
    pinned = repository(annotations={ROLLBACK_ANNOTATION: "1" * 40})
    lives = [*story.told, story.step(objects=[met(Outcome.CONFIGURED)], at=commit("1"))]
    lives.append(story.step(objects=[result_of("a", Outcome.CONFIGURED)], at=commit("2")))
    story.repository = pinned
    touched = zip(("x", "y", "z"), (Outcome.CREATED, Outcome.CONFIGURED, Outcome.PRUNED), strict=True)
    spaces = [ObjectResult(key=ObjectKey("", "Namespace", "", name), outcome=what) for name, what in touched]
    lives.append(story.step(objects=spaces, at=commit("1")))
    for policy in ("Delete", "Orphan"):
        story.repository = replace(repository(deleting=True, deletionPolicy=policy), has_finalizer=True)
        lives.append(story.step(Result.DELETED, at=None))
    return [one for step in lives for mapper in (MAPPER, CUSTOM) for one in events(step, mapper)]


def one_of_each() -> dict[EventType, CDEvent]:
    """Return one event of every type."""
    return {one.type: one for one in life()}


def test_every_type_is_valid_in_both_versions() -> None:
    """The syncs of one repository cause an event of each type, and each is valid in both versions."""
    sent = one_of_each()

    assert sent.keys() == set(EventType)
    for version in SpecVersion:
        assert {key: check(to_json(one, version), version.value) for key, one in sent.items()} == {
            key: [] for key in EventType
        }


def test_every_type_is_valid_by_its_official_schema() -> None:
    """An event of each type is valid by the schema that the specification publishes."""
    reference()

    assert {key: official_errors(to_json(one)) for key, one in one_of_each().items()} == {
        key: [] for key in EventType
    }
