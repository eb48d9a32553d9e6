"""`nopea install` and `nopea upgrade`: put Nopea on a cluster, from what this package carries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from nopea.cli.cluster import ClusterChoice, connection_options, run_with_cluster
from nopea.cli.duration import Duration
from nopea.cli.options import profile_option

if TYPE_CHECKING:
    from nopea.cli.installation.installed import Installed
    from nopea.cli.installation.profiles import Manifest
    from nopea.kube.client import KubeClient

EXIT_DONE = 0
EXIT_NOT_READY = 1


def _install_options(function: Any) -> Any:
    for option in (
        connection_options,
        click.option(
            "--timeout", type=Duration(), default="5m", metavar="DURATION",
            help="The longest to wait for Nopea's Pod.  [default: 5m]",
        ),
        click.option("--wait/--no-wait", default=True, help="Wait until Nopea runs.  [default: --wait]"),
        click.option("--force", is_flag=True, help="Take over what others installed or changed; go back."),
        click.option("--dry-run", is_flag=True, help="Print the objects as YAML, and apply nothing."),
    ):  # fmt: skip
        function = option(function)
    return function


@click.command("install")
@profile_option("With whose rights Nopea applies what is in Git; docs/install.md explains them.")
@click.option(
    "--image", metavar="IMAGE", help="Image of the controller.  [default: as it is, else nopea:VERSION]"
)
@_install_options
def command(*, cluster: ClusterChoice, profile: str | None, image: str | None, **options: Any) -> None:
    """Install Nopea in the namespace nopea-system, and wait until it runs.

    The objects are those of deploy/, from this package: CustomResourceDefinitions, roles, policies, and the
    Deployment. If the same version is installed already, they are applied again.

    Example: nopea install --profile tenants

    Exit codes: 0 installed, 1 Nopea does not run in time or its doctor finds a problem, 2 wrong usage, 3 the
    cluster could not be read or changed, or something else is installed.
    """
    from nopea.cli.installation.profiles import DEFAULT_IMAGE, Profile

    chosen = Profile(profile or Profile.TENANTS)
    if options["dry_run"]:
        from nopea.cli.installation.install import marked

        _print(marked(chosen, image=image or DEFAULT_IMAGE))
        return

    async def work(client: KubeClient, namespace: str) -> int:
        from nopea import __version__
        from nopea.cli.cluster import CommandError
        from nopea.cli.installation.installed import find_installed, image_for
        from nopea.cli.installation.refusal import refuse_foreign

        del namespace
        installed = await find_installed(client)
        refuse_foreign(installed, force=options["force"])
        if installed is not None:
            if installed.version != __version__ and not options["force"]:
                raise CommandError(
                    f"There is {installed.title}.", f"`nopea upgrade` upgrades it to {__version__}."
                )
            if profile is None and installed.profile is not chosen:
                known = f"{installed.profile} is installed" if installed.profile else "of it is not known"
                raise CommandError(
                    f"There is {installed.title}. The profile {known}.",
                    f"Name the profile to have: `nopea install --profile {installed.profile or 'PROFILE'}`.",
                )
        return await _apply(client, installed, chosen, image or image_for(installed), **options)

    run_with_cluster(cluster, work)


@click.command("upgrade")
@profile_option("With whose rights Nopea applies what is in Git.", default="as it is")
@click.option(
    "--image", metavar="IMAGE", help="Image of the controller.  [default: the same, with the tag VERSION]"
)
@_install_options
def upgrade(*, cluster: ClusterChoice, profile: str | None, image: str | None, **options: Any) -> None:
    """Upgrade what `nopea install` installed to the version of this program.

    It compares the versions, and refuses to go back. The stored versions of the CustomResourceDefinitions are
    checked before anything is written.

    Example: nopea upgrade

    Exit codes: 0 upgraded, 1 Nopea does not run in time or its doctor finds a problem, 2 wrong usage, 3 the
    cluster could not be read or changed, or there is nothing to upgrade.
    """

    async def work(client: KubeClient, namespace: str) -> int:
        from nopea import __version__
        from nopea.cli.cluster import CommandError
        from nopea.cli.installation.install import marked
        from nopea.cli.installation.installed import find_installed, image_for
        from nopea.cli.installation.profiles import Profile
        from nopea.cli.installation.refusal import refuse_foreign

        del namespace
        installed = await find_installed(client)
        if installed is None:
            raise CommandError("Nopea is not installed.", "`nopea install` installs it.")
        refuse_foreign(installed, force=options["force"])
        chosen = Profile(profile) if profile else installed.profile
        if chosen is None:
            raise CommandError("The profile of the installation is not known.", "Name it with --profile.")
        new_image = image or image_for(installed)
        if options["dry_run"]:
            _print(marked(chosen, image=new_image))
            return EXIT_DONE
        click.echo(f"Upgrading from {installed.version or 'an unknown version'} to {__version__}.")
        return await _apply(client, installed, chosen, new_image, **options)

    run_with_cluster(cluster, work)


def _print(manifests: list[Manifest]) -> None:
    from nopea.cli.output.manifests import commented_yaml

    for each in manifests:
        click.echo(commented_yaml(each, []), nl=False)


async def _apply(
    client: KubeClient,
    installed: Installed | None,
    profile: Any,
    image: str,
    *,
    force: bool,
    wait: bool,
    timeout: float,
    **_: Any,
) -> int:
    import asyncio

    from nopea import __version__
    from nopea.cli.doctor.examination import examine
    from nopea.cli.doctor.finding import Verdict
    from nopea.cli.heartbeat import SYSTEM_NAMESPACE
    from nopea.cli.installation.install import (
        apply_all,
        marked,
        remove_leftovers,
        wait_heard,
        wait_rolled_out,
    )
    from nopea.cli.installation.refusal import refuse_open_namespace, refuse_waiting
    from nopea.cli.output.findings import finding_lines
    from nopea.cli.output.history import age
    from nopea.cli.output.messages import print_error, print_hint, terminal_width
    from nopea.cli.progress import show_progress
    from nopea.core.show.words import count

    await refuse_waiting(client, installed, profile, force=force)
    is_new = installed is None and not force and await refuse_open_namespace(client)
    manifests = marked(profile, image=image)
    started = asyncio.get_running_loop().time()
    with show_progress(f"Applying {count(len(manifests), 'object')} of Nopea {__version__}.") as progress:
        created = await apply_all(client, manifests, force=force, new_namespace=is_new)
        leftovers = await remove_leftovers(client, profile, force=force, show=progress.show)
        why = await wait_rolled_out(client, seconds=timeout, show=progress.show) if wait else ""
        if wait and not why:
            await wait_heard(client, show=progress.show)
    for name in leftovers.deleted:
        click.echo(f"✓ Deleted {name}, which the profile {profile} does not have.")
    for remedy in leftovers.kept:
        print_hint(f"Somebody gave Nopea more than the profile {profile}. To take it away: `{remedy}`.")
    click.echo(f"✓ Applied {count(len(manifests), 'object')}, {created} of them new (profile {profile}).")
    if why:
        print_error(
            f"Nopea does not run after {age(timeout)}: {why}",
            "`nopea doctor` says what to do. The rollout continues.",
        )
        return EXIT_NOT_READY
    if not wait:
        click.echo("`nopea doctor` says when Nopea runs.")
        return EXIT_DONE
    seconds = asyncio.get_running_loop().time() - started
    click.echo(f"✓ Nopea {__version__} is ready in {SYSTEM_NAMESPACE} ({age(seconds)}).")
    findings = await examine(client, SYSTEM_NAMESPACE, system=SYSTEM_NAMESPACE, show=lambda _: None)
    for line in finding_lines(findings, width=terminal_width()):
        click.echo(line)
    if installed is None:
        click.echo("Next: `nopea create NAME --url URL` makes the first GitRepository.")
    return EXIT_NOT_READY if any(each.verdict is Verdict.PROBLEM for each in findings) else EXIT_DONE
