"""Runs the process: startup, service, drain. The tree of tasks is the one in ARCHITECTURE.md.

A core service that ends ends the process, so that Kubernetes restarts it; a worker that crashes does not.
What the services are made of is `assembly.py`'s.
"""

from __future__ import annotations

import asyncio
import resource
import signal
from contextlib import AsyncExitStack

from nopea import __version__, log_events, tasks
from nopea.assembly import Process, assembled
from nopea.controller.kinds import follow_kinds
from nopea.dashboard.guard import LOOPBACK, guard
from nopea.git.confine import hide_from_children
from nopea.informers.follow import follow_objects
from nopea.logs import Log
from nopea.settings import Settings
from nopea.state.mirrors import sweep_mirrors
from nopea.web.connections import VISITORS
from nopea.web.server import ServedPort, listening, probe_listener, users_listener, webhook_listener

log = Log(__name__)

EXIT_OK = 0
EXIT_SERVICE_ENDED = 1
EXIT_CONFIGURATION = 3
"""2 is click's: wrong usage. A second signal ends the process at once with 128 + its number."""

FLUSH_SECONDS = 5.0
"""The longest that Events and waiting messages get in the drain, after the syncs have stopped."""

CLOSE_SECONDS = 4.0
"""What the drain reserves for closing connections, children and traces."""

MAX_FILES = 65_536
"""The most open files that the process asks for."""

_TO_TELL_SECONDS = 0.2
"""Beyond their time: queues that are cut off count and log what is left."""


class App:
    """One controller process: the services and the order in which they start and stop."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stopping = asyncio.Event()
        self._why_stopped = ""

    def stop(self, why: str) -> None:
        """Begin the drain; called by the signal handlers and by services that end."""
        if not self._stopping.is_set():
            self._why_stopped = why
            self._stopping.set()

    async def run(self) -> int:
        """Run until stopped and drained; returns the exit code.

        Raises ConfigError, SettingError and ListenError.
        """
        settings = self._settings
        failed = False
        async with AsyncExitStack() as stack:
            process = await stack.enter_async_context(assembled(settings))
            for listener in _listeners(settings, process):
                await stack.enter_async_context(listening(listener))
            services = _started(process)
            log.write(log_events.started, version=__version__, server=process.server)
            try:
                failed = await self._serve(services)
                await self._drain(process, services)
            finally:
                await process.controller.drain(seconds=0)
                await tasks.end(*services.values())
        log.write(log_events.stopped, why=self._why_stopped)
        return EXIT_SERVICE_ENDED if failed else EXIT_OK

    async def _serve(self, services: dict[str, asyncio.Task[None]]) -> bool:
        """Wait for a stop signal or the end of a core service; True in the second case."""
        told = tasks.spawn(_wait(self._stopping), name="stop signal")
        try:
            done, _ = await asyncio.wait({told, *services.values()}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await tasks.end(told)
        ended = [name for name, task in services.items() if task in done]
        for name in ended:
            error = services[name].exception()
            if error is not None:
                log.crash(log_events.core_service_crashed, error, service=name)
            else:
                log.write(log_events.core_service_ended, service=name)
            self.stop(f"{name} ended")
        return bool(ended)

    async def _drain(self, process: Process, services: dict[str, asyncio.Task[None]]) -> None:
        """Stop in order: no new work, syncs end between two objects, signals go out, the rest is closed."""
        log.write(log_events.draining, why=self._why_stopped, workers=process.controller.workers)
        process.readiness.draining = True
        if process.dashboard is not None:
            process.dashboard.pages.close()
        await tasks.end(services["controller"], services["heartbeat"], services.get("pull request plans"))
        for_syncs, for_messages = drain_shares(self._settings.shutdown_seconds)
        await process.controller.drain(seconds=for_syncs)
        process.events.stop()
        flushing = tasks.spawn(_flush(process, for_messages), name="flush of outboxes")
        try:
            await asyncio.wait([services["events"], flushing], timeout=for_messages + _TO_TELL_SECONDS)
        finally:
            await tasks.end(flushing)


def drain_shares(shutdown_seconds: float) -> tuple[float, float]:
    """Split the drain's time between the syncs and, after them, Events and messages.

    The rest of it is for closing. Where the whole is short, each has to do with less.
    """
    close = min(CLOSE_SECONDS, shutdown_seconds / 4)
    signals = min(FLUSH_SECONDS, (shutdown_seconds - close) / 2)
    return shutdown_seconds - close - signals, signals


def _listeners(settings: Settings, process: Process) -> tuple[ServedPort, ...]:
    """Return what the process listens on; what comes from outside has a port of its own."""
    probes = probe_listener(
        host=settings.host,
        port=settings.probe_port,
        why_not_ready=process.readiness.why_not,
        routes=process.metrics,
    )
    webhooks = webhook_listener(host=settings.host, port=settings.port, routes=process.webhooks)
    found = [probes, webhooks]
    if (users := process.users) is not None:
        found.append(
            users_listener(
                host=settings.host,
                port=settings.users_port,
                routes=users.routes,
                tls=users.address.context,
            )
        )
    if (shown := process.dashboard) is not None:
        found.append(
            ServedPort(
                serves="dashboard",
                host=settings.host,
                port=settings.dashboard_port,
                option="--dashboard-port",
                routes=shown.routes,
                middlewares=(guard({*LOOPBACK, *settings.dashboard_hosts}),),
                bound=VISITORS,
            )
        )
    return tuple(found)


def _started(process: Process) -> dict[str, asyncio.Task[None]]:
    """Start the core services; the caller owns the tasks."""
    services, controller = process.services, process.controller
    work = {
        "git port": process.git.run(),
        "rendering port": process.renderer.run(),
        "object cache": _follow_objects(process),
        "inputs": process.inputs.run(),
        "definitions": follow_kinds(process.client, services.discovery, wake=controller.kinds_changed),
        "mirror sweep": sweep_mirrors(process.git, services.store),
        "heartbeat": process.heartbeat.run(),
        "controller": controller.run(),
        "events": process.events.run(),
        "notifications": process.notifier.run(),
    }
    if process.pull_requests is not None:
        work["pull request plans"] = process.pull_requests.run()
    if process.users is not None:
        work["users"] = process.users.address.run()
    started = {name: tasks.spawn(running, name=name) for name, running in work.items()}
    return {**started, **process.outboxes.start()}


async def _follow_objects(process: Process) -> None:
    await process.inventory_key.run()  # first: all hashes must have the same key
    services = process.services
    await follow_objects(services.object_cache, services.discovery, services.store.applied_kinds)


async def _flush(process: Process, seconds: float) -> None:
    """Send what waits in all queues, and the end of the heartbeat, at once and for a bounded time."""
    async with asyncio.TaskGroup() as group:
        group.create_task(process.outboxes.close(seconds), name="flush of events")
        group.create_task(process.notifier.close(seconds), name="flush of notifications")
        group.create_task(process.heartbeat.release(), name="release of the Lease")


async def _wait(event: asyncio.Event) -> None:
    await event.wait()


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


def _raise_file_limit() -> None:
    """Allow as many open files as the system does: each watch, and each idle visitor, is one.

    Shells and container runtimes start with 1,024, and a thousand idle connections would stop the probes.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MAX_FILES if hard == resource.RLIM_INFINITY else min(hard, MAX_FILES)
    if soft == resource.RLIM_INFINITY or soft >= most:
        return
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


async def run(settings: Settings) -> int:
    """Run the controller until SIGTERM or SIGINT and return the exit code."""
    _raise_file_limit()
    hide_from_children()
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
