"""The API paths of resources and objects."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nopea.core.objects import Resource
from nopea.kube.errors import InvalidError
from nopea.kube.paths import collection_path, object_path

PODS = Resource(group="", version="v1", kind="Pod", plural="pods", namespaced=True)
ROLES = Resource(
    group="rbac.authorization.k8s.io",
    version="v1",
    kind="ClusterRole",
    plural="clusterroles",
    namespaced=False,
)


def test_collections() -> None:
    """The core group has its own prefix; the namespace is optional."""
    assert collection_path(PODS) == "/api/v1/pods"
    assert collection_path(PODS, "shop") == "/api/v1/namespaces/shop/pods"
    assert collection_path(ROLES) == "/apis/rbac.authorization.k8s.io/v1/clusterroles"


def test_objects_and_subresources() -> None:
    """Names are percent-encoded, except for the colons in RBAC names."""
    pod = PODS.at(name="web", namespace="shop")

    assert object_path(pod) == "/api/v1/namespaces/shop/pods/web"
    assert object_path(pod, "status") == "/api/v1/namespaces/shop/pods/web/status"
    assert object_path(ROLES.at(name="a:b c")) == "/apis/rbac.authorization.k8s.io/v1/clusterroles/a:b%20c"


@pytest.mark.parametrize(
    "resource",
    [
        replace(ROLES, plural="x/../pods"),
        replace(ROLES, plural=""),
        replace(ROLES, version=".."),
        replace(ROLES, group="a%2f"),
    ],
)
def test_names_of_kinds_are_checked_too(resource: Resource) -> None:
    """A definition in Git names them."""
    with pytest.raises(InvalidError, match="not a valid name"):
        collection_path(resource)


def test_a_question_mark_does_not_begin_a_query() -> None:
    """It is quoted like any other character."""
    assert collection_path(replace(PODS, plural="pods?watch=1")) == "/api/v1/pods%3Fwatch%3D1"


def test_scope_is_checked_before_anything_is_sent() -> None:
    """A namespaced object needs a namespace; a cluster-scoped one cannot have one."""
    with pytest.raises(InvalidError, match="no namespace"):
        object_path(PODS.at(name="web"))
    with pytest.raises(InvalidError, match="cluster-scoped"):
        object_path(ROLES.at(name="a", namespace="shop"))


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../web", "a%2fb", "x" * 254])
def test_a_name_cannot_lead_to_another_object(name: str) -> None:
    """A name or namespace that is not a single path segment is refused."""
    with pytest.raises(InvalidError, match="not a valid name"):
        object_path(PODS.at(name=name, namespace="shop"))
    if name:
        with pytest.raises(InvalidError, match="not a valid name"):
            object_path(PODS.at(name="web", namespace=name))
