"""`nopea suspend` and `nopea resume`: stop and allow writes to a repository's objects, or to one object.

A repository is suspended by its spec, an object by the break-glass annotations on the live object.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from nopea.cli.cluster import ClusterChoice, cluster_options, run_with_cluster
from nopea.cli.repository_name import RepositoryName
from nopea.core.api.times import format_time
from nopea.core.duration import parse_duration

if TYPE_CHECKING:
    from nopea.core.api.repository import Repository
    from nopea.core.objects import ObjectKey, Target
    from nopea.kube.client import KubeClient


def parse_until(text: str, *, now: datetime) -> datetime:
    """Return the time that `--until` gives, as a time or as a duration from now, rounded up to a second.

    Raises ValueError with a message for users.
    """
    try:
        until = now + parse_duration(text)
    except (ValueError, OverflowError):
        try:
            until = datetime.fromisoformat(text)
        except ValueError:
            raise ValueError(
                f"{text!r} is neither a time nor a duration. Examples: 2h, 2030-01-31T18:00:00Z."
            ) from None
    if until.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone. Append Z for UTC, or an offset such as +02:00.")
    if until <= now:
        raise ValueError(f"{text!r} is in the past.")
    whole = until.astimezone(UTC).replace(microsecond=0)
    return whole if whole == until else whole + timedelta(seconds=1)  # annotations hold seconds


def _until(ctx: click.Context, param: click.Parameter, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return parse_until(text, now=datetime.now(UTC))
    except ValueError as error:
        raise click.BadParameter(str(error), ctx, param) from error


@click.command("suspend")
@click.argument("name", type=RepositoryName())
@click.argument("object_", metavar="[OBJECT]", nargs=-1)
@click.option(
    "--until",
    callback=_until,
    metavar="TIME",
    help="When the suspension of OBJECT ends: a duration such as 2h, or a time such as 2030-01-31T18:00:00Z.",
)
@cluster_options
def command(*, cluster: ClusterChoice, name: str, object_: tuple[str, ...], until: datetime | None) -> None:
    """Stop all writes to the objects of GitRepository NAME, or to one OBJECT of it (break-glass).

    OBJECT is written like deployment/web or apps/Deployment shop/web. Changes in Git wait too, until
    `nopea resume`.

    Example: nopea suspend shop deploy/web --until 2h

    Exit codes: 0 suspended, 2 wrong usage, 3 the cluster could not be read or changed.
    """
    if until is not None and not object_:
        raise click.UsageError("--until needs an OBJECT: a GitRepository is suspended without an end.")

    async def work(client: KubeClient, namespace: str) -> int:
        return await _set(client, namespace, name, " ".join(object_), suspend=True, until=until)

    run_with_cluster(cluster, work)


@click.command("resume")
@click.argument("name", type=RepositoryName())
@click.argument("object_", metavar="[OBJECT]", nargs=-1)
@cluster_options
def resume(*, cluster: ClusterChoice, name: str, object_: tuple[str, ...]) -> None:
    """Undo `nopea suspend` for GitRepository NAME, or for one OBJECT of it.

    Example: nopea resume shop

    Exit codes: 0 resumed, 2 wrong usage, 3 the cluster could not be read or changed.
    """

    async def work(client: KubeClient, namespace: str) -> int:
        return await _set(client, namespace, name, " ".join(object_), suspend=False, until=None)

    run_with_cluster(cluster, work)


async def _set(
    client: KubeClient, namespace: str, name: str, reference: str, *, suspend: bool, until: datetime | None
) -> int:
    from nopea.cli.output.messages import as_called
    from nopea.cli.repository import read_repository
    from nopea.core.objects import RepoKey

    repository = await read_repository(client, RepoKey(namespace, name))
    click.echo(as_called(await set_suspended(client, repository, reference, suspend=suspend, until=until)))
    return 0


async def set_suspended(
    client: KubeClient,
    repository: Repository,
    reference: str,
    *,
    suspend: bool,
    until: datetime | None = None,
) -> str:
    """Suspend or resume a repository, or the object of it that is meant; return the sentence that says so.

    Raises CommandError, SyncError, ApiError.
    """
    from nopea.cli.repository import find_applied
    from nopea.kube.kinds import repository_target

    if reference:
        key = await find_applied(client, repository, reference)
        return await _set_object(client, key, suspend=suspend, until=until)
    await _set_repository(client, repository_target(repository.key), suspend=suspend)
    return f"GitRepository {repository.key} {'is suspended' if suspend else 'is resumed'}."


async def _set_repository(client: KubeClient, target: Target, *, suspend: bool) -> None:
    import orjson

    from nopea.cli.repository import MANAGER

    await client.patch(target, orjson.dumps({"spec": {"suspend": suspend}}), manager=MANAGER)


async def _set_object(client: KubeClient, key: ObjectKey, *, suspend: bool, until: datetime | None) -> str:
    from nopea.cli.cluster import CommandError
    from nopea.cli.repository import annotate
    from nopea.core.api.names import SUSPEND_HEAL_ANNOTATION, SUSPEND_HEAL_UNTIL_ANNOTATION
    from nopea.kube.discovery import Discovery
    from nopea.kube.errors import NotFoundError

    resource = await Discovery(client).find_preferred(key.group_kind)
    end = format_time(until) if until else None
    annotations = {SUSPEND_HEAL_ANNOTATION: "true" if suspend else None, SUSPEND_HEAL_UNTIL_ANNOTATION: end}
    try:
        await annotate(client, resource.at(name=key.name, namespace=key.namespace), annotations)
    except NotFoundError as error:
        raise CommandError(
            f"{key} is not in the cluster, so it cannot be annotated.",
            "To keep it from being created again, suspend the whole GitRepository.",
        ) from error
    ends = f" until {end}" if end else " until `nopea resume`"
    return f"{key} is suspended{ends}." if suspend else f"{key} is resumed."
