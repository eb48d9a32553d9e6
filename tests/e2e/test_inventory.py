"""The inventory in Kubernetes: ten thousand entries are stored, read back, and written only once."""

from __future__ import annotations

from tests.e2e import yamls
from tests.e2e.waiting import eventually
from tests.e2e.world import Cluster, Json, Site, path_of

from nopea.core.api.repository import Repository, parse_repository
from nopea.core.api.status import GitRepositoryStatus
from nopea.core.objects import ObjectKey
from nopea.core.plan.model import LastApplied
from nopea.kube.client import KubeClient
from nopea.kube.load import load_config
from nopea.state.inventory import InventoryStore
from nopea.state.store import RepositoryState

OBJECTS = 10_000


def _repository(cluster: Cluster, namespace: str) -> Repository:
    """Create a suspended GitRepository; return it with conditions as after a first sync."""
    place = f"nopea.io/v1alpha1 gitrepositories {namespace}"
    body = {
        "apiVersion": "nopea.io/v1alpha1",
        "kind": "GitRepository",
        "metadata": {"name": "big", "namespace": namespace},
        "spec": {"url": "https://git.acme.invalid/big.git", "ref": {"branch": "main"}, "suspend": True},
    }
    made = cluster.lab.request("POST", path_of(place), body)
    assert made.status == 201, made.body
    raw = dict(made.body)
    raw["status"] = {
        "conditions": [
            {
                "type": "Ready",
                "status": "True",
                "reason": "Succeeded",
                "message": "",
                "lastTransitionTime": "2026-01-02T03:04:05Z",
            }
        ]
    }
    return parse_repository(raw)


async def test_ten_thousand_entries_are_stored_and_read_back(cluster: Cluster, namespace: str) -> None:
    """Ten thousand entries fit into ten Inventory objects, and unchanged ones are not written again."""
    repository = _repository(cluster, namespace)
    applied = {
        ObjectKey("apps", "Deployment", f"team-{number % 50}", f"web-{number:05}"): LastApplied(
            hash=f"{number:032x}", projection=f"{number + 1:032x}", commit=f"{number:040x}"
        )
        for number in range(OBJECTS)
    }
    place = f"nopea.io/v1alpha1 inventories {namespace}"
    async with KubeClient(load_config(cluster.lab.kubeconfig)) as client:
        store = InventoryStore(client)
        state = RepositoryState(
            uid=repository.uid, status=GitRepositoryStatus(), applied=dict(applied), loaded=True
        )
        assert await store.save(repository, state) == ""
        before = {one["metadata"]["name"]: one["metadata"]["resourceVersion"] for one in cluster.list(place)}
        assert len(before) == OBJECTS / 1000

        another = RepositoryState(uid=repository.uid, status=repository.status)
        await InventoryStore(client).load(repository, another)
        assert another.applied == applied

        await InventoryStore(client).save(repository, another)
        after = {one["metadata"]["name"]: one["metadata"]["resourceVersion"] for one in cluster.list(place)}
        assert after == before


def test_a_repository_that_is_created_again_adopts_its_objects(site: Site) -> None:
    """After an `Orphan` deletion, a repository of the same name keeps and records the existing objects."""
    repo = site.sync("shop", {"web.yaml": yamls.text(yamls.config_map("web"))}, deletionPolicy="Orphan")
    place = site.place("v1 configmaps", "web")
    uid = site.cluster.must_get(place)["metadata"]["uid"]
    site.cluster.delete(repo.place)

    def gone() -> None:
        assert site.cluster.get(repo.place) is None

    eventually(gone)
    again = site.follow("shop", pruneLimit="100%")
    again.wait_synced()
    assert site.cluster.must_get(place)["metadata"]["uid"] == uid
    assert again.inventory() == [f"ConfigMap {site.namespace}/web"]
    again.git.commit({"api.yaml": yamls.text(yamls.config_map("api"))})
    again.sync_and_wait()

    def pruned() -> Json | None:
        found = site.cluster.get(place)
        assert found is None
        return found

    eventually(pruned)
