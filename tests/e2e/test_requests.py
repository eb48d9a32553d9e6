"""How many requests an object costs while nobody else changes it."""

from __future__ import annotations

import time
from pathlib import Path

from tests.e2e import yamls
from tests.e2e.tap import Asked, Tapped
from tests.e2e.waiting import eventually
from tests.e2e.world import Cluster, Site, condition
from tests.gitserver import GitServer

from nopea.controller.worker import SETTLING_SECONDS

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


def test_inputs_that_do_not_change_cost_nothing(
    cluster: Cluster, git_server: GitServer, namespace: str, tmp_path: Path
) -> None:
    """A change costs one look at the input, one write of the object and one of the status."""
    nopea = Tapped(cluster.lab, tmp_path / "nopea", f"--namespace={namespace}")
    site = Site(cluster, git_server, namespace)
    head = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "values", "namespace": namespace}}
    site.cluster.put(site.place("v1 configmaps", "values"), {**head, "data": {"colour": "blue"}})

    def green() -> None:
        found = cluster.must_get(site.place("v1 configmaps", "web"))
        assert found["data"]["colour"] == "green"

    try:
        nopea.wait_until_ready()
        references = [{"kind": "ConfigMap", "name": "values"}]
        files = {"web.yaml": yamls.text(yamls.config_map("web", colour="${colour}"))}
        site.sync("shop", files, substituteFrom=references, interval="1h")
        time.sleep(SETTLING_SECONDS + 1)
        before = len(nopea.asked())
        time.sleep(3)
        assert [one for one in nopea.asked(before) if "/namespaces/" in one.path] == []

        site.cluster.merge(site.place("v1 configmaps", "values"), {"data": {"colour": "green"}})
        eventually(green)
        time.sleep(SETTLING_SECONDS + 1)
        asked = nopea.asked(before)
        paths = [(one.method, one.path.partition("?")[0]) for one in asked if "/namespaces/" in one.path]
        named = [(method, path.rsplit("/", 1)[-1]) for method, path in paths]
        assert [one for one in named if one[1] != "events"] == [
            ("GET", "values"), ("PATCH", "web"), ("PATCH", "status"),
        ]  # fmt: skip
        assert nopea.stop() == 0, nopea.log_text()
    finally:
        nopea.kill()
        site.clear()


def test_a_first_sync_writes_the_status_once(
    cluster: Cluster, git_server: GitServer, namespace: str, tmp_path: Path
) -> None:
    """Also with a Deployment that is scaled to zero, whose controller reports three times afterwards."""
    nopea = Tapped(cluster.lab, tmp_path / "nopea", f"--namespace={namespace}")
    site = Site(cluster, git_server, namespace)
    web = yamls.deployment("web")
    web["spec"]["replicas"] = 0

    def rolled_out() -> None:
        found = cluster.must_get(site.place("apps/v1 deployments", "web"))
        assert condition(found, "Progressing").get("reason") == "NewReplicaSetAvailable", found

    try:
        nopea.wait_until_ready()
        repo = site.sync("shop", {"web.yaml": yamls.text(web)})
        eventually(rolled_out)
        time.sleep(SETTLING_SECONDS + 1)
        assert repo.condition("Healthy")["status"] == "True"
        assert sum("/gitrepositories/shop/status?" in one.path for one in nopea.asked()) == 1
        assert nopea.stop() == 0, nopea.log_text()
    finally:
        nopea.kill()
        site.clear()
