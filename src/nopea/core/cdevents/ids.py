"""Ids of events and chains, derived from what the status persists: no process has to remember them.

So consumers can drop a duplicate, and `resolved` links to its `detected` across restarts.
"""

from __future__ import annotations

import hashlib
import uuid
from typing import Final

from nopea.core.cdevents.vocabulary import EventType

_LONGEST_SUBJECT: Final = 1024
_EVENTS: Final = uuid.UUID("5f0e4c1a-9d4e-5b7c-8a57-0c3f6f1f0e11")
"""The namespace of the UUIDv5s; never change it, or all ids change."""


def event_id(type_: EventType | str, *seed: str) -> str:
    """Return the id for a seed; it does not depend on the version of the specification."""
    name = type_.value if isinstance(type_, EventType) else type_
    return str(uuid.uuid5(_EVENTS, _joined(name, *seed)))


def service_event_id(uid: str, sync_id: str) -> str:
    """Return the id of deployed, upgraded or rolledback, of which a sync has at most one."""
    return event_id("service", uid, sync_id)


def chain_id(*seed: str) -> str:
    """Return the chain id for a seed, in the form of a UUIDv4.

    CDEvents asks for a UUIDv4, but a random one would be lost in a restart between two events of a chain. So
    the 122 free bits are those of a hash, and version and variant say 4.
    """
    digest = hashlib.sha256(_joined("chain", *seed).encode("utf-8", "replace")).digest()
    return str(uuid.UUID(bytes=digest[:16], version=4))


def bounded(subject_id: str) -> str:
    """Return the id of a subject; one that is too long is replaced by its start and a hash."""
    if len(subject_id) <= _LONGEST_SUBJECT:
        return subject_id
    digest = hashlib.sha256(subject_id.encode("utf-8", "replace")).hexdigest()
    return f"{subject_id[: _LONGEST_SUBJECT - len(digest) - 1]}~{digest}"


def _joined(*parts: str) -> str:
    """Join the parts so that different lists of parts give different strings."""
    text = "".join(f"{len(part)}:{part}" for part in parts)
    return text.encode("utf-8", "replace").decode()
