"""Sends CDEvents: a transition becomes events, and each event one CloudEvents message for every sink.

`core/cdevents/` decides which events there are, `notify/outbox.py` when and how often they are sent.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any

import orjson
from cloudevents.core.base import BaseCloudEvent
from cloudevents.core.bindings.http import HTTPMessage, to_binary, to_structured
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from nopea.core.cdevents.builder import DriftAs
from nopea.core.cdevents.event import CDEvent, to_json
from nopea.core.cdevents.mapping import Mapper
from nopea.core.cdevents.vocabulary import SpecVersion
from nopea.core.notify.address import ReceiverAddress
from nopea.core.secret import mask_url
from nopea.core.status.transition import Transition
from nopea.notify.http import Message
from nopea.notify.outbox import Outbox
from nopea.notify.outboxes import Outboxes
from nopea.settings import SettingError, Settings


class ContentMode(enum.StrEnum):
    """Where the CloudEvents attributes are: in headers, or around the event in the body."""

    BINARY = "binary"
    STRUCTURED = "structured"


class _Format(JSONFormat):
    """The JSON format of the SDK, which would write data that is already JSON as base64.

    Non-ASCII characters are not escaped, which could double the size of a message that just fits.
    """

    def write(self, event: BaseCloudEvent) -> bytes:
        """Return the whole event as JSON."""
        attributes: dict[str, Any] = dict(event.get_attributes())
        data = event.get_data()
        if not isinstance(data, bytes):
            raise TypeError("the data must be encoded JSON")
        return orjson.dumps(
            {**attributes, "data": orjson.Fragment(data)}, option=orjson.OPT_UTC_Z | orjson.OPT_NAIVE_UTC
        )


_FORMAT = _Format()
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:.+")


def encode(event: CDEvent, version: SpecVersion, mode: ContentMode) -> HTTPMessage:
    """Return headers and body of an event in the CloudEvents HTTP binding.

    Header values are percent-encoded; `Content-Type` takes the place of `ce-datacontenttype`.
    """
    body = to_json(event, version)
    attributes = {
        "specversion": "1.0",  # of CloudEvents, whatever the version of CDEvents
        "id": event.id,
        "source": event.source,
        "type": event.type.spelled(version),
        "subject": event.subject_id,
        "time": event.timestamp.astimezone(UTC),
        "datacontenttype": "application/json",
    }
    cloud_event = CloudEvent(attributes, body)
    if mode is ContentMode.STRUCTURED:
        return to_structured(cloud_event, _FORMAT)
    return to_binary(cloud_event, _FORMAT)


@dataclass(frozen=True, slots=True)
class CDEventsSink:
    """Receives the transitions of all repositories; only fills outboxes, so it never blocks."""

    events_of: Callable[[Transition], Iterable[CDEvent]]
    outboxes: Sequence[tuple[ReceiverAddress, Outbox]]
    version: SpecVersion = SpecVersion.V0_5_1
    mode: ContentMode = ContentMode.BINARY

    def __call__(self, transition: Transition) -> None:
        """Offer the events of the transition to every sink, in their order."""
        for event in self.events_of(transition):
            encoded = encode(event, self.version, self.mode)
            for address, outbox in self.outboxes:
                outbox.offer(
                    Message(
                        id=event.id,
                        namespace=transition.repository.key.namespace,
                        address=address,
                        headers=encoded.headers,
                        body=encoded.body,
                    )
                )


def cdevents_sink(settings: Settings, outboxes: Outboxes, *, server: str) -> CDEventsSink | None:
    """Return the receiver that the settings ask for, with an outbox for each URL; None without URLs.

    `server` is the API server's URL, the default source. Raises SettingError.
    """
    if not settings.cdevents_sink:
        return None
    source = settings.cdevents_source or mask_url(server)
    if not _ABSOLUTE.fullmatch(source) or mask_url(source) != source:
        raise SettingError(
            "--cdevents-source: The URI is not absolute, or has a user, query or fragment. "
            "Write a unique one, for example https://nopea.acme.example/clusters/prod."
        )
    try:
        mapper = Mapper(
            source=source, environment=settings.environment or "", drift_as=DriftAs(settings.cdevents_drift)
        )
    except ValueError as error:
        raise SettingError(f"--cdevents-source, --environment: {error}") from error
    return CDEventsSink(
        events_of=mapper.events,
        outboxes=[
            (address, outboxes.add(f"cdevents-{number}"))
            for number, address in enumerate(settings.cdevents_sink, start=1)
        ],
        version=SpecVersion(settings.cdevents_version),
        mode=ContentMode(settings.cdevents_mode),
    )
