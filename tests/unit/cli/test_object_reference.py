"""Which object a reference means."""

from __future__ import annotations

import pytest

from nopea.cli.object_reference import UnknownObjectError, find_object
from nopea.core.objects import ObjectKey, Resource

WEB = ObjectKey("apps", "Deployment", "shop", "web")
OTHER = ObjectKey("apps", "Deployment", "test", "api")
API = ObjectKey("apps", "Deployment", "shop", "api")
SERVICE = ObjectKey("", "Service", "shop", "web")
SPACE = ObjectKey("", "Namespace", "", "shop")
INGRESS = ObjectKey("networking.k8s.io", "Ingress", "shop", "web")
KEYS = (WEB, OTHER, API, SERVICE, SPACE, INGRESS)


def _served(group: str, kind: str, plural: str, *aliases: str) -> Resource:
    return Resource(
        group=group, version="v1", kind=kind, plural=plural, namespaced=True, aliases=frozenset(aliases)
    )


SERVED = (
    _served("apps", "Deployment", "deployments", "deployment", "deploy"),
    _served("", "Service", "services", "svc"),
    _served("networking.k8s.io", "Ingress", "ingresses", "ing"),
)


@pytest.mark.parametrize("key", KEYS)
def test_an_object_is_found_as_it_is_printed(key: ObjectKey) -> None:
    """An object is found by the form that the status and Events use."""
    assert find_object(str(key), KEYS) == key


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("deployment/web", WEB),
        ("Deployment/web", WEB),
        ("deployments/web", WEB),
        ("deployments.apps/web", WEB),
        ("deployment.apps/web", WEB),
        ("deployment web", WEB),
        ("deployment shop/web", WEB),
        ("deployment test/api", OTHER),
        ("services/web", SERVICE),
        ("service shop/web", SERVICE),
        ("namespace/shop", SPACE),
        ("ingresses.networking.k8s.io/web", INGRESS),
        ("ingress  shop/web", INGRESS),
        ("deploy/web", WEB),
        ("deploy.apps/web", WEB),
        ("svc shop/web", SERVICE),
        ("ing/web", INGRESS),
    ],
)
def test_an_object_is_found_as_kubectl_writes_it(text: str, key: ObjectKey) -> None:
    """The kind may be singular or plural, with or without its group, in any case."""
    assert find_object(text, KEYS, served=SERVED) == key


def test_an_ambiguous_name_is_an_error() -> None:
    """The error lists all matching objects in their full form."""
    with pytest.raises(UnknownObjectError, match="Deployment shop/api, apps/Deployment test/api"):
        find_object("deployment/api", KEYS)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("web", "is not an object. Example:"),
        ("", "is not an object. Example:"),
        ("a b c", "is not an object. Example:"),
        ("deployment/", "is not an object. Example:"),
        ("/web", "is not an object. Example:"),
        ("deployment /web", "is not an object. Example:"),
        ("deployment a/b/c", "is not an object. Example:"),
        ("configmap/web", "Applied: Service shop/web, apps/Deployment shop/web, networking"),
        ("deployment.batch/web", "is not an applied object"),
        ("batch/Deployment web", "is not an applied object"),
        ("deployment test/web", "is not an applied object"),
        ("service/none", "and 3 more"),
        ("deploy/wbe", "Did you mean apps/Deployment shop/web?"),
        ("configmap/appi", "Did you mean apps/Deployment shop/api, apps/Deployment test/api?"),
    ],
)
def test_any_other_reference_is_an_error(text: str, message: str) -> None:
    """The error shows an example, the objects with this name, or all applied objects."""
    with pytest.raises(UnknownObjectError) as caught:
        find_object(text, KEYS, served=SERVED)

    assert message in str(caught.value)


def test_without_applied_objects_the_error_says_so() -> None:
    """If nothing is applied yet, the error says so."""
    with pytest.raises(UnknownObjectError, match="nothing is applied yet"):
        find_object("service/web", ())
