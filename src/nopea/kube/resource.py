"""Kinds as the API server serves them, and where an object of one is found. Pure; never asks the server."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from nopea.core.objects import GroupKind, ObjectKey
from nopea.kube.errors import Failure, InvalidError

_UNSAFE_NAMES = frozenset({"", ".", ".."})


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A served kind in one version; `plural` is its name in URLs. Prints as `deployments.apps/v1`."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool
    verbs: frozenset[str] = frozenset()
    subresources: frozenset[str] = frozenset()

    @property
    def api_version(self) -> str:
        """The apiVersion of its objects: `apps/v1`, or `v1` in the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def group_kind(self) -> GroupKind:
        """The kind whatever the version."""
        return GroupKind(self.group, self.kind)

    @property
    def root(self) -> str:
        """The URL path of its group and version."""
        return f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"

    def collection(self, namespace: str = "") -> str:
        """Return the URL path of all its objects, or of those in one namespace."""
        if not namespace:
            return f"{self.root}/{self.plural}"
        if not self.namespaced:
            raise refused(f"{self.kind} is cluster-scoped and cannot be in namespace {namespace!r}")
        return f"{self.root}/namespaces/{_segment(namespace)}/{self.plural}"

    def at(self, *, name: str, namespace: str = "") -> Target:
        """Return the place of one object.

        Raises InvalidError for a name that cannot be part of a URL path, for a namespaced kind without
        a namespace and for a cluster-scoped one with: `..` in a manifest must not reach another object.
        """
        if self.namespaced and not namespace:
            raise refused(f"{self.kind} {name!r} is namespaced and has no namespace")
        return Target(self, name, namespace, f"{self.collection(namespace)}/{_segment(name)}")

    def __str__(self) -> str:
        return f"{self.plural}.{self.group}/{self.version}" if self.group else f"{self.plural}/{self.version}"


@dataclass(frozen=True, slots=True)
class Target:
    """The place of one object; made by `Resource.at`. Prints as `deployments.apps/v1 shop/web`."""

    resource: Resource
    name: str
    namespace: str
    path: str

    @property
    def key(self) -> ObjectKey:
        """The identity of the object that is, or will be, there."""
        return ObjectKey(self.resource.group, self.resource.kind, self.namespace, self.name)

    def __str__(self) -> str:
        where = f"{self.namespace}/{self.name}" if self.namespace else self.name
        return f"{self.resource} {where}"


def refused(message: str) -> InvalidError:
    """Make the error for a request that is not even sent."""
    return InvalidError(Failure(code=400, reason="BadRequest", message=message))


def _segment(name: str) -> str:
    # the API server's own rule for names in paths: no slash, no percent sign, not a dot segment
    if name in _UNSAFE_NAMES or "/" in name or "%" in name or len(name) > 253:
        raise refused(f"{name[:80]!r} cannot be the name of an object or a namespace")
    return quote(name, safe=":")
