"""A controller that is killed and started again knows what it knew: nothing is written, read or forgotten."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e import yamls
from tests.e2e.tap import Asked, Tapped
from tests.e2e.waiting import eventually
from tests.e2e.world import MERGE_PATCH, Cluster, Json, Repo, Site
from tests.gitserver import GitServer

from nopea.core.api.names import INVENTORY_KEY
from nopea.core.plan.inventory import pack, unpack
from nopea.reconcile.publish import PROGRESS_AFTER_SECONDS

SECONDS = 60.0
MANY = 2_000
PER_FILE = 100
INVENTORIES = "nopea.io/v1alpha1 inventories"
MAPS = "v1 configmaps"


class Controllers:
    """One controller after another for one namespace."""

    def __init__(self, cluster: Cluster, folder: Path, namespace: str) -> None:
        self._cluster, self._folder, self._namespace = cluster, folder, namespace
        self._started: list[Tapped] = []

    def start(self, *arguments: str) -> Tapped:
        """Start a controller that knows nothing yet; the one before must have ended."""
        assert all(one.exit_code is not None for one in self._started)
        folder = self._folder / f"nopea-{len(self._started)}"
        self._started.append(Tapped(self._cluster.lab, folder, f"--namespace={self._namespace}", *arguments))
        self._started[-1].wait_until_ready()
        return self._started[-1]

    def kill(self) -> None:
        """End the controller that runs, as the kernel's memory killer would."""
        for one in self._started:
            one.kill()


@pytest.fixture
def site(cluster: Cluster, git_server: GitServer, namespace: str) -> Site:
    """A namespace that the test's own controllers look after."""
    return Site(cluster, git_server, namespace)


@pytest.fixture
def controllers(site: Site, tmp_path: Path) -> Iterator[Controllers]:
    """The test's controllers. In the end the repositories are let go without their objects."""
    made = Controllers(site.cluster, tmp_path, site.namespace)
    yield made
    made.kill()
    for name in site.names:  # nobody is left to delete the objects: the namespace goes with them
        place = site.place("nopea.io/v1alpha1 gitrepositories", name)
        site.cluster.merge(place, {"metadata": {"finalizers": None}})
    site.clear()


def _files(*names: str) -> dict[str, str]:
    return {f"{name}.yaml": yamls.text(yamls.config_map(name, colour="blue")) for name in names}


def _many(count: int) -> dict[str, str]:
    names = [f"m{number:04}" for number in range(count)]
    return {
        f"maps-{start:04}.yaml": yamls.text(
            *(yamls.config_map(name, colour="blue") for name in names[start : start + PER_FILE])
        )
        for start in range(0, count, PER_FILE)
    }


def _wait_first_pass(nopea: Tapped, repo: Repo, *, seconds: float = SECONDS) -> None:
    """Return when the controller has had its first pass over the repository, and told all about it."""

    def finished() -> None:
        assert nopea.logs("sync finished", repo=repo.log_key), nopea.log_text()

    eventually(finished, seconds=seconds)


def _versions(site: Site) -> dict[str, str]:
    """Return the versions of all objects of ours in the namespace."""
    kinds = (MAPS, "apps/v1 deployments", "v1 secrets")
    found = [
        one
        for kind in kinds
        for one in site.cluster.list(site.place(kind), query="labelSelector=nopea.io/repository")
    ]
    return {f"{one['metadata']['name']}": one["metadata"]["resourceVersion"] for one in found}


def _asked(nopea: Tapped, repo: Repo) -> list[Asked]:
    """Return the requests. A sync that takes seconds, on a busy machine, shows its progress in the status."""
    (finished, *_) = nopea.logs("sync finished", repo=repo.log_key)
    is_slow = finished["seconds"] >= PROGRESS_AFTER_SECONDS
    return [one for one in nopea.asked() if not (is_slow and f"/{repo.name}/status?" in one.path)]


def _assert_nothing_done(nopea: Tapped, repo: Repo, names: list[str]) -> None:
    """The controller has written nothing and looked at no single object."""
    asked = _asked(nopea, repo)
    assert [one for one in asked if one.writes] == []
    assert [one for one in asked if one.names_one_of(names)] == []


def test_nothing_changed_costs_nothing(site: Site, controllers: Controllers) -> None:
    """After `kill -9`, a controller that finds all as it was writes nothing and reads no single object."""
    controllers.start()
    files = {**_files("web", "store"), "words.yaml": yamls.text(yamls.secret("words", word="acme"))}
    repo = site.sync("shop", files)
    before = eventually(lambda: _settled(repo), seconds=SECONDS)
    controllers.kill()
    status = repo.status()

    nopea = controllers.start()
    _wait_first_pass(nopea, repo)

    _assert_nothing_done(nopea, repo, [*before, "shop"])
    eventually(lambda: _assert_status(repo, status))
    assert _versions(site) == before


def test_what_is_unchanged_is_not_rendered_again(
    site: Site, controllers: Controllers, tmp_path: Path
) -> None:
    """A cache folder that outlives the process has the renderings too; a commit meanwhile is rendered."""
    cache = f"--cache-dir={tmp_path / 'cache'}"
    controllers.start(cache)
    files = {"kustomization.yaml": "resources: [web.yaml]\nnamePrefix: prod-\n", **_files("web")}
    repo = site.sync("shop", files)
    controllers.kill()

    nopea = controllers.start(cache)
    _wait_first_pass(nopea, repo)
    assert _renderings(nopea) == 0
    commit = repo.git.commit({**files, **_files("web", "store")})
    assert repo.sync_and_wait()["lastAppliedCommit"] == commit
    assert _renderings(nopea) == 0
    controllers.kill()

    repo.git.commit({**files, "kustomization.yaml": "resources: [web.yaml]\nnamePrefix: eu-\n"})
    nopea = controllers.start(cache)
    eventually(lambda: site.cluster.must_get(site.place(MAPS, "eu-web")))
    assert _renderings(nopea) > 0


def _renderings(nopea: Tapped) -> float:
    lines = nopea.get("/metrics").text.splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith("nopea_renderings_total{"))


def test_another_key_costs_a_look_at_each_object(site: Site, controllers: Controllers) -> None:
    """Without the Secret of the key nothing is written to an object and no drift is told, and only once."""
    controllers.start()
    files = {**_files("web", "store"), "words.yaml": yamls.text(yamls.secret("words", word="acme"))}
    repo = site.sync("shop", files, healPolicy="manual")
    before = eventually(lambda: _settled(repo), seconds=SECONDS)
    controllers.kill()
    inventory = repo.status()["inventory"]
    site.cluster.delete(site.place("v1 secrets", INVENTORY_KEY))

    nopea = controllers.start()
    _wait_first_pass(nopea, repo)
    eventually(lambda: _assert_recorded_anew(repo, inventory), seconds=SECONDS)
    assert [one for one in _asked(nopea, repo) if one.writes and one.names_one_of([*before])] == []
    assert _versions(site) == before
    assert not repo.status().get("drifts")
    assert repo.condition("Drifted").get("status") != "True"
    controllers.kill()

    nopea = controllers.start()
    _wait_first_pass(nopea, repo)
    _assert_nothing_done(nopea, repo, [*before, "shop"])


def _assert_recorded_anew(repo: Repo, inventory: str) -> None:
    """The objects are recorded with the hashes of a new key."""
    known = unpack(repo.status()["inventory"], key=repo.site.inventory_key())
    assert repo.status()["inventory"] != inventory
    assert len(known) == 3
    assert all(last.hash and last.projection for last in known.values())


def _assert_status(repo: Repo, status: Json) -> None:
    assert repo.status() == status


def _settled(repo: Repo) -> dict[str, str]:
    """Return the objects' versions once all there is to say of them has been told."""
    assert repo.condition("Healthy").get("status") == "True", repo.status()
    return _versions(repo.site)


def test_a_change_made_meanwhile_is_still_a_manual_one(site: Site, controllers: Controllers) -> None:
    """Under `manual` it is left and told with its author, though Git changed another field meanwhile."""
    controllers.start()
    repo = site.sync("shop", {**_files("store"), **_web(size="1")}, healPolicy="manual")
    controllers.kill()
    _edit(site)
    repo.git.commit({**_files("store"), **_web(size="2")})

    controllers.start()

    repo.wait_synced(repo.git.tip(), seconds=SECONDS)
    drift = eventually(lambda: _one_drift(repo), seconds=SECONDS)
    assert drift["manager"] == "kubectl-patch"
    assert drift["fields"] == [{"path": ".data.colour", "from": "blue", "to": "red"}]
    assert site.cluster.must_get(site.place(MAPS, "web"))["data"] == {"colour": "red", "size": "2"}
    assert repo.status()["driftedCount"] == 1


def test_a_change_made_meanwhile_is_left_under_manual(site: Site, controllers: Controllers) -> None:
    """With Git unchanged it is manual drift, told and not written over; another restart says so too."""
    controllers.start()
    repo = site.sync("shop", _web(size="1"), healPolicy="manual")
    controllers.kill()
    _edit(site)

    controllers.start()
    drift = eventually(lambda: _one_drift(repo), seconds=SECONDS)
    assert (drift["kind"], drift["manager"], drift["operation"]) == (
        "manual_drift",
        "kubectl-patch",
        "Update",
    )
    assert drift["fields"] == [{"path": ".data.colour", "from": "blue", "to": "red"}]
    controllers.kill()
    status, before = repo.status(), _versions(site)

    nopea = controllers.start()
    _wait_first_pass(nopea, repo)
    eventually(lambda: _assert_status(repo, status))
    assert _versions(site) == before
    assert [one for one in _asked(nopea, repo) if one.writes and "/events" not in one.path] == []


def test_a_change_made_meanwhile_is_put_right(site: Site, controllers: Controllers) -> None:
    """Under `auto` an edit and a deletion are undone by the first pass, and told as drift that was healed."""
    controllers.start()
    repo = site.sync("shop", {**_files("store"), **_web(size="1")})
    controllers.kill()
    _edit(site)
    site.cluster.delete(site.place(MAPS, "store"))

    controllers.start()

    def healed() -> None:
        assert site.cluster.must_get(site.place(MAPS, "web"))["data"] == {"colour": "blue", "size": "1"}
        assert site.cluster.get(site.place(MAPS, "store")) is not None
        notes = [event["note"] for event in repo.events() if event["reason"] == "DriftHealed"]
        assert any(".data.colour red → blue (changed by kubectl-patch)" in note for note in notes), notes
        assert any("store, which was deleted" in note for note in notes), notes

    eventually(healed, seconds=SECONDS)


def test_two_thousand_objects_survive(site: Site, controllers: Controllers) -> None:
    """Their inventory is in Inventory objects: after `kill -9` nothing is done, and pruning goes on."""
    controllers.start()
    site.origin("shop", _many(MANY))
    repo = site.follow("shop", interval="1s")
    repo.wait_synced(seconds=120)
    chunks = {one["metadata"]["name"]: one for one in site.cluster.list(site.place(INVENTORIES))}
    assert sum(len(unpack(one["spec"]["objects"])) for one in chunks.values()) == MANY
    controllers.kill()
    before = _versions(site)
    assert len(before) == MANY

    nopea = controllers.start()
    _wait_first_pass(nopea, repo, seconds=120)
    _assert_nothing_done(nopea, repo, [*before, "shop", *chunks])
    assert _versions(site) == before
    assert {one["metadata"]["name"]: one for one in site.cluster.list(site.place(INVENTORIES))} == chunks

    repo.wait_synced(repo.git.commit(_many(MANY - PER_FILE)), seconds=120)
    assert len(_versions(site)) == MANY - PER_FILE
    assert (
        sum(len(unpack(one["spec"]["objects"])) for one in site.cluster.list(site.place(INVENTORIES)))
        == MANY - PER_FILE
    )


def test_what_no_inventory_names_is_taken_in_and_pruned(site: Site, controllers: Controllers) -> None:
    """What a crash left between apply and record is recorded by one pass and deleted by the next."""
    controllers.start()
    repo = site.sync("shop", _files("store", "db", "web"), pruneLimit="50%")
    controllers.kill()
    _forget(repo, "web")
    repo.git.commit(_files("store", "db"))

    controllers.start()
    repo.wait_synced(repo.git.tip(), seconds=SECONDS)
    assert _recorded(repo) == ["db", "store", "web"]
    repo.sync_and_wait(seconds=SECONDS)
    assert site.cluster.get(site.place(MAPS, "web")) is None
    assert _recorded(repo) == ["db", "store"]


def test_what_no_inventory_names_and_git_wants_is_recorded_again(
    site: Site, controllers: Controllers
) -> None:
    """It comes back into the inventory, and is pruned as any other when Git drops it."""
    controllers.start()
    repo = site.sync("shop", _files("store", "db", "web"), interval="1s", pruneLimit="50%")
    controllers.kill()
    _forget(repo, "web")

    controllers.start()
    eventually(lambda: _assert_recorded(repo, ["db", "store", "web"]), seconds=SECONDS)
    repo.wait_synced(repo.git.commit(_files("store", "db")), seconds=SECONDS)
    assert site.cluster.get(site.place(MAPS, "web")) is None


def test_a_line_lost_from_an_inventory_object_is_taken_in_again(site: Site, controllers: Controllers) -> None:
    """The same where the inventory is in Inventory objects."""
    controllers.start()
    names = [f"m{number:03}" for number in range(120)]
    repo = site.sync("shop", _files(*names))
    (chunk,) = site.cluster.list(site.place(INVENTORIES))
    controllers.kill()
    hash_key = site.inventory_key()
    known = unpack(chunk["spec"]["objects"], key=hash_key)
    left = {key: last for key, last in known.items() if key.name != "m007"}
    assert len(left) == 119
    place = site.place(INVENTORIES, chunk["metadata"]["name"])
    site.cluster.merge(place, {"spec": {"objects": pack(left, key=hash_key)}})
    repo.git.commit(_files(*(name for name in names if name != "m007")))

    controllers.start()
    repo.wait_synced(repo.git.tip(), seconds=SECONDS)
    repo.sync_and_wait(seconds=SECONDS)
    assert site.cluster.get(site.place(MAPS, "m007")) is None


def _web(*, size: str) -> dict[str, str]:
    return {"web.yaml": yamls.text(yamls.config_map("web", colour="blue", size=size))}


def _edit(site: Site) -> None:
    arguments = ("patch", "configmap", "web", "-n", site.namespace, "--type=merge")
    site.cluster.lab.run_kubectl(*arguments, "-p", '{"data":{"colour":"red"}}')


def _one_drift(repo: Repo) -> Json:
    status = repo.status()
    assert len(status.get("drifts", [])) == 1, status
    return dict(status["drifts"][0])


def _recorded(repo: Repo) -> list[str]:
    return [key.name for key in unpack(repo.status()["inventory"])]


def _assert_recorded(repo: Repo, names: list[str]) -> None:
    assert _recorded(repo) == names


def _forget(repo: Repo, name: str) -> None:
    """Take a record out of the status, as if the controller had died before writing it."""
    hash_key = repo.site.inventory_key()
    known = unpack(repo.status()["inventory"], key=hash_key)
    left = pack({key: last for key, last in known.items() if key.name != name}, key=hash_key)
    repo.site.cluster.merge(f"{repo.place}/status", {"status": {"inventory": left}})


def test_a_finished_job_that_was_removed_meanwhile_does_not_run_again(
    site: Site, controllers: Controllers
) -> None:
    """That it has finished is recorded in Kubernetes, not in the process."""
    controllers.start()
    job = yamls.job("migrate")
    repo = site.sync("shop", {"job.yaml": yamls.text(job)})
    place = site.place("batch/v1 jobs", "migrate")

    def ended() -> None:
        (pod,) = site.cluster.list(site.place("v1 pods"))
        path = f"/api/v1/namespaces/{site.namespace}/pods/{pod['metadata']['name']}/status"
        succeeded = {"status": {"phase": "Succeeded"}}
        answer = site.cluster.lab.request("PATCH", path, succeeded, content_type=MERGE_PATCH)
        assert answer.status == 200, answer.body
        (last,) = unpack(repo.status()["inventory"]).values()
        assert last.finished is not None

    eventually(ended, seconds=SECONDS)
    controllers.kill()
    site.cluster.delete(place)

    controllers.start()
    status = repo.sync_and_wait()

    site.cluster.assert_gone(place)
    assert (status["inSyncCount"], status["driftedCount"]) == (1, 0)


def test_a_definition_that_was_deleted_meanwhile_leaves_no_entry(
    site: Site, controllers: Controllers
) -> None:
    """Its objects went with it; nobody waits for a kind that does not come back."""
    controllers.start()
    group = f"{site.namespace}.example.com"
    definition = site.cluster.define(yamls.definition("Gizmo", group=group))
    gizmo = {"apiVersion": f"{group}/v1", "kind": "Gizmo", "metadata": {"name": "g"}, "spec": {}}
    repo = site.sync("web", {**_files("a", "b", "c"), "g.yaml": yamls.text(gizmo)}, pruneLimit="100%")
    controllers.kill()
    repo.git.commit(_files("a", "b", "c"))
    site.cluster.delete(definition)

    controllers.start()
    repo.wait_synced(repo.git.tip())

    def is_forgotten() -> None:
        status = repo.status()
        assert "kept" not in status, status
        assert [key.name for key in unpack(status["inventory"])] == ["a", "b", "c"]

    eventually(is_forgotten, seconds=120.0)  # the API server may tell of the kind for a minute
