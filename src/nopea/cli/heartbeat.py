"""Whether a controller is alive, from its Lease: a status that stays the same may be current or forgotten."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nopea.kube.client import KubeClient

SYSTEM_NAMESPACE = "nopea-system"


async def warn_if_dead(client: KubeClient, namespace: str) -> None:
    """Print to standard error that no controller updates the namespace's statuses, if that is known."""
    from nopea.cli.output.messages import print_hint

    if text := await why_dead(client, namespace):
        print_hint(f"{text} What is shown may be old.")


async def why_dead(client: KubeClient, namespace: str) -> str:
    """Return since when the controller does not run, in sentences; empty if one runs or that is not known.

    A controller for one namespace has its Lease there, one for the whole cluster in its own namespace.
    """
    found = [await _why_ended(client, place) for place in dict.fromkeys((namespace, SYSTEM_NAMESPACE))]
    known = [text for text in found if text is not None]
    return "" if "" in known else "".join(known[:1])


async def _why_ended(client: KubeClient, namespace: str) -> str | None:
    """Return why the holder of this Lease does not run; empty if it runs, None without a readable Lease."""
    import msgspec

    from nopea.cli.output.history import age
    from nopea.core.api.names import LEASE
    from nopea.kube.errors import ApiError
    from nopea.kube.kinds import LEASES

    class Spec(msgspec.Struct, rename="camel"):
        renew_time: datetime
        lease_duration_seconds: int = 0
        holder_identity: str = ""

    target = LEASES.at(name=LEASE, namespace=namespace)
    try:
        spec = msgspec.convert((await client.get(target)).json()["spec"], Spec)
    except (ApiError, KeyError, msgspec.ValidationError):
        return None  # no right to read it, no heartbeat, or not Nopea's
    seconds = (datetime.now(UTC) - spec.renew_time).total_seconds()
    if not spec.holder_identity:
        return f"The controller was stopped {age(seconds)} ago (Lease {namespace}/{LEASE})."
    if seconds <= spec.lease_duration_seconds:
        return ""
    return (
        f"The controller {spec.holder_identity} has not been heard of for {age(seconds)} "
        f"(Lease {namespace}/{LEASE}). Check that it runs: `kubectl -n {namespace} get pods`."
    )
