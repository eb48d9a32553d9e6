"""How many requests an object costs while nobody else changes it."""

from __future__ import annotations

from pathlib import Path

from tests.e2e import yamls
from tests.e2e.tap import Asked, Tapped
from tests.e2e.world import Cluster, Site
from tests.gitserver import GitServer

NAMES = tuple(f"web-{number}" for number in range(10))


def _files(colour: str) -> dict[str, str]:
    return {f"{name}.yaml": yamls.text(yamls.config_map(name, colour=colour)) for name in NAMES}


def _methods(asked: list[Asked]) -> dict[str, int]:
    methods = [one.method for one in asked if one.names_one_of(NAMES)]
    return {method: methods.count(method) for method in sorted(set(methods))}


def test_each_object_is_written_once(
    cluster: Cluster, git_server: GitServer, namespace: str, tmp_path: Path
) -> None:
    """Neither a new object nor one that Git changes is read before it is written."""
    nopea = Tapped(cluster.lab, tmp_path / "nopea", f"--namespace={namespace}")
    site = Site(cluster, git_server, namespace)
    try:
        nopea.wait_until_ready()
        repo = site.sync("shop", _files("blue"))
        first = nopea.asked()
        assert _methods(first) == {"PATCH": len(NAMES)}
        commit = repo.git.commit(_files("red"))
        repo.sync_now()
        repo.wait_synced(commit)
        assert _methods(nopea.asked(len(first))) == {"PATCH": len(NAMES)}
        assert nopea.stop() == 0, nopea.log_text()
    finally:
        nopea.kill()
        site.clear()
