"""The URL path of a resource or an object. Pure; never asks the API server.

A name that cannot be part of a path is an error before anything is sent: `..` in a manifest must not reach
another object.
"""

from __future__ import annotations

from urllib.parse import quote

from nopea.core.objects import Resource, Target
from nopea.kube.errors import ApiFailure, InvalidError

_UNSAFE_NAMES = frozenset({"", ".", ".."})
_MAX_NAME = 253


def collection_path(resource: Resource, namespace: str = "") -> str:
    """Return the path of all objects of a resource, or of those in one namespace.

    Raises InvalidError for a namespace of a cluster-scoped resource, and for an invalid one.
    """
    prefix = f"/apis/{_segment(resource.group)}" if resource.group else "/api"
    root, plural = f"{prefix}/{_segment(resource.version)}", _segment(resource.plural)
    if not namespace:
        return f"{root}/{plural}"
    if not resource.namespaced:
        raise refused(f"{resource.kind} is cluster-scoped and cannot be in namespace {namespace!r}.")
    return f"{root}/namespaces/{_segment(namespace)}/{plural}"


def object_path(target: Target, subresource: str = "") -> str:
    """Return the path of one object, or of a subresource of it.

    Raises InvalidError for an invalid name, for a namespaced kind without a namespace, and for a cluster-
    scoped kind with one.
    """
    if target.resource.namespaced and not target.namespace:
        raise refused(f"{target.resource.kind} {target.name!r} is namespaced, but has no namespace.")
    path = f"{collection_path(target.resource, target.namespace)}/{_segment(target.name)}"
    return f"{path}/{subresource}" if subresource else path


def refused(message: str) -> InvalidError:
    """Return the error of a request that is not sent."""
    return InvalidError(ApiFailure(code=400, reason="BadRequest", message=message))


def _segment(name: str) -> str:
    # the API server's own rule for names in paths: no slash, no percent sign, not a dot segment
    if name in _UNSAFE_NAMES or "/" in name or "%" in name or len(name) > _MAX_NAME:
        raise refused(f"{name[:80]!r} is not a valid name in a path.")
    return quote(name, safe=":")
