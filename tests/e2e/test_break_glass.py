"""Break-glass during a write: Nopea does not overwrite an object that a user protects in the meantime.

The gate holds a write between Nopea and the API server while the user acts, so that the order is fixed.
"""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.e2e import yamls
from tests.e2e.tap import Gated
from tests.e2e.waiting import eventually
from tests.e2e.world import MERGE_PATCH, Cluster, Json, Repo, Site
from tests.gitserver import GitServer

MAPS = "v1 configmaps"
PROTECTED = {"metadata": {"annotations": {"nopea.io/suspend-heal": "true"}}}


@pytest.fixture
def gated(cluster: Cluster, namespace: str, tmp_path: Path) -> Iterator[Gated]:
    """A private controller whose writes can be held."""
    running = Gated(cluster.lab, tmp_path / "nopea", f"--namespace={namespace}")
    try:
        running.wait_until_ready()
        yield running
        running.open()
        assert running.stop() == 0, running.log_text()
        assert [line for line in running.logs() if "traceback" in line] == []
    finally:
        running.kill()


@pytest.fixture
def site(cluster: Cluster, git_server: GitServer, namespace: str, gated: Gated) -> Iterator[Site]:
    """A namespace whose GitRepositories the gated controller reconciles."""
    made = Site(cluster, git_server, namespace)
    yield made
    gated.open()
    made.clear()


def _web(**data: str) -> dict[str, str]:
    return {"web.yaml": yamls.text(yamls.config_map("web", **(data or {"colour": "blue"})))}


def _person(site: Site, body: Json) -> Json:
    """Change the ConfigMap `web` with kubectl and return the new object."""
    site.cluster.lab.run_kubectl(
        "patch", "configmap", "web", "-n", site.namespace, "--type=merge", "-p", json.dumps(body)
    )
    return site.cluster.must_get(site.place(MAPS, "web"))


def _assert_left(repo: Repo, before: Json) -> None:
    assert repo.status().get("suspendedCount") == 1, repo.status()
    live = repo.site.cluster.must_get(repo.site.place(MAPS, "web"))
    assert live["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"], live


def _push(repo: Repo) -> None:
    repo.git.commit(_web(colour="green"))
    repo.sync_now()


def _edit(repo: Repo) -> None:
    _person(repo.site, {"data": {"colour": "yellow"}})


def _take_the_label_off(repo: Repo) -> None:
    _person(repo.site, {"metadata": {"labels": {"nopea.io/repository": None}}})


@pytest.mark.parametrize("cause", [_push, _edit, _take_the_label_off])
def test_a_write_in_flight_does_not_change_a_protected_object(
    site: Site, gated: Gated, cause: Callable[[Repo], None]
) -> None:
    """A write in flight, from Git or for healing, is refused if break-glass is set in the meantime."""
    repo = site.sync("shop", _web())
    gated.shut("web")
    cause(repo)
    gated.wait_for_a_write()

    before = _person(site, {**PROTECTED, "data": {"colour": "red"}})
    gated.open()

    eventually(lambda: _assert_left(repo, before))
    assert site.cluster.must_get(site.place(MAPS, "web"))["data"] == {"colour": "red"}
    _person(site, {"metadata": {"annotations": {"nopea.io/suspend-heal": None}}})
    repo.sync_now()  # an object without the label is not watched
    colour = "green" if cause is _push else "blue"
    eventually(lambda: _assert_colour(site, colour))


def _assert_colour(site: Site, colour: str) -> None:
    assert site.cluster.must_get(site.place(MAPS, "web"))["data"] == {"colour": colour}


def test_an_adoption_in_flight_does_not_change_a_protected_object(site: Site, gated: Gated) -> None:
    """An adoption stops before it changes anything, even managedFields, if the object becomes protected."""
    site.cluster.put(site.place(MAPS, "web"), yamls.config_map("web", colour="white"))
    site.origin("shop", _web())
    gated.shut("web")
    repo = site.follow("shop")
    gated.wait_for_a_write()

    before = _person(site, {**PROTECTED, "data": {"colour": "red"}})
    gated.open()

    eventually(lambda: _assert_left(repo, before))


def test_a_recreation_in_flight_does_not_delete_a_protected_object(site: Site, gated: Gated) -> None:
    """With force, an immutable change does not delete an object that was protected in the meantime."""

    def files(colour: str) -> dict[str, str]:
        return {"web.yaml": yamls.text({**yamls.config_map("web", colour=colour), "immutable": True})}

    repo = site.sync("shop", files("blue"), force=True)
    gated.shut("web")
    repo.git.commit(files("red"))
    repo.sync_now()
    gated.wait_for_a_write()

    before = _person(site, PROTECTED)
    gated.open()

    eventually(lambda: _assert_left(repo, before))


def test_an_object_that_another_repository_takes_meanwhile_is_not_written(site: Site, gated: Gated) -> None:
    """A write is also refused if the ownership label changes in the meantime; the error names the owner."""
    repo = site.sync("shop", _web())
    gated.shut("web")
    _push(repo)
    gated.wait_for_a_write()

    other = {"metadata": {"labels": {"nopea.io/repository": f"{site.namespace}.stock"}}}
    site.origin("stock", {"other.yaml": yamls.text(yamls.config_map("other"))})
    site.cluster.put(
        site.place("nopea.io/v1alpha1 gitrepositories", "stock"),
        site.declaration("stock", suspend=True),
    )
    site.names.append("stock")
    before = _person(site, other)
    gated.open()

    (error,) = repo.wait_failed("NOPEA-K004")["status"]["errors"]
    assert "stock" in error["message"]
    live = site.cluster.must_get(site.place(MAPS, "web"))
    assert live["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]


def test_manual_drift_during_the_write_is_left(site: Site, gated: Gated) -> None:
    """Under `manual`, a write in flight from Git does not overwrite an edit that it did not see."""
    repo = site.sync("shop", _web(colour="blue", size="1"), healPolicy="manual")
    gated.shut("web")
    repo.git.commit(_web(colour="blue", size="2"))
    repo.change(interval="1s")  # a sync request would also heal
    gated.wait_for_a_write()

    _person(site, {"data": {"colour": "red"}})
    gated.open()

    def merged() -> None:
        live = site.cluster.must_get(site.place(MAPS, "web"))
        assert live["data"] == {"colour": "red", "size": "2"}
        assert repo.status().get("driftedCount") == 1, repo.status()

    eventually(merged)


def test_an_object_deleted_during_the_write_is_created_again(site: Site, gated: Gated) -> None:
    """If the object is deleted during a write, it is created again as Git declares it."""
    repo = site.sync("shop", _web())
    gated.shut("web")
    repo.git.commit(_web(colour="green"))
    repo.sync_now()
    gated.wait_for_a_write()

    site.cluster.delete(site.place(MAPS, "web"))
    gated.open()

    repo.wait_synced(repo.git.tip())
    _assert_colour(site, "green")


def _deployment(number: int) -> dict[str, str]:
    image = f"registry.example/web:{number}"
    return {"web.yaml": yamls.text(yamls.deployment("web", image=image))}


def _assert_image(site: Site, number: int) -> None:
    live = site.cluster.must_get(site.place("apps/v1 deployments", "web"))
    (container,) = live["spec"]["template"]["spec"]["containers"]
    assert container["image"] == f"registry.example/web:{number}"


def _change_status(site: Site, number: int) -> None:
    """Change the Deployment's status as its controller does in a rollout."""
    path = f"/apis/apps/v1/namespaces/{site.namespace}/deployments/web/status"
    body = {"status": {"collisionCount": number}}
    answer = site.cluster.lab.request("PATCH", path, body, content_type=MERGE_PATCH)
    assert answer.status == 200, answer.body


def test_an_object_whose_status_changes_is_written(site: Site, gated: Gated) -> None:
    """A Deployment whose status changes during the write, as in a rollout, is applied in the same sync."""
    repo = site.sync("shop", _deployment(1))
    gated.shut("web")
    commit = repo.git.commit(_deployment(2))
    repo.sync_now()
    gated.wait_for_a_write()
    _change_status(site, 1)
    gated.open()
    repo.wait_synced(commit)
    _assert_image(site, 2)
    assert [line for line in gated.logs() if line["level"] in ("warning", "error")] == []


def test_a_busy_object_is_written(site: Site) -> None:
    """Changes from Git are applied to an object whose status changes many times a second."""
    repo = site.sync("shop", _deployment(1))
    done = threading.Event()

    def keep_busy() -> None:
        for number in itertools.count(1):
            if done.wait(0.1):
                return
            _change_status(site, number)

    with ThreadPoolExecutor(1) as pool:
        busy = pool.submit(keep_busy)
        try:
            for number in range(2, 7):
                commit = repo.git.commit(_deployment(number))
                repo.sync_now()
                repo.wait_synced(commit)
                _assert_image(site, number)
        finally:
            done.set()
        busy.result()
