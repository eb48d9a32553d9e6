"""Requests to the API server: method, path and body."""

from __future__ import annotations

import orjson

from nopea.core.objects import Resource
from nopea.kube import requests
from nopea.kube.requests import PatchKind, Preconditions, Selection

PODS = Resource(group="", version="v1", kind="Pod", plural="pods", namespaced=True)
POD = PODS.at(name="web", namespace="shop")


def test_apply() -> None:
    """An apply uses force, strict validation and the manager nopea; a subresource changes only the path."""
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
    """Selectors are percent-encoded, empty ones omitted; the Accept header requests metadata only."""
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
    """Owned objects are deleted in the background; preconditions are optional."""
    plain = requests.delete(POD)
    safe = requests.delete(POD, only_if=Preconditions(uid="u", resource_version="5"))

    assert "preconditions" not in orjson.loads(plain.body)
    assert orjson.loads(safe.body)["preconditions"] == {"uid": "u", "resourceVersion": "5"}
    assert orjson.loads(safe.body)["propagationPolicy"] == "Background"
    assert (plain.repeatable, safe.repeatable) == (False, True)


def test_patches_and_secrets() -> None:
    """A JSON patch must not be repeated; a request for a Secret is marked."""
    secrets = Resource(group="", version="v1", kind="Secret", plural="secrets", namespaced=True)

    assert requests.patch(POD, b"{}", kind=PatchKind.MERGE).repeatable
    assert not requests.patch(POD, b"[]", kind=PatchKind.JSON).repeatable
    assert requests.apply(secrets.at(name="s", namespace="shop"), b"{}").is_secret
    assert requests.create(secrets, b"{}", namespace="shop").is_secret
    assert not requests.apply(POD, b"{}").is_secret


def test_requests_are_printed() -> None:
    """The text contains the verb and the object."""
    assert str(requests.get(POD)) == "get pods/v1 shop/web"
    assert requests.get(POD).accept == "application/json"
    assert requests.get(POD, metadata_only=True).accept.startswith(
        "application/json;as=PartialObjectMetadata;"
    )
    assert str(requests.create(PODS, b"{}", namespace="shop")) == "create pods/v1 in shop"


def test_the_scopes_of_a_request() -> None:
    """The group and the kind, for every kind of path: what a refusal of the server is about."""
    node = Resource(group="acme.example", version="v1", kind="Node", plural="nodes", namespaced=False)
    listed = requests.list_page(PODS, Selection(namespace="shop"), limit=1)
    namespaces = Resource(group="", version="v1", kind="Namespace", plural="namespaces", namespaced=False)

    assert requests.apply(POD, b"{}", subresource="status").scopes == listed.scopes == ("", "/pods")
    assert requests.get(node.at(name="a")).scopes == ("acme.example", "acme.example/nodes")
    assert requests.get(namespaces.at(name="shop")).scopes == ("", "/namespaces")
    assert requests.get_path("/apis").scopes == requests.get_path("/api").scopes == ("", "/")
