"""Read the log of the controller through the API server: that of the Pod that holds the Lease.

Reads with the user's own rights, `get` on `pods/log`; an error says what to do without them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson

from nopea.cli.cluster import CommandError
from nopea.cli.heartbeat import Holder, holder_of
from nopea.cli.output.messages import print_hint
from nopea.core.api.times import format_time
from nopea.core.objects import RepoKey
from nopea.kube import requests
from nopea.kube.client import KubeClient
from nopea.kube.errors import ForbiddenError, InvalidError, NotFoundError, UnreachableError
from nopea.kube.kinds import PODS
from nopea.kube.lines import LineSplitter

CONTAINER = "nopea"
AGAIN_SECONDS = 1.0
"""With `follow`: the pause before the log is opened again, maybe that of another Pod."""
SILENCE_SECONDS = 3600.0
"""After an hour without a line the log is opened again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogChoice:
    """Which lines: of the last seconds, None for all, and whether to wait for more."""

    since_seconds: int | None
    follow: bool


async def log_lines(client: KubeClient, namespace: str, choice: LogChoice) -> AsyncIterator[bytes]:
    """Yield the lines of the controller's log, without newlines. Raises ApiError, CommandError.

    A controller that begins to run in another Pod is followed there.
    """
    holder, since_time = await _holder(client, namespace), ""
    while True:
        try:
            async for line in _lines(client, holder, choice, since_time):
                yield line
        except UnreachableError:
            if not choice.follow:
                raise
        if not choice.follow:
            return
        since_time = format_time(datetime.now(UTC))
        await asyncio.sleep(AGAIN_SECONDS)
        now = await _holder(client, namespace)
        if now != holder:
            print_hint(f"The controller runs in Pod {now} now.")
            holder = now


async def _lines(
    client: KubeClient, holder: Holder, choice: LogChoice, since_time: str
) -> AsyncIterator[bytes]:
    pod = PODS.at(name=holder.name, namespace=holder.namespace)
    request = requests.log(
        pod,
        container=CONTAINER,
        follow=choice.follow,
        since_seconds=None if since_time else choice.since_seconds,
        since_time=since_time,
    )
    lines = LineSplitter()
    try:
        async with client.stream(request) as stream:
            while chunk := await stream.read(within_seconds=SILENCE_SECONDS):
                for line in lines.feed(chunk):
                    yield line
    except ForbiddenError as error:
        raise CommandError(
            f"You may not read the log of Pod {holder}.",
            f"It needs `get` on pods/log in {holder.namespace}. "
            "`nopea events` and `nopea why` need no such right.",
        ) from error
    except NotFoundError as error:
        raise CommandError(
            f"The controller {holder.name} is not a Pod in {holder.namespace}: the cluster has no log of it.",
            "Look where it was started, or at `nopea events`.",
        ) from error
    except InvalidError as error:
        raise CommandError(f"The log of Pod {holder} cannot be read: {error.message}") from error


async def _holder(client: KubeClient, namespace: str) -> Holder:
    found = await holder_of(client, namespace)
    if found is None:
        raise CommandError(
            "No controller is known here: no Lease can be read that one renews.",
            "`nopea events` shows what the status and the Events remember; "
            "with its namespace known: `kubectl -n nopea-system logs deployment/nopea`.",
        )
    return found


def concerns(line: bytes, key: RepoKey) -> bool:
    """Return whether a line is about a repository, in either format of the log."""
    if not line.startswith(b"{"):
        return f" repo={key} ".encode() in line + b" "
    try:
        facts = orjson.loads(line)
    except orjson.JSONDecodeError:
        return False
    return str(facts.get("repo", "")) == str(key)
