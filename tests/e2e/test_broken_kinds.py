"""A kind whose conversion webhook or API service is down costs its own objects, and nobody else anything."""

from __future__ import annotations

import secrets
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.cluster import install_crds
from tests.e2e import yamls
from tests.e2e.process import Nopea
from tests.e2e.waiting import always, eventually
from tests.e2e.world import Cluster, Json, Repo, Site
from tests.gitserver import GitServer

from nopea_lab.kubectl import Kubectl
from nopea_lab.lab import Lab

MAPS = "v1 configmaps"
QUICK = 15.0
"""Seconds in which a change is applied that is not concerned; a watch that fails is believed for ten."""

_DEAD = {
    "strategy": "Webhook",
    "webhook": {
        "conversionReviewVersions": ["v1"],
        "clientConfig": {"service": {"name": "nobody", "namespace": "default"}},
    },
}


@pytest.fixture
def group() -> str:
    """An API group of the test's own."""
    return f"g{secrets.token_hex(3)}.example.com"


def _definition(group: str, *versions: str, conversion: Json | None = None) -> yamls.Manifest:
    """Return the definition of Gizmos in some versions, of which the last one is stored."""
    made = yamls.definition("Gizmo", group=group)
    (version,) = made["spec"]["versions"]
    made["spec"]["versions"] = [
        {**version, "name": name, "storage": name == versions[-1]} for name in versions
    ]
    if conversion:
        made["spec"]["conversion"] = conversion
    return made


def _gizmo(group: str, version: str, **spec: Any) -> yamls.Manifest:
    return {
        "apiVersion": f"{group}/{version}",
        "kind": "Gizmo",
        "metadata": {"name": "g"},
        "spec": spec,
    }


def _files(number: int, **more: yamls.Manifest) -> dict[str, str]:
    settings = yamls.config_map("settings", number=str(number))
    return {"a.yaml": yamls.text(settings), **{f"{name}.yaml": yamls.text(one) for name, one in more.items()}}


def _number(repo: Repo, name: str = "settings") -> str:
    found = repo.site.cluster.get(repo.site.place(MAPS, name))
    return str(found["data"]["number"]) if found else ""


def _assert_number(repo: Repo, number: int, name: str = "settings") -> None:
    assert _number(repo, name) == str(number), repo.status()


def _push(repo: Repo, number: int, files: dict[str, str], name: str = "settings") -> float:
    """Push, and return after how many seconds the ConfigMap has the number."""
    repo.git.commit(files)
    begun = time.monotonic()
    repo.sync_now()
    eventually(lambda: _assert_number(repo, number, name), seconds=QUICK)
    return time.monotonic() - begun


def _edit(repo: Repo, name: str = "settings") -> None:
    repo.site.cluster.put(repo.site.place(MAPS, name), yamls.config_map(name, number="edited"))


def _errors(repo: Repo) -> set[tuple[str, str]]:
    return {(error["code"], error.get("source", "")) for error in repo.status().get("errors", ())}


def _assert_only_stray_fails(repo: Repo) -> None:
    assert _errors(repo) == {("NOPEA-K010", "stray.yaml#1")}, repo.status()


@pytest.fixture
def other(site: Site) -> Repo:
    """A repository without any object of the broken kind."""
    return site.sync("other", {"b.yaml": yamls.text(yamls.config_map("other", number="0"))})


def _assert_other_goes_on(other: Repo, number: int) -> None:
    files = {"b.yaml": yamls.text(yamls.config_map("other", number=str(number)))}
    assert _push(other, number, files, "other") < QUICK
    _edit(other, "other")
    eventually(lambda: _assert_number(other, number, "other"), seconds=QUICK)


def test_a_conversion_webhook_that_is_down_costs_its_own_objects(site: Site, group: str, other: Repo) -> None:
    """The API server cannot read one kind; all others are applied and healed at once, in all repositories."""
    definition = site.cluster.define(_definition(group, "v1beta1"))
    first = _gizmo(group, "v1beta1") | {"metadata": {"name": "stray"}}
    site.cluster.put(site.place(f"{group}/v1beta1 gizmos", "stray"), first)
    site.cluster.put(definition, _definition(group, "v1beta1", "v1", conversion=_DEAD))
    time.sleep(2)  # for the API server to begin with the new storage version
    files = _files(1, g=_gizmo(group, "v1", size=1))
    site.origin("web", files)
    repo = site.follow("web")

    repo.wait_synced(seconds=QUICK)  # a new object needs no conversion, but the list of all does
    assert "conversion webhook" in repo.condition("Watching")["message"]
    stray = _gizmo(group, "v1", size=2) | {"metadata": {"name": "stray"}}
    assert _push(repo, 2, files | _files(2, stray=stray)) < QUICK
    eventually(lambda: _assert_only_stray_fails(repo), seconds=QUICK)
    _edit(repo)
    eventually(lambda: _assert_number(repo, 2), seconds=QUICK)
    for number in range(1, 4):
        _assert_other_goes_on(other, number)

    site.cluster.merge(definition, {"spec": {"conversion": {"strategy": "None", "webhook": None}}})
    repo.sync_now()
    repo.wait_synced(repo.git.tip())
    for name, size in (("g", 1), ("stray", 2)):
        assert site.cluster.must_get(f"{group}/v1 gizmos {site.namespace}/{name}")["spec"] == {"size": size}
    site.cluster.delete(definition)


def _break(kubectl: Kubectl, group: str) -> None:
    """Let the group be served by a Service that does not exist."""
    patch = (
        '[{"op":"remove","path":"/metadata/labels/kube-aggregator.kubernetes.io~1automanaged"},'
        '{"op":"add","path":"/spec/service","value":{"name":"nobody","namespace":"default"}},'
        '{"op":"add","path":"/spec/insecureSkipTLSVerify","value":true}]'
    )
    kubectl("wait", "--for=create", f"apiservice/v1.{group}", "--timeout=50s")
    kubectl("patch", "apiservice", f"v1.{group}", "--type=json", "-p", patch)


def _assert_stale(kubectl: Kubectl, group: str) -> None:
    assert '"Available"' in kubectl("get", "apiservice", f"v1.{group}", "-o", "json")
    assert "ServiceNotFound" in kubectl("get", "apiservice", f"v1.{group}", "-o", "json")


def test_an_api_service_that_is_down_costs_its_own_objects(
    site: Site, kubectl: Kubectl, group: str, other: Repo
) -> None:
    """Its objects are neither written, nor pruned, nor forgotten; afterwards all is as Git says."""
    files = _files(1, crd=_definition(group, "v1"), g=_gizmo(group, "v1", size=1))
    repo = site.sync("web", files, pruneLimit=5)
    gizmo = f"{group}/v1 gizmos {site.namespace}/g"
    before = site.cluster.must_get(gizmo)
    _break(kubectl, group)
    eventually(lambda: _assert_stale(kubectl, group))

    assert _push(repo, 2, files | _files(2)) < QUICK
    _edit(repo)
    eventually(lambda: _assert_number(repo, 2), seconds=QUICK)
    _assert_other_goes_on(other, 1)
    _push(repo, 3, {"crd.yaml": files["crd.yaml"], **_files(3)})
    eventually(lambda: _assert_told(repo, group), seconds=2 * QUICK)
    assert f"{group}/Gizmo {site.namespace}/g" in repo.inventory()

    kubectl("delete", "apiservice", f"v1.{group}")  # the API server makes its own again
    repo.git.commit(files)
    eventually(lambda: site.cluster.must_get(gizmo), seconds=180.0)
    repo.sync_now()
    repo.wait_synced(repo.git.tip())
    assert site.cluster.must_get(gizmo)["metadata"]["uid"] == before["metadata"]["uid"]
    assert site.cluster.must_get(gizmo)["spec"] == {"size": 1}


def _assert_told(repo: Repo, group: str) -> None:
    told = {(error["code"], _name(error)) for error in repo.status().get("errors", ())}
    assert told == {("NOPEA-K010", f"{group}/Gizmo {repo.site.namespace}/g")}, repo.status()


def _name(error: Json) -> str:
    found = error["object"]
    return f"{found['group']}/{found['kind']} {found['namespace']}/{found['name']}"


@pytest.mark.parametrize("policy", ["auto", "manual"])
def test_a_definition_gets_a_version_in_the_commit_that_moves_an_object_to_it(
    site: Site, group: str, policy: str
) -> None:
    """Nobody has deleted the object: it is changed at once, and no Event says otherwise."""
    old = _files(1, crd=_definition(group, "v1beta1"), g=_gizmo(group, "v1beta1", size=1))
    repo = site.sync("web", old, healPolicy=policy)
    new = _files(2, crd=_definition(group, "v1beta1", "v1"), g=_gizmo(group, "v1", size=2))
    commit = repo.git.commit(new)

    repo.sync_now() if policy == "auto" else repo.change(interval="4m")
    repo.wait_synced(commit)

    assert site.cluster.must_get(f"{group}/v1 gizmos {site.namespace}/g")["spec"] == {"size": 2}
    assert not {"DriftHealed", "DriftDetected"} & {event["reason"] for event in repo.events()}
    assert repo.condition("Drifted") == {}


def test_break_glass_holds_while_the_version_of_an_object_changes(site: Site, group: str) -> None:
    """The object is read in the version that is served."""
    old = _files(1, crd=_definition(group, "v1beta1"), g=_gizmo(group, "v1beta1", size=1))
    repo = site.sync("web", old)
    place = f"{group}/v1beta1 gizmos {site.namespace}/g"
    site.cluster.merge(place, {"metadata": {"annotations": {"nopea.io/suspend-heal": "true"}}})
    new = _files(2, crd=_definition(group, "v1beta1", "v1"), g=_gizmo(group, "v1", size=2))

    _push(repo, 2, new)
    repo.sync_and_wait()

    assert site.cluster.must_get(place)["spec"] == {"size": 1}


def test_an_apply_that_completes_a_deletion_leaves_no_ghost(site: Site) -> None:
    """Git removes the last finalizer of an object that is being deleted: it is made again."""
    held = yamls.config_map("held", number="1")
    held["metadata"]["finalizers"] = ["example.com/hold"]
    repo = site.sync("web", _files(1, held=held))
    place = site.place(MAPS, "held")
    before = site.cluster.must_get(place)["metadata"]["uid"]
    site.cluster.delete(place)

    repo.git.commit(_files(1, held=yamls.config_map("held", number="2")))
    repo.sync_now()

    eventually(lambda: _assert_number(repo, 2, "held"), seconds=QUICK)
    always(lambda: _assert_number(repo, 2, "held"), seconds=2)
    assert site.cluster.must_get(place)["metadata"]["uid"] != before
    repo.wait_synced(repo.git.tip())


@pytest.fixture
def restored(private_lab: Lab, git_server: GitServer) -> Site:
    """A namespace of a lab whose etcd the test restores from a backup."""
    install_crds(private_lab)
    site = Site(Cluster(private_lab), git_server, f"restored-{secrets.token_hex(4)}")
    site.cluster.put(f"v1 namespaces /{site.namespace}", yamls.namespace(site.namespace))
    return site


def test_after_a_restore_of_etcd_the_cluster_is_as_git_says(
    restored: Site, private_lab: Lab, tmp_path: Path, start_nopea: Callable[..., Nopea]
) -> None:
    """The running controller sees that objects are old again, although their versions are lower."""
    data = private_lab.folder / "data"
    start_nopea(private_lab).wait_until_ready()
    repo = restored.sync("web", _files(1))
    private_lab.stop(keep_data=True)
    shutil.copytree(data, tmp_path / "backup")
    private_lab.start(owned=True)
    for number in range(2, 12):
        _push(repo, number, _files(number))
    repo.wait_synced(repo.git.tip())

    private_lab.stop(keep_data=True)
    shutil.rmtree(data)
    shutil.copytree(tmp_path / "backup", data)
    private_lab.start(owned=True)
    assert _number(repo) in ("1", "11")

    eventually(lambda: _assert_number(repo, 11), seconds=90)
    _edit(repo)
    eventually(lambda: _assert_number(repo, 11), seconds=QUICK)
