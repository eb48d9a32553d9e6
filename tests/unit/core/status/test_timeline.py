"""The status and the Events of a GitRepository as one list."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.fakes.samples import repository

from nopea.core.objects import RepoKey
from nopea.core.status.timeline import (
    ReportedEvent,
    TimelineEntry,
    in_order,
    of_missing,
    timeline,
    timeline_of_all,
)

KEY = RepoKey("shop", "api")
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
OLD, NEW = "a" * 40, "b" * 40
HEALED = "Reverted apps/Deployment shop/web: .spec.replicas 5 → 2 (changed by kubectl-scale)."
LINE = "apps/Deployment shop/web: .spec.replicas, by kubectl-scale"


def _at(minutes: float) -> str:
    return (NOON + timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")


def _sync(minutes: float, commit: str = NEW, **facts: Any) -> dict[str, Any]:
    return {
        "id": "01J", "commit": commit, "trigger": "webhook", "outcome": "synced", "started": _at(minutes),
        "duration": "1.50s", **facts,
    }  # fmt: skip


def _revision(minutes: float | None, commit: str = NEW, **facts: Any) -> dict[str, Any]:
    applied = {} if minutes is None else {"applied": _at(minutes)}
    return {"commit": commit, "message": "Green", "author": "Ann <ann@acme.example>", "time": _at(-600)} | {
        **applied,
        **facts,
    }


def _event(minutes: float, reason: str, note: str = "It is so.", **facts: Any) -> ReportedEvent:
    at = NOON + timedelta(minutes=minutes, seconds=1)
    fields: dict[str, Any] = {"repository": KEY, "first": at, "last": at, "count": 1, "action": "Apply"}
    return ReportedEvent(**(fields | {"reason": reason, "note": note, "warning": False} | facts))


def _timeline(*events: ReportedEvent, **status: Any) -> list[TimelineEntry]:
    return timeline(repository(status=status), events)


def _told(entries: list[TimelineEntry]) -> list[str]:
    return [f"{each.reason}: {each.message}" for each in entries]


def test_a_deployment_is_one_entry_with_its_commit_and_its_objects() -> None:
    """The Event names the objects, the revision the author, the sync the trigger."""
    (entry,) = _timeline(
        _event(0, "Changed", "Applied bbbbbbb: configured ConfigMap shop/web."),
        history=[_sync(0, changed=1)],
        revisions=[_revision(0.05, changed=1)],
    )

    assert entry.message == "Applied bbbbbbb: configured ConfigMap shop/web."
    assert (entry.commit, entry.subject, entry.author, entry.trigger) == (NEW, "Green", "Ann", "webhook")


def test_it_outlives_the_events() -> None:
    """Without Events the counts of the history tell the same."""
    entries = _timeline(
        history=[_sync(60, changed=2), _sync(0, OLD, created=3, trigger="startup")],
        revisions=[_revision(60, changed=2), _revision(0, OLD, created=3)],
    )

    assert _told(entries) == ["Synced: Applied aaaaaaa: 3 created.", "Synced: Applied bbbbbbb: 2 changed."]
    assert [each.subject for each in entries] == ["Green", "Green"]
    assert entries[0].first == NOON


def test_a_revision_outlives_its_sync() -> None:
    """Retries have pushed the sync out of the history."""
    (older, newer) = _timeline(
        history=[_sync(60, changed=2)], revisions=[_revision(60, changed=2), _revision(0, OLD, created=3)]
    )

    assert (older.message, older.commit, older.author) == ("Applied aaaaaaa: 3 created.", OLD, "Ann")
    assert newer.commit == NEW


def test_a_revision_that_was_never_applied_is_told_by_its_failures() -> None:
    """Their Event is one, with a count, and has the commit."""
    failing = _event(
        0,
        "Invalid",
        "NOPEA-K003: refused",
        warning=True,
        action="Sync",
        count=4,
        last=NOON + timedelta(minutes=3),
    )
    history = [_sync(minute, outcome="failed", failed=1) for minute in (3, 2, 1, 0)]

    (entry,) = _timeline(failing, history=history, revisions=[_revision(None)])

    assert (entry.count, entry.message, entry.commit) == (4, "NOPEA-K003: refused", NEW)


def test_failures_without_events_are_one_entry() -> None:
    """With their number, and the first and the last time; what triggered them does not matter."""
    history = [
        _sync(3, outcome="failed", trigger="retry"),
        _sync(0, outcome="failed"),
        _sync(-9, "", outcome="failed"),
    ]

    without_commit, entry = _timeline(history=history)

    assert without_commit.message == "The sync failed."
    assert (entry.message, entry.count, entry.warning) == ("The sync of bbbbbbb failed.", 2, True)
    assert (entry.first, entry.last) == (NOON, NOON + timedelta(minutes=3))


def test_reverted_drift_has_the_time_of_its_sync() -> None:
    """Also after its Event has expired; the manager is named."""
    status: dict[str, Any] = {
        "history": [_sync(30, changed=1, trigger="object change"), _sync(0, created=2)],
        "revisions": [_revision(0, created=2, changed=1, reverted=[LINE])],
    }

    _, with_event = _timeline(_event(30, "DriftHealed", HEALED), **status)
    _, without = _timeline(**status)

    assert (with_event.message, with_event.trigger) == (HEALED, "object change")
    assert (without.reason, without.message) == ("DriftHealed", f"Reverted {LINE}.")
    assert without.first == NOON + timedelta(minutes=30)


def test_reverted_drift_of_a_forgotten_sync_is_not_dated() -> None:
    """It happened while the commit was applied; an Event that tells of it is enough."""
    revisions = [_revision(0, reverted=[LINE])]

    applied, reverted = _timeline(revisions=revisions)
    assert (applied.exact, reverted.exact, reverted.first) == (True, False, NOON)
    assert len(_timeline(_event(30, "DriftHealed", HEALED), revisions=revisions)) == 2


def test_drift_that_was_left_is_told_once() -> None:
    """By its Event while there is one, then by the status."""
    drift = {
        "object": {"group": "apps", "kind": "Deployment", "namespace": "shop", "name": "web"},
        "kind": "manual_drift",
        "fields": [{"path": ".spec.replicas", "from": "2", "to": "5"}],
        "manager": "kubectl-scale",
        "since": _at(0),
        "action": "left: policy",
    }
    event = _event(
        0, "DriftDetected", "Drift in apps/Deployment shop/web: .spec.replicas 2 → 5.", warning=True
    )

    (told,) = _timeline(event, drifts=[drift])
    (kept,) = _timeline(drifts=[drift])

    assert told.message == event.note
    assert kept.message == (
        "Drift in apps/Deployment shop/web: Changed by kubectl-scale: .spec.replicas 2 → 5. "
        "Not reverted: spec.healPolicy leaves it to you."
    )


def test_a_sync_that_changed_nothing() -> None:
    """Somebody requested it."""
    (entry,) = _timeline(history=[_sync(0, trigger="manual")])

    assert (entry.message, entry.trigger) == ("Synced bbbbbbb; nothing changed.", "manual")


def test_other_events_stay() -> None:
    """Such as a change of health; those of other repositories are left out."""
    events = [_event(1, "Unhealthy", warning=True), _event(2, "Synced", repository=RepoKey("shop", "other"))]

    assert _told(_timeline(*events)) == ["Unhealthy: It is so."]
    assert [each.repository.name for each in of_missing(events)] == ["api", "other"]


def test_what_repeats_is_one_entry() -> None:
    """A series that ended and began again."""
    entries = of_missing([_event(0, "Forbidden"), _event(9, "Forbidden", count=3), _event(10, "Synced")])

    assert [(each.reason, each.count) for each in entries] == [("Forbidden", 4), ("Synced", 1)]
    assert in_order(entries) == entries


def test_all_repositories_are_one_list() -> None:
    """In the order of time; also what was said about one that is gone."""
    events = [
        _event(3, "Synced", repository=RepoKey("shop", "gone")),
        _event(2, "Synced"),
        _event(1, "Synced", repository=RepoKey("shop", "web")),
    ]
    entries = timeline_of_all([repository(name="api"), repository(name="web")], events)

    assert [each.repository.name for each in entries] == ["web", "api", "gone"]


@pytest.mark.parametrize("text", ["never", "", None])
def test_a_time_of_another_version(text: str | None) -> None:
    """It is no time, and its sync is left out."""
    assert _timeline(history=[_sync(0, started=text or "-")]) == []


def test_syncs_of_one_second_are_told_apart() -> None:
    """By the milliseconds in their ids: each Event is of the sync before it."""
    noon = "2026-11-29T01:52:20Z"
    history = [
        {**_sync(0), "id": "01M8JG1N01NRH4EH4C31CHMDD1", "started": noon, "changed": 1},
        {**_sync(0, OLD), "id": "01M8JG1MVERZMY89XCKKNZH05A", "started": noon, "created": 1},
    ]
    second = datetime(2026, 11, 29, 1, 52, 20, tzinfo=UTC)
    events = [
        replace(_event(0, "Synced"), first=at, last=at)
        for at in (second + timedelta(milliseconds=950), second + timedelta(milliseconds=1010))
    ]

    assert [each.commit for each in _timeline(*events, history=history)] == [OLD, NEW]
