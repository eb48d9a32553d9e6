"""Objects as the API server sent them: their JSON, and their metadata on demand.

Decoding is lazy and partial, because most objects of a long list are read only for their metadata.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
import orjson

from nopea.core.objects import ObjectKey, split_api_version


class Meta(msgspec.Struct, frozen=True, rename="camel"):
    """The part of an object's metadata that Nopea reads from every object."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    labels: dict[str, str] = {}
    finalizers: tuple[str, ...] | None = None
    deletion_timestamp: str | None = None
    deletion_grace_period_seconds: int | None = None


class _Head(msgspec.Struct, frozen=True, rename="camel"):
    api_version: str = ""
    kind: str = ""
    metadata: Meta = Meta()


_HEAD = msgspec.json.Decoder(_Head)


class LiveObject:
    """One object as stored: `body` is its JSON, always with apiVersion and kind. Compares by body."""

    __slots__ = ("_head", "body")

    def __init__(self, body: bytes) -> None:
        self.body = body
        self._head: _Head | None = None

    @property
    def head(self) -> _Head:
        """apiVersion, kind and metadata, decoded once.

        Raises msgspec.MsgspecError for a body that is not an object; the client checks each body that it
        reads.
        """
        if self._head is None:
            self._head = _HEAD.decode(self.body)
        return self._head

    @property
    def meta(self) -> Meta:
        """The metadata."""
        return self.head.metadata

    @property
    def key(self) -> ObjectKey:
        """The object's identity."""
        head = self.head
        group, _ = split_api_version(head.api_version)
        return ObjectKey(group, head.kind, head.metadata.namespace, head.metadata.name)

    @property
    def is_gone(self) -> bool:
        """True of the answer to a write that completed the deletion of the object: it is stored no more."""
        meta = self.meta
        return bool(
            meta.deletion_timestamp and not meta.finalizers and not meta.deletion_grace_period_seconds
        )

    def json(self) -> dict[str, Any]:
        """Decode the complete object; each call returns a new one that the caller may change."""
        decoded: dict[str, Any] = orjson.loads(self.body)
        return decoded

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LiveObject) and other.body == self.body

    def __hash__(self) -> int:
        return hash(self.body)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self.body)} bytes)"  # a Secret's data must not reach a log


class Applied(LiveObject):
    """The stored object after an apply; `created` is True if the apply created it.

    An apply that changed nothing returns the resourceVersion that the object already had.
    """

    __slots__ = ("created",)

    def __init__(self, body: bytes, *, created: bool) -> None:
        super().__init__(body)
        self.created = created


@dataclass(frozen=True, slots=True)
class ObjectList:
    """Every object that matches, and the resourceVersion from which a watch sees all later changes."""

    items: tuple[LiveObject, ...]
    resource_version: str


class _ListMeta(msgspec.Struct, frozen=True, rename="camel"):
    resource_version: str = ""
    continue_: str = msgspec.field(default="", name="continue")


class Page(msgspec.Struct, frozen=True, rename="camel"):
    """One chunk of a list as the server sends it."""

    kind: str = ""
    metadata: _ListMeta = _ListMeta()
    items: list[msgspec.Raw] | None = None


PAGE = msgspec.json.Decoder(Page)


def item_of(raw: msgspec.Raw, *, api_version: str, kind: str) -> LiveObject:
    """Copy one item out of its page, and add the apiVersion and kind that items of lists lack."""
    body = bytes(raw)
    live = LiveObject(body)
    if live.head.kind:
        return live
    head = b'{"apiVersion":%b,"kind":%b' % (orjson.dumps(api_version), orjson.dumps(kind))
    rest = body.lstrip()[1:]
    return LiveObject(head + (b"," if rest.lstrip()[:1] != b"}" else b"") + rest)


def is_newer(version: str, than: str) -> bool:
    """Compare resourceVersions of one kind as decimal numbers (conformance since Kubernetes 1.35)."""
    return (len(version), version) > (len(than), than)
