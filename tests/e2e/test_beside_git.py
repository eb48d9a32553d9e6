"""What the API, its controllers and a restart of Pods set beside Git is left alone."""

from __future__ import annotations

from typing import Any

import pytest
from tests.e2e import yamls
from tests.e2e.waiting import always, eventually
from tests.e2e.world import Json, Repo, Site

ROLES = "rbac.authorization.k8s.io/v1 clusterroles"
WEBHOOKS = "admissionregistration.k8s.io/v1 validatingwebhookconfigurations"
RESTARTED = "kubectl.kubernetes.io/restartedAt"


def _cluster_role(name: str, **more: Any) -> Json:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": name},
        **more,
    }


def _assert_calm(repo: Repo, *, seconds: float = 3) -> None:
    """Fail if the repository reports drift or a fight within some seconds."""

    def calm() -> None:
        assert repo.condition("Drifted") == {}
        assert repo.condition("Contended") == {}
        assert repo.condition("Ready")["status"] == "True"

    always(calm, seconds=seconds)
    assert "DriftHealed" not in [event["reason"] for event in repo.events()]


def test_an_aggregated_cluster_role_keeps_its_rules(site: Site) -> None:
    """`rules: []` beside an aggregationRule is not applied: Kubernetes' controller fills it in."""
    name, label = f"agg-{site.namespace}", f"{site.namespace}.example/aggregate"
    selector = {"clusterRoleSelectors": [{"matchLabels": {label: "true"}}]}
    rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]
    part = _cluster_role(f"part-{site.namespace}", rules=rules)
    part["metadata"]["labels"] = {label: "true"}
    repo = site.sync(
        "shop", {"a.yaml": yamls.text(_cluster_role(name, aggregationRule=selector, rules=[]), part)}
    )

    def filled() -> None:
        assert site.cluster.must_get(f"{ROLES} /{name}")["rules"] == rules

    eventually(filled)
    always(filled, seconds=2)
    _assert_calm(repo)


def test_an_injected_ca_bundle_stays(site: Site) -> None:
    """A placeholder in Git is not applied again over the bundle that a controller injected."""
    name = f"hooks-{site.namespace}"
    hook = {
        "name": "check.acme.example",
        "sideEffects": "None",
        "failurePolicy": "Ignore",
        "admissionReviewVersions": ["v1"],
        "rules": [{"apiGroups": ["acme.example"], "apiVersions": ["v1"], "operations": ["CREATE"],
                   "resources": ["widgets"]}],
        "clientConfig": {"service": {"name": "hook", "namespace": "default"}, "caBundle": "Cg=="},
    }  # fmt: skip
    manifest = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": name},
        "webhooks": [hook],
    }
    repo = site.sync("shop", {"hook.yaml": yamls.text(manifest)})
    place = f"{WEBHOOKS} /{name}"
    live = site.cluster.must_get(place)
    live["webhooks"][0]["clientConfig"]["caBundle"] = "LS0t"
    answer = site.cluster.lab.request(
        "PUT",
        f"/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/{name}?fieldManager=cert-manager-cainjector",
        live,
    )
    assert answer.status == 200, answer.body

    _assert_calm(repo)
    assert site.cluster.must_get(place)["webhooks"][0]["clientConfig"]["caBundle"] == "LS0t"


def _annotations(site: Site) -> Json:
    template = site.cluster.must_get(site.place("apps/v1 deployments", "web"))["spec"]["template"]
    return dict(template["metadata"].get("annotations") or {})


def test_a_rollout_restart_stays(site: Site) -> None:
    """`kubectl rollout restart` is no drift and stays when Git and people change other fields."""
    repo = site.sync("shop", {"web.yaml": yamls.text(yamls.deployment("web"))})
    site.cluster.lab.run_kubectl("-n", site.namespace, "rollout", "restart", "deployment", "web")
    restarted = _annotations(site)
    assert RESTARTED in restarted
    _assert_calm(repo)

    repo.git.commit({"web.yaml": yamls.text(yamls.deployment("web", image="registry.example/web:2"))})
    repo.sync_and_wait()
    site.cluster.lab.run_kubectl("-n", site.namespace, "scale", "deployment", "web", "--replicas=3")
    repo.wait_event("DriftHealed")

    def healed() -> None:
        spec = site.cluster.must_get(site.place("apps/v1 deployments", "web"))["spec"]
        assert (spec["replicas"], spec["template"]["spec"]["containers"][0]["image"]) == (
            1,
            "registry.example/web:2",
        )

    eventually(healed)
    assert _annotations(site) == restarted


@pytest.mark.parametrize("manager", ["k9s", "node-fetch"])
def test_a_restart_by_another_tool_stays(site: Site, manager: str) -> None:
    """The annotation counts, not the tool; another annotation of the tool is still removed."""
    repo = site.sync("shop", {"web.yaml": yamls.text(yamls.deployment("web"))})
    answer = site.cluster.lab.request(
        "PATCH",
        f"/apis/apps/v1/namespaces/{site.namespace}/deployments/web?fieldManager={manager}",
        {"spec": {"template": {"metadata": {"annotations": {RESTARTED: "now", "team": "blue"}}}}},
        content_type="application/merge-patch+json",
    )
    assert answer.status == 200, answer.body

    repo.wait_event("DriftHealed")

    eventually(lambda: _assert_equal(_annotations(site), {RESTARTED: "now"}))


def _assert_equal(one: Any, other: Any) -> None:
    assert one == other


def test_a_restart_survives_adoption(site: Site) -> None:
    """A Deployment that kubectl created and restarted is adopted without undoing the restart."""
    manifest = yamls.text(
        {**yamls.deployment("web"), "metadata": {"name": "web", "labels": {"team": "blue"}}}
    )
    kubectl = site.cluster.lab.run_kubectl
    kubectl("-n", site.namespace, "apply", "-f", "-", stdin=manifest)
    kubectl("-n", site.namespace, "rollout", "restart", "deployment", "web")
    restarted = _annotations(site)

    site.sync("shop", {"web.yaml": yamls.text(yamls.deployment("web"))})

    live = site.cluster.must_get(site.place("apps/v1 deployments", "web"))
    assert "team" not in live["metadata"]["labels"]
    assert _annotations(site) == restarted


def test_a_restart_annotation_in_git_is_gits(site: Site) -> None:
    """If Git declares the annotation, a restart in the cluster is drift."""
    manifest = yamls.deployment("web")
    manifest["spec"]["template"]["metadata"]["annotations"] = {RESTARTED: "in Git"}
    repo = site.sync("shop", {"web.yaml": yamls.text(manifest)})
    site.cluster.lab.run_kubectl("-n", site.namespace, "rollout", "restart", "deployment", "web")
    repo.wait_event("DriftHealed")
    eventually(lambda: _assert_equal(_annotations(site), {RESTARTED: "in Git"}))


STRATEGY = {"type": "Recreate"}
ON_DELETE = {"type": "OnDelete"}


@pytest.mark.parametrize(
    ("kind", "plural", "field", "union"),
    [
        ("Deployment", "deployments", "strategy", STRATEGY),
        ("StatefulSet", "statefulsets", "updateStrategy", ON_DELETE),
    ],
)
def test_a_default_makes_way_for_what_git_declares(
    site: Site, kind: str, plural: str, field: str, union: Json
) -> None:
    """`rollingUpdate`, a default, is removed when Git declares another type, and comes back without it."""
    base = {**yamls.deployment("web"), "kind": kind}
    declared = {**base, "spec": {**base["spec"], field: union}}
    repo = site.sync("shop", {"web.yaml": yamls.text(base)})
    place = site.place(f"apps/v1 {plural}", "web")
    before = site.cluster.must_get(place)
    assert "rollingUpdate" in before["spec"][field]

    repo.git.commit({"web.yaml": yamls.text(declared)})
    repo.sync_now()
    repo.wait_synced(repo.git.tip())
    live = site.cluster.must_get(place)
    assert live["spec"][field] == union
    assert live["metadata"]["uid"] == before["metadata"]["uid"]

    repo.git.commit({"web.yaml": yamls.text(base)})
    repo.sync_now()
    repo.wait_synced(repo.git.tip())
    assert site.cluster.must_get(place)["spec"][field] == before["spec"][field]
    _assert_calm(repo, seconds=1)


def test_a_refused_field_of_another_manager_stays(site: Site) -> None:
    """It is not removed, and the hint says whose it is instead of naming it as part of the manifest."""
    base = yamls.deployment("web")
    repo = site.sync("shop", {"web.yaml": yamls.text(base)})
    place = site.place("apps/v1 deployments", "web")
    tuned = {"strategy": {"rollingUpdate": {"maxSurge": 3}}}
    site.cluster.put(
        place,
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": tuned},
        manager="acme-tuner",
    )

    repo.git.commit({"web.yaml": yamls.text({**base, "spec": {**base["spec"], "strategy": STRATEGY}})})
    repo.sync_now()
    (error,) = repo.wait_failed("NOPEA-K003")["status"]["errors"]

    assert error["hint"] == (
        "spec.strategy.rollingUpdate is not in the manifest: acme-tuner set it. "
        "Remove it from the live object with kubectl."
    )
    assert site.cluster.must_get(place)["spec"]["strategy"]["rollingUpdate"]["maxSurge"] == 3


def test_an_object_that_is_too_large(site: Site) -> None:
    """The hint is about the size, and names no field."""
    repo = site.sync("shop", {"a.yaml": yamls.text(yamls.config_map("a", colour="blue"))})
    repo.git.commit({"a.yaml": yamls.text(yamls.config_map("a", colour="x" * 1_100_000))})
    repo.sync_now()
    (error,) = repo.wait_failed("NOPEA-K003")["status"]["errors"]
    assert error["hint"] == "Split the object, or store large data elsewhere: its size is limited."
