"""What an object costs in requests while nobody else changes it: naming a version asks for nothing more."""

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
    """A new object is looked for and written; one that Git changes is written, and not read for it."""
    nopea = Tapped(cluster.lab, tmp_path / "nopea", f"--namespace={namespace}")
    site = Site(cluster, git_server, namespace)
    try:
        nopea.wait_until_ready()
        repo = site.sync("shop", _files("blue"))
        first = nopea.asked()
        assert _methods(first) == {"GET": len(NAMES), "PATCH": len(NAMES)}
        commit = repo.git.commit(_files("red"))
        repo.sync_now()
        repo.wait_synced(commit)
        assert _methods(nopea.asked(len(first))) == {"PATCH": len(NAMES)}
        assert nopea.stop() == 0, nopea.log_text()
    finally:
        nopea.kill()
        site.clear()
