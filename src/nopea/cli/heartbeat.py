"""Whether a controller is alive, from its Lease: a status that stays the same may be current or forgotten."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nopea.kube.client import KubeClient

SYSTEM_NAMESPACE = "nopea-system"


@dataclass(frozen=True, slots=True)
class Liveness:
    """Whether a controller runs, None if that is not known, and the sentences that say so.

    `namespace` is that of its Lease, `version` its own; both are empty if they are not known. `lasting` is
    the message for a page that shows it for long: it has no times, which are in `silent_since`.
    """

    running: bool | None
    message: str
    namespace: str = ""
    version: str = ""
    lasting: str = ""
    silent_since: datetime | None = None


async def warn_if_dead(client: KubeClient, namespace: str) -> None:
    """Print to standard error that no controller updates the namespace's statuses, if that is known."""
    from nopea.cli.output.messages import print_hint

    if text := await why_dead(client, namespace):
        print_hint(f"{text} What is shown may be old.")


async def why_dead(client: KubeClient, namespace: str) -> str:
    """Return since when the controller does not run, in sentences; empty if one runs or that is not known."""
    found = await liveness(client, namespace, anywhere=False)
    return found.message if found.running is False else ""


async def liveness(client: KubeClient, namespace: str, *, anywhere: bool = True) -> Liveness:
    """Return whether a controller updates the statuses of the namespace.

    A controller for one namespace has its Lease there, one for the whole cluster in its own namespace, which
    may have another name: with `anywhere`, all namespaces are asked where no Lease is in the usual ones.
    """
    from nopea.core.api.names import LEASE

    places = tuple(dict.fromkeys((namespace, SYSTEM_NAMESPACE)))
    known = [found for place in places if (found := await liveness_in(client, place)) is not None]
    if not known and anywhere:
        known = await _liveness_elsewhere(client)
    for found in known:
        if found.running:
            return found
    if known:
        return known[0]
    where = " or ".join(places)
    return Liveness(None, f"Whether a controller runs is not known: no Lease {LEASE} can be read in {where}.")


async def liveness_in(client: KubeClient, namespace: str) -> Liveness | None:
    """Return whether the holder of this Lease runs; None without a readable Lease."""
    from nopea.core.api.names import LEASE
    from nopea.kube.errors import ApiError
    from nopea.kube.kinds import LEASES

    try:
        lease = (await client.get(LEASES.at(name=LEASE, namespace=namespace))).json()
    except ApiError:
        return None  # no right to read it, or no heartbeat
    return _liveness_of(lease, namespace)


async def _liveness_elsewhere(client: KubeClient) -> list[Liveness]:
    """Return what the Leases of all namespaces say; nothing where they cannot be listed."""
    from nopea.core.api.names import LEASE
    from nopea.kube.errors import ApiError
    from nopea.kube.kinds import LEASES
    from nopea.kube.requests import Selection

    try:
        listed = await client.list(LEASES, Selection(fields=f"metadata.name={LEASE}"))
    except ApiError:
        return []
    found = [_liveness_of(live.json(), live.meta.namespace) for live in listed.items]
    return [each for each in found if each is not None]


def _liveness_of(lease: Mapping[str, Any], namespace: str) -> Liveness | None:
    """Return whether the holder of a Lease runs; None if the Lease is not Nopea's."""
    import msgspec

    from nopea.cli.output.history import age
    from nopea.core.api.names import LEASE, READ_ONLY_ANNOTATION, VERSION_ANNOTATION

    class Spec(msgspec.Struct, rename="camel"):
        renew_time: datetime
        lease_duration_seconds: int = 0
        holder_identity: str = ""

    try:
        spec = msgspec.convert(lease["spec"], Spec)
    except (KeyError, msgspec.ValidationError):
        return None
    annotations = lease["metadata"].get("annotations") or {}
    version = str(annotations.get(VERSION_ANNOTATION, ""))
    silence = (datetime.now(UTC) - spec.renew_time).total_seconds()
    ago, lease_name = age(silence), f"{namespace}/{LEASE}"
    if spec.holder_identity and silence <= spec.lease_duration_seconds:
        how = "runs read-only" if READ_ONLY_ANNOTATION in annotations else "runs"
        who = f"The controller {spec.holder_identity} {how}"
        return Liveness(True, f"{who}: last heartbeat {ago} ago.", namespace, version, f"{who}.")
    if not spec.holder_identity:
        message = f"The controller was stopped {ago} ago (Lease {lease_name})."
        lasting = f"The controller was stopped (Lease {lease_name})."
    else:
        who = f"The controller {spec.holder_identity} has not been heard of"
        advice = f"(Lease {lease_name}). Check that it runs: `kubectl -n {namespace} get pods`."
        message, lasting = f"{who} for {ago} {advice}", f"{who} {advice}"
    return Liveness(False, message, namespace, version, lasting, spec.renew_time)


@dataclass(frozen=True, slots=True)
class Holder:
    """The process that renews a Lease. In a cluster it is the Pod of this name."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


async def holder_of(client: KubeClient, namespace: str) -> Holder | None:
    """Return who renews the Lease of the controller of a namespace; None if that cannot be read."""
    from nopea.core.api.names import LEASE
    from nopea.kube.errors import ApiError
    from nopea.kube.kinds import LEASES
    from nopea.kube.requests import Selection

    leases = []
    for place in dict.fromkeys((namespace, SYSTEM_NAMESPACE)):
        try:
            leases.append((await client.get(LEASES.at(name=LEASE, namespace=place))).json())
        except ApiError:
            continue  # no right to read it, or no controller there
    if not leases:
        try:
            listed = await client.list(LEASES, Selection(fields=f"metadata.name={LEASE}"))
        except ApiError:
            return None
        leases = [live.json() for live in listed.items]
    holders = [
        Holder(lease["metadata"]["namespace"], str(name))
        for lease in leases
        if (name := (lease.get("spec") or {}).get("holderIdentity"))
    ]
    return holders[0] if holders else None
