"""`nopea create`: make a GitRepository, after Git and the API server were asked what it would do."""

from __future__ import annotations

from typing import Any

import click

from nopea.cli.cluster import ClusterChoice, cluster_options, run
from nopea.cli.create_options import REFS, login_options, refuse_wrong, spec_options
from nopea.cli.duration import Duration


@click.command("create")
@click.argument("name")
@spec_options
@login_options
@click.option("--secret", metavar="NAME", help="Name of the Secret with the login.  [default: NAME-git]")
@click.option("--export", is_flag=True, help="Print the objects as YAML, and create nothing.")
@click.option("--show-secrets", is_flag=True, help="With --export: print the values of the Secret too.")
@click.option("-y", "--yes", is_flag=True, help="Take over existing objects without a question.")
@click.option("--wait/--no-wait", default=True, help="Wait until all is healthy.  [default: --wait]")
@click.option(
    "--timeout", type=Duration(), default="5m", metavar="DURATION", help="The longest to wait.  [default: 5m]"
)
@cluster_options
def command(*, cluster: ClusterChoice, name: str, **options: Any) -> None:
    """Create GitRepository NAME, with the Secret for the login that the Git server asks for.

    Before anything is created, the repository is fetched and each write is tried on the API server (dry run),
    with your rights. What is refused ends the command; what would be taken over is shown and asked for.

    Tokens, passwords and keys are read from standard input or files, and never printed.

    Example: nopea create shop --url https://git.example/acme/shop.git --path deploy

    Exit codes: 0 created (and applied and healthy), 1 an object is refused, you declined or it is not healthy
    in time, 2 wrong usage, 3 Git or the cluster could not be read, or the GitRepository exists.
    """
    refuse_wrong(options)
    reference = {field: options[option] for field, option in REFS.items() if options[option]}

    async def work() -> int:
        from nopea.cli import cluster as connection
        from nopea.cli.creation.flow import Wish, create, export, read_given

        wish = Wish(
            name=name,
            spec={
                "url": options["url"],
                "ref": reference,
                "path": options["path"],
                "interval": options["interval"],
                "targetNamespace": options["target_namespace"],
                "serviceAccountName": options["service_account"],
            },
            secret=options["secret"] or f"{name}-git",
            show_secrets=options["show_secrets"],
            yes=options["yes"],
            wait=options["wait"],
            timeout=options["timeout"],
        )
        given = read_given(options)
        if options["export"]:
            return await export(cluster, wish, given)
        async with connection.connect(cluster) as (client, namespace):
            return await create(client, namespace, wish, given)

    run(work)
