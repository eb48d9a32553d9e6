"""From a transition to CloudEvents messages at the sinks: headers, bodies, settings, cost."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from cloudevents.core.bindings.http import HTTPMessage, from_http_event
from tests.fakes import cdevents as checker
from tests.fakes.sink import Sink
from tests.fakes.transitions import History, synced

from nopea import tasks
from nopea.core.cdevents.event import CDEvent
from nopea.core.cdevents.vocabulary import EventType, SpecVersion
from nopea.core.notify.address import ReceiverAddress
from nopea.core.notify.delivery import DropReason
from nopea.core.status.transition import Transition
from nopea.notify.cdevents import CDEventsSink, ContentMode, cdevents_sink, encode
from nopea.notify.outboxes import Outboxes
from nopea.settings import SettingError, Settings

SOURCE = "https://nopea.acme.example/clusters/prod"


def event(subject: str = "gitrepository/shop/web", **changes: Any) -> CDEvent:
    """Return a CDEvent."""
    values: dict[str, Any] = {
        "id": "5f0e4c1a-9d4e-5b7c-8a57-0c3f6f1f0e11",
        "source": SOURCE,
        "type": EventType.SERVICE_UPGRADED,
        "timestamp": datetime(2026, 5, 4, 9, 15, 27, 123456, tzinfo=UTC),
        "chain_id": "6ca3f9c5-1cef-4ce0-861c-2456a69cf137",
        "subject_id": subject,
        "content": {
            "environment": {"id": "shop", "source": SOURCE},
            "artifactId": "pkg:github/acme/shop@9fce",
        },
        "custom_data": {"nopea": {"commit": "9fce"}},
    }
    return CDEvent(**values | changes)


def test_binary_mode_follows_the_http_binding() -> None:
    """Attributes are headers with the prefix ce-, the content type has none, and the body is the CDEvent."""
    sent = encode(event(), SpecVersion.V0_5_1, ContentMode.BINARY)

    assert sent.headers == {
        "ce-specversion": "1.0",
        "ce-id": "5f0e4c1a-9d4e-5b7c-8a57-0c3f6f1f0e11",
        "ce-source": SOURCE,
        "ce-type": "dev.cdevents.service.upgraded.0.3.0",
        "ce-subject": "gitrepository/shop/web",
        "ce-time": "2026-05-04T09:15:27.123456Z",
        "content-type": "application/json",
    }
    assert checker.check(sent.body) == []
    assert json.loads(sent.body)["context"]["timestamp"] == sent.headers["ce-time"]


@pytest.mark.parametrize(
    ("subject", "header"),
    [
        ("pkg:oci/app@sha256%3A12", "pkg:oci/app@sha256%253A12"),
        ('a b"c', "a%20b%22c"),
        ("ä€😀", "%C3%A4%E2%82%AC%F0%9F%98%80"),
        ("a\r\nx: y\x7f", "a%0D%0Ax:%20y%7F"),
        ("!#$&'()*+,-./:;<=>?@[\\]^_`{|}~", "!#$&'()*+,-./:;<=>?@[\\]^_`{|}~"),
    ],
)
def test_header_values_are_percent_encoded(subject: str, header: str) -> None:
    """Space, quote, percent and everything but printable ASCII is encoded in upper-case hex."""
    sent = encode(event(subject), SpecVersion.V0_5_1, ContentMode.BINARY)

    assert sent.headers["ce-subject"] == header


def test_structured_mode_is_one_json_object() -> None:
    """The JSON contains the attributes, and the CDEvent as data."""
    sent = encode(event("ä/1"), SpecVersion.V0_5_1, ContentMode.STRUCTURED)
    whole = json.loads(sent.body)
    data = whole.pop("data")

    assert sent.headers == {"content-type": "application/cloudevents+json"}
    assert whole == {
        "specversion": "1.0",
        "id": "5f0e4c1a-9d4e-5b7c-8a57-0c3f6f1f0e11",
        "source": SOURCE,
        "type": "dev.cdevents.service.upgraded.0.3.0",
        "subject": "ä/1",
        "time": "2026-05-04T09:15:27.123456Z",
        "datacontenttype": "application/json",
    }
    assert checker.check(json.dumps(data).encode()) == []


@pytest.mark.parametrize("mode", ContentMode)
def test_a_consumer_can_read_what_was_sent(mode: ContentMode) -> None:
    """The CloudEvents SDK reads the same attributes and data in both modes."""
    sent = encode(event("pkg:oci/ä@sha256%3A12"), SpecVersion.V0_5_1, mode)
    read = from_http_event(HTTPMessage(headers=sent.headers, body=sent.body))
    data = read.get_data()

    assert read.get_subject() == "pkg:oci/ä@sha256%3A12"
    assert read.get_time() == event().timestamp
    assert read.get_datacontenttype() == "application/json"
    assert isinstance(data, dict)
    assert data["context"]["id"] == read.get_id()


@pytest.mark.parametrize("mode", ContentMode)
def test_times_are_utc_and_the_same_in_both_places(mode: ContentMode) -> None:
    """Attribute and context have the same time in UTC, without an empty fraction."""
    local = datetime(2026, 5, 4, 11, 15, 27, tzinfo=timezone(timedelta(hours=2)))
    sent = encode(event(timestamp=local), SpecVersion.V0_5_1, mode)
    sent_time = sent.headers.get("ce-time") or json.loads(sent.body)["time"]

    assert sent_time == "2026-05-04T09:15:27Z"
    assert b'"timestamp":"2026-05-04T09:15:27Z"' in sent.body


def test_the_older_version_has_its_own_type() -> None:
    """Attribute and context match for 0.4.1 too."""
    sent = encode(event(), SpecVersion.V0_4_1, ContentMode.BINARY)

    assert sent.headers["ce-type"] == "dev.cdevents.service.upgraded.0.2.0"
    assert sent.headers["ce-specversion"] == "1.0"
    assert checker.check(sent.body, "0.4.1") == []


@pytest.mark.parametrize("mode", ContentMode)
def test_the_largest_message_is_64_kib(mode: ContentMode) -> None:
    """The limit includes the headers, and holds for texts that are not ASCII."""
    sent = encode(event("ä" * 500, custom_data={"nopea": {"text": "ä" * 100_000}}), SpecVersion.V0_5_1, mode)
    headers = sum(len(name) + len(value) + 4 for name, value in sent.headers.items())

    assert len(sent.body) + headers <= checker.MAX_MESSAGE


def test_encoding_is_fast() -> None:
    """Encoding an event takes less than a millisecond (about 25 µs on an idle machine)."""
    best = min(_seconds_of_encoding(200) for _ in range(5)) / 200

    assert best < 0.001


def _seconds_of_encoding(count: int) -> float:
    began = time.perf_counter()
    for _ in range(count):
        encode(event(), SpecVersion.V0_5_1, ContentMode.BINARY)
    return time.perf_counter() - began


async def test_every_sink_gets_every_event_in_order() -> None:
    """A sink that is down does not affect the others."""
    events = [event(id=str(number)) for number in range(3)]
    async with Sink() as down, Sink() as one, Sink() as two, Outboxes() as outboxes:
        await down.shut()
        sinks = [
            (ReceiverAddress.parse(sink.url()), outboxes.add(str(sink.port))) for sink in (down, one, two)
        ]
        listener = CDEventsSink(events_of=lambda _: events, outboxes=sinks)
        running = outboxes.start()
        await asyncio.sleep(0)
        began = time.thread_time()
        listener(_any_step())
        took = time.thread_time() - began
        for sink in (one, two):
            assert [a.headers["ce-id"] for a in await sink.wait_for(3)] == ["0", "1", "2"]
            assert all(checker.check(arrival.body) == [] for arrival in sink.taken)
        await outboxes.close(0)
        await tasks.end(*running.values())

    assert took < 0.1
    assert outboxes.outboxes[0].stats().dropped == {DropReason.SHUTDOWN: 3}


def _any_step() -> Transition:
    """Return a transition; the events are given."""
    return History().did(synced())


def test_without_urls_there_is_no_sink() -> None:
    """Without a URL no events are made."""
    assert cdevents_sink(Settings(), Outboxes(), server="https://10.96.0.1:443") is None


async def test_settings_become_a_sink() -> None:
    """Each URL has an outbox without secrets in its name; the source is the masked URL of the API server."""
    settings = Settings(
        cdevents_sink=(
            ReceiverAddress.parse("https://a.example/x"),
            ReceiverAddress.parse("https://b.example"),
        ),
        cdevents_mode="structured",
        cdevents_version="0.4.1",
    )
    outboxes = Outboxes()
    sink = cdevents_sink(settings, outboxes, server="https://ada:pw@10.96.0.1:443")

    assert sink is not None
    assert (sink.mode, sink.version) == (ContentMode.STRUCTURED, SpecVersion.V0_4_1)
    assert [outbox.name for outbox in outboxes.outboxes] == ["cdevents-1", "cdevents-2"]
    assert sink.events_of.__self__.source == "https://10.96.0.1:443"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "source",
    [
        "/nopea",
        "nopea",
        "https://ada:pw@a.example",
        "https://a.example/?key=1",
        "https://a.example/a b",
        "x:ü",
    ],
)
async def test_an_invalid_source_is_refused(source: str) -> None:
    """The source must be an absolute URI; the error names the option."""
    settings = Settings(cdevents_sink=(ReceiverAddress.parse("https://a.example"),), cdevents_source=source)
    with pytest.raises(SettingError, match="--cdevents-source") as caught:
        cdevents_sink(settings, Outboxes(), server="https://10.96.0.1:443")

    assert "pw" not in str(caught.value)


async def test_a_urn_is_a_valid_source() -> None:
    """Any absolute URI is valid."""
    settings = Settings(
        cdevents_sink=(ReceiverAddress.parse("https://a.example"),), cdevents_source="urn:acme:prod"
    )

    assert cdevents_sink(settings, Outboxes(), server="https://10.96.0.1:443") is not None
