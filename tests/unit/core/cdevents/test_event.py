"""The JSON of a CDEvent: valid in both versions of the specification, and bounded."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fakes.cdevents import check, official_errors

from nopea.core.cdevents.event import MAX_BYTES, CDEvent, after, resolves, to_json
from nopea.core.cdevents.ids import chain_id, event_id
from nopea.core.cdevents.truncate import CUT, external_text
from nopea.core.cdevents.vocabulary import EventType, SpecVersion

OLD = SpecVersion.V0_4_1
EVENT = CDEvent(
    id=event_id(EventType.TASKRUN_FINISHED, "uid-1", "01J"),
    source="https://nopea.acme.example/clusters/eu1",
    type=EventType.TASKRUN_FINISHED,
    timestamp=datetime(2026, 11, 24, 5, 0, 1, 500000, tzinfo=UTC),
    chain_id=chain_id("uid-1", "01J"),
    subject_id="gitrepository/shop/api/sync/01J",
    content={"taskName": "sync", "outcome": "failure", "errors": "it is wrong"},
    custom_data={"nopea": {"commit": "c0ffee"}},
    links=(after("one"), resolves("two")),
)
texts = st.text(alphabet=st.characters(codec=None, exclude_categories=()), max_size=300)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(texts, inner, max_size=5),
    max_leaves=20,
)


def test_the_shape_of_0_5_1() -> None:
    """The version is `specversion`, the subject has no type, and Nopea's facts are custom data."""
    event = json.loads(to_json(EVENT))

    assert event == {
        "context": {
            "specversion": "0.5.1",
            "id": EVENT.id,
            "source": "https://nopea.acme.example/clusters/eu1",
            "type": "dev.cdevents.taskrun.finished.0.3.0",
            "timestamp": "2026-11-24T05:00:01.500000Z",
            "chainId": EVENT.chain_id,
            "links": [
                {"linkType": "PATH", "from": {"contextId": "one"}},
                {"linkType": "RELATION", "linkKind": "RESOLVES", "target": {"contextId": "two"}},
            ],
        },
        "subject": {"id": "gitrepository/shop/api/sync/01J", "content": EVENT.content},
        "customData": {"nopea": {"commit": "c0ffee"}},
        "customDataContentType": "application/json",
    }


def test_the_shape_of_0_4_1() -> None:
    """The version is `version`, the subject has a type, and the event types have the versions of 0.4.1."""
    event = json.loads(to_json(EVENT, OLD))

    assert event["context"]["version"] == "0.4.1"
    assert "specversion" not in event["context"]
    assert event["context"]["type"] == "dev.cdevents.taskrun.finished.0.2.0"
    assert event["subject"]["type"] == "taskRun"
    assert check(to_json(EVENT, OLD), "0.4.1") == []


def test_both_checkers_accept_the_event() -> None:
    """The own checker and the official schema find no errors."""
    assert check(to_json(EVENT)) == []
    assert official_errors(to_json(EVENT)) == []


def test_empty_parts_are_omitted() -> None:
    """Empty links and custom data are omitted."""
    event = json.loads(to_json(replace(EVENT, custom_data={}, links=())))

    assert event.keys() == {"context", "subject"}
    assert "links" not in event["context"]


def test_times_are_utc() -> None:
    """Times with another offset are converted to UTC; a fraction of zero is omitted."""
    there = datetime(2026, 11, 24, 7, 0, tzinfo=timezone(timedelta(hours=2)))

    assert replace(EVENT, timestamp=there).time == "2026-11-24T05:00:00Z"


def test_a_long_text_is_truncated_and_marked() -> None:
    """The text keeps 4096 characters including the mark, and the custom data says that it is truncated."""
    event = json.loads(to_json(replace(EVENT, content={**EVENT.content, "errors": "é" * 100_000})))

    assert event["subject"]["content"]["errors"].endswith(CUT)
    assert len(event["subject"]["content"]["errors"]) == 4096
    assert event["customData"]["nopea"] == {"commit": "c0ffee", "truncated": True}


def test_a_long_list_is_truncated_and_marked() -> None:
    """The first 100 items are kept in full."""
    fields = [{"path": f"spec.field{number}", "to": "x" * 200} for number in range(1000)]
    event = json.loads(to_json(replace(EVENT, custom_data={"nopea": {"fields": fields}})))

    assert event["customData"]["nopea"]["fields"] == fields[:100]
    assert event["customData"]["nopea"]["truncated"] is True


def test_names_are_truncated_last() -> None:
    """A truncated name would identify something else."""
    content = {"artifactId": "pkg:generic/" + "a" * 3000, "description": "x" * 100_000}
    event = json.loads(to_json(replace(EVENT, content=content)))

    assert event["subject"]["content"]["artifactId"] == content["artifactId"]


@pytest.mark.parametrize("version", SpecVersion)
@given(errors=texts, custom=values, repeat=st.integers(1, 3000))
def test_any_text_gives_valid_json_within_the_limit(
    version: SpecVersion, errors: str, custom: Any, repeat: int
) -> None:
    """Control characters, lone surrogates and long lists give valid, bounded JSON."""
    raw = to_json(
        replace(EVENT, content={"errors": errors * repeat}, custom_data={"nopea": {"a": [custom] * repeat}}),
        version,
    )

    assert len(raw) <= MAX_BYTES
    event = json.loads(raw)
    assert event["subject"]["id"] == EVENT.subject_id
    assert event["customData"]["nopea"].keys() <= {"a", "truncated"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"subject_id": ""},
        {"source": ""},
        {"subject_id": "x" * 3000},
        {"links": (after("one"),) * 9},
        {"timestamp": EVENT.timestamp.replace(tzinfo=None)},
    ],
    ids=str,
)
def test_invalid_events_are_refused(wrong: dict[str, Any]) -> None:
    """A CDEvent needs a subject, a source and a time with an offset, and has few links."""
    with pytest.raises(ValueError, match="a CDEvent"):
        replace(EVENT, **wrong)


def test_a_truncated_url_shows_no_password() -> None:
    """A URL that is truncated does not show a part of its password."""
    text = f"https://{'u' * 50}@git " * 20 + "https://user:hunter2@git.acme.example/" * 20

    assert [external_text(text, length).count("hunter") for length in range(20, 1000)] == [0] * 980
    assert external_text("short", 5) == "short"
