"""Measure the first sync of many repositories, relative to bare loops of the same work.

Usage: `python -m bench [--repositories 100] [--rounds 3]`. The time counts until all repositories are Ready.
The bare loops run before and after each round on the same server, so that a slow machine slows down both.
"""

from __future__ import annotations

import asyncio
import shutil
import socket
import statistics
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import click
import orjson

from bench import bare, world
from nopea.core.api import names
from nopea.core.objects import Resource
from nopea.kube.client import KubeClient
from nopea.kube.kinds import DEFINITIONS, GIT_REPOSITORIES
from nopea.kube.load import load_config
from nopea.kube.requests import Selection
from nopea_lab.lab import Lab
from nopea_lab.progress import Terminal

NAMESPACES = Resource(group="", version="v1", kind="Namespace", plural="namespaces", namespaced=False)
DEADLINE_SECONDS = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """The durations of one round in seconds, and the resources that the controller process used."""

    fetches: float
    patches: float
    nopea: float
    memory_mib: float
    cpu_seconds: float
    writes: float

    @property
    def ratio(self) -> float:
        """Nopea's time divided by the total time of the bare loops."""
        return self.nopea / (self.fetches + self.patches)


@click.command()
@click.option("--repositories", default=100, show_default=True, type=click.IntRange(1, 5000))
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(1, 20))
def main(repositories: int, rounds: int) -> None:
    """Measure the first sync of REPOSITORIES repositories of four objects each."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="nopea-bench-")))
        click.echo(f"▸ {repositories} repositories × {len(world.MANIFESTS)} objects, {rounds} rounds")
        lab = Lab.open(folder / "lab")
        lab.start(owned=True, progress=Terminal())
        stack.callback(lab.stop)
        (folder / "git").mkdir()
        repository_names = world.make_repositories(folder / "git", repositories)
        url = stack.enter_context(world.serving(folder / "git"))
        asyncio.run(_prepare(lab))
        measured = []
        for number in range(rounds):
            measured.append(_round(lab, folder / f"round-{number}", url, repository_names, number))
            _tell(number + 1, measured[-1])
        _tell_all(measured)


def _round(lab: Lab, folder: Path, url: str, repository_names: list[str], number: int) -> Round:
    folder.mkdir()
    config = load_config(lab.kubeconfig)
    fetches, patches = [], []

    def measure_bare(part: str) -> None:
        into = folder / f"bare-{part}"
        fetches.append(bare.fetch_all(url, repository_names, into))
        shutil.rmtree(into)
        namespace = f"bare-{number}-{part}"
        asyncio.run(_make_namespace(lab, namespace))
        patches.append(asyncio.run(bare.patch_all(config, repository_names, namespace)))

    namespace = f"{world.NAMESPACE}-{number}"
    asyncio.run(_make_namespace(lab, namespace))
    measure_bare("before")
    with world.controller(lab, folder, port=_free_port()) as running:
        before = asyncio.run(_bookkeeping(lab))
        seconds = asyncio.run(_first_sync(lab, url, repository_names, namespace))
        time.sleep(1)  # Events are written after the sync
        writes = asyncio.run(_bookkeeping(lab)) - before
        memory, cpu = running.memory_mib(), running.cpu_seconds()
        asyncio.run(_delete_repositories(lab, namespace))
    measure_bare("after")
    return Round(
        fetches=statistics.mean(fetches),
        patches=statistics.mean(patches),
        nopea=seconds,
        memory_mib=memory,
        cpu_seconds=cpu,
        writes=writes / len(repository_names),
    )


async def _prepare(lab: Lab) -> None:
    async with KubeClient(load_config(lab.kubeconfig)) as client:
        for definition in world.definitions():
            name = definition["metadata"]["name"]
            await client.apply(DEFINITIONS.at(name=name), orjson.dumps(definition))
        await asyncio.sleep(2)  # until the API server serves them


async def _make_namespace(lab: Lab, name: str) -> None:
    async with KubeClient(load_config(lab.kubeconfig)) as client:
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        await client.apply(NAMESPACES.at(name=name), orjson.dumps(body))


async def _first_sync(lab: Lab, url: str, repository_names: list[str], namespace: str) -> float:
    """Create the GitRepositories and wait until all are Ready; return the seconds."""
    async with KubeClient(load_config(lab.kubeconfig)) as client:
        started = time.perf_counter()
        for name in repository_names:
            body = {
                "apiVersion": names.API_VERSION,
                "kind": names.KIND,
                "metadata": {"name": name, "namespace": namespace},
                "spec": {"url": f"{url}{name}.git", "branch": "main", "interval": "1h"},
            }
            await client.create(GIT_REPOSITORIES, orjson.dumps(body), namespace=namespace)
        waiting = []
        while time.perf_counter() - started < DEADLINE_SECONDS:
            listing = await client.list(GIT_REPOSITORIES, Selection(namespace=namespace), chunk=5000)
            waiting = [live for live in listing.items if not _is_ready(live.json())]
            if not waiting:
                return time.perf_counter() - started
            await asyncio.sleep(0.1)
    raise SystemExit(
        f"{len(waiting)} of {len(repository_names)} repositories are not Ready: {waiting[0].json()}"
    )


async def _delete_repositories(lab: Lab, namespace: str) -> None:
    async with KubeClient(load_config(lab.kubeconfig)) as client:
        listing = await client.list(GIT_REPOSITORIES, Selection(namespace=namespace))
        for live in listing.items:
            await client.delete(GIT_REPOSITORIES.at(name=live.meta.name, namespace=namespace))
        async with asyncio.timeout(DEADLINE_SECONDS):  # the controller deletes their objects first
            left = listing.items
            while left:
                await asyncio.sleep(0.2)
                left = (await client.list(GIT_REPOSITORIES, Selection(namespace=namespace))).items


async def _bookkeeping(lab: Lab) -> float:
    """Return how many writes of statuses and Events the API server has counted."""
    async with KubeClient(load_config(lab.kubeconfig)) as client:
        text = (await client.read("/metrics", accept="text/plain")).body.decode()
    total = 0.0
    for line in text.splitlines():
        if not line.startswith("apiserver_request_total{"):
            continue
        wrote = 'resource="gitrepositories"' in line and 'subresource="status"' in line
        wrote = wrote or ('resource="events"' in line and 'group="events.k8s.io"' in line)
        if wrote and any(f'verb="{verb}"' in line for verb in ("APPLY", "PATCH", "POST", "PUT")):
            total += float(line.rpartition(" ")[2])
    return total


def _is_ready(repository: dict[str, object]) -> bool:
    status: dict[str, list[dict[str, str]]] = repository.get("status") or {}  # type: ignore[assignment]
    return any(one["type"] == "Ready" and one["status"] == "True" for one in status.get("conditions") or ())


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _tell(number: int, one: Round) -> None:
    click.echo(
        f"  round {number}: bare fetches {one.fetches:.2f} s + bare PATCHes {one.patches:.2f} s; "
        f"nopea {one.nopea:.2f} s; ratio {one.ratio:.2f}"
    )


def _tell_all(measured: list[Round]) -> None:
    best = [one.ratio for one in measured]
    last = measured[-1]
    click.echo(
        f"ratio: median {statistics.median(best):.2f} (min {min(best):.2f}, max {max(best):.2f}); goal ≤ 1.5"
    )
    click.echo(f"bookkeeping: {last.writes:.2f} writes per repository (statuses and Events); goal ≤ 3")
    click.echo(
        f"controller with its Git children: {last.memory_mib:.0f} MiB, {last.cpu_seconds:.1f} s of CPU"
    )


if __name__ == "__main__":
    main()
