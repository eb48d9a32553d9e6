"""`nopea doctor`: whether Nopea works as it should in this cluster, and what to do if not. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from nopea.cli.cluster import ClusterChoice, cluster_options, output_option, run_with_cluster
from nopea.cli.options import profile_option

if TYPE_CHECKING:
    from nopea.cli.doctor.finding import Finding
    from nopea.kube.client import KubeClient


@click.command("doctor")
@click.option("--pre", is_flag=True, help="Look whether Nopea can be installed, with your rights.")
@profile_option("The profile that --pre asks your rights for.")
@click.option(
    "--system-namespace", metavar="NAME", help="Namespace of the controller.  [default: nopea-system]"
)
@click.option("--fix", is_flag=True, help="Print the manifests that mend problems, for `kubectl apply -f -`.")
@output_option
@cluster_options
def command(
    *,
    cluster: ClusterChoice,
    pre: bool,
    profile: str | None,
    system_namespace: str | None,
    fix: bool,
    output: str,
) -> None:
    """Look whether Nopea works as it should, and say for each problem what to do.

    It looks at the API server, Nopea's kinds, the controller, its Pods and its rights, what specs name,
    webhooks, receivers of notifications, Git servers, and other GitOps tools. It writes nothing. What you may
    not read is marked with a question mark.

    Example: nopea doctor --fix

    Exit codes: 0 no problem, 1 a problem, 2 wrong usage, 3 the cluster could not be read.
    """
    if fix and (pre or output != "text"):
        raise click.UsageError("--fix prints manifests: omit --pre and --output json, which has them too.")
    if profile is not None and not pre:
        raise click.UsageError("--profile needs --pre.")

    async def work(client: KubeClient, namespace: str) -> int:
        if pre:
            return await _before(client, profile, output=output)
        return await _examine(client, namespace, system=system_namespace, fix=fix, output=output)

    run_with_cluster(cluster, work)


async def _before(client: KubeClient, profile: str | None, *, output: str) -> int:
    from nopea.cli.doctor.examination import examine_before
    from nopea.cli.installation.profiles import Profile
    from nopea.cli.progress import show_late_progress

    chosen = Profile(profile or Profile.TENANTS)
    with show_late_progress("Looking at the API server.") as progress:
        findings = await examine_before(client, chosen, show=progress.show)
    return _print(findings, output=output, fix=False)


async def _examine(client: KubeClient, namespace: str, *, system: str | None, fix: bool, output: str) -> int:
    from nopea.cli.doctor.examination import examine
    from nopea.cli.progress import show_late_progress

    with show_late_progress("Looking at the API server.") as progress:
        findings = await examine(client, namespace, system=system, show=progress.show)
    return _print(findings, output=output, fix=fix)


def _print(findings: Sequence[Finding], *, output: str, fix: bool) -> int:
    """Print what was found and return the exit code."""
    from nopea.cli.doctor.finding import Verdict
    from nopea.cli.output.findings import finding_lines, findings_json, fix_documents
    from nopea.cli.output.messages import print_document, terminal_width

    if output != "text":
        print_document(findings_json(findings), output)
    else:
        for line in finding_lines(findings, width=terminal_width()):
            click.echo(line, err=fix)
    if fix:
        for document in fix_documents(findings):
            click.echo(document, nl=False)
    return int(any(each.verdict is Verdict.PROBLEM for each in findings))
