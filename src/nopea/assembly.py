"""Makes the parts of `nopea run` and joins them; starts none. Each join is said here and nowhere else."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from aiohttp import web

from nopea.controller.controller import Controller
from nopea.controller.heartbeat import Heartbeat
from nopea.controller.mailbox import Mailboxes
from nopea.core.decryption.endpoints import endpoints_of
from nopea.core.git.proxy import proxy_variables
from nopea.core.objects import ObjectKey
from nopea.core.status.transition import Transition
from nopea.core.trigger import Trigger
from nopea.dashboard.memory import MemorySource
from nopea.dashboard.reviews import ClusterGate
from nopea.dashboard.routes import Dashboard
from nopea.downloads.port import Downloads
from nopea.git.port import GitPort
from nopea.git.settings import GitSettings
from nopea.informers.input_watches import InputWatches
from nopea.informers.object_cache import ObjectCache
from nopea.keys.identity import IdentitySettings
from nopea.keys.port import KeyServices
from nopea.kube.client import KubeClient
from nopea.kube.discovery import Discovery
from nopea.kube.events import EventRecorder
from nopea.kube.load import load_config
from nopea.metrics.exposition import Exposition
from nopea.metrics.instruments import Instruments
from nopea.metrics.tracing import tracer_from
from nopea.notify.cdevents import cdevents_sink
from nopea.notify.notifier import Notifier
from nopea.notify.outboxes import Outboxes
from nopea.pulls.api import ForgeApi
from nopea.pulls.commenter import Commenter
from nopea.pulls.planner import PullRequestPlanner, fetcher_of
from nopea.pulls.service import PullRequestPlans
from nopea.readings import Parts, readings_of, repositories_of
from nopea.reconcile.fetch import Fetcher
from nopea.reconcile.inputs import ClusterInputs
from nopea.reconcile.publish import Publisher
from nopea.reconcile.reconciler import Reconciler, Services
from nopea.reconcile.remotes import Remotes
from nopea.reconcile.renderings import Renderings
from nopea.render.port import RenderPort
from nopea.render.process import RenderSettings
from nopea.render.program import find_program
from nopea.settings import Settings
from nopea.state.inventory_key import InventoryKey
from nopea.state.ownership import Ownership
from nopea.state.rendering_store import RenderingStore
from nopea.state.repositories import RepositoryStore
from nopea.state.store import StateStore
from nopea.state.user_record import UserRecord
from nopea.web.bodies import Bodies
from nopea.web.metrics import metrics_routes
from nopea.web.secrets import HookSecrets, SharedSecret
from nopea.web.user_reviews import UserReviews
from nopea.web.users_address import UsersAddress
from nopea.web.webhooks import Webhooks

TRACES_SECONDS = 1.0
"""How long the traces that wait may take at the end, when all else is closed."""


@dataclass(slots=True)
class Readiness:
    """What the probes and the endpoints ask: whether this process does its work."""

    controller: Controller
    draining: bool = False

    def why_not(self) -> str:
        """Return why the process is not ready; empty when it is."""
        return "shutting down" if self.draining else self.controller.why_not_ready()


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedDashboard:
    """The dashboard with the routes that it has here."""

    pages: Dashboard
    routes: Sequence[web.RouteDef]


@dataclass(frozen=True, slots=True, kw_only=True)
class Users:
    """Where the API server reports writes of users, and what takes the reports."""

    address: UsersAddress
    routes: Sequence[web.RouteDef]


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """The parts that somebody starts, drains or asks; `server` is the API server's URL."""

    server: str
    client: KubeClient
    git: GitPort
    renderer: RenderPort
    events: EventRecorder
    services: Services
    controller: Controller
    inputs: InputWatches
    outboxes: Outboxes
    notifier: Notifier
    heartbeat: Heartbeat
    inventory_key: InventoryKey
    readiness: Readiness
    metrics: Sequence[web.RouteDef]
    dashboard: ServedDashboard | None
    webhooks: Sequence[web.RouteDef]
    pull_requests: PullRequestPlans | None
    """None unless plans are commented."""
    users: Users | None
    """None unless users are recorded."""


@asynccontextmanager
async def assembled(settings: Settings) -> AsyncIterator[Process]:
    """Yield the parts; connections are open while the context is. Raises ConfigError and SettingError."""
    config = load_config(settings.kubeconfig, context=settings.context or "")
    instruments = Instruments()
    store = StateStore()
    async with AsyncExitStack() as stack:
        outboxes = await stack.enter_async_context(Outboxes(tenants=settings.tenancy.git_networks))
        client = await stack.enter_async_context(KubeClient(config, measure=instruments.api_request))
        git = GitPort(_git_settings(settings), measure=instruments.git_operation)
        renderer = RenderPort(_render_settings(settings), measure=instruments.rendering)
        downloads = await stack.enter_async_context(
            Downloads(
                renderer.index,
                networks=settings.tenancy.git_networks,
                proxies=proxy_variables(os.environ),
                measure=instruments.download,
            )
        )
        keys = await stack.enter_async_context(
            KeyServices(
                settings.tenancy,
                proxies=proxy_variables(os.environ),
                endpoints=endpoints_of(os.environ),
                identity=IdentitySettings(
                    environment=os.environ,
                    vault_token_file=settings.sops_vault_token_file,
                    vault_role=settings.sops_vault_role,
                ),
            )
        )
        events = EventRecorder(client)
        notifier = Notifier(
            settings.notify,
            outboxes.post,
            remote_of=store.remote,
            post_tenant=outboxes.post_for_tenant,
            client=client,
            events=events,
            policy=settings.tenancy,
        )
        listeners: list[Callable[[Transition], None]] = [instruments.on_transition]
        if not settings.tenancy.read_only:  # else nothing is deployed that anybody waits for
            listeners.append(notifier.on_transition)
            if (cdevents := cdevents_sink(settings, outboxes, server=config.server)) is not None:
                listeners.append(cdevents)
        if (tracer := tracer_from(os.environ)) is not None:
            listeners.append(tracer.on_transition)
            stack.push_async_callback(tracer.close, TRACES_SECONDS)
        mailboxes = Mailboxes()
        own_namespace = settings.namespace or config.namespace
        inventory_key = InventoryKey(
            client.on_behalf("inventory key"), namespace=own_namespace, creates=not settings.tenancy.read_only
        )
        inputs = InputWatches(client, wake=lambda key: mailboxes.put(key, Trigger.INPUT_CHANGE))
        services = _services(
            settings,
            client,
            git,
            renderer,
            downloads,
            keys,
            events,
            store,
            listeners,
            mailboxes,
            inventory_key,
            inputs,
            namespace=config.namespace,
        )
        controller = Controller(
            client=client,
            services=services,
            reconciler=Reconciler(services),
            mailboxes=mailboxes,
            inputs=inputs,
            namespace=settings.namespace,
            policy=settings.tenancy,
        )
        readiness = Readiness(controller)
        pull_requests = None
        if settings.notify.pull_request_plans:
            api = await stack.enter_async_context(ForgeApi(settings.tenancy.git_networks))
            fetcher = fetcher_of(services, git, renderer, downloads, keys)
            pull_requests = PullRequestPlans(
                services,
                PullRequestPlanner(services, fetcher),
                Commenter(api),
                events,
                cluster=settings.notify.cluster,
                count=instruments.pull_request_plan,
            )
        parts = Parts(
            client=client,
            git=git,
            events=events,
            object_cache=services.object_cache,
            repositories=services.repositories,
            store=store,
            controller=controller,
            outboxes=lambda: [*outboxes.outboxes, *notifier.outboxes],
            is_ready=lambda: not readiness.why_not(),
        )
        yield Process(
            server=config.server,
            client=client,
            git=git,
            renderer=renderer,
            events=events,
            services=services,
            controller=controller,
            inputs=inputs,
            outboxes=outboxes,
            notifier=notifier,
            heartbeat=Heartbeat(
                client.on_behalf("heartbeat"),
                namespace=own_namespace,
                holder=socket.gethostname(),
                why_not_ready=readiness.why_not,
                read_only=settings.tenancy.read_only,
            ),
            inventory_key=inventory_key,
            readiness=readiness,
            metrics=metrics_routes(_exposition(parts, instruments).scrape),
            webhooks=_webhooks(settings, parts, readiness, instruments, pull_requests).routes(),
            pull_requests=pull_requests,
            users=_users(client, services, namespace=own_namespace) if settings.record_users else None,
            dashboard=_dashboard(settings, parts, readiness) if settings.dashboard else None,
        )


def _users(client: KubeClient, services: Services, *, namespace: str) -> Users:
    address = UsersAddress(client.on_behalf("users"), namespace=namespace)
    return Users(address=address, routes=UserReviews(services.users, address.token).routes())


def _services(
    settings: Settings,
    client: KubeClient,
    git: GitPort,
    renderer: RenderPort,
    downloads: Downloads,
    keys: KeyServices,
    events: EventRecorder,
    store: StateStore,
    listeners: Sequence[Callable[[Transition], None]],
    mailboxes: Mailboxes,
    inventory_key: InventoryKey,
    inputs: InputWatches,
    *,
    namespace: str,
) -> Services:
    repositories = RepositoryStore(whole_cluster=settings.namespace is None, namespace=settings.namespace)

    def wake(owner: str) -> None:
        repository = repositories.owner(owner)
        if repository is not None:
            mailboxes.put(repository.key, Trigger.OBJECT_CHANGE)

    def deleted(key: ObjectKey, uid: str) -> None:
        users.deleted(key, uid=uid, at=datetime.now(UTC))

    discovery = Discovery(client)
    object_cache = ObjectCache(
        client, rules=repositories.rules, wake=wake, hash_key=inventory_key.current, deleted=deleted
    )
    users = UserRecord(object_cache.find)
    return Services(
        client=client,
        discovery=discovery,
        fetcher=Fetcher(
            git,
            store.manifests,
            Renderings(
                renderer,
                store.renderings,
                ClusterInputs(client, discovery, settings.tenancy, was_read=inputs.was_read),
                Remotes(git, downloads, settings.tenancy),
                keys,
                kept=RenderingStore(settings.cache_dir / "renderings"),
                version=renderer.version,
            ),
        ),
        object_cache=object_cache,
        users=users,
        publisher=Publisher(client=client, events=events, repositories=repositories, listeners=listeners),
        repositories=repositories,
        store=store,
        ownership=Ownership(),
        inventory_key=inventory_key,
        policy=settings.tenancy,
        namespace=namespace,
        wake=wake,
    )


def _exposition(parts: Parts, instruments: Instruments) -> Exposition:
    return Exposition(
        instruments.registry,
        readings=readings_of(parts),
        repositories=lambda: repositories_of(parts, instruments.synced_at),
    )


def _webhooks(
    settings: Settings,
    parts: Parts,
    readiness: Readiness,
    instruments: Instruments,
    pull_requests: PullRequestPlans | None,
) -> Webhooks:
    return Webhooks(
        repositories=parts.repositories,
        wake=parts.controller.webhook_received,
        has_links=parts.store.has_links,
        secrets=HookSecrets(
            lambda namespace: parts.client.on_behalf(f"webhooks of {namespace}"), clock=time.monotonic
        ),
        shared=SharedSecret(settings.webhook_secret, settings.webhook_secret_file),
        bodies=Bodies(limit=settings.webhook_body_limit),
        why_not_ready=readiness.why_not,
        plan=pull_requests.offer if pull_requests is not None else None,
        measure=instruments.webhook,
    )


def _dashboard(settings: Settings, parts: Parts, readiness: Readiness) -> ServedDashboard:
    client = parts.client.on_behalf("dashboard")
    source = MemorySource(
        parts.repositories,
        parts.store,
        client,
        cluster=settings.notify.cluster or parts.client.config.server,
        why_not_ready=readiness.why_not,
        is_current=lambda: parts.controller.health.is_current,
    )
    gate = ClusterGate(client)
    pages = Dashboard(source, gate.admit)
    return ServedDashboard(pages=pages, routes=(*pages.routes(), *gate.routes()))


def _render_settings(settings: Settings) -> RenderSettings:
    return RenderSettings(
        cache_dir=settings.cache_dir / "render",
        program=find_program(os.environ, cache_dir=settings.cache_dir),
        max_documents=settings.tenancy.max_objects,
    )


def _git_settings(settings: Settings) -> GitSettings:
    return GitSettings(
        cache_dir=settings.cache_dir / "git",
        children=settings.git_children,
        memory_bytes=settings.git_memory_bytes,
        total_memory_bytes=settings.git_children * settings.git_memory_bytes,
        disk_bytes=settings.git_disk_bytes,
        allow_file_urls=settings.tenancy.allow_file_urls,
        networks=settings.tenancy.git_networks,
        proxies=proxy_variables(os.environ),
    )
