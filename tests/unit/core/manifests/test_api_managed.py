"""Placeholders for what controllers of the API fill in are not applied."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from nopea.core.manifests.normalize import normalize

RBAC, ADMISSION = "rbac.authorization.k8s.io/v1", "admissionregistration.k8s.io/v1"
BUNDLE = base64.b64encode(b"-----BEGIN CERTIFICATE-----").decode()


def _webhooks(**config: Any) -> dict[str, Any]:
    kind = "ValidatingWebhookConfiguration"
    return {"apiVersion": ADMISSION, "kind": kind, "webhooks": [{"name": "a.b.c", "clientConfig": config}]}


def _api_service(**spec: Any) -> dict[str, Any]:
    return {"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "spec": {"group": "a", **spec}}


def _definition(**config: Any) -> dict[str, Any]:
    conversion = {"strategy": "Webhook", "webhook": {"clientConfig": config}}
    spec = {"group": "a", "conversion": conversion}
    return {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "spec": spec}


@pytest.mark.parametrize("rules", [[], [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]])
def test_the_rules_of_an_aggregated_cluster_role_are_dropped(rules: list[Any]) -> None:
    """Kubernetes overwrites them with those of the selected roles."""
    role = {"apiVersion": RBAC, "kind": "ClusterRole", "aggregationRule": {"clusterRoleSelectors": [{}]}}
    assert normalize({**role, "rules": rules}) == role


@pytest.mark.parametrize(
    "role",
    [
        {"apiVersion": RBAC, "kind": "ClusterRole", "rules": []},
        {"apiVersion": RBAC, "kind": "ClusterRole", "rules": [], "aggregationRule": {}},
        {"apiVersion": "acme.example/v1", "kind": "ClusterRole", "rules": [], "aggregationRule": {"a": 1}},
    ],
)
def test_other_rules_stay(role: dict[str, Any]) -> None:
    """Without an aggregation rule, and in another group, they are the user's."""
    assert normalize(role) == role


@pytest.mark.parametrize("make", [_webhooks, _api_service, _definition])
@pytest.mark.parametrize("placeholder", ["", "Cg==", base64.b64encode(b" \n").decode()])
def test_a_ca_bundle_without_a_certificate_is_dropped(make: Any, placeholder: str) -> None:
    """It is a placeholder for what a controller injects, and means the same as no bundle."""
    assert normalize(make(caBundle=placeholder, url="https://a")) == make(url="https://a")


@pytest.mark.parametrize("make", [_webhooks, _api_service, _definition])
@pytest.mark.parametrize("bundle", [BUNDLE, "%%%", 1])
def test_another_ca_bundle_stays(make: Any, bundle: Any) -> None:
    """A certificate is the user's; what is not base64 is refused by the API server."""
    assert normalize(make(caBundle=bundle)) == make(caBundle=bundle)


@pytest.mark.parametrize("webhooks", [None, 1, {}, [None, 1, {"clientConfig": 1}]])
def test_odd_shapes_do_no_harm(webhooks: Any) -> None:
    """The API server refuses them with a better message."""
    normalize({"apiVersion": ADMISSION, "kind": "MutatingWebhookConfiguration", "webhooks": webhooks})
    normalize({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "spec": webhooks})
