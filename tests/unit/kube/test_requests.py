"""Requests as they go over the wire."""

from __future__ import annotations

import orjson

from nopea.core.objects import Resource
from nopea.kube import requests
from nopea.kube.requests import PatchKind, Preconditions, Selection

PODS = Resource(group="", version="v1", kind="Pod", plural="pods", namespaced=True)
POD = PODS.at(name="web", namespace="shop")


def test_apply() -> None:
    """An apply forces, is strict, and is sent as manager nopea; a subresource changes the path only."""
    request = requests.apply(POD, b"{}")

    assert (request.method, request.content_type) == ("PATCH", "application/apply-patch+yaml")
    assert request.path == (
        "/api/v1/namespaces/shop/pods/web?fieldManager=nopea&force=true&fieldValidation=Strict"
    )
    assert request.repeatable
    assert requests.apply(POD, b"{}", subresource="status").path == (
        "/api/v1/namespaces/shop/pods/web/status?fieldManager=nopea&force=true&fieldValidation=Strict"
    )


def test_list_and_watch_encode_selectors() -> None:
    """Selectors are percent-encoded, empty parts are left out, metadata is asked for by Accept."""
    selection = Selection(
        namespace="shop", labels="a in (b,c),d!=e", fields="metadata.name=x", metadata_only=True
    )
    listed = requests.list_page(PODS, selection, limit=10, continue_="t=")
    watched = requests.watch(PODS, Selection(), resource_version="7", timeout_seconds=60)

    assert listed.path == (
        "/api/v1/namespaces/shop/pods?labelSelector=a%20in%20%28b%2Cc%29%2Cd%21%3De"
        "&fieldSelector=metadata.name%3Dx&limit=10&continue=t%3D"
    )
    assert listed.accept.startswith("application/json;as=PartialObjectMetadataList;")
    assert watched.path == (
        "/api/v1/pods?watch=1&allowWatchBookmarks=true&resourceVersion=7&timeoutSeconds=60"
    )


def test_delete() -> None:
    """A delete leaves owned objects to the garbage collector; preconditions are sent if there are any."""
    plain = requests.delete(POD)
    safe = requests.delete(POD, only_if=Preconditions(uid="u", resource_version="5"))

    assert "preconditions" not in orjson.loads(plain.body)
    assert orjson.loads(safe.body)["preconditions"] == {"uid": "u", "resourceVersion": "5"}
    assert orjson.loads(safe.body)["propagationPolicy"] == "Background"
    assert (plain.repeatable, safe.repeatable) == (False, True)


def test_patches_and_secrets() -> None:
    """A JSON patch is not repeated; a request for a Secret knows that it is one."""
    secrets = Resource(group="", version="v1", kind="Secret", plural="secrets", namespaced=True)

    assert requests.patch(POD, b"{}", kind=PatchKind.MERGE).repeatable
    assert not requests.patch(POD, b"[]", kind=PatchKind.JSON).repeatable
    assert requests.apply(secrets.at(name="s", namespace="shop"), b"{}").is_secret
    assert requests.create(secrets, b"{}", namespace="shop").is_secret
    assert not requests.apply(POD, b"{}").is_secret


def test_requests_print_as_people_name_objects() -> None:
    """An error's text begins with the verb and the object."""
    assert str(requests.get(POD)) == "get pods/v1 shop/web"
    assert str(requests.create(PODS, b"{}", namespace="shop")) == "create pods/v1 in shop"
