"""A value that admission changes: it is told once, shown by `nopea diff`, and Git's when admission stops."""

from __future__ import annotations

from typing import Any

import pytest
from tests.e2e import yamls
from tests.e2e.commands import say
from tests.e2e.waiting import eventually
from tests.e2e.world import APPLY, Json, Repo, Site, path_of

GROUP = "admissionregistration.k8s.io/v1"
GIT, MIRROR = "nginx:1", "mirror.example/nginx:1"


class _Policy:
    """A MutatingAdmissionPolicy that replaces the image in ConfigMaps of a namespace."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def install(self) -> None:
        """Create it, and wait until the API server enforces it."""
        name = self._site.namespace
        rule = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"]}
        self._put("MutatingAdmissionPolicy", {
            "failurePolicy": "Fail",
            "reinvocationPolicy": "Never",
            "matchConstraints": {
                "resourceRules": [{**rule, "operations": ["CREATE", "UPDATE"]}],
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}},
            },
            "matchConditions": [
                {"name": "image", "expression": f"object.?data.image.orValue('') == '{GIT}'"}
            ],
            "mutations": [{"patchType": "JSONPatch", "jsonPatch": {
                "expression": f'[JSONPatch{{op: "replace", path: "/data/image", value: "{MIRROR}"}}]'
            }}],
        })  # fmt: skip
        self._put("MutatingAdmissionPolicyBinding", {"policyName": name})
        eventually(lambda: self._probe(MIRROR), seconds=30)

    def remove(self) -> None:
        """Delete it, and wait until the API server no longer enforces it."""
        for kind in ("bindings", "policies"):
            plural = f"mutatingadmissionpolic{'ies' if kind == 'policies' else 'ybindings'}"
            self._site.cluster.delete(f"{GROUP} {plural} /{self._site.namespace}")
        eventually(lambda: self._probe(GIT), seconds=30)

    def _put(self, kind: str, spec: Json) -> None:
        plural = {"MutatingAdmissionPolicy": "mutatingadmissionpolicies"}.get(kind, f"{kind.lower()}s")
        body = {"apiVersion": GROUP, "kind": kind, "metadata": {"name": self._site.namespace}, "spec": spec}
        self._site.cluster.put(f"{GROUP} {plural} /{self._site.namespace}", body)

    def _probe(self, expected: str) -> None:
        manifest = yamls.config_map("probe", namespace=self._site.namespace, image=GIT)
        path = (
            f"{path_of(self._site.place('v1 configmaps', 'probe'))}?fieldManager=probe&dryRun=All&force=true"
        )
        answer = self._site.cluster.lab.request("PATCH", path, manifest, content_type=APPLY)
        assert answer.body.get("data") == {"image": expected}, answer.body


@pytest.fixture
def policy(site: Site) -> Any:
    """A policy that is removed with the test."""
    made = _Policy(site)
    yield made
    made.remove()


def _events(repo: Repo, reason: str) -> list[str]:
    return [event["note"] for event in repo.events() if event["reason"] == reason]


def _diff(site: Site) -> Any:
    said = say(site.cluster.lab, "diff", "shop", "-n", site.namespace, "-o", "json")
    assert said.code == 0
    return [
        (field["path"], field["git"], field["live"], field["note"])
        for each in said.json["objects"]
        for field in each["fields"]
    ]


def test_a_changed_value_is_told_once_and_applied_again_when_admission_stops(
    site: Site, policy: _Policy
) -> None:
    """While the policy is there, syncs store nothing; once it is gone, one sync brings Git's value."""
    policy.install()
    place = site.place("v1 configmaps", "web")
    repo = site.sync("shop", {"web.yaml": yamls.text(yamls.config_map("web", image=GIT))})
    note = f"Admission changed ConfigMap {site.namespace}/web: .data.image {GIT} → {MIRROR}."
    assert repo.wait_event("ChangedAtAdmission")["note"] == note
    before = site.cluster.must_get(place)
    assert before["data"] == {"image": MIRROR}
    for _ in range(3):
        repo.sync_and_wait()
    assert site.cluster.must_get(place) == before
    assert _diff(site) == [(".data.image", GIT, MIRROR, "changed at admission")]
    text = say(site.cluster.lab, "diff", "shop", "-n", site.namespace).out
    assert f".data.image: {MIRROR}; {GIT} in Git, changed at admission" in text
    policy.remove()
    repo.sync_and_wait()
    assert site.cluster.must_get(place)["data"] == {"image": GIT}
    assert _diff(site) == []
    assert len(_events(repo, "ChangedAtAdmission")) == 1
    assert _events(repo, "DriftHealed") == _events(repo, "DriftDetected") == []


def test_a_policy_that_comes_later_causes_no_false_heal(site: Site, policy: _Policy) -> None:
    """A label from kubectl lets the policy change the image as kubectl: only the label is reverted."""
    place = site.place("v1 configmaps", "web")
    repo = site.sync("shop", {"web.yaml": yamls.text(yamls.config_map("web", image=GIT))})
    policy.install()
    site.cluster.lab.run_kubectl("label", "configmap", "web", "-n", site.namespace, "team=blue")

    def reverted() -> None:
        labels = site.cluster.must_get(place)["metadata"]["labels"]
        assert "team" not in labels

    eventually(reverted, seconds=20)
    (healed,) = [repo.wait_event("DriftHealed")["note"]]
    assert ".metadata.labels.team" in healed
    assert "image" not in healed
    assert ".data.image" in repo.wait_event("ChangedAtAdmission")["note"]
    assert site.cluster.must_get(place)["data"] == {"image": MIRROR}
