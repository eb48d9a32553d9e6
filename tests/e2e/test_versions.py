"""A kind is known by its group and kind: its versions come and go, and its objects stay what they are."""

from __future__ import annotations

from typing import Any

import pytest
from tests.e2e import yamls
from tests.e2e.world import Json, Repo, Site
from tests.e2e.yamls import Manifest

OLD, NEW = "v1beta1", "v1"


def _group(site: Site) -> str:
    return f"{site.namespace}.example"


def _definition(site: Site, *versions: str) -> Manifest:
    """Return the definition of Gizmo; the last version is stored."""
    group = _group(site)
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"gizmos.{group}", "annotations": {"nopea.io/prune": "true"}},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"plural": "gizmos", "singular": "gizmo", "kind": "Gizmo", "listKind": "GizmoList"},
            "versions": [
                {
                    "name": version,
                    "served": True,
                    "storage": version == versions[-1],
                    "schema": {"openAPIV3Schema": schema},
                }
                for version in versions
            ],
        },
    }


def _files(site: Site, version: str, *versions: str, **spec: Any) -> dict[str, str]:
    gizmo = {
        "apiVersion": f"{_group(site)}/{version}",
        "kind": "Gizmo",
        "metadata": {"name": "g"},
        "spec": spec,
    }
    return {"crd.yaml": yamls.text(_definition(site, *versions)), "g.yaml": yamls.text(gizmo)}


def _gizmo(site: Site) -> str:
    return site.place(f"{_group(site)}/{NEW} gizmos", "g")


def _reasons(repo: Repo) -> set[str]:
    return {event["reason"] for event in repo.events()}


def _managers(found: Json) -> dict[str, str]:
    return {entry["manager"]: entry["apiVersion"] for entry in found["metadata"]["managedFields"]}


@pytest.mark.parametrize("policy", ["auto", "manual"])
def test_a_version_that_comes_with_the_object_is_a_change_from_git(site: Site, policy: str) -> None:
    """The object keeps its uid, gets Git's fields at once with any policy, and nothing counts as drift."""
    site.grant_all()
    repo = site.sync("shop", _files(site, OLD, OLD, size=1), healPolicy=policy)
    uid = site.cluster.must_get(site.place(f"{_group(site)}/{OLD} gizmos", "g"))["metadata"]["uid"]
    commit = repo.git.commit(_files(site, NEW, OLD, NEW, size=2))
    repo.sync_now() if policy == "auto" else repo.change(interval="1s")
    status = repo.wait_synced(commit)["status"]
    found = site.cluster.must_get(_gizmo(site))
    assert (found["spec"], found["metadata"]["uid"]) == ({"size": 2}, uid)
    assert "driftedCount" not in status or status["driftedCount"] == 0
    assert not _reasons(repo) & {"DriftHealed", "DriftDetected"}


def test_break_glass_holds_while_a_version_comes(site: Site) -> None:
    """An object under break-glass is not written in the version that its new definition brings."""
    site.grant_all()
    repo = site.sync("shop", _files(site, OLD, OLD, size=1))
    old = site.place(f"{_group(site)}/{OLD} gizmos", "g")
    site.cluster.merge(old, {"metadata": {"annotations": {"nopea.io/suspend-heal": "true"}}})
    repo.git.commit(_files(site, NEW, OLD, NEW, size=2))
    status = repo.sync_and_wait()
    assert status["suspendedCount"] == 1
    assert site.cluster.must_get(_gizmo(site))["spec"] == {"size": 1}
    assert "DriftHealed" not in _reasons(repo)


@pytest.mark.parametrize("other", [None, "operator"])
def test_a_version_that_goes_is_renamed_in_managed_fields(site: Site, other: str | None) -> None:
    """Entries of a dropped version, ours and those of others, do not prevent the apply; all claims stay."""
    site.grant_all()
    repo = site.sync("shop", _files(site, OLD, OLD, NEW, size=1, gone=1))
    old = site.place(f"{_group(site)}/{OLD} gizmos", "g")
    if other:
        path = f"/apis/{_group(site)}/{OLD}/namespaces/{site.namespace}/gizmos/g?fieldManager={other}"
        body = {"spec": {"theirs": 1}}
        answer = site.cluster.lab.request("PATCH", path, body, content_type="application/merge-patch+json")
        assert answer.status == 200, answer.body
    assert _managers(site.cluster.must_get(old))["nopea"].endswith(OLD)
    commit = repo.git.commit(_files(site, NEW, NEW, size=2))
    repo.sync_now()
    repo.wait_synced(commit)
    found = site.cluster.must_get(_gizmo(site))
    assert found["spec"] == {"size": 2} | ({"theirs": 1} if other else {})
    wanted = {"nopea", other} if other else {"nopea"}
    assert _managers(found) == dict.fromkeys(wanted, f"{_group(site)}/{NEW}")
