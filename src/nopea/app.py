"""Builds the process and runs it: startup, service, drain. The tree of tasks is the one in ARCHITECTURE.md.

A core service that ends ends the process, so that Kubernetes restarts it; a worker that crashes does not.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from typing import Any

from nopea import __version__, tasks
from nopea.controller.controller import Controller
from nopea.controller.kinds import follow_kinds
from nopea.core.transition import Transition
from nopea.git.port import GitPort
from nopea.git.settings import GitSettings
from nopea.kube.client import KubeClient
from nopea.kube.config import load_config
from nopea.kube.discovery import Discovery
from nopea.kube.errors import ApiError
from nopea.kube.events import EventRecorder
from nopea.logs import get_log
from nopea.metrics.exposition import Exposition
from nopea.metrics.instruments import Instruments
from nopea.metrics.tracing import tracer_from
from nopea.readings import Parts, readings_of, repositories_of
from nopea.settings import Settings
from nopea.signals.cdevents import cdevents_sink
from nopea.signals.notify import Notifier
from nopea.signals.senders import Senders
from nopea.sync.cache import Cache
from nopea.sync.claims import Claims
from nopea.sync.directory import Directory
from nopea.sync.fetch import Fetcher
from nopea.sync.live_index import LiveIndex
from nopea.sync.pipeline import Pipeline, Services
from nopea.sync.publish import Publisher
from nopea.sync.sweep import sweep_mirrors
from nopea.web.bodies import Bodies
from nopea.web.metrics import metrics_routes
from nopea.web.secrets import HookSecrets, SharedSecret
from nopea.web.server import serving
from nopea.web.webhooks import Webhooks

log = get_log(__name__)

EXIT_OK = 0
EXIT_SERVICE_ENDED = 1
EXIT_CONFIGURATION = 3
"""2 is click's: wrong usage. A second signal ends the process at once with 128 + its number."""

RETIRE_SECONDS = 60.0

FLUSH_SECONDS = 6.0
"""What the drain keeps back for Events, sinks, children and sockets, after the passes have stopped."""

SINK_FLUSH_SECONDS = 5.0

TRACES_SECONDS = 1.0
"""What the drain keeps back for traces, which go last."""


class App:
    """One controller process: the services and the order in which they start and stop."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stopping = asyncio.Event()
        self._why_stopped = ""
        self._draining = False

    def stop(self, why: str) -> None:
        """Begin the drain; called by the signal handlers and by services that end."""
        if not self._stopping.is_set():
            self._why_stopped = why
            self._stopping.set()

    async def run(self) -> int:
        """Run until told to stop and drained; returns the exit code. Raises ConfigError and ListenError."""
        settings = self._settings
        config = load_config(settings.kubeconfig, context=settings.context or "")
        instruments = Instruments()
        failed = False
        async with AsyncExitStack() as stack:
            senders = await stack.enter_async_context(Senders())
            cdevents = cdevents_sink(settings, senders, server=config.server)
            client = await stack.enter_async_context(KubeClient(config, measure=instruments.api_request))
            git = GitPort(_git_settings(settings), measure=instruments.git_operation)
            events = EventRecorder(client)
            directory = Directory(whole_cluster=settings.namespace is None)
            index = LiveIndex(client, rules=directory.rules)
            cache = Cache()
            notifier = Notifier(settings.notify, senders.post, remote_of=cache.remote)
            listeners: list[Callable[[Transition], None]] = [instruments.told, notifier.listen]
            if cdevents is not None:
                listeners.append(cdevents)
            tracer = tracer_from(os.environ)
            if tracer is not None:
                listeners.append(tracer.told)
                stack.push_async_callback(tracer.close, TRACES_SECONDS)
            services = self._services(client, git, events, index, directory, cache, listeners=listeners)
            controller = Controller(
                client=client,
                services=services,
                passes=Pipeline(services),
                namespace=settings.namespace,
                allow_file_urls=settings.allow_file_urls,
            )
            index.on_change = controller.object_changed
            parts = Parts(
                client=client,
                git=git,
                events=events,
                index=index,
                directory=directory,
                cache=services.cache,
                controller=controller,
                outboxes=lambda: [*senders.outboxes, *notifier.outboxes],
                is_ready=lambda: not self._not_ready(controller),
            )
            exposition = Exposition(
                instruments.registry,
                readings=readings_of(parts),
                repositories=lambda: repositories_of(parts, instruments.synced_at),
            )
            await stack.enter_async_context(
                serving(
                    host=settings.host,
                    port=settings.port,
                    why_not_ready=lambda: self._not_ready(controller),
                    routes=[
                        *metrics_routes(exposition.scrape),
                        *self._webhooks(client, directory, controller, instruments).routes(),
                    ],
                )
            )
            core = {
                "git port": tasks.spawn(git.run(), name="git port"),
                "live index": tasks.spawn(_follow_objects(index, services), name="live index"),
                "definitions": tasks.spawn(
                    follow_kinds(client, services.discovery, wake=controller.kinds_changed),
                    name="definitions",
                ),
                "mirror sweep": tasks.spawn(sweep_mirrors(git, services.cache), name="mirror sweep"),
                "controller": tasks.spawn(controller.run(), name="controller"),
                **senders.start(),
            }
            sender = tasks.spawn(events.run(), name="events")
            telling = tasks.spawn(notifier.run(), name="notifications")
            log.info("started", version=__version__, server=config.server)
            try:
                failed = await self._serve({**core, "events": sender, "notifications": telling})
                await self._drain(
                    controller, events, lambda: _flush(senders, notifier), core["controller"], sender
                )
            finally:
                await controller.drain(seconds=0)
                await tasks.end(sender, telling, *core.values())
        log.info("stopped", why=self._why_stopped)
        return EXIT_SERVICE_ENDED if failed else EXIT_OK

    def _services(
        self,
        client: KubeClient,
        git: GitPort,
        events: EventRecorder,
        index: LiveIndex,
        directory: Directory,
        cache: Cache,
        *,
        listeners: Sequence[Callable[[Transition], None]],
    ) -> Services:
        return Services(
            client=client,
            discovery=Discovery(client),
            fetcher=Fetcher(git, cache.manifests),
            index=index,
            publisher=Publisher(client=client, events=events, directory=directory, listeners=listeners),
            directory=directory,
            cache=cache,
            claims=Claims(),
        )

    def _webhooks(
        self, client: KubeClient, directory: Directory, controller: Controller, instruments: Instruments
    ) -> Webhooks:
        settings = self._settings
        return Webhooks(
            directory=directory,
            wake=controller.webhook_received,
            secrets=HookSecrets(client.on_behalf("webhooks"), clock=time.monotonic),
            shared=SharedSecret(settings.webhook_secret, settings.webhook_secret_file),
            bodies=Bodies(limit=settings.webhook_body_limit),
            why_not_ready=lambda: self._not_ready(controller),
            measure=instruments.webhook,
        )

    async def _serve(self, services: dict[str, asyncio.Task[None]]) -> bool:
        """Wait until told to stop or a core service ends; True in the second case."""
        told = tasks.spawn(_wait(self._stopping), name="stop signal")
        try:
            done, _ = await asyncio.wait({told, *services.values()}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await tasks.end(told)
        ended = [name for name, task in services.items() if task in done]
        for name in ended:
            error = services[name].exception()
            if error is not None:
                log.crash("core service crashed", error, service=name)
            else:
                log.error("core service ended", service=name)
            self.stop(f"{name} ended")
        return bool(ended)

    async def _drain(
        self,
        controller: Controller,
        events: EventRecorder,
        flush: Callable[[], Coroutine[Any, Any, None]],
        watching: asyncio.Task[None],
        sender: asyncio.Task[None],
    ) -> None:
        """Stop in order: no new work, passes end between two objects, signals go out, the rest is closed."""
        log.info("draining", why=self._why_stopped, workers=controller.workers)
        self._draining = True
        await tasks.end(watching)
        kept = FLUSH_SECONDS + TRACES_SECONDS
        await controller.drain(seconds=max(self._settings.shutdown_seconds - kept, 0.0))
        events.stop()
        flushing = tasks.spawn(flush(), name="flush of outboxes")
        try:
            await asyncio.wait([sender, flushing], timeout=FLUSH_SECONDS)
        finally:
            await tasks.end(flushing)

    def _not_ready(self, controller: Controller) -> str:
        return "shutting down" if self._draining else controller.why_not_ready()


async def run(settings: Settings) -> int:
    """Run the controller until SIGTERM or SIGINT and return the exit code."""
    app = App(settings)
    loop = asyncio.get_running_loop()
    handler = _SignalHandler(app)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, handler.handle, number)
    try:
        return await app.run()
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


class _SignalHandler:
    """The first signal drains, the second ends the process at once: the kernel ends the children with it."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._told = False

    def handle(self, number: signal.Signals) -> None:
        if self._told:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        self._told = True
        self._app.stop(number.name)


async def _follow_objects(index: LiveIndex, services: Services) -> None:
    """Follow the kinds that passes ask for, and those that have objects of ours already."""
    async with asyncio.TaskGroup() as group:
        group.create_task(index.run(), name="watches")
        group.create_task(_sweep(index, services), name="sweep of kinds")
        group.create_task(_retire(index, services), name="retiring of watches")


async def _retire(index: LiveIndex, services: Services) -> None:
    """End the watches of kinds that nothing is applied of any more."""
    while True:
        await asyncio.sleep(RETIRE_SECONDS)
        applied = (state.applied for state in services.cache.states.values())
        index.retire({key.group_kind for keys in applied for key in keys})


async def _sweep(index: LiveIndex, services: Services) -> None:
    try:
        resources = await services.discovery.all()
    except ApiError as error:
        log.warning("kinds not swept", error=str(error))
        return
    await index.sweep(resources)


async def _flush(senders: Senders, notifier: Notifier) -> None:
    """Send what waits in all queues, at once, for a bounded time."""
    async with asyncio.TaskGroup() as group:
        group.create_task(senders.close(SINK_FLUSH_SECONDS), name="flush of events")
        group.create_task(notifier.close(SINK_FLUSH_SECONDS), name="flush of notifications")


async def _wait(event: asyncio.Event) -> None:
    await event.wait()


def _git_settings(settings: Settings) -> GitSettings:
    return GitSettings(
        cache_dir=settings.cache_dir / "git",
        children=settings.git_children,
        memory_bytes=settings.git_memory_bytes,
        allow_file_urls=settings.allow_file_urls,
    )
