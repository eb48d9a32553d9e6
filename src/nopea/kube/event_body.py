"""What an Event looks like on the wire. Pure; `events.py` sends it."""

from __future__ import annotations

import re
import time
import uuid
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

from nopea.core.objects import Resource

NOTE_LIMIT = 1_024
_WORD_LIMIT = 128
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")

EVENTS = Resource(group="events.k8s.io", version="v1", kind="Event", plural="events", namespaced=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Regarding:
    """The object that an Event is about; `namespace` is empty for cluster-scoped ones."""

    api_version: str
    kind: str
    name: str
    namespace: str = ""
    uid: str = ""
    resource_version: str = field(default="", compare=False)

    def reference(self) -> dict[str, str]:
        """Return it as an ObjectReference."""
        told = {
            "apiVersion": self.api_version,
            "kind": self.kind,
            "name": self.name,
            "namespace": self.namespace,
            "uid": self.uid,
            "resourceVersion": self.resource_version,
        }
        return {name: value for name, value in told.items() if value}


@dataclass(frozen=True, slots=True)
class Reporter:
    """Who says it: a qualified name such as `nopea.io/controller`, and the process (≤ 128 characters)."""

    controller: str
    instance: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """Something that happened. Two that differ only in time are one series.

    The note counts as well, unlike in other components' recorders: an Event's note cannot change, so a series
    over different notes would show people the first commit or error for ever.
    """

    regarding: Regarding
    type: str
    reason: str
    action: str
    note: str
    at: datetime = field(compare=False)


def happening(regarding: Regarding, words: tuple[str, str, str, str], *, at: datetime) -> Happening:
    """Make a happening of (type, reason, action, note), cut to what the API takes; `at` is aware."""
    kind, reason, action, note = words
    return Happening(
        regarding=regarding,
        type="Warning" if kind == "Warning" else "Normal",
        reason=cut(reason, _WORD_LIMIT),
        action=cut(action, _WORD_LIMIT),
        note=cut(note, NOTE_LIMIT),
        at=at,
    )


def cut(text: str, limit: int) -> str:
    """Shorten a text to `limit` bytes of UTF-8 with an ellipsis, never inside a character."""
    raw = text.encode(errors="replace")
    if len(raw) <= limit:
        return raw.decode()
    return raw[: limit - 3].decode(errors="ignore") + "…"


def event_namespace(happened: Happening) -> str:
    """Return where the Event lives: with its object, or in `default` for cluster-scoped ones."""
    return happened.regarding.namespace or "default"


def new_event_name(happened: Happening) -> str:
    """Return `<object>.<hex nanoseconds>`, or a UUID where that is no name that the API takes."""
    name = f"{happened.regarding.name}.{time.time_ns():x}"
    return name if len(name) <= 253 and _SUBDOMAIN.fullmatch(name) else str(uuid.uuid4())


def event_body(happened: Happening, reporter: Reporter, *, name: str) -> bytes:
    """Return the Event's JSON."""
    body: dict[str, Any] = {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": event_namespace(happened)},
        "eventTime": micro_time(happened.at),
        "reportingController": reporter.controller,
        "reportingInstance": reporter.instance,
        "type": happened.type,
        "reason": happened.reason,
        "action": happened.action,
        "note": happened.note,
        "regarding": happened.regarding.reference(),
    }
    return orjson.dumps(body)


def series_body(happened: Happening, *, count: int) -> bytes:
    """Return the merge patch that says how often, and when last."""
    return orjson.dumps({"series": {"count": count, "lastObservedTime": micro_time(happened.at)}})


def micro_time(at: datetime) -> str:
    """Write an aware UTC time as Kubernetes' MicroTime: always six digits of fraction, or it is refused."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
