"""Deliveries of Bitbucket Cloud and Bitbucket Data Center: several refs in one, no changed files."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from nopea.core.api.spec import Provider
from nopea.core.webhooks.body import decode
from nopea.core.webhooks.delivery import (
    KINDS,
    Delivery,
    FullRef,
    Oid,
    RefChange,
    RefName,
    RefUpdates,
    delivery_of,
    event_of,
    first_id,
    moved,
    urls_of,
)
from nopea.core.webhooks.verify import DIAGNOSTICS_PING


class _Target(msgspec.Struct, frozen=True):
    hash: Oid


class _CloudRef(msgspec.Struct, frozen=True):
    type: str
    name: RefName
    target: _Target | None = None


class _CloudChange(msgspec.Struct, frozen=True):
    new: _CloudRef | None = None
    old: _CloudRef | None = None


class _CloudPush(msgspec.Struct, frozen=True):
    changes: tuple[_CloudChange, ...]


class _Link(msgspec.Struct, frozen=True):
    href: str | None = None


class _CloudLinks(msgspec.Struct, frozen=True):
    html: _Link = _Link()


class _CloudRepository(msgspec.Struct, frozen=True):
    full_name: str | None = None
    links: _CloudLinks = _CloudLinks()


class _CloudBody(msgspec.Struct, frozen=True):
    repository: _CloudRepository
    push: _CloudPush


class _CenterRef(msgspec.Struct, frozen=True):
    id: FullRef


class _CenterChange(msgspec.Struct, frozen=True, rename="camel"):
    ref: _CenterRef
    to_hash: Oid


class _CenterLinks(msgspec.Struct, frozen=True):
    clone: tuple[_Link, ...] = ()


class _CenterProject(msgspec.Struct, frozen=True):
    key: str = ""


class _CenterRepository(msgspec.Struct, frozen=True):
    slug: str = ""
    project: _CenterProject = _CenterProject()
    links: _CenterLinks = _CenterLinks()

    @property
    def urls(self) -> tuple[str, ...]:
        """Its URLs; without any, as in old versions, the path that they end with."""
        clone = urls_of(*(link.href for link in self.links.clone))
        if clone or not (self.slug and self.project.key):
            return clone
        return urls_of(f"/{self.project.key}/{self.slug}")


class _CenterBody(msgspec.Struct, frozen=True):
    repository: _CenterRepository
    changes: tuple[_CenterChange, ...]


def extract_cloud(headers: Mapping[str, str], body: bytes) -> Delivery:
    """Return an authenticated delivery of Bitbucket Cloud; raises RefusedError for an invalid body."""
    event = event_of(headers, "x-event-key")
    updates: RefUpdates | None = None
    if event == "repo:push":
        push = decode(body, _CloudBody)
        changes = tuple(change for raw in push.push.changes for change in _cloud_change(raw))
        updates = RefUpdates(_cloud_urls(push.repository), changes)
    return delivery_of(Provider.BITBUCKET_CLOUD, event, first_id(headers, "x-request-uuid"), updates)


def extract_data_center(headers: Mapping[str, str], body: bytes) -> Delivery:
    """Return an authenticated delivery of Data Center; raises RefusedError for an invalid body.

    A ping may be unsigned, so its body is not read.
    """
    event = event_of(headers, "x-event-key")
    updates: RefUpdates | None = None
    if event == "repo:refs_changed":
        push = decode(body, _CenterBody)
        changes = tuple(change for raw in push.changes for change in moved(raw.ref.id, raw.to_hash))
        updates = RefUpdates(push.repository.urls, changes)
    delivery_id = first_id(headers, "x-request-id")
    ping = event == DIAGNOSTICS_PING
    return delivery_of(Provider.BITBUCKET_DATA_CENTER, event, delivery_id, updates, ping=ping)


def _cloud_change(raw: _CloudChange) -> tuple[RefChange, ...]:
    ref = raw.new or raw.old
    kind = KINDS.get(ref.type) if ref is not None else None
    if ref is None or kind is None:
        return ()
    if raw.new is None:
        return (RefChange(kind, ref.name, None, deleted=True),)
    return (RefChange(kind, ref.name, raw.new.target.hash if raw.new.target else None),)


def _cloud_urls(repository: _CloudRepository) -> tuple[str, ...]:
    """Return the URL of the web page: the body has no clone URL, and all have the same path."""
    if repository.links.html.href:
        return urls_of(repository.links.html.href)
    return urls_of(f"https://bitbucket.org/{repository.full_name}") if repository.full_name else ()
