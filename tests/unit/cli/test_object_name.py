"""Which object a person means."""

from __future__ import annotations

import pytest

from nopea.cli.object_name import NoSuchObjectError, find_object
from nopea.core.objects import GroupKind, ObjectKey

WEB = ObjectKey("apps", "Deployment", "shop", "web")
OTHER = ObjectKey("apps", "Deployment", "test", "api")
API = ObjectKey("apps", "Deployment", "shop", "api")
SERVICE = ObjectKey("", "Service", "shop", "web")
SPACE = ObjectKey("", "Namespace", "", "shop")
INGRESS = ObjectKey("networking.k8s.io", "Ingress", "shop", "web")
KEYS = (WEB, OTHER, API, SERVICE, SPACE, INGRESS)
PLURALS = {"deployments.apps": GroupKind("apps", "Deployment"), "services.": GroupKind("", "Service"),
           "ingresses.networking.k8s.io": GroupKind("networking.k8s.io", "Ingress")}  # fmt: skip


@pytest.mark.parametrize("key", KEYS)
def test_an_object_is_found_as_it_prints(key: ObjectKey) -> None:
    """The spelling of the status and of Events, copied from there."""
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
    ],
)
def test_an_object_is_found_as_kubectl_writes_it(text: str, key: ObjectKey) -> None:
    """Kind or plural, with its group or without, whatever the case of the kind."""
    assert find_object(text, KEYS, plurals=PLURALS) == key


def test_a_name_that_fits_several_is_no_guess() -> None:
    """All of them are named, as they have to be written."""
    with pytest.raises(NoSuchObjectError, match="Deployment shop/api, apps/Deployment test/api"):
        find_object("deployment/api", KEYS)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("web", "write it like"),
        ("", "write it like"),
        ("a b c", "write it like"),
        ("deployment/", "write it like"),
        ("/web", "write it like"),
        ("deployment /web", "write it like"),
        ("deployment a/b/c", "write it like"),
        ("configmap/web", "there is Service shop/web, apps/Deployment shop/web, networking"),
        ("deployment.batch/web", "not among"),
        ("batch/Deployment web", "not among"),
        ("deployment test/web", "not among"),
        ("service/none", "and 3 more"),
    ],
)
def test_anything_else_is_an_error_that_helps(text: str, said: str) -> None:
    """It says how to write it, or what is there of this name, or what is there at all."""
    with pytest.raises(NoSuchObjectError) as caught:
        find_object(text, KEYS, plurals=PLURALS)

    assert said in str(caught.value)


def test_without_any_object_that_is_said() -> None:
    """A repository that has applied nothing yet."""
    with pytest.raises(NoSuchObjectError, match="or any other"):
        find_object("service/web", ())
