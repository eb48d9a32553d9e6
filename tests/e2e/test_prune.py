"""Pruning and deletion: objects that Git no longer declares are deleted, and no other objects."""

from __future__ import annotations

import pytest
from tests.e2e import yamls
from tests.e2e.tenancy import BOTH_MODES
from tests.e2e.waiting import eventually
from tests.e2e.world import Site

from nopea.core.plan.inventory import unpack

pytestmark = BOTH_MODES


def _maps(*names: str) -> dict[str, str]:
    return {f"{name}.yaml": yamls.text(yamls.config_map(name, colour="blue")) for name in names}


def test_an_object_removed_from_git_is_deleted(site: Site) -> None:
    """The object of a removed file is deleted in the same sync, and an Event names it."""
    repo = site.sync("shop", _maps("api", "db", "log", "web"))
    repo.git.commit(_maps("api", "db", "log"))
    status = repo.sync_and_wait()
    assert site.cluster.get(site.place("v1 configmaps", "web")) is None
    assert site.cluster.get(site.place("v1 configmaps", "db")) is not None
    assert status["history"][0]["pruned"] == 1
    assert [key.name for key in unpack(status["inventory"])] == ["api", "db", "log"]
    assert "web" in repo.wait_event("Pruned")["note"]


def test_prune_false_keeps_objects(site: Site) -> None:
    """With `prune: false`, removed objects stay in the cluster and in the inventory."""
    repo = site.sync("shop", _maps("api", "web"), prune=False)
    repo.git.commit(_maps("api"))
    status = repo.sync_and_wait()
    assert site.cluster.get(site.place("v1 configmaps", "web")) is not None
    assert len(unpack(status["inventory"])) == 2


def test_a_broken_file_prunes_nothing(site: Site) -> None:
    """While a file in Git cannot be parsed, nothing is deleted."""
    repo = site.sync("shop", _maps("api", "db", "web"), pruneLimit="100%")
    repo.git.commit({**_maps("api", "db"), "broken.yaml": "a: [1\n"})
    repo.sync_and_wait()
    assert site.cluster.get(site.place("v1 configmaps", "web")) is not None


def test_a_large_prune_needs_a_confirmation(site: Site) -> None:
    """More than a quarter of the inventory is pruned only with an annotation that confirms the commit."""
    repo = site.sync("shop", _maps("a", "b", "c", "d", "e"))
    commit = repo.git.commit(_maps("a"))
    status = repo.sync_and_wait()
    assert "NOPEA-K013" in [error["code"] for error in status["errors"]]
    assert site.cluster.get(site.place("v1 configmaps", "b")) is not None
    site.cluster.merge(repo.place, {"metadata": {"annotations": {"nopea.io/confirm-prune": commit}}})
    repo.wait_synced(commit)
    for name in "bcde":
        assert site.cluster.get(site.place("v1 configmaps", name)) is None


def test_one_of_two_objects_is_more_than_a_quarter(site: Site) -> None:
    """The default limit is not rounded up; the message says what it allows."""
    repo = site.sync("shop", _maps("api", "web"))
    commit = repo.git.commit(_maps("api"))
    status = repo.sync_and_wait()
    (error,) = status["errors"]
    assert error["code"] == "NOPEA-K013"
    assert (
        "1 of 2 objects were removed from Git, and spec.pruneLimit (25%) allows 0 at once."
        in error["message"]
    )
    assert site.cluster.get(site.place("v1 configmaps", "web")) is not None

    repo.change(pruneLimit=1)

    repo.wait_synced(commit)
    assert site.cluster.get(site.place("v1 configmaps", "web")) is None


def test_deleting_the_repository_deletes_its_objects(site: Site) -> None:
    """With `deletionPolicy: Delete`, the objects are deleted first, then the GitRepository."""
    repo = site.sync("shop", _maps("api", "web"), deletionPolicy="Delete")
    assert repo.get()["metadata"]["finalizers"] == ["nopea.io/finalizer"]
    site.cluster.delete(repo.place)

    def gone() -> None:
        assert site.cluster.get(repo.place) is None

    eventually(gone, seconds=15)
    assert site.cluster.get(site.place("v1 configmaps", "web")) is None


def test_the_finalizer_of_an_earlier_version_does_not_keep_the_repository(site: Site) -> None:
    """It was applied as the manager of what Git declares, so that an apply as another does not remove it."""
    repo = site.sync("shop", _maps("web"))
    body = {
        "apiVersion": "nopea.io/v1alpha1",
        "kind": "GitRepository",
        "metadata": {"name": "shop", "namespace": site.namespace, "finalizers": ["nopea.io/finalizer"]},
        "spec": repo.get()["spec"],
    }
    site.cluster.put(repo.place, body, manager="nopea")

    site.cluster.delete(repo.place)

    eventually(lambda: site.cluster.assert_gone(repo.place))
    assert site.cluster.get(site.place("v1 configmaps", "web")) is not None


def test_orphan_leaves_the_objects(site: Site) -> None:
    """By default the objects stay, no finalizer holds the GitRepository, and an Event names them."""
    repo = site.sync("shop", _maps("web"))
    assert "finalizers" not in repo.get()["metadata"]
    site.cluster.delete(repo.place)
    eventually(lambda: site.cluster.assert_gone(repo.place))
    assert site.cluster.get(site.place("v1 configmaps", "web")) is not None

    def noted() -> None:
        events = site.cluster.list(site.place("events.k8s.io/v1 events"))
        (note,) = [event["note"] for event in events if event["reason"] == "Orphaned"]
        assert note == (
            f"The GitRepository was deleted. 1 object stays in the cluster (ConfigMap {site.namespace}/web): "
            "spec.deletionPolicy was not Delete."
        )

    eventually(noted)


@pytest.mark.parametrize("policy", ["Orphan", "Delete"])
def test_a_renamed_repository_hands_its_objects_over(site: Site, policy: str) -> None:
    """When a GitRepository is deleted, another one that declares the same objects takes them over."""
    old = site.sync("shop", _maps("web"), deletionPolicy=policy)
    place = site.place("v1 configmaps", "web")
    uid = site.cluster.must_get(place)["metadata"]["uid"]
    new = site.follow("store", url=site.url("shop"))
    new.wait_failed("NOPEA-K004")
    site.cluster.delete(old.place)
    new.wait_synced(seconds=30)
    found = site.cluster.must_get(place)["metadata"]
    assert (found["uid"], found["labels"]["nopea.io/repository"]) == (uid, f"{site.namespace}.store")


def test_more_than_a_hundred_objects_go_into_inventory_objects(site: Site) -> None:
    """A long inventory is stored in Inventory objects, and pruning works as with a short one."""
    names = [f"m{number:03}" for number in range(150)]
    repo = site.sync("shop", _maps(*names))
    assert "inventory" not in repo.status()
    chunks = site.cluster.list(site.place("nopea.io/v1alpha1 inventories"))
    assert [len(unpack(chunk["spec"]["objects"])) for chunk in chunks] == [150]
    repo.git.commit(_maps(*names[:-1]))
    repo.sync_and_wait()
    assert site.cluster.get(site.place("v1 configmaps", names[-1])) is None
    chunks = site.cluster.list(site.place("nopea.io/v1alpha1 inventories"))
    assert [len(unpack(chunk["spec"]["objects"])) for chunk in chunks] == [149]


def test_a_shrinking_inventory_moves_into_the_status(site: Site) -> None:
    """When the inventory fits into the status, it is stored there and the Inventory objects are deleted."""
    names = [f"m{number:03}" for number in range(102)]
    repo = site.sync("shop", _maps(*names))
    repo.git.commit(_maps(*names[:-4]))
    status = repo.sync_and_wait(seconds=40)
    assert len(unpack(status["inventory"])) == 98
    eventually(lambda: _assert_no_inventories(site))


def _assert_no_inventories(site: Site) -> None:
    assert site.cluster.list(site.place("nopea.io/v1alpha1 inventories")) == []


def test_a_protected_object_stays_and_fails_nothing(site: Site) -> None:
    """A claim stays, Ready stays True, one Event and the status say how to let it go; others are deleted."""
    files = _maps("a", "b", "c")
    repo = site.sync("shop", {**files, "p.yaml": yamls.text(yamls.claim("p"))}, pruneLimit=1)
    commit = repo.git.commit(_maps("a", "b"))
    status = repo.sync_and_wait()
    claim = site.place("v1 persistentvolumeclaims", "p")
    assert site.cluster.get(site.place("v1 configmaps", "c")) is None
    assert site.cluster.get(claim) is not None
    assert (repo.condition("Ready")["status"], status["lastAppliedCommit"]) == ("True", commit)
    (kept,) = status["kept"]
    assert kept["object"] == {"kind": "PersistentVolumeClaim", "namespace": site.namespace, "name": "p"}
    assert 'annotate it with nopea.io/prune: "true"' in kept["message"]
    note = repo.wait_event("Kept")
    assert note["type"] == "Normal"
    repo.sync_and_wait()
    assert "series" not in repo.wait_event("Kept")

    site.cluster.lab.run_kubectl("annotate", "pvc", "p", "-n", site.namespace, "nopea.io/prune=false")
    assert "kept" not in repo.sync_and_wait()
    site.cluster.lab.run_kubectl(
        "annotate", "pvc", "p", "-n", site.namespace, "nopea.io/prune=true", "--overwrite"
    )
    repo.sync_and_wait()
    eventually(lambda: _assert_ending(site, claim))


def _assert_ending(site: Site, place: str) -> None:
    found = site.cluster.get(place)
    assert found is None or "deletionTimestamp" in found["metadata"]
