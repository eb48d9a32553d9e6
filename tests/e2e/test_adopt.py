"""Adoption: Nopea takes over objects that users created with kubectl, with the fields that Git declares."""

from __future__ import annotations

from tests.e2e import yamls
from tests.e2e.waiting import eventually
from tests.e2e.world import Json, Site


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


def test_a_field_that_another_manager_set_stays(site: Site) -> None:
    """A field that Helm set and Git omits stays."""
    place = site.place("v1 configmaps", "web")
    manifest = yamls.config_map("web", namespace=site.namespace, colour="red", theirs="x")
    site.cluster.put(place, manifest, manager="helm")
    site.sync("shop", {"web.yaml": yamls.text(yamls.config_map("web", colour="blue"))})
    assert site.cluster.must_get(place)["data"] == {"colour": "blue", "theirs": "x"}


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
