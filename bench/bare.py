"""Measure the minimum cost of a first sync: bare loops of the same fetches and the same PATCH requests."""

from __future__ import annotations

import asyncio
import concurrent.futures
import json
import subprocess
import sys
import time
from pathlib import Path

import aiohttp
import orjson
import pygit2
import yaml

from bench.world import MANIFESTS
from nopea.kube.config import ClusterConfig
from nopea.kube.tls import tls_context

THREADS = 8
CONNECTIONS = 32
_PLURALS = {
    "ConfigMap": "/api/v1/namespaces/{}/configmaps",
    "ServiceAccount": "/api/v1/namespaces/{}/serviceaccounts",
    "Service": "/api/v1/namespaces/{}/services",
    "Deployment": "/apis/apps/v1/namespaces/{}/deployments",
}


def fetch_all(url: str, names: list[str], into: Path) -> float:
    """Fetch every repository in a new process with eight threads; return the loop's duration in seconds."""
    answer = subprocess.run(
        [sys.executable, "-m", "bench.bare", url, str(into)],
        input=json.dumps(names),
        capture_output=True,
        text=True,
        check=True,
    )
    return float(answer.stdout)


def _fetch_loop(url: str, names: list[str], into: Path) -> float:
    def fetch(name: str) -> None:
        repository = pygit2.init_repository(str(into / f"{name}.git"), bare=True)
        remote = repository.remotes.create_anonymous(f"{url}{name}.git")
        remote.fetch(["+refs/heads/main:refs/heads/main"])
        tree = repository[repository.references["refs/heads/main"].target].tree
        for entry in tree:
            assert repository[entry.id].read_raw()

    started = time.perf_counter()
    with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(fetch, names))
    return time.perf_counter() - started


async def patch_all(config: ClusterConfig, names: list[str], namespace: str) -> float:
    """Apply the same objects in another namespace, 32 requests at a time; return the seconds that it took."""
    user = config.user
    context = tls_context(config, certificate=user.certificate, key=user.key)  # type: ignore[arg-type]
    work = iter([request for name in names for request in _requests(name, namespace)])
    connector = aiohttp.TCPConnector(limit=CONNECTIONS, ssl=context)
    headers = {"Content-Type": "application/apply-patch+yaml", "Accept": "application/json"}
    async with aiohttp.ClientSession(config.server, connector=connector, headers=headers) as session:

        async def lane() -> None:
            for path, body in work:
                async with session.patch(path, data=body) as response:
                    assert response.status in (200, 201), await response.text()
                    await response.read()

        started = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for _ in range(CONNECTIONS):
                group.create_task(lane())
        return time.perf_counter() - started


def _requests(name: str, namespace: str) -> list[tuple[str, bytes]]:
    requests = []
    for text in MANIFESTS.values():
        manifest = yaml.safe_load(text.format(name=name))
        manifest["metadata"] |= {
            "namespace": namespace,
            "labels": {"nopea.io/repository": f"bench.{name}"},
            "annotations": {"nopea.io/source": "config.yaml#1"},
        }
        path = f"{_PLURALS[manifest['kind']].format(namespace)}/{name}"
        query = "?fieldManager=bench&force=true&fieldValidation=Strict"
        requests.append((path + query, orjson.dumps(manifest)))
    return requests


if __name__ == "__main__":
    print(_fetch_loop(sys.argv[1], json.load(sys.stdin), Path(sys.argv[2])))
