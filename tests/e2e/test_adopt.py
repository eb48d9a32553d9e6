"""Adoption: Nopea takes over objects that users created with kubectl, with the fields that Git declares."""

from __future__ import annotations

import pytest
from tests.e2e import yamls
from tests.e2e.commands import say
from tests.e2e.waiting import eventually
from tests.e2e.world import Json, Site, path_of


def _made_by_kubectl(site: Site, how: str) -> str:
    manifest = yamls.config_map("web", namespace=site.namespace, colour="red", old="x")
    site.cluster.lab.run_kubectl(how, "-f", "-", stdin=yamls.text(manifest))
    return site.place("v1 configmaps", "web")


def test_an_object_that_kubectl_applied_is_adopted(site: Site) -> None:
    """Git's fields win; fields that Git omits and kubectl's annotation are removed; the uid is kept."""
    place = _made_by_kubectl(site, "apply")
    uid = site.cluster.must_get(place)["metadata"]["uid"]
    site.sync("shop", {"web.yaml": yamls.text(yamls.config_map("web", colour="blue"))})
    found = site.cluster.must_get(place)
    assert found["data"] == {"colour": "blue"}
    assert found["metadata"]["uid"] == uid
    assert "kubectl.kubernetes.io/last-applied-configuration" not in found["metadata"]["annotations"]
    assert {entry["manager"] for entry in found["metadata"]["managedFields"]} == {"nopea"}


def test_an_object_that_kubectl_created_is_adopted(site: Site) -> None:
    """Adoption of an object from `kubectl create` also removes the fields that Git omits."""
    place = _made_by_kubectl(site, "create")
    site.sync("shop", {"web.yaml": yamls.text(yamls.config_map("web", colour="blue"))})
    assert site.cluster.must_get(place)["data"] == {"colour": "blue"}


def test_a_field_that_a_controller_set_stays(site: Site) -> None:
    """A field that an operator set and Git omits stays."""
    place = site.place("v1 configmaps", "web")
    manifest = yamls.config_map("web", namespace=site.namespace, colour="red", theirs="x")
    site.cluster.put(place, manifest, manager="operator")
    site.sync("shop", {"web.yaml": yamls.text(yamls.config_map("web", colour="blue"))})
    assert site.cluster.must_get(place)["data"] == {"colour": "blue", "theirs": "x"}


DEPLOYERS = (
    "argocd-application-controller",
    "argocd-controller",
    "flux-client-side-apply",
    "HashiCorp",
    "helm",
    "kapp-server-side-apply",
    "kustomize-controller",
    "pulumi-kubernetes-1a2b",
    "Terraform",
)


@pytest.mark.parametrize("how", ["apply", "update"])
def test_objects_of_other_deployers_are_migrated(site: Site, how: str) -> None:
    """What Git omits of their fields goes, at the adoption and later; `diff` and an Event name it."""
    files = {}
    for manager in DEPLOYERS:
        name = manager.lower()
        place = site.place("v1 configmaps", name)
        manifest = yamls.config_map(name, namespace=site.namespace, keep="1", later="1", extra="1")
        if how == "apply":
            site.cluster.put(place, manifest, manager=manager)
        else:
            path = f"{path_of(site.place('v1 configmaps'))}?fieldManager={manager}"
            assert site.cluster.lab.request("POST", path, manifest).status == 201
        files[f"{name}.yaml"] = yamls.text(yamls.config_map(name, keep="1", later="1"))
    site.origin("shop", files)
    repo = site.follow("shop", suspend=True)
    objects = say(site.cluster.lab, "diff", "shop", "-n", site.namespace, "-o", "json").json["objects"]
    notes = {
        one["object"].rpartition("/")[2]: [
            (field["path"], field["note"]) for field in one["fields"] if field["note"]
        ]
        for one in objects
    }
    names = [manager.lower() for manager in DEPLOYERS]
    assert notes == {name: [(".data.extra", "removed by the adoption")] for name in names}
    repo.change(suspend=None)
    repo.wait_synced()
    for name in names:
        assert site.cluster.must_get(site.place("v1 configmaps", name))["data"] == {"keep": "1", "later": "1"}
    assert repo.wait_event("Adopted")["note"].endswith(
        "These fields are not in Git and were removed or reset: .data.extra."
    )
    changed = {f"{name}.yaml": yamls.text(yamls.config_map(name, keep="1")) for name in names}
    commit = repo.git.commit(changed)
    repo.sync_now()
    repo.wait_synced(commit)
    for name in names:
        assert site.cluster.must_get(site.place("v1 configmaps", name))["data"] == {"keep": "1"}


def test_who_is_adopted_can_be_set_and_what_stays_is_told(site: Site) -> None:
    """Without adoption, a field that Git drops stays where its deployer owns it, and an Event says so."""
    place = site.place("v1 configmaps", "web")
    manifest = yamls.config_map("web", namespace=site.namespace, keep="1", later="1", extra="1")
    site.cluster.put(place, manifest, manager="helm")
    files = {"web.yaml": yamls.text(yamls.config_map("web", keep="1", later="1"))}
    repo = site.sync("shop", files, adoptManagers=[])
    commit = repo.git.commit({"web.yaml": yamls.text(yamls.config_map("web", keep="1"))})
    (diff,) = say(site.cluster.lab, "diff", "shop", "-n", site.namespace, "-o", "json").json["objects"]
    notes = {field["path"]: field["note"] for field in diff["fields"]}
    assert notes == {".data.later": "stays: helm owns it too"}
    repo.sync_now()
    repo.wait_synced(commit)
    assert site.cluster.must_get(place)["data"] == {"keep": "1", "later": "1", "extra": "1"}
    told = (
        "ConfigMap {0}/web keeps fields that were removed from Git, because helm owns them too: .data.later."
    )
    assert repo.wait_event("Changed")["note"].endswith(told.format(site.namespace))
    assert not [event for event in repo.events() if event["reason"] == "Adopted"]


def test_defaults_are_not_reported_as_removed(site: Site) -> None:
    """kubectl create owns the defaults too; they come back, so neither `diff` nor an Event names them."""
    pod = yamls.deployment("web")["spec"]["template"]
    container = pod["spec"]["containers"][0]
    container |= {
        "ports": [{"containerPort": 80}],
        "livenessProbe": {"httpGet": {"path": "/", "port": 80}},
        "env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
    }
    pod["spec"]["volumes"] = [{"name": "v", "configMap": {"name": "web"}}]
    selector, meta = {"matchLabels": {"app": "web"}}, {"name": "web"}
    once = {"spec": {**pod["spec"], "restartPolicy": "Never"}}
    sets = {"selector": selector, "template": pod}
    objects = [
        yamls.deployment("plain"),
        yamls.service("web"),
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": sets},
        {"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": meta, "spec": sets},
        {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": meta, "spec": sets},
        {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": meta,
         "spec": {"schedule": "0 0 1 1 *", "jobTemplate": {"spec": {"template": once}}}},
    ]  # fmt: skip
    for manifest in objects:
        site.cluster.lab.run_kubectl("create", "-n", site.namespace, "-f", "-", stdin=yamls.text(manifest))
    site.origin("shop", {"all.yaml": yamls.text(*objects)})
    repo = site.follow("shop", suspend=True)
    planned = say(site.cluster.lab, "diff", "shop", "-n", site.namespace, "-o", "json").json["objects"]
    assert [field["path"] for one in planned for field in one["fields"] if field["note"]] == []
    repo.change(suspend=None)
    repo.wait_synced()
    assert not [event for event in repo.events() if event["reason"] == "Adopted"]


def test_an_added_key_is_removed(site: Site) -> None:
    """A key that a user adds to a managed object is manual drift, and healing removes it."""
    repo = site.sync("shop", {"web.yaml": yamls.text(yamls.config_map("web", colour="blue"))})
    place = site.place("v1 configmaps", "web")
    site.cluster.lab.run_kubectl(
        "patch", "configmap", "web", "-n", site.namespace, "--type=merge", "-p", '{"data":{"added":"x"}}'
    )

    def removed() -> Json:
        found = site.cluster.must_get(place)
        assert found["data"] == {"colour": "blue"}
        return found

    eventually(removed, seconds=10)
    assert ".data.added" in repo.wait_event("DriftHealed")["note"]


def test_break_glass_holds_before_the_first_apply(site: Site) -> None:
    """Break-glass also protects an object that Nopea has never applied."""
    place = _made_by_kubectl(site, "create")
    site.cluster.lab.run_kubectl(
        "annotate", "configmap", "web", "-n", site.namespace, "nopea.io/suspend-heal=true"
    )
    before = site.cluster.must_get(place)
    site.sync("shop", {"web.yaml": yamls.text(yamls.config_map("web", colour="blue"))})
    assert site.cluster.must_get(place) == before
