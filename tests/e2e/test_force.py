"""Changes to immutable fields: they are reported with the field; with force, the object is recreated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from tests.e2e import yamls
from tests.e2e.waiting import always
from tests.e2e.world import Json, Repo, Site
from tests.e2e.yamls import Manifest

RBAC = "rbac.authorization.k8s.io/v1"
FORCE = "nopea.io/force"


@dataclass(frozen=True, slots=True)
class Change:
    """A change that the API server refuses: the kind, both manifests, and the field that the error names."""

    kind: str
    before: Manifest
    after: Manifest
    field: str


def _immutable(colour: str) -> Manifest:
    return {**yamls.config_map("web", colour=colour), "immutable": True}


def _binding(role: str) -> Manifest:
    return yamls.role_binding("web", role=role, account="default", namespace="default")


def _stateful(service: str) -> Manifest:
    made = yamls.deployment("web")
    return {**made, "kind": "StatefulSet", "spec": {**made["spec"], "serviceName": service}}


CHANGES = {
    "ConfigMap": Change("v1 configmaps", _immutable("blue"), _immutable("red"), "data"),
    "RoleBinding": Change(f"{RBAC} rolebindings", _binding("a"), _binding("b"), "roleRef"),
    "Deployment": Change(
        "apps/v1 deployments",
        yamls.deployment("web"),
        yamls.deployment("web", app="shop"),
        "spec.selector",
    ),
    "StatefulSet": Change("apps/v1 statefulsets", _stateful("a"), _stateful("b"), "spec"),
    "Job": Change(
        "batch/v1 jobs",
        yamls.job("web"),
        yamls.job("web", image="registry.example/migrate:2"),
        "spec.template",
    ),
}
by_kind = pytest.mark.parametrize("kind", CHANGES)


def _pushed(site: Site, change: Change, **spec: Any) -> tuple[Repo, Json]:
    """Sync the old manifest, push the new one and request a sync; return the object as it was before."""
    repo = site.sync("shop", {"web.yaml": yamls.text(change.before)}, **spec)
    before = site.cluster.must_get(site.place(change.kind, "web"))
    repo.git.commit({"web.yaml": yamls.text(change.after), "rest.yaml": yamls.text(yamls.config_map("rest"))})
    repo.sync_now()
    return repo, before


def _error(repo: Repo) -> Json:
    (error,) = repo.wait_failed("NOPEA-K005")["status"]["errors"]
    return dict(error)


@by_kind
def test_an_immutable_change_is_reported_with_the_field(site: Site, kind: str) -> None:
    """Without force, the object does not change, the error names field and fix, and the rest is applied."""
    change = CHANGES[kind]
    repo, before = _pushed(site, change)

    error = _error(repo)

    assert error["source"] == "web.yaml#1"
    assert (error["object"]["kind"], error["object"]["namespace"], error["object"]["name"]) == (
        kind,
        site.namespace,
        "web",
    )
    assert f"the change of {change.field}," in error["hint"]
    assert FORCE in error["hint"]
    assert (
        site.cluster.must_get(site.place(change.kind, "web"))["metadata"]["uid"] == before["metadata"]["uid"]
    )
    site.cluster.must_get(site.place("v1 configmaps", "rest"))


@by_kind
def test_spec_force_recreates_an_immutable_change(site: Site, kind: str) -> None:
    """With spec.force, the object is recreated with another uid and still belongs to the repository."""
    repo, before = _pushed(site, CHANGES[kind], force=True)
    repo.wait_synced(repo.git.tip(), seconds=40)
    live = site.cluster.must_get(site.place(CHANGES[kind].kind, "web"))
    assert live["metadata"]["uid"] != before["metadata"]["uid"]
    assert live["metadata"]["labels"]["nopea.io/repository"] == repo.label


def test_the_annotation_recreates_its_object_only(site: Site) -> None:
    """Of two objects with an immutable change, the annotated one is recreated and the other is reported."""
    blue = {name: {**_immutable("blue"), "metadata": {"name": name}} for name in ("api", "web")}
    red = {name: {**_immutable("red"), "metadata": {"name": name}} for name in ("api", "web")}
    repo = site.sync("shop", {f"{name}.yaml": yamls.text(one) for name, one in blue.items()})

    red["web"] = yamls.annotated(red["web"], force="true")
    repo.git.commit({f"{name}.yaml": yamls.text(one) for name, one in red.items()})
    repo.sync_now()

    assert _error(repo)["source"] == "api.yaml#1"
    colours = {
        name: site.cluster.must_get(site.place("v1 configmaps", name))["data"]["colour"] for name in blue
    }
    assert colours == {"api": "blue", "web": "red"}


def test_force_is_for_immutable_changes_only(site: Site) -> None:
    """With force, neither an ordinary change nor an invalid one recreates the object."""
    repo = site.sync("shop", {"web.yaml": yamls.text(yamls.service("web"))}, force=True)
    uid = site.cluster.must_get(site.place("v1 services", "web"))["metadata"]["uid"]
    repo.git.commit({"web.yaml": yamls.text(yamls.service("web", port=8080))})
    repo.sync_now()
    repo.wait_synced(repo.git.tip())
    repo.git.commit({"web.yaml": yamls.text(yamls.service("web", port=99999))})
    repo.sync_now()
    repo.wait_failed("NOPEA-K003")
    live = site.cluster.must_get(site.place("v1 services", "web"))
    assert (live["metadata"]["uid"], live["spec"]["ports"][0]["port"]) == (uid, 8080)


# Never recreated, because their deletion also deletes what they contain.


def _claim(site: Site) -> tuple[str, Manifest, Manifest]:
    before, after = yamls.claim("web"), yamls.claim("web", storage_class="slow")
    return site.place("v1 persistentvolumeclaims", "web"), before, after


def _definition(site: Site) -> tuple[str, Manifest, Manifest]:
    group = f"{site.namespace}.acme.example"
    before = yamls.definition("Widget", group=group)
    after = yamls.definition("Widget", group=group, scope="Cluster")
    return f"apiextensions.k8s.io/v1 customresourcedefinitions /widgets.{group}", before, after


@pytest.mark.parametrize("make", [_claim, _definition])
def test_claims_and_definitions_are_never_recreated(
    site: Site, make: Callable[[Site], tuple[str, Manifest, Manifest]]
) -> None:
    """A PVC and a CRD are kept despite spec.force and the annotation; the hint does not suggest force."""
    place, before, after = make(site)
    repo = site.sync("shop", {"web.yaml": yamls.text(before)}, force=True)
    uid = site.cluster.must_get(place)["metadata"]["uid"]

    repo.git.commit({"web.yaml": yamls.text(yamls.annotated(after, force="true"))})
    repo.sync_now()

    error = _error(repo)
    assert "never recreated" in error["hint"]
    assert FORCE not in error["hint"]

    def stays() -> None:
        live = site.cluster.must_get(place)
        assert (live["metadata"]["uid"], "deletionTimestamp" in live["metadata"]) == (uid, False)

    always(stays, seconds=2)
    site.cluster.delete(place)
