"""`nopea uninstall`: remove Nopea from a cluster; the objects that it applied stay."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from nopea.cli.cluster import ClusterChoice, connection_options, run_with_cluster

if TYPE_CHECKING:
    from nopea.cli.installation.removal import Removal
    from nopea.kube.client import KubeClient

EXIT_DONE = 0
EXIT_DECLINED = 1
EXIT_NOT_GONE = 1


@click.command("uninstall")
@click.option("--keep-crds", is_flag=True, help="Keep the CustomResourceDefinitions and all GitRepositories.")
@click.option("--force", is_flag=True, help="Remove what another tool than `nopea install` installed.")
@click.option("--dry-run", is_flag=True, help="List what would be deleted, and delete nothing.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@connection_options
def command(*, cluster: ClusterChoice, keep_crds: bool, force: bool, dry_run: bool, yes: bool) -> None:
    """Remove Nopea: GitRepositories, its Deployment, roles, namespace and CustomResourceDefinitions.

    What GitRepositories have applied stays in the cluster, also with deletionPolicy Delete: each one is
    abandoned before it is deleted. To delete these objects too, delete the GitRepositories first.

    Example: nopea uninstall --yes

    Exit codes: 0 removed, 1 you declined or something is still being deleted, 2 wrong usage, 3 the cluster
    could not be read or changed, or another tool installed Nopea.
    """
    if not (yes or dry_run or sys.stdin.isatty()):
        raise click.UsageError("There is no terminal to ask on: give --yes, or --dry-run to look first.")

    async def work(client: KubeClient, namespace: str) -> int:
        del namespace
        return await _uninstall(client, keep_crds=keep_crds, force=force, dry_run=dry_run, yes=yes)

    run_with_cluster(cluster, work)


async def _uninstall(client: KubeClient, *, keep_crds: bool, force: bool, dry_run: bool, yes: bool) -> int:
    from nopea.cli.cluster import CommandError
    from nopea.cli.heartbeat import SYSTEM_NAMESPACE, liveness
    from nopea.cli.installation.installed import HELM, find_installed
    from nopea.cli.installation.removal import (
        dangling,
        delete_objects,
        find_removal,
        holders,
        release,
        wait_gone,
    )
    from nopea.cli.output.messages import print_error, print_hint
    from nopea.cli.progress import show_progress
    from nopea.core.show.words import count

    installed = await find_installed(client)
    if installed is not None and not installed.is_ours:
        how = f"`helm uninstall -n {installed.namespace}`" if installed.tool == HELM else "what installed it"
        is_here = installed.namespace == SYSTEM_NAMESPACE
        if not (force and is_here):
            other = ", or give --force to remove it here" if is_here else ""
            raise CommandError(f"There is {installed.title}.", f"Remove it with {how}{other}.")
    removal = await find_removal(client, keeps_definitions=keep_crds)
    if not removal.objects and not removal.repositories:
        click.echo("There is nothing of Nopea in this cluster.")
        return EXIT_DONE
    _describe(removal, keep_crds=keep_crds)
    if dry_run:
        return EXIT_DONE
    if not yes and not click.confirm(f"Remove Nopea from {client.config.server}?"):
        return EXIT_DECLINED
    alive = await liveness(client, SYSTEM_NAMESPACE)
    with show_progress("Letting go of GitRepositories.") as progress:
        await release(client, removal.repositories, is_running=alive.running is True, show=progress.show)
        progress.show(f"Deleting {count(len(removal.objects), 'object')} of Nopea.")
        await delete_objects(client, removal)
        left = await wait_gone(client, removal, show=progress.show)
        bindings = await dangling(client)
    if bindings:
        print_hint(
            f"These give rights to whoever creates the namespace {SYSTEM_NAMESPACE} again. Delete them, "
            f"unless you do that: {', '.join(bindings)}."
        )
    if left:
        by = await holders(client)
        what = f"Finalizers of others keep {', '.join(by)}. " if by else ""
        print_error(
            f"Still being deleted: {', '.join(left)}.", f"{what}See their status.conditions and finalizers."
        )
        return EXIT_NOT_GONE
    total = len(removal.objects) + len(removal.repositories)
    click.echo(f"✓ Deleted {count(total, 'object')} of Nopea. What it applied stays.")
    return EXIT_DONE


def _describe(removal: Removal, *, keep_crds: bool) -> None:
    """Print what is deleted, and what stays."""
    click.echo("To be deleted:")
    for line in removal.lines():
        click.echo(f"  {line}{', with everything in it' if line.startswith('Namespace ') else ''}")
    if keep_crds:
        click.echo("The CustomResourceDefinitions stay, with all GitRepositories.")
    elif removal.repositories:
        click.echo("The objects that these GitRepositories applied stay.")
