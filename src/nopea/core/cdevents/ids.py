"""Ids of events and chains, derived from what the status persists: no process has to remember them.

So an event told twice is one event to its consumers, and an end links to its beginning after a restart too.
"""

from __future__ import annotations

import hashlib
import uuid
from typing import Final

from nopea.core.cdevents.vocabulary import EventType

_LONGEST_SUBJECT: Final = 1024
_EVENTS: Final = uuid.UUID("5f0e4c1a-9d4e-5b7c-8a57-0c3f6f1f0e11")
"""The namespace of our UUIDv5s; another one would make every event another."""


def event_id(type_: EventType | str, *seed: str) -> str:
    """Return the id of the event that the seed tells apart; never depends on the specification's version."""
    name = type_.value if isinstance(type_, EventType) else type_
    return str(uuid.uuid5(_EVENTS, _joined(name, *seed)))


def service_event_id(uid: str, pass_id: str) -> str:
    """Return the id of deployed, upgraded or rolledback of a pass: it has one of them, whichever it was."""
    return event_id("service", uid, pass_id)


def chain_id(*seed: str) -> str:
    """Return the chain that the seed tells apart, shaped as a UUIDv4.

    CDEvents asks for a UUIDv4, but a random one would be lost in a restart between two events of a chain. So
    the 122 free bits are those of a hash, as good as random, and version and variant say 4.
    """
    digest = hashlib.sha256(_joined("chain", *seed).encode("utf-8", "replace")).digest()
    return str(uuid.UUID(bytes=digest[:16], version=4))


def bounded(subject_id: str) -> str:
    """Return a subject's id; of one that no Kubernetes name could give, a start and a hash of the whole."""
    if len(subject_id) <= _LONGEST_SUBJECT:
        return subject_id
    digest = hashlib.sha256(subject_id.encode("utf-8", "replace")).hexdigest()
    return f"{subject_id[: _LONGEST_SUBJECT - len(digest) - 1]}~{digest}"


def _joined(*parts: str) -> str:
    """Join the parts so that no two lists of parts give the same text."""
    text = "".join(f"{len(part)}:{part}" for part in parts)
    return text.encode("utf-8", "replace").decode()
