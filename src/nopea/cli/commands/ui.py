"""`nopea ui`: the dashboard in a browser on this machine, with the user's kubeconfig and rights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from nopea.cli.cluster import ClusterChoice, all_namespaces_option, cluster_options, run_with_cluster

if TYPE_CHECKING:
    import asyncio

    from nopea.cli.ui_source import WatchedSource
    from nopea.dashboard.routes import Dashboard
    from nopea.kube.client import KubeClient
    from nopea.web.server import ServedPort

LIST_SECONDS = 60.0
"""The longest wait for the first list."""

OPEN_FILES = 128
"""The most connections: a browser has six at once."""


@click.command("ui")
@all_namespaces_option
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, help="Port on 127.0.0.1.  [default: a free one]"
)
@click.option("--browser/--no-browser", default=True, help="Open the browser.  [default: --browser]")
@cluster_options
def command(*, cluster: ClusterChoice, everywhere: bool, port: int, browser: bool) -> None:
    """Show the dashboard in a browser until Ctrl+C: every GitRepository, live, worst first.

    It reads and acts with your kubeconfig and your rights, and listens on this machine only. The printed
    address works once and lets in one browser; whoever has it first can do what you can.

    By default it shows all namespaces, or the current one if you may not list all. With -A that is an error
    instead; -n selects one namespace.

    Example: nopea ui -n team-shop

    Exit codes: 0 ended by Ctrl+C, 2 wrong usage, 3 the cluster could not be read, or the port is in use.
    """

    async def work(client: KubeClient, namespace: str) -> int:
        return await _serve(
            client,
            namespace,
            title=cluster.context or "",
            everywhere=everywhere or cluster.namespace is None,
            falls_back=not everywhere and cluster.namespace is None,
            port=port,
            browser=browser,
        )

    run_with_cluster(cluster, work)


async def _serve(
    client: KubeClient,
    namespace: str,
    *,
    title: str,
    everywhere: bool,
    falls_back: bool,
    port: int,
    browser: bool,
) -> int:
    from contextlib import nullcontext

    from nopea import tasks
    from nopea.cli.browser import opened_browser
    from nopea.cli.cluster import CommandError
    from nopea.cli.ui_source import UserWorkbench, watched_source
    from nopea.dashboard.local import LocalGate
    from nopea.dashboard.routes import Dashboard
    from nopea.web.server import ListenError, listening

    shown = f"{title} ({client.config.server})" if title else client.config.server
    source = await watched_source(
        client, namespace, cluster=shown, everywhere=everywhere, falls_back=falls_back
    )
    gate = LocalGate()
    dashboard = Dashboard(source, gate.admit, workbench=UserWorkbench(client))
    following = tasks.spawn(source.run(), name="GitRepositories")
    try:
        await _until_listed(source)
        async with listening(_listener(dashboard, port)) as bound:
            address = gate.address(bound)
            click.echo(address)
            click.echo("The address works once. Ctrl+C ends this.", err=True)
            with opened_browser(address) if browser else nullcontext():
                await _until_interrupted(following)
            dashboard.close()
    except ListenError as error:
        raise CommandError(str(error), "Leave out --port to get a free one.") from error
    finally:
        await tasks.end(following)
    return 0


def _listener(dashboard: Dashboard, port: int) -> ServedPort:
    from nopea.dashboard.guard import LOOPBACK, guard
    from nopea.web.connections import Bound
    from nopea.web.server import ServedPort

    return ServedPort(
        serves="the dashboard",
        host="127.0.0.1",
        port=port,
        option="--port",
        routes=dashboard.routes(),
        middlewares=(guard(LOOPBACK),),
        bound=Bound(OPEN_FILES, OPEN_FILES),
    )


async def _until_listed(source: WatchedSource) -> None:
    import asyncio

    from nopea.cli.cluster import CommandError

    try:
        async with asyncio.timeout(LIST_SECONDS):
            await source.listed.wait()
    except TimeoutError as error:
        raise CommandError("The list of GitRepositories has not come in time.", "Try again.") from error


async def _until_interrupted(following: asyncio.Task[None]) -> None:
    """Wait for SIGINT, or until the pages are not kept current any more; SIGTERM cancels the command."""
    import asyncio
    import signal

    from nopea import tasks

    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, told.set)
    interrupted = tasks.spawn(_wait(told), name="Ctrl+C")
    try:
        await asyncio.wait({interrupted, following}, return_when=asyncio.FIRST_COMPLETED)
        if following.done():
            following.result()
    finally:
        await tasks.end(interrupted)
        loop.remove_signal_handler(signal.SIGINT)


async def _wait(told: asyncio.Event) -> None:
    await told.wait()
