"""A CDEvent and its JSON in either version: always valid, never longer than `MAX_BYTES`.

Strings and lists that are too long are truncated, with a mark.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from nopea.core.cdevents.truncate import fit
from nopea.core.cdevents.vocabulary import EventType, SpecVersion

MAX_BYTES: Final = 60 * 1024
"""Of one event's JSON. The whole CloudEvents message may have 64 KiB; the rest is for its attributes."""
MAX_ID: Final = 2048
"""Characters of a source or a subject id; identifiers are never truncated."""
MAX_LINKS: Final = 8


class LinkType(enum.StrEnum):
    """How two events are linked: one follows the other, or one is related to the other."""

    PATH = "PATH"
    RELATION = "RELATION"


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A link to the event with this context id; `kind` names the relation, and is empty for a PATH."""

    type: LinkType
    context_id: str
    kind: str = ""

    def to_value(self) -> dict[str, Any]:
        """Return the link as part of a context."""
        if self.type is LinkType.PATH:
            return {"linkType": "PATH", "from": {"contextId": self.context_id}}
        return {"linkType": "RELATION", "linkKind": self.kind, "target": {"contextId": self.context_id}}


def after(context_id: str) -> Link:
    """Return the link to the previous event."""
    return Link(type=LinkType.PATH, context_id=context_id)


def resolves(context_id: str) -> Link:
    """Return the link from `resolved` to its `detected`."""
    return Link(type=LinkType.RELATION, context_id=context_id, kind="RESOLVES")


@dataclass(frozen=True, slots=True, kw_only=True)
class CDEvent:
    """One occurrence. `timestamp` is aware; it and `id` are the same in each delivery of the event.

    Raises ValueError for identifiers that are empty or too long, too many links, or a naive time.
    """

    id: str
    source: str
    type: EventType
    timestamp: datetime
    chain_id: str
    subject_id: str
    content: Mapping[str, Any]
    custom_data: Mapping[str, Any] = field(default_factory=dict)
    links: tuple[Link, ...] = ()

    def __post_init__(self) -> None:
        names = (self.id, self.source, self.subject_id, self.chain_id)
        if not all(0 < len(name) <= MAX_ID for name in names):
            raise ValueError(f"an identifier of a CDEvent has 1 to {MAX_ID} characters")
        if len(self.links) > MAX_LINKS:
            raise ValueError(f"a CDEvent has at most {MAX_LINKS} links")
        if self.timestamp.tzinfo is None:
            raise ValueError("the timestamp of a CDEvent needs a time zone")

    @property
    def time(self) -> str:
        """The time in RFC 3339 and UTC: `context.timestamp` and the CloudEvents `time`."""
        return self.timestamp.astimezone(UTC).isoformat().replace("+00:00", "Z")


def to_json(event: CDEvent, version: SpecVersion = SpecVersion.V0_5_1) -> bytes:
    """Return the event in the JSON of that version, at most `MAX_BYTES` long.

    Truncated values end in a mark, and `customData.nopea.truncated` is true.
    """
    content, custom = fit(
        event.content,
        event.custom_data,
        fits=lambda content, custom: len(_encode(event, version, content, custom)) <= MAX_BYTES,
    )
    return _encode(event, version, content, custom)


def _encode(
    event: CDEvent, version: SpecVersion, content: Mapping[str, Any], custom: Mapping[str, Any]
) -> bytes:
    is_old = version is SpecVersion.V0_4_1
    context: dict[str, Any] = {
        "version" if is_old else "specversion": version.value,
        "id": event.id,
        "source": event.source,
        "type": event.type.spelled(version),
        "timestamp": event.time,
        "chainId": event.chain_id,
    }
    if event.links:
        context["links"] = [link.to_value() for link in event.links]
    subject: dict[str, Any] = {"id": event.subject_id}
    if is_old:
        subject["type"] = event.type.subject_type
    subject["content"] = content
    whole: dict[str, Any] = {"context": context, "subject": subject}
    if custom:
        whole["customData"] = custom
        whole["customDataContentType"] = "application/json"
    return orjson.dumps(whole)
