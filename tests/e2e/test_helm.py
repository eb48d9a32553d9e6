"""Charts: what they render to is applied like plain manifests; hooks run in their order."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest
import yaml
from tests.e2e import yamls
from tests.e2e.pods import end_pods
from tests.e2e.waiting import always, eventually
from tests.e2e.world import Json, Repo, Site

MAPS, JOBS = "v1 configmaps", "batch/v1 jobs"


def _hook(name: str, events: str, *, weight: int = 0, policy: str = "before-hook-creation") -> str:
    job = yamls.job(name, image="registry.example/{{ .Values.image }}:1")
    notes = {
        "helm.sh/hook": events,
        "helm.sh/hook-weight": str(weight),
        "helm.sh/hook-delete-policy": policy,
    }
    job["metadata"]["annotations"] = notes
    job["spec"]["backoffLimit"] = 0
    return yamls.text(job)


CHART = {
    "chart/Chart.yaml": "apiVersion: v2\nname: shop\nversion: 1.2.3\n",
    "chart/values.yaml": "colour: blue\nsize: 1\nimage: migrate\n",
    "chart/templates/web.yaml": """
apiVersion: v1
kind: ConfigMap
metadata: {name: "{{ .Release.Name }}-web"}
data:
  colour: {{ .Values.colour | quote }}
  size: {{ .Values.size | quote }}
  namespace: {{ .Release.Namespace }}
  apps: {{ .Capabilities.APIVersions.Has "apps/v1/Deployment" | quote }}
  kubernetes: {{ .Capabilities.KubeVersion.Version }}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: "{{ .Release.Name }}-keep", annotations: {helm.sh/resource-policy: keep}}
""",
    "chart/templates/test.yaml": _hook("shop-test", "test"),
    "prod.yaml": "colour: green\nsize: 2\n",
}


def _push(repo: Repo, changes: Mapping[str, str | None]) -> str:
    merged: dict[str, str | None] = {**CHART, **changes}
    return repo.git.commit({path: text for path, text in merged.items() if text is not None})


def _data(site: Site, name: str) -> Json:
    data: Json = site.cluster.must_get(site.place(MAPS, name))["data"]
    return data


def _must_be(site: Site, name: str, **data: str) -> None:
    assert _data(site, name) | data == _data(site, name)


def _must_be_complete(site: Site, name: str) -> None:
    assert "completionTime" in site.cluster.must_get(site.place(JOBS, name)).get("status", {})


def test_a_chart_is_applied_with_its_values(site: Site) -> None:
    """Files, then spec.helm.values; templates see the cluster; hooks that are tests are left out."""
    spec: dict[str, Any] = {"helm": {"valuesFiles": ["prod.yaml"], "values": {"size": 3}}, "path": "chart"}
    repo = site.sync("shop", CHART, **spec)

    assert "Left out 1 hook of the chart" in repo.condition("Applied")["message"]
    _must_be(site, "shop-web", colour="green", size="3", namespace=site.namespace, apps="true")
    assert re.fullmatch(r"v1\.\d+\.\d+.*", _data(site, "shop-web")["kubernetes"])
    live = site.cluster.must_get(site.place(MAPS, "shop-web"))["metadata"]
    assert live["annotations"]["nopea.io/source"] == "chart/templates/web.yaml#1"
    site.cluster.assert_gone(site.place(JOBS, "shop-test"))


def test_a_chart_elsewhere_is_followed(site: Site) -> None:
    """spec.helm.chart names the folder; drift is healed, and an object to keep stays when it leaves."""
    repo = site.sync("shop", CHART, helm={"chart": "chart", "releaseName": "eu"}, pruneLimit="100%")
    site.cluster.merge(site.place(MAPS, "eu-web"), {"data": {"colour": "red"}})
    repo.wait_event("DriftHealed")
    _must_be(site, "eu-web", colour="blue")
    first = CHART["chart/templates/web.yaml"].partition("---")[0]

    commit = _push(repo, {"chart/templates/web.yaml": first, "chart/values.yaml": "colour: black\nsize: 1\n"})
    repo.sync_and_wait()
    repo.wait_synced(commit)

    _must_be(site, "eu-web", colour="black")
    assert site.cluster.get(site.place(MAPS, "eu-keep"))


def test_a_change_of_a_secret_with_values_is_applied_at_once(site: Site) -> None:
    """Long before the next poll."""
    head = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "prod", "namespace": site.namespace}}
    place = site.place("v1 secrets", "prod")
    site.cluster.put(place, {**head, "stringData": {"values.yaml": "colour: green"}})
    helm = {"valuesFrom": [{"kind": "Secret", "name": "prod"}]}
    site.sync("shop", CHART, path="chart", helm=helm, interval="1h")
    _must_be(site, "shop-web", colour="green")

    site.cluster.put(place, {**head, "stringData": {"values.yaml": "colour: black"}})

    eventually(lambda: _must_be(site, "shop-web", colour="black"), seconds=15)


@pytest.mark.parametrize(
    ("code", "path", "content"),
    [
        ("NOPEA-R015", "chart/Chart.yaml", "apiVersion: v2\nname: shop\nversion: one\n"),
        ("NOPEA-R016", "chart/Chart.yaml", "dependencies: [{name: db, version: 1.0.0, repository: ''}]\n"),
        ("NOPEA-R018", "chart/values.schema.json", '{"properties": {"size": {"type": "string"}}}'),
        ("NOPEA-R019", "chart/templates/web.yaml", '{{ required "colour is needed" .Values.gone }}'),
        ("NOPEA-R020", "chart/templates/web.yaml", "a: b: c\n"),
        ("NOPEA-R003", "prod.yaml", None),
    ],
)
def test_an_error_of_a_chart_keeps_all_as_it_is(
    site: Site, code: str, path: str, content: str | None
) -> None:
    """Nothing is applied, nothing deleted, and the error names the file."""
    repo = site.sync("shop", CHART, path="chart", helm={"valuesFiles": ["prod.yaml"]}, pruneLimit="100%")
    if code == "NOPEA-R016" and content is not None:
        content = CHART["chart/Chart.yaml"] + content

    _push(repo, {path: content})
    repo.sync_now()
    error = repo.wait_failed(code)["status"]["errors"][0]

    assert error["source"].startswith(("chart", "prod.yaml")), error
    _must_be(site, "shop-web", colour="green")


@pytest.mark.parametrize("path", ["chart/templates/more", "chart/charts/db"])
def test_what_a_broken_link_hides_is_not_deleted(site: Site, path: str) -> None:
    """A folder became a link that leads nowhere: its objects are not gone from Git, they cannot be read."""
    hidden = {
        "chart/templates/more": {"more/a.yaml": yamls.text(yamls.config_map("hidden"))},
        "chart/charts/db": {
            "Chart.yaml": "apiVersion: v2\nname: db\nversion: 1.0.0\n",
            "templates/a.yaml": yamls.text(yamls.config_map("hidden")),
        },
    }[path]
    below = {f"{path.removesuffix('/more')}/{name}": text for name, text in hidden.items()}
    repo = site.sync("shop", {**CHART, **below}, path="chart", pruneLimit="100%")

    repo.git.commit({**CHART, path: "../../gone"}, modes={path: "120000"})
    repo.sync_now()
    error = repo.wait_failed("NOPEA-M012")["status"]["errors"][0]

    assert error["source"] == path
    assert site.cluster.get(site.place(MAPS, "hidden"))


def test_the_rest_waits_for_a_hook_and_a_later_hook_for_the_rest(site: Site) -> None:
    """A hook that succeeded is deleted if the chart says so, and runs again only when it changed."""
    hooks = {
        "chart/templates/before.yaml": _hook("before", "pre-install,pre-upgrade", policy="hook-succeeded"),
        "chart/templates/after.yaml": _hook("after", "post-install,post-upgrade"),
    }
    site.origin("shop", {**CHART, **hooks})
    repo = site.follow("shop", path="chart")
    eventually(lambda: site.cluster.must_get(site.place(JOBS, "before")))
    always(lambda: site.cluster.assert_gone(site.place(MAPS, "shop-web")), seconds=1)

    eventually(lambda: end_pods(site, "Succeeded"))
    eventually(lambda: site.cluster.must_get(site.place(JOBS, "after")))
    assert site.cluster.get(site.place(MAPS, "shop-web"))
    eventually(lambda: site.cluster.assert_gone(site.place(JOBS, "before")))
    eventually(lambda: end_pods(site, "Succeeded"))
    repo.wait_synced()
    uid = site.cluster.must_get(site.place(JOBS, "after"))["metadata"]["uid"]

    commit = _push(repo, {**hooks, "chart/values.yaml": "colour: red\nsize: 1\nimage: migrate\n"})
    repo.sync_and_wait()
    repo.wait_synced(commit)

    _must_be(site, "shop-web", colour="red")
    site.cluster.assert_gone(site.place(JOBS, "before"))
    assert site.cluster.must_get(site.place(JOBS, "after"))["metadata"]["uid"] == uid


def test_a_hook_that_fails_stops_the_rest(site: Site) -> None:
    """A change of the hook runs it again."""
    hook = {"chart/templates/before.yaml": _hook("before", "pre-install,pre-upgrade")}
    site.origin("shop", {**CHART, **hook})
    repo = site.follow("shop", path="chart")
    eventually(lambda: end_pods(site, "Failed"))
    repo.wait_failed("NOPEA-K016")
    site.cluster.assert_gone(site.place(MAPS, "shop-web"))

    _push(repo, {**hook, "chart/values.yaml": "colour: red\nsize: 1\nimage: better\n"})
    repo.sync_now()
    eventually(lambda: end_pods(site, "Succeeded"))

    repo.wait_synced()
    _must_be(site, "shop-web", colour="red")


@pytest.mark.parametrize("image", ["old", "new"])
def test_a_hook_that_helm_left_is_taken_over(site: Site, image: str) -> None:
    """The finished Job of an earlier release runs again if its rendering is another one, and only then."""
    hook = _hook("before", "pre-install,pre-upgrade")
    made = yaml.safe_load(hook.replace("{{ .Values.image }}", "old"))
    made["metadata"]["namespace"] = site.namespace
    place = site.place(JOBS, "before")
    before = site.cluster.put(place, made, manager="helm")["metadata"]["uid"]
    eventually(lambda: end_pods(site, "Succeeded"))
    eventually(lambda: _must_be_complete(site, "before"))

    values = {"chart/values.yaml": f"colour: blue\nsize: 1\nimage: {image}\n"}
    site.origin("shop", {**CHART, **values, "chart/templates/before.yaml": hook})
    repo = site.follow("shop", path="chart")
    if image == "new":
        eventually(lambda: end_pods(site, "Succeeded"))
    repo.wait_synced()

    assert (site.cluster.must_get(place)["metadata"]["uid"] == before) is (image == "old")
    _must_be(site, "shop-web", colour="blue")
