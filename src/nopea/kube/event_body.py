"""Build the JSON of an Event. Pure; `events.py` sends it."""

from __future__ import annotations

import re
import time
import uuid
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

from nopea.core.api.times import format_micro_time
from nopea.core.objects import Resource

NOTE_LIMIT = 1_024
_WORD_LIMIT = 128
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")

EVENTS = Resource(group="events.k8s.io", version="v1", kind="Event", plural="events", namespaced=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Regarding:
    """The object of an Event; `namespace` is empty for a cluster-scoped object."""

    api_version: str
    kind: str
    name: str
    namespace: str = ""
    uid: str = ""
    resource_version: str = field(default="", compare=False)

    def reference(self) -> dict[str, str]:
        """Return the ObjectReference."""
        fields = {
            "apiVersion": self.api_version,
            "kind": self.kind,
            "name": self.name,
            "namespace": self.namespace,
            "uid": self.uid,
            "resourceVersion": self.resource_version,
        }
        return {name: value for name, value in fields.items() if value}


@dataclass(frozen=True, slots=True)
class Reporter:
    """The sender: a qualified name such as `nopea.io/controller`, and the process, in 128 characters."""

    controller: str
    instance: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """One occurrence. Occurrences that differ only in time are one series.

    The note distinguishes them too, unlike in other components: an Event's note cannot change, so a series
    over different notes would show the first commit or error for ever.
    """

    regarding: Regarding
    type: str
    reason: str
    action: str
    note: str
    at: datetime = field(compare=False)
    related: Regarding | None = None
    """Another object that it is about."""


def happening(
    regarding: Regarding, words: tuple[str, str, str, str], *, at: datetime, related: Regarding | None = None
) -> Happening:
    """Return an occurrence of (type, reason, action, note), cut to the API's limits; `at` is aware."""
    kind, reason, action, note = words
    return Happening(
        regarding=regarding,
        type="Warning" if kind == "Warning" else "Normal",
        reason=cut(reason, _WORD_LIMIT),
        action=cut(action, _WORD_LIMIT),
        note=cut(note, NOTE_LIMIT),
        at=at,
        related=related,
    )


def cut(text: str, limit: int) -> str:
    """Shorten a string to `limit` bytes of UTF-8 with an ellipsis, never inside a character."""
    raw = text.encode(errors="replace")
    if len(raw) <= limit:
        return raw.decode()
    return raw[: limit - 3].decode(errors="ignore") + "…"


def event_namespace(happened: Happening) -> str:
    """Return the Event's namespace: its object's, or `default` for a cluster-scoped object."""
    return happened.regarding.namespace or "default"


def new_event_name(happened: Happening) -> str:
    """Return `<object>.<hex nanoseconds>`, or a UUID where that is not a valid name."""
    name = f"{happened.regarding.name}.{time.time_ns():x}"
    return name if len(name) <= 253 and _SUBDOMAIN.fullmatch(name) else str(uuid.uuid4())


def event_body(happened: Happening, reporter: Reporter, *, name: str) -> bytes:
    """Return the Event's JSON."""
    body: dict[str, Any] = {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": event_namespace(happened)},
        "eventTime": format_micro_time(happened.at),
        "reportingController": reporter.controller,
        "reportingInstance": reporter.instance,
        "type": happened.type,
        "reason": happened.reason,
        "action": happened.action,
        "note": happened.note,
        "regarding": happened.regarding.reference(),
    }
    if happened.related is not None:
        body["related"] = happened.related.reference()
    return orjson.dumps(body)


def series_body(happened: Happening, *, count: int) -> bytes:
    """Return the merge patch with the count and the time of the last occurrence."""
    return orjson.dumps({"series": {"count": count, "lastObservedTime": format_micro_time(happened.at)}})
