"""`nopea suspend` and `nopea resume`: nothing is written to a repository's objects, or to one of them.

A repository by its spec, one object by the annotations of break-glass on the live object.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from nopea.cli.cluster import ClusterChoice, answer, cluster_options
from nopea.core.duration import parse_duration

if TYPE_CHECKING:
    from nopea.core.objects import ObjectKey, Target
    from nopea.kube.client import KubeClient


def moment(text: str, *, now: datetime) -> datetime:
    """Return the end that `--until` names, a time or a duration from now; raises ValueError in words."""
    try:
        until = now + parse_duration(text)
    except (ValueError, OverflowError):
        try:
            until = datetime.fromisoformat(text)
        except ValueError:
            raise ValueError(
                f"{text!r} is no time and no duration; write it like 2h or 2030-01-31T18:00:00Z"
            ) from None
    if until.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone; put Z after it for UTC, or +02:00")
    if until <= now:
        raise ValueError(f"{text!r} is in the past")
    whole = until.astimezone(UTC).replace(microsecond=0)
    return whole if whole == until else whole + timedelta(seconds=1)  # annotations hold seconds


def _until(ctx: click.Context, param: click.Parameter, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return moment(text, now=datetime.now(UTC))
    except ValueError as error:
        raise click.BadParameter(str(error), ctx, param) from error


@click.command("suspend")
@click.argument("name")
@click.argument("object_", metavar="[OBJECT]", nargs=-1)
@click.option(
    "--until", callback=_until, help="When an OBJECT's protection ends: 2h, or 2030-01-31T18:00:00Z."
)
@cluster_options
def command(*, cluster: ClusterChoice, name: str, object_: tuple[str, ...], until: datetime | None) -> None:
    """Write nothing to the objects of GitRepository NAME, or to one OBJECT of it (break-glass).

    OBJECT is like deployment/web or apps/Deployment shop/web. Git's changes wait too, until `nopea resume`.
    """
    if until is not None and not object_:
        raise click.UsageError("--until needs an OBJECT: spec.suspend of a GitRepository has no end")

    async def work(client: KubeClient, namespace: str) -> int:
        return await _set(client, namespace, name, " ".join(object_), suspend=True, until=until)

    answer(cluster, work)


@click.command("resume")
@click.argument("name")
@click.argument("object_", metavar="[OBJECT]", nargs=-1)
@cluster_options
def resume(*, cluster: ClusterChoice, name: str, object_: tuple[str, ...]) -> None:
    """End what `nopea suspend` began: for GitRepository NAME, or for one OBJECT of it."""

    async def work(client: KubeClient, namespace: str) -> int:
        return await _set(client, namespace, name, " ".join(object_), suspend=False, until=None)

    answer(cluster, work)


async def _set(
    client: KubeClient, namespace: str, name: str, text: str, *, suspend: bool, until: datetime | None
) -> int:
    from nopea.cli.repository import find_applied, read_repository
    from nopea.core.objects import RepoKey
    from nopea.kube.kinds import repository_target

    repository = await read_repository(client, RepoKey(namespace, name))
    if text:
        key = await find_applied(client, repository, text)
        return await _set_object(client, key, suspend=suspend, until=until)
    await _set_repository(client, repository_target(repository.key), suspend=suspend)
    click.echo(f"GitRepository {repository.key} {'is suspended' if suspend else 'goes on'}")
    return 0


async def _set_repository(client: KubeClient, target: Target, *, suspend: bool) -> None:
    import orjson

    from nopea.cli.repository import MANAGER

    await client.patch(target, orjson.dumps({"spec": {"suspend": suspend}}), manager=MANAGER)


async def _set_object(client: KubeClient, key: ObjectKey, *, suspend: bool, until: datetime | None) -> int:
    from nopea.cli.cluster import CommandError
    from nopea.cli.repository import annotate
    from nopea.core.api.conditions import format_time
    from nopea.core.api.names import SUSPEND_HEAL_ANNOTATION, SUSPEND_HEAL_UNTIL_ANNOTATION
    from nopea.kube.discovery import Discovery
    from nopea.kube.errors import NotFoundError

    resource = await Discovery(client).find_preferred(key.group_kind)
    end = format_time(until) if until else None
    said = {SUSPEND_HEAL_ANNOTATION: "true" if suspend else None, SUSPEND_HEAL_UNTIL_ANNOTATION: end}
    try:
        await annotate(client, resource.at(name=key.name, namespace=key.namespace), said)
    except NotFoundError as error:
        raise CommandError(
            f"{key} is not in the cluster, so it cannot carry the annotation",
            "suspend the whole GitRepository if it shall not be created anew",
        ) from error
    ends = f" until {end}" if end else " until `nopea resume`"
    click.echo(f"{key} {f'is protected from every write{ends}' if suspend else 'is not protected any more'}")
    return 0
