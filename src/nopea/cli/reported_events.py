"""Read the Kubernetes Events about GitRepositories. The controller only writes them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from nopea.cli.following import Followed
from nopea.cli.output.messages import print_hint
from nopea.core.api import names
from nopea.core.api.times import parse_time
from nopea.core.objects import RepoKey
from nopea.core.status.timeline import ReportedEvent
from nopea.kube.access import may
from nopea.kube.client import KubeClient
from nopea.kube.errors import ForbiddenError
from nopea.kube.event_body import EVENTS
from nopea.kube.requests import Selection


async def read_events(client: KubeClient, namespace: str, *, name: str = "") -> list[ReportedEvent]:
    """Return the Events about the GitRepositories of a namespace, or of all if it is empty.

    Who may not list Events gets none, and a hint.
    """
    try:
        return await list_events(client, namespace, name=name)
    except ForbiddenError:
        _hint_at_status(namespace)
        return []


async def list_events(client: KubeClient, namespace: str, *, name: str = "") -> list[ReportedEvent]:
    """Return the same; raises ApiError."""
    listed = await client.list(EVENTS, _selection(namespace, name))
    found = [parse_event(live.json()) for live in listed.items]
    return [event for event in found if event is not None and name in ("", event.repository.name)]


async def followed_events(client: KubeClient, namespace: str, *, name: str = "") -> Followed | None:
    """Return the Events to watch; None, and a hint, for who may not."""
    for verb in ("list", "watch"):
        if not await may(client, verb, EVENTS, namespace=namespace):
            _hint_at_status(namespace)
            return None
    return Followed(EVENTS, _selection(namespace, name))


def _selection(namespace: str, name: str) -> Selection:
    fields = f"regarding.kind={names.KIND}{f',regarding.name={name}' if name else ''}"
    return Selection(namespace=namespace, fields=fields)


def _hint_at_status(namespace: str) -> None:
    where = f"in {namespace}" if namespace else "in all namespaces"
    print_hint(f"You may not list events.events.k8s.io {where}; this is what the status remembers.")


def parse_event(raw: Mapping[str, Any]) -> ReportedEvent | None:
    """Return an Event about a GitRepository of Nopea; None for another one, and for one without a time."""
    regarding = raw.get("regarding") or {}
    group = str(regarding.get("apiVersion", "")).partition("/")[0]
    first = parse_time(raw.get("eventTime") or raw.get("deprecatedFirstTimestamp"))
    if (group, regarding.get("kind")) != (names.GROUP, names.KIND) or first is None:
        return None
    series = raw.get("series") or {}
    return ReportedEvent(
        repository=RepoKey(str(regarding.get("namespace", "")), str(regarding.get("name", ""))),
        first=first,
        last=_later(first, parse_time(series.get("lastObservedTime"))),
        count=max(int(series.get("count", 1)), 1),
        warning=raw.get("type") == "Warning",
        reason=str(raw.get("reason", "")),
        action=str(raw.get("action", "")),
        note=str(raw.get("note", "")),
    )


def _later(first: datetime, last: datetime | None) -> datetime:
    return first if last is None else max(first, last)
