"""Deliveries of Azure DevOps: `git.push`, with its refs or without details. They list no changed files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import msgspec

from nopea.core.api.spec import Provider
from nopea.core.webhooks.body import decode
from nopea.core.webhooks.delivery import (
    NOT_ABOUT_REFS,
    NOTHING_MOVED,
    Delivery,
    FullRef,
    Oid,
    loggable,
    moved,
    urls_of,
    usable_id,
)


class _RefUpdate(msgspec.Struct, frozen=True, rename="camel"):
    name: FullRef
    new_object_id: Oid


class _Repository(msgspec.Struct, frozen=True, rename="camel"):
    remote_url: str | None = None
    default_branch: str | None = None


class _AzureResource(msgspec.Struct, frozen=True, rename="camel"):
    ref_updates: tuple[_RefUpdate, ...] | None = None
    repository: _Repository | None = None


class _AzureBody(msgspec.Struct, frozen=True, rename="camel"):
    resource: _AzureResource | None = None


class _AzureEvent(msgspec.Struct, frozen=True, rename="camel"):
    event_type: str
    id: str = ""


def extract(headers: Mapping[str, str], body: bytes) -> Delivery:
    """Return an authenticated delivery of Azure DevOps; raises RefusedError for an invalid body.

    Without resource details the delivery is bare.
    """
    del headers  # everything is in the body
    kind = decode(body, _AzureEvent)
    delivery = Delivery(
        provider=Provider.AZURE_DEVOPS,
        event=loggable(kind.event_type),
        id=usable_id(kind.id),
        urls=(),
        changes=(),
        ignored=NOT_ABOUT_REFS,
    )
    if kind.event_type != "git.push":
        return delivery
    resource = decode(body, _AzureBody).resource or _AzureResource()
    repository = resource.repository or _Repository()
    remote = repository.remote_url or ""
    updates = resource.ref_updates or ()
    changes = tuple(change for raw in updates for change in moved(raw.name, raw.new_object_id))
    bare = resource.ref_updates is None
    return replace(
        delivery,
        urls=urls_of(remote),
        changes=changes,
        ignored="" if changes or bare else NOTHING_MOVED,
        bare=bare,
        default_branch=(repository.default_branch or "").removeprefix("refs/heads/"),
    )
