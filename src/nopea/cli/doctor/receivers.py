"""The receivers of `spec.notify`: whether they have an address, and what Events tell of them."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Iterator
from datetime import UTC, datetime

from nopea.cli.doctor.finding import Finding, good, unknown, warning
from nopea.cli.doctor.references import RECEIVERS
from nopea.cli.doctor.secrets import NamedObjects
from nopea.cli.doctor.troubles import MOST_LINES, repositories_named, trouble_findings
from nopea.cli.output.history import age
from nopea.cli.reported_events import parse_event
from nopea.core.api import names
from nopea.core.api.repository import Repository
from nopea.core.api.spec import GitRepositorySpec
from nopea.core.status.timeline import ReportedEvent
from nopea.kube.client import KubeClient
from nopea.kube.errors import ApiError, ForbiddenError
from nopea.kube.event_body import EVENTS
from nopea.kube.requests import Selection

REFUSED = "NotificationFailed"
"""The reason of the Event that tells of a receiver that gets nothing."""
MOST_NAMESPACES = 20
"""Namespaces whose Events are listed one by one, for who may not list those of all."""


async def examine_receivers(
    client: KubeClient, repositories: Iterable[Repository], named: NamedObjects
) -> AsyncIterator[Finding]:
    """Say whether receivers have an address, and which of them refused a message not long ago."""
    for finding in trouble_findings(named.of(RECEIVERS)):
        yield finding
    notifying = {
        each.key for each in repositories if isinstance(each.spec, GitRepositorySpec) and each.spec.notify
    }
    if not notifying:
        return
    try:
        events = await _refusals(client, {each.namespace for each in notifying})
    except ApiError as error:
        text = (
            f"Whether receivers of spec.notify refuse messages is not known: Events cannot be read: {error}."
        )
        yield unknown(RECEIVERS, text)
        events = []
    known = {(each.owner, each.problem.message) for each in named.of(RECEIVERS)}
    new = [
        each
        for each in events
        if each.repository in notifying
        and not any(owner == each.repository and text in each.note for owner, text in known)
    ]
    for finding in _refusal_findings(new):
        yield finding
    if (fine := named.fine(RECEIVERS)) and not new:
        has = "Secret of spec.notify has" if len(fine) == 1 else "Secrets of spec.notify have"
        yield good(RECEIVERS, f"{len(fine)} {has} an address that may be used.")


async def _refusals(client: KubeClient, namespaces: set[str]) -> list[ReportedEvent]:
    """Return the Events about receivers that refused a message, or could not be reached."""
    if len(namespaces) > 1:
        try:
            return await _refusals_in(client, "")
        except ForbiddenError:
            pass
    found = await asyncio.gather(
        *(_refusals_in(client, each) for each in sorted(namespaces)[:MOST_NAMESPACES])
    )
    return [event for each in found for event in each]


async def _refusals_in(client: KubeClient, namespace: str) -> list[ReportedEvent]:
    selection = Selection(namespace=namespace, fields=f"regarding.kind={names.KIND},reason={REFUSED}")
    events = [parse_event(live.json()) for live in (await client.list(EVENTS, selection)).items]
    return [each for each in events if each is not None and each.reason == REFUSED]


def _refusal_findings(events: Iterable[ReportedEvent]) -> Iterator[Finding]:
    by_note: dict[str, list[ReportedEvent]] = defaultdict(list)
    for event in events:
        by_note[event.note].append(event)
    ordered = sorted(by_note.items(), key=lambda pair: -len(pair[1]))
    for note, alike in ordered[:MOST_LINES]:
        seconds = (datetime.now(UTC) - max(each.last for each in alike)).total_seconds()
        owners = repositories_named(sorted({each.repository for each in alike}))
        fix = "If it was mended since then, nothing is to be done: the Event goes after an hour."
        yield warning(RECEIVERS, f"spec.notify of {owners}, {age(seconds)} ago: {note}", fix)
    if left := sorted({each.repository for _, alike in ordered[MOST_LINES:] for each in alike}):
        text = f"Receivers of {repositories_named(left)} refused messages for other reasons."
        yield warning(RECEIVERS, text, "`nopea events NAME -n NAMESPACE` lists them.")
