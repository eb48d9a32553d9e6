"""Wait until a CustomResourceDefinition is Established and its kind is served; every wait has a deadline."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any

from nopea.core.duration import backoff_seconds
from nopea.core.objects import Resource, Target
from nopea.core.problem import Code, Problem
from nopea.kube.client import KubeClient
from nopea.kube.errors import NotFoundError
from nopea.kube.requests import Selection

ESTABLISHED_SECONDS = 30.0
SERVED_SECONDS = 10.0


class Superseded(Exception):  # noqa: N818 - an answer, not an error
    """The wait ended because the sync must stop."""


async def wait_until_established(
    client: KubeClient,
    target: Target,
    *,
    source: str,
    seconds: float,
    stop: Callable[[], Awaitable[bool]],
) -> Problem | None:
    """Return when the definition is Established; the Problem when its names are refused or time is up.

    Raises ApiError when the API server does not answer, and Superseded as soon as `stop` returns True.
    """
    definition: Mapping[str, Any] = {}
    try:
        async with asyncio.timeout(seconds):
            for pause in pauses():
                if await stop():
                    raise Superseded
                definition = (await client.get(target)).json()
                conditions = _conditions(definition)
                if conditions.get("Established") == "True":
                    return None
                if conditions.get("NamesAccepted") == "False":
                    break
                await asyncio.sleep(pause)
    except TimeoutError:
        pass  # the problem below says what is missing
    return Problem(
        code=Code.CRD_NOT_ESTABLISHED,
        message=f"The CustomResourceDefinition is not Established: {_why(definition)}.",
        hint="Check its conditions with `kubectl describe crd`. Another definition may use the same names.",
        source=source,
        object=str(target.key),
    )


async def wait_until_served(client: KubeClient, resource: Resource) -> None:
    """Return when the API server serves the kind, which an Established one may not be yet, or in time."""
    try:
        async with asyncio.timeout(SERVED_SECONDS):
            for pause in pauses():
                try:
                    await client.list(resource, Selection(fields="metadata.name=none", metadata_only=True))
                except NotFoundError:
                    await asyncio.sleep(pause)
                else:
                    return
    except TimeoutError:
        return  # the request that follows reports what the server says


def is_unserved(error: NotFoundError) -> bool:
    """Distinguish a kind that is not served from an object or namespace that does not exist."""
    return not error.failure.name and error.failure.kind != "namespaces"


def pauses() -> Iterator[float]:
    """Yield the seconds between two checks: 20 ms, doubling up to 1 s."""
    return (backoff_seconds(looks, first=0.02, most=1.0) for looks in itertools.count(1))


def _conditions(definition: Mapping[str, Any]) -> dict[str, str]:
    conditions = (definition.get("status") or {}).get("conditions") or ()
    return {condition["type"]: condition["status"] for condition in conditions}


def _why(definition: Mapping[str, Any]) -> str:
    conditions = (definition.get("status") or {}).get("conditions") or ()
    messages = [condition.get("message", "") for condition in conditions if condition["status"] == "False"]
    return "; ".join(message for message in messages if message) or "it has no conditions yet"
