"""Parse the API server's discovery documents, aggregated (KEP-3352) and old. Pure: it sends nothing."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from nopea.core.objects import Resource
from nopea.kube.errors import ApiFailure, ServerError

_AGGREGATED = "application/json;g=apidiscovery.k8s.io;v={};as=APIGroupDiscoveryList"
ACCEPT = f"{_AGGREGATED.format('v2')},{_AGGREGATED.format('v2beta1')},application/json"
"""Asks for all groups in one document; an older server answers with the list of groups."""


@dataclass(slots=True)
class Served:
    """Resources in the server's order of preference, and versions whose API service does not answer."""

    resources: list[Resource] = field(default_factory=list)
    stale: set[tuple[str, str]] = field(default_factory=set)

    def add(self, other: Served) -> None:
        """Append the content of another document."""
        self.resources.extend(other.resources)
        self.stale |= other.stale


class _Name(msgspec.Struct):
    name: str = ""


class _ServedKind(msgspec.Struct):
    group: str = ""
    version: str = ""
    kind: str = ""


class _WireResource(msgspec.Struct, rename="camel"):
    resource: str
    response_kind: _ServedKind | None = None
    scope: str = ""
    verbs: tuple[str, ...] = ()
    singular_resource: str = ""
    short_names: tuple[str, ...] = ()


class _WireVersion(msgspec.Struct):
    version: str
    resources: tuple[_WireResource, ...] = ()
    freshness: str = "Current"


class _Group(msgspec.Struct):
    metadata: _Name = msgspec.field(default_factory=_Name)
    versions: tuple[_WireVersion, ...] = ()


class _Groups(msgspec.Struct):
    items: tuple[_Group, ...] = ()


class _OldVersion(msgspec.Struct):
    version: str


class _OldGroup(msgspec.Struct, rename="camel"):
    name: str
    versions: tuple[_OldVersion, ...] = ()
    preferred_version: _OldVersion | None = None


class _OldGroups(msgspec.Struct):
    groups: tuple[_OldGroup, ...] = ()
    versions: tuple[str, ...] = ()


class _OldResource(msgspec.Struct, rename="camel"):
    name: str
    kind: str
    namespaced: bool = False
    verbs: tuple[str, ...] = ()
    singular_name: str = ""
    short_names: tuple[str, ...] = ()


class _OldResources(msgspec.Struct):
    resources: tuple[_OldResource, ...] = ()


_GROUPS = msgspec.json.Decoder(_Groups)
_OLD_GROUPS = msgspec.json.Decoder(_OldGroups)
_OLD_RESOURCES = msgspec.json.Decoder(_OldResources)


def read_groups(body: bytes) -> Served:
    """Parse an APIGroupDiscoveryList, v2 or v2beta1; a stale group keeps the kinds that it served last."""
    served = Served()
    try:
        groups = _GROUPS.decode(body).items
    except msgspec.MsgspecError as error:
        raise _unreadable() from error
    for group in groups:
        for version in group.versions:
            if version.freshness == "Stale":
                served.stale.add((group.metadata.name, version.version))
            for item in version.resources:
                if item.response_kind is not None and item.response_kind.kind:
                    served.resources.append(_resource_of(group.metadata.name, version.version, item))
    return served


def _resource_of(group: str, version: str, item: _WireResource) -> Resource:
    return Resource(
        group=group,
        version=version,
        kind=item.response_kind.kind if item.response_kind else "",
        plural=item.resource,
        namespaced=item.scope == "Namespaced",
        verbs=frozenset(item.verbs),
        aliases=frozenset({item.singular_resource, *item.short_names} - {""}),
    )


def read_legacy_groups(body: bytes, *, core: bool) -> list[tuple[str, str]]:
    """Parse `/api` (core) or `/apis`; return group and version, a group's preferred version first."""
    try:
        document = _OLD_GROUPS.decode(body)
    except msgspec.MsgspecError as error:
        raise _unreadable() from error
    if core:
        return [("", version) for version in document.versions]
    versions_of_groups: list[tuple[str, str]] = []
    for group in document.groups:
        preferred = group.preferred_version.version if group.preferred_version else ""
        versions = sorted((v.version for v in group.versions), key=preferred.__ne__)
        versions_of_groups.extend((group.name, version) for version in versions)
    return versions_of_groups


def read_legacy_resources(body: bytes, *, group: str, version: str) -> list[Resource]:
    """Parse an APIResourceList, without subresources such as `pods/status`."""
    try:
        items = _OLD_RESOURCES.decode(body).resources
    except msgspec.MsgspecError as error:
        raise _unreadable() from error
    return [
        Resource(
            group=group,
            version=version,
            kind=item.kind,
            plural=item.name,
            namespaced=item.namespaced,
            verbs=frozenset(item.verbs),
            aliases=frozenset({item.singular_name, *item.short_names} - {""}),
        )
        for item in items
        if "/" not in item.name
    ]


def _unreadable() -> ServerError:
    return ServerError(
        ApiFailure(code=200, reason="Rubbish", message="The API server's discovery document cannot be read.")
    )
