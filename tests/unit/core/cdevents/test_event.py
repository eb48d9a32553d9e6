"""A CDEvent's JSON: both shapes, always valid, never too long."""

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
    """The version is `specversion`, the subject has no type, facts of ours are custom data."""
    told = json.loads(to_json(EVENT))

    assert told == {
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
    """The version is `version`, the subject has a type, and event types have their versions of that time."""
    told = json.loads(to_json(EVENT, OLD))

    assert told["context"]["version"] == "0.4.1"
    assert "specversion" not in told["context"]
    assert told["context"]["type"] == "dev.cdevents.taskrun.finished.0.2.0"
    assert told["subject"]["type"] == "taskRun"
    assert check(to_json(EVENT, OLD), "0.4.1") == []


def test_both_checks_take_it() -> None:
    """The own checker and the official schema."""
    assert check(to_json(EVENT)) == []
    assert official_errors(to_json(EVENT)) == []


def test_nothing_of_ours_means_no_custom_data() -> None:
    """`null` and empty things are left out: schemas reject null."""
    told = json.loads(to_json(replace(EVENT, custom_data={}, links=())))

    assert told.keys() == {"context", "subject"}
    assert "links" not in told["context"]


def test_times_are_utc() -> None:
    """Whatever the offset of the value, and with no fraction where there is none."""
    there = datetime(2026, 11, 24, 7, 0, tzinfo=timezone(timedelta(hours=2)))

    assert replace(EVENT, timestamp=there).time == "2026-11-24T05:00:00Z"


def test_a_long_text_is_cut_and_says_so() -> None:
    """As little as needed is lost, and the mark stands where the end is missing."""
    told = json.loads(to_json(replace(EVENT, content={**EVENT.content, "errors": "é" * 100_000})))

    assert told["subject"]["content"]["errors"].endswith(CUT)
    assert len(told["subject"]["content"]["errors"]) == 4096
    assert told["customData"]["nopea"] == {"commit": "c0ffee", "truncated": True}


def test_a_long_list_is_cut_and_says_so() -> None:
    """The first items stay whole."""
    fields = [{"path": f"spec.field{number}", "to": "x" * 200} for number in range(1000)]
    told = json.loads(to_json(replace(EVENT, custom_data={"nopea": {"fields": fields}})))

    assert told["customData"]["nopea"]["fields"] == fields[:100]
    assert told["customData"]["nopea"]["truncated"] is True


def test_names_are_not_cut_while_anything_else_can_be() -> None:
    """A cut name would be the name of something else."""
    content = {"artifactId": "pkg:generic/" + "a" * 3000, "description": "x" * 100_000}
    told = json.loads(to_json(replace(EVENT, content=content)))

    assert told["subject"]["content"]["artifactId"] == content["artifactId"]


@pytest.mark.parametrize("version", SpecVersion)
@given(errors=texts, custom=values, repeat=st.integers(1, 3000))
def test_any_text_gives_valid_json_within_the_limit(
    version: SpecVersion, errors: str, custom: Any, repeat: int
) -> None:
    """Control characters, lone surrogates, endless lists: still JSON, still short, still an event."""
    raw = to_json(
        replace(EVENT, content={"errors": errors * repeat}, custom_data={"nopea": {"a": [custom] * repeat}}),
        version,
    )

    assert len(raw) <= MAX_BYTES
    told = json.loads(raw)
    assert told["subject"]["id"] == EVENT.subject_id
    assert told["customData"]["nopea"].keys() <= {"a", "truncated"}


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
def test_what_could_not_be_written_is_no_event(wrong: dict[str, Any]) -> None:
    """Names and a time with an offset are what a CDEvent cannot be without."""
    with pytest.raises(ValueError, match="a CDEvent"):
        replace(EVENT, **wrong)


def test_a_url_that_is_cut_in_two_shows_no_password() -> None:
    """What is masked only as a whole is left out as a whole."""
    text = f"https://{'u' * 50}@git " * 20 + "https://user:hunter2@git.acme.example/" * 20

    assert [external_text(text, length).count("hunter") for length in range(20, 1000)] == [0] * 980
    assert external_text("short", 5) == "short"
