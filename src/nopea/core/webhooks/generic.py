"""Deliveries of other senders: `{"repository": URL, "ref": "refs/heads/main", "commit": ID}`."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from nopea.core.api.spec import Provider
from nopea.core.webhooks import azure
from nopea.core.webhooks.body import decode
from nopea.core.webhooks.delivery import NOTHING_MOVED, Delivery, FullRef, Oid, first_id, moved, urls_of


class _GenericEvent(msgspec.Struct, frozen=True, rename="camel"):
    event_type: str | None = None


class _GenericBody(msgspec.Struct, frozen=True):
    repository: str | None = None
    ref: FullRef | None = None
    commit: Oid | None = None


def extract(headers: Mapping[str, str], body: bytes) -> Delivery:
    """Return an authenticated delivery without event headers; raises RefusedError for an invalid body.

    A body with `eventType` comes from Azure DevOps. Without `ref` the delivery is bare.
    """
    if decode(body, _GenericEvent).event_type is not None:
        return azure.extract(headers, body)
    hint = decode(body, _GenericBody)
    changes = moved(hint.ref, hint.commit) if hint.ref else ()
    bare = hint.ref is None
    return Delivery(
        provider=Provider.GENERIC,
        event="push",
        id=first_id(headers, "webhook-id"),
        urls=urls_of(hint.repository),
        changes=changes,
        ignored="" if changes or bare else NOTHING_MOVED,
        bare=bare,
    )
