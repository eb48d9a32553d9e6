"""Webhooks: their secrets, and the way of a delivery through the cluster to the controller.

What is in front of the Service, and what Git servers send, is not asked.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from nopea.cli.doctor.deployed import Deployed, MountedSecret
from nopea.cli.doctor.finding import Finding, Verdict, good, problem, unknown, warning
from nopea.cli.doctor.references import WEBHOOKS, weakness_of
from nopea.cli.doctor.secrets import NamedObjects
from nopea.cli.doctor.troubles import trouble_findings
from nopea.cli.installation.profiles import Profile, objects
from nopea.cli.output.history import age
from nopea.core.api.repository import Repository
from nopea.core.api.times import parse_time
from nopea.core.show.words import count
from nopea.core.trigger import Trigger
from nopea.core.webhooks.secret import KEY
from nopea.kube.client import KubeClient
from nopea.kube.errors import ApiError, NotFoundError
from nopea.kube.kinds import ENDPOINT_SLICES, SECRETS, SERVICES
from nopea.kube.requests import Selection

Raw = Mapping[str, Any]
_SLICES_OF = "kubernetes.io/service-name"


async def examine_webhooks(
    client: KubeClient, controller: Deployed | None, repositories: Iterable[Repository], named: NamedObjects
) -> AsyncIterator[Finding]:
    """Say whether deliveries reach the controller and can be authenticated; nothing where there are none."""
    secrets = list(trouble_findings(named.of(WEBHOOKS)))
    has_own = any(each.subject == WEBHOOKS for each in named.references)
    shared = _Shared()
    if controller is not None:
        shared = await _shared_secret(client, controller)
    way: list[Finding] = []
    if has_own or shared.exists:
        way = await _way(client, controller)
    found = [*secrets, *shared.findings, *way]
    for finding in found:
        if finding.verdict is not Verdict.GOOD:
            yield finding
    if way and not any(each.verdict is Verdict.PROBLEM for each in found):
        fine = len(named.fine(WEBHOOKS))
        parts = [f"{count(fine, 'secret')} of GitRepositories"] if fine else []
        parts += ["the process-wide secret"] if shared.exists else []
        leads = " ".join(each.message for each in way if each.verdict is Verdict.GOOD)
        if parts and leads:
            yield good(WEBHOOKS, f"Webhooks have {' and '.join(parts)}. {leads}{_last(repositories)}")


@dataclass(frozen=True, slots=True)
class _Shared:
    """The process-wide secret: whether it is set, and what is to be said of it."""

    exists: bool = False
    findings: tuple[Finding, ...] = ()


async def _shared_secret(client: KubeClient, controller: Deployed) -> _Shared:
    if controller.option("webhook-secret-file"):
        place = controller.mounted_at(controller.option("webhook-secret-file"))
    else:
        place = controller.from_secret("webhook-secret")
    if place is None:
        return _Shared()  # neither, or a file of the image: not to be seen from here
    where = f"Secret {controller.namespace}/{place.name}"
    try:
        secret = (await client.get(SECRETS.at(name=place.name, namespace=controller.namespace))).json()
    except NotFoundError:
        return _Shared()
    except ApiError as error:
        text = f"Whether the process-wide secret of webhooks is fit cannot be read ({where}): {error}."
        return _Shared(findings=(unknown(WEBHOOKS, text),))
    return _judged(secret, place, where)


def _judged(secret: Raw, place: MountedSecret, where: str) -> _Shared:
    value = (secret.get("data") or {}).get(place.key)
    if not value:
        text = f"{where} has no key `{place.key}`: deliveries without a secret of their own are refused."
        return _Shared(True, (problem(WEBHOOKS, text, f"Put the secret into the key `{place.key}`."),))
    weak = weakness_of({"data": {KEY: value}}, where=where)
    return _Shared(True, (warning(WEBHOOKS, weak.message, weak.hint),) if weak is not None else ())


async def _way(client: KubeClient, controller: Deployed | None) -> list[Finding]:
    """Return whether a Service leads to the port of webhooks, and whether a Pod is behind it."""
    if controller is None:
        return [unknown(WEBHOOKS, "Whether webhooks arrive is not known without the Deployment of Nopea.")]
    namespace = controller.namespace
    try:
        services = [
            live.json() for live in (await client.list(SERVICES, Selection(namespace=namespace))).items
        ]
        leading = [each for each in services if controller.is_reached_by(each)]
        if not leading:
            return [_no_service(controller)]
        names = [str(each["metadata"]["name"]) for each in leading]
        if not controller.is_ready:
            return []  # the lines about the Deployment say why nothing is behind it
        for name in names:
            if await _has_endpoint(client, namespace, name):
                return [good(WEBHOOKS, f"Service {namespace}/{name} leads to the controller.")]
    except ApiError as error:
        return [
            unknown(WEBHOOKS, f"Whether a Service leads webhooks to the controller cannot be read: {error}.")
        ]
    text = f"Service {namespace}/{names[0]} has no ready endpoint, although the controller's Pod is ready."
    fix = f"`kubectl -n {namespace} get endpointslices,pods -o wide` shows what it selects."
    return [problem(WEBHOOKS, text, fix)]


def _no_service(controller: Deployed) -> Finding:
    text = (
        f"No Service in {controller.namespace} leads to port {controller.webhook_port}: no webhook arrives."
    )
    ours = [each for each in objects(Profile.TENANTS) if each["kind"] == "Service"]
    for each in ours:
        each["metadata"]["namespace"] = controller.namespace
    return problem(WEBHOOKS, text, "`nopea doctor --fix | kubectl apply -f -` makes it.", *ours)


async def _has_endpoint(client: KubeClient, namespace: str, service: str) -> bool:
    selection = Selection(namespace=namespace, labels=f"{_SLICES_OF}={service}")
    slices = [live.json() for live in (await client.list(ENDPOINT_SLICES, selection)).items]
    return any(
        (endpoint.get("conditions") or {}).get("ready") is not False
        for each in slices
        for endpoint in each.get("endpoints") or ()
    )


def _last(repositories: Iterable[Repository]) -> str:
    """Return when a push was last synced because of a webhook, as far as histories go back."""
    found = [
        (started, str(each.key))
        for each in repositories
        for entry in each.status.history
        if Trigger.WEBHOOK in entry.trigger.split(",") and (started := parse_time(entry.started)) is not None
    ]
    if not found:
        return ""
    started, name = max(found)
    return f" The last one was synced {age((datetime.now(UTC) - started).total_seconds())} ago ({name})."
