"""First sync of many repositories, against bare loops of the same fetches and the same PATCH requests.

`python -m bench [--repositories 100] [--rounds 3] [--render kustomize]`. The bare loops run before and after
each round, on the same server, so that a machine that slows down slows both.
"""

from __future__ import annotations

import asyncio
import shutil
import socket
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import ExitStack, aclosing
from dataclasses import dataclass
from pathlib import Path

import click
import orjson

from bench import bare, cost, world
from nopea.core.api import names
from nopea.core.objects import Resource
from nopea.kube.client import KubeClient
from nopea.kube.kinds import DEFINITIONS, GIT_REPOSITORIES
from nopea.kube.live import LiveObject
from nopea.kube.load import load_config
from nopea.kube.requests import Selection
from nopea.kube.watch import Changed, Event, Synced, list_and_watch
from nopea_lab.lab import Lab
from nopea_lab.progress import Terminal

NAMESPACES = Resource(group="", version="v1", kind="Namespace", plural="namespaces", namespaced=False)
DEADLINE_SECONDS = 600.0
SETTLING_SECONDS = 3.0
"""Events and the health of Deployments follow the first sync; they are counted too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bare:
    """One run of the bare loops: seconds, and what the PATCH requests cost the servers in CPU seconds."""

    fetches: float
    patches: float
    servers: Counter[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One first sync, and the bare loops before and after it.

    `half` and `all` are seconds from the creation of the first GitRepository until so many are Ready.
    `create` is what creating the GitRepositories costs the servers while no controller runs. The CPU seconds
    of the controller and its children are those after its start.
    """

    bare: tuple[Bare, Bare]
    half: float
    all: float
    memory_mib: float
    controller: float
    children: float
    servers: Counter[str]
    create: Counter[str]
    requests: Counter[str]

    @property
    def bare_seconds(self) -> float:
        """The time of the bare loops."""
        return statistics.mean(each.fetches + each.patches for each in self.bare)

    @property
    def ratio(self) -> float:
        """Nopea's time over that of the bare loops."""
        return self.all / self.bare_seconds

    @property
    def bare_servers(self) -> float:
        """What the bare PATCH requests cost the servers."""
        return statistics.mean(each.servers.total() for each in self.bare)

    @property
    def server_ratio(self) -> float:
        """What the sync costs the servers, over what the bare PATCH requests cost them."""
        return (self.servers.total() - self.create.total()) / self.bare_servers


@click.command()
@click.option("--repositories", default=100, show_default=True, type=click.IntRange(1, 5000))
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(1, 20))
@click.option("--render", default="plain", type=click.Choice(["plain", "kustomize", "helm"]))
def main(repositories: int, rounds: int, render: world.Form) -> None:
    """Measure the first sync of REPOSITORIES repositories of four objects each.

    With --render, the same objects through an overlay or a chart are compared with the plain ones.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="nopea-bench-")))
        click.echo(f"▸ {repositories} repositories × {len(world.MANIFESTS)} objects, {rounds} rounds")
        lab = Lab.open(folder / "lab")
        lab.start(owned=True, progress=Terminal())
        stack.callback(lab.stop)
        (folder / "git").mkdir()
        forms: tuple[world.Form, ...] = ("plain",) if render == "plain" else ("plain", render)
        repository_names = {
            form: world.make_repositories(folder / "git", repositories, form) for form in forms
        }
        url = stack.enter_context(world.serving(folder / "git"))
        asyncio.run(_prepare(lab))
        measured: dict[world.Form, list[Round]] = {form: [] for form in forms}
        for number in range(rounds):
            for form in forms:
                title = f"{number}-{form}"
                bench = _Bench(lab, folder / f"round-{title}", url, repository_names[form], title)
                measured[form].append(bench.round())
                _show_round(title, measured[form][-1])
        _show_all(measured["plain"], repositories)
        for form in forms[1:]:
            pairs = zip(measured[form], measured["plain"], strict=True)
            ratios = [rendered.ratio / plain.ratio for rendered, plain in pairs]
            what = f"time with {form} over plain, each over the bare loops beside it"
            click.echo(f"{what}: median {_spread(ratios)}; goal ≤ 1.3")


class _Bench:
    """One round."""

    def __init__(self, lab: Lab, folder: Path, url: str, repository_names: list[str], number: str) -> None:
        self._lab, self._folder, self._url = lab, folder, url
        self._names, self._number = repository_names, number
        folder.mkdir()

    def round(self) -> Round:
        """Run the bare loops, the first sync, and the bare loops again."""
        before = self._bare("before")
        create = self._cost_of_creation()
        namespace = f"{world.NAMESPACE}-{self._number}"
        with world.controller(self._lab, self._folder, port=_free_port()) as pid:
            servers, requests = self._servers(), asyncio.run(self._requests())
            controller, git = cost.cpu_seconds([pid]), cost.cpu_seconds(cost.children(pid))
            half, all_ = asyncio.run(self._first_sync(namespace))
            time.sleep(SETTLING_SECONDS)
            servers, requests = self._servers() - servers, asyncio.run(self._requests()) - requests
            memory = cost.memory_mib(pid)
            controller = cost.cpu_seconds([pid]) - controller
            git = cost.cpu_seconds(cost.children(pid)) - git
            asyncio.run(self._delete_repositories(namespace))
        return Round(
            bare=(before, self._bare("after")),
            half=half,
            all=all_,
            memory_mib=memory,
            controller=controller,
            children=git,
            servers=servers,
            create=create,
            requests=requests,
        )

    def _servers(self) -> Counter[str]:
        return Counter(cost.server_cpu(self._lab))

    async def _requests(self) -> Counter[str]:
        async with KubeClient(load_config(self._lab.kubeconfig)) as client:
            return await cost.requests(client)

    def _bare(self, part: str) -> Bare:
        into = self._folder / f"bare-{part}"
        fetches = bare.fetch_all(self._url, self._names, into)
        shutil.rmtree(into)
        namespace = f"bare-{self._number}-{part}"
        asyncio.run(_make_namespace(self._lab, namespace))
        servers = self._servers()
        patches = asyncio.run(bare.patch_all(load_config(self._lab.kubeconfig), self._names, namespace))
        time.sleep(SETTLING_SECONDS)  # the controller manager's part, which the first sync has too
        return Bare(fetches=fetches, patches=patches, servers=self._servers() - servers)

    def _cost_of_creation(self) -> Counter[str]:
        namespace = f"create-{self._number}"
        servers = self._servers()
        asyncio.run(self._create(namespace))
        servers = self._servers() - servers
        asyncio.run(self._delete_repositories(namespace))
        return servers

    async def _create(self, namespace: str) -> None:
        await _make_namespace(self._lab, namespace)
        async with KubeClient(load_config(self._lab.kubeconfig)) as client:
            for name in self._names:
                spec = {"url": f"{self._url}{name}.git", "ref": {"branch": "main"}, "interval": "1h"}
                head = {"apiVersion": names.API_VERSION, "kind": names.KIND}
                body = {**head, "metadata": {"name": name, "namespace": namespace}, "spec": spec}
                await client.create(GIT_REPOSITORIES, orjson.dumps(body), namespace=namespace)

    async def _first_sync(self, namespace: str) -> tuple[float, float]:
        """Create the GitRepositories; return the seconds until half of them and all of them are Ready."""
        started = time.perf_counter()
        ready: dict[str, float] = {}

        async def wait(client: KubeClient) -> None:
            selection = Selection(namespace=namespace)
            async with aclosing(list_and_watch(client, GIT_REPOSITORIES, selection)) as events:
                async for event in events:
                    for live in _objects_of(event):
                        if _is_ready(live):
                            ready.setdefault(live.meta.name, time.perf_counter() - started)
                    if len(ready) == len(self._names):
                        return

        try:
            async with (
                KubeClient(load_config(self._lab.kubeconfig)) as client,
                asyncio.timeout(DEADLINE_SECONDS),
                asyncio.TaskGroup() as group,
            ):
                group.create_task(wait(client))
                group.create_task(self._create(namespace))
        except TimeoutError:
            raise SystemExit(f"only {len(ready)} of {len(self._names)} repositories are Ready") from None
        times = sorted(ready.values())
        return times[(len(times) - 1) // 2], times[-1]

    async def _delete_repositories(self, namespace: str) -> None:
        async with KubeClient(load_config(self._lab.kubeconfig)) as client:
            for name in self._names:
                await client.delete(GIT_REPOSITORIES.at(name=name, namespace=namespace))


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


def _objects_of(event: Event) -> Iterable[LiveObject]:
    match event:
        case Synced(objects):
            return objects
        case Changed(live):
            return (live,)
    return ()


def _is_ready(live: LiveObject) -> bool:
    conditions = (live.json().get("status") or {}).get("conditions") or ()
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _show_round(title: str, done: Round) -> None:
    fetches = statistics.mean(each.fetches for each in done.bare)
    click.echo(
        f"  round {title}: bare fetches {fetches:.2f} s + bare PATCHes {done.bare_seconds - fetches:.2f} s; "
        f"nopea {done.all:.2f} s (half Ready after {done.half:.2f} s); ratio {done.ratio:.2f}; "
        f"CPU of the servers {done.server_ratio:.2f} × bare"
    )


def _show_all(measured: list[Round], repositories: int) -> None:
    ratios, servers = [each.ratio for each in measured], [each.server_ratio for each in measured]
    halves = [each.half / each.all for each in measured]
    click.echo(f"time over the bare loops: median {_spread(ratios)}; goal ≤ 1.3")
    click.echo(f"CPU of API server and etcd over the bare PATCHes: median {_spread(servers)}; goal ≤ 1.6")
    click.echo(f"half of the repositories are Ready after {statistics.median(halves):.0%} of the time")
    last = measured[-1]
    parts = {"nopea": last.controller, "its Git children": last.children, **last.servers}
    spent = ", ".join(f"{name} {1000 * used / repositories:.1f}" for name, used in parts.items())
    created = 1000 * last.create.total() / repositories
    click.echo(
        f"CPU in ms per repository: {spent} (of the servers' {created:.1f} to create the GitRepository)"
    )
    click.echo(f"memory of nopea with its Git children: {last.memory_mib:.0f} MiB")
    click.echo("requests per repository:")
    for request, count in sorted(last.requests.items(), key=lambda item: -item[1]):
        if count * 20 >= repositories:
            click.echo(f"  {count / repositories:5.2f}  {request}")


def _spread(values: list[float]) -> str:
    return f"{statistics.median(values):.2f} (min {min(values):.2f}, max {max(values):.2f})"


if __name__ == "__main__":
    main()
