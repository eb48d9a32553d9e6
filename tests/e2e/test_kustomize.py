"""Overlays of Kustomize: what they render to is applied, healed and pruned like plain manifests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.e2e import yamls
from tests.e2e.tenancy import BOTH_MODES
from tests.e2e.waiting import always, eventually
from tests.e2e.world import Json, Repo, Site

pytestmark = BOTH_MODES
MAPS = "v1 configmaps"
OVERLAY = {
    "prod/kustomization.yaml": """
resources: [../base]
namePrefix: prod-
labels: [{pairs: {tier: prod}}]
patches: [{path: patch.yaml}]
configMapGenerator: [{name: settings, literals: [mode=fast], options: {disableNameSuffixHash: true}}]
""",
    "prod/patch.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {colour: green}\n",
    "base/kustomization.yaml": "resources: [web.yaml, more.yaml]\n",
    "base/web.yaml": yamls.text(yamls.config_map("web", colour="blue", size="1")),
    "base/more.yaml": yamls.text(*(yamls.config_map(f"more-{number}", a="b") for number in range(4))),
    "other/kustomization.yaml": "resources: []\n",
}


def _data(site: Site, name: str) -> Json:
    data: Json = site.cluster.must_get(site.place(MAPS, name))["data"]
    return data


def must_be(site: Site, name: str, **data: str) -> None:
    """Fail unless a ConfigMap has exactly this data."""
    assert _data(site, name) == data


def push(repo: Repo, changes: Mapping[str, str | None]) -> str:
    """Commit the overlay with changes; None deletes a file."""
    merged = {**OVERLAY, **changes}
    return repo.git.commit({path: text for path, text in merged.items() if text is not None})


def overlay(site: Site, **spec: Any) -> Repo:
    """Sync the overlay."""
    return site.sync("shop", OVERLAY, path="prod", **spec)


def test_an_overlay_is_applied_and_names_the_file_to_edit(site: Site) -> None:
    """Names, labels, patches and generators are Kustomize's; the source is the file of the base."""
    repo = overlay(site)

    must_be(site, "prod-web", colour="green", size="1")
    must_be(site, "prod-settings", mode="fast")
    live = site.cluster.must_get(site.place(MAPS, "prod-web"))["metadata"]
    assert live["labels"]["tier"] == "prod"
    assert live["annotations"]["nopea.io/source"] == "base/web.yaml#1"
    second = site.cluster.must_get(site.place(MAPS, "prod-more-1"))["metadata"]
    assert second["annotations"]["nopea.io/source"] == "base/more.yaml#2"
    assert repo.status()["inSyncCount"] == 6


def test_a_change_of_the_base_is_applied_and_an_object_that_leaves_it_is_deleted(site: Site) -> None:
    """The base lies outside spec.path."""
    repo = overlay(site)
    maps = [yamls.config_map(f"more-{number}", a="b") for number in range(3)]

    changes = {
        "base/web.yaml": yamls.text(yamls.config_map("web", colour="blue", size="2")),
        "base/more.yaml": yamls.text(*maps),
    }
    commit = push(repo, changes)
    repo.sync_and_wait()
    repo.wait_synced(commit)

    must_be(site, "prod-web", colour="green", size="2")
    site.cluster.assert_gone(site.place(MAPS, "prod-more-3"))


def test_drift_of_a_rendered_object_is_healed(site: Site) -> None:
    """Also where the value comes from a patch."""
    repo = overlay(site)

    site.cluster.merge(site.place(MAPS, "prod-web"), {"data": {"colour": "red"}})

    repo.wait_event("DriftHealed")
    must_be(site, "prod-web", colour="green", size="1")


def test_break_glass_holds_for_a_rendered_object(site: Site) -> None:
    """Neither drift nor a commit changes it."""
    repo = overlay(site)
    note = {"annotations": {"nopea.io/suspend-heal": "true"}}
    site.cluster.merge(site.place(MAPS, "prod-web"), {"metadata": note, "data": {"colour": "red"}})

    push(repo, {"prod/patch.yaml": OVERLAY["prod/patch.yaml"].replace("green", "black")})
    repo.sync_and_wait()

    always(lambda: must_be(site, "prod-web", colour="red", size="1"), seconds=1)


def test_the_spec_changes_what_is_rendered(site: Site) -> None:
    """Prefix, images, patches and metadata come on top, as in a Kustomization of Flux."""
    patch = "- op: replace\n  path: /data/mode\n  value: slow\n"
    repo = overlay(
        site,
        pruneLimit="100%",
        kustomize={
            "nameSuffix": "-v2",
            "patches": [{"patch": patch, "target": {"kind": "ConfigMap", "name": ".*settings"}}],
            "commonMetadata": {"labels": {"team": "shop"}, "annotations": {"owner": "shop"}},
        },
    )
    must_be(site, "prod-settings-v2", mode="slow")
    metadata = site.cluster.must_get(site.place(MAPS, "prod-web-v2"))["metadata"]
    assert (metadata["labels"]["team"], metadata["annotations"]["owner"]) == ("shop", "shop")

    repo.change(kustomize=None)

    eventually(lambda: must_be(site, "prod-settings", mode="fast"))
    eventually(lambda: site.cluster.assert_gone(site.place(MAPS, "prod-settings-v2")))


def test_a_generated_object_is_replaced_by_the_next_one(site: Site) -> None:
    """Its name has a hash: the workload gets the new one, then the old one goes, unconfirmed."""
    web = yamls.deployment("web")
    web["spec"]["template"]["spec"]["volumes"] = [{"name": "settings", "configMap": {"name": "settings"}}]
    files = {
        "kustomization.yaml": "resources: [web.yaml]\n"
        "configMapGenerator: [{name: settings, literals: [mode=fast]}]\n",
        "web.yaml": yamls.text(web),
    }
    repo = site.sync("shop", files)
    before = _generated(site)

    files["kustomization.yaml"] = files["kustomization.yaml"].replace("fast", "slow")
    commit = repo.git.commit(files)
    repo.sync_and_wait()
    repo.wait_synced(commit)

    after = _generated(site)
    assert (len(before), len(after)) == (1, 1)
    assert before != after
    pods = site.cluster.must_get(site.place("apps/v1 deployments", "web"))["spec"]["template"]["spec"]
    assert [pods["volumes"][0]["configMap"]["name"]] == after


def _generated(site: Site) -> list[str]:
    names = [each["metadata"]["name"] for each in site.cluster.list(site.place(MAPS))]
    return [name for name in names if name.startswith("settings-")]


def test_plain_manifests_are_changed_too(site: Site) -> None:
    """As in a Kustomization of Flux whose folder has no kustomization."""
    files = {"plain/web.yaml": yamls.text(yamls.config_map("web", colour="blue", size="${size}"))}
    patch = (
        '{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "web"}, "data": {"colour": "red"}}'
    )
    kustomize = {"namePrefix": "new-", "patches": [{"patch": patch}]}
    repo = site.sync("shop", files, path="plain", kustomize=kustomize, substitute={"size": "2m"})

    must_be(site, "new-web", colour="red", size="2m")
    live = site.cluster.must_get(site.place(MAPS, "new-web"))["metadata"]
    assert live["annotations"]["nopea.io/source"] == "plain/web.yaml#1"
    assert repo.status()["inSyncCount"] == 1
