"""Build the requests of the Kubernetes API: paths, queries and bodies. Pure; `client.py` sends them."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from urllib.parse import quote, urlencode

import orjson

from nopea.core.api.names import CONTROLLER_MANAGER, FIELD_MANAGER
from nopea.core.objects import Resource, Target
from nopea.kube.paths import collection_path, object_path

JSON = "application/json"
APPLY = "application/apply-patch+yaml"
METADATA = "application/json;as={};g=meta.k8s.io;v=v1,application/json"


class PatchKind(enum.StrEnum):
    """The format of a patch. Strategic merge is missing, because custom resources do not support it."""

    MERGE = "application/merge-patch+json"
    JSON = "application/json-patch+json"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiRequest:
    """One request, ready to send: `path` has its query and is percent-encoded.

    `repeatable` is True if sending it twice has the effect of sending it once.
    """

    verb: str
    what: str
    method: str
    path: str
    body: bytes = b""
    content_type: str = ""
    accept: str = JSON
    repeatable: bool = False

    @property
    def is_secret(self) -> bool:
        """True if the body may be a Secret's or a token, which an answer may quote."""
        return (self.path.startswith("/api/v1/") and "/secrets" in self.path) or "/tokenreviews" in self.path

    @property
    def scopes(self) -> tuple[str, str]:
        """The API group, empty for the core group, and the kind as `group/plural`."""
        path = self.path.partition("?")[0]
        root, *rest = path.removeprefix("/").split("/")
        group = rest.pop(0) if root == "apis" and rest else ""
        parts = rest[1:]  # without the version
        if parts[:1] == ["namespaces"] and parts[2:]:
            parts = parts[2:]
        return group, f"{group}/{parts[0] if parts else ''}"

    def __str__(self) -> str:
        return f"{self.verb} {self.what}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Selects objects of a kind by namespace, labels and fields; empty parts select all.

    `metadata_only` asks for PartialObjectMetadata, which has no spec or status.
    """

    namespace: str = ""
    labels: str = ""
    fields: str = ""
    metadata_only: bool = False


EVERYTHING = Selection()


def _with_query(path: str, **pairs: str) -> str:
    query = urlencode({key: value for key, value in pairs.items() if value}, quote_via=quote)
    return f"{path}?{query}" if query else path


def get(target: Target, *, metadata_only: bool = False) -> ApiRequest:
    """Read one object, or its metadata only."""
    accept = METADATA.format("PartialObjectMetadata") if metadata_only else JSON
    return ApiRequest(
        verb="get",
        what=str(target),
        method="GET",
        path=object_path(target),
        accept=accept,
        repeatable=True,
    )


def get_path(path: str, *, accept: str = JSON) -> ApiRequest:
    """Read a path that is not an object, such as `/version` or `/apis`."""
    return ApiRequest(verb="get", what=path, method="GET", path=path, accept=accept, repeatable=True)


def log(
    target: Target, *, container: str, follow: bool, since_seconds: int | None, since_time: str = ""
) -> ApiRequest:
    """Read the log of a Pod's container; `follow` keeps the answer open."""
    path = _with_query(
        object_path(target, "log"),
        container=container,
        follow="true" if follow else "",
        sinceSeconds="" if since_seconds is None else str(since_seconds),
        sinceTime=since_time,
    )
    return ApiRequest(
        verb="get", what=f"{target} log", method="GET", path=path, accept="*/*", repeatable=True
    )


def list_page(resource: Resource, selection: Selection, *, limit: int, continue_: str = "") -> ApiRequest:
    """Read one chunk of a list; `continue_` is the token of the previous chunk."""
    path = _with_query(
        collection_path(resource, selection.namespace),
        labelSelector=selection.labels,
        fieldSelector=selection.fields,
        limit=str(limit),
        **{"continue": continue_},
    )
    accept = METADATA.format("PartialObjectMetadataList") if selection.metadata_only else JSON
    what = _what(resource, selection)
    return ApiRequest(verb="list", what=what, method="GET", path=path, accept=accept, repeatable=True)


def watch(
    resource: Resource, selection: Selection, *, resource_version: str, timeout_seconds: int
) -> ApiRequest:
    """Follow the changes after `resource_version`; the server ends the stream after `timeout_seconds`."""
    path = _with_query(
        collection_path(resource, selection.namespace),
        watch="1",
        allowWatchBookmarks="true",
        labelSelector=selection.labels,
        fieldSelector=selection.fields,
        resourceVersion=resource_version,
        timeoutSeconds=str(timeout_seconds),
    )
    accept = METADATA.format("PartialObjectMetadata") if selection.metadata_only else JSON
    what = _what(resource, selection)
    return ApiRequest(verb="watch", what=what, method="GET", path=path, accept=accept, repeatable=True)


def _what(resource: Resource, selection: Selection) -> str:
    return f"{resource} in {selection.namespace}" if selection.namespace else str(resource)


def apply(
    target: Target,
    body: bytes,
    *,
    subresource: str = "",
    manager: str = FIELD_MANAGER,
    force: bool = True,
    dry_run: bool = False,
) -> ApiRequest:
    """Server-side apply of an object's JSON (KEP-555).

    With `force` it takes over fields of other managers. The API server refuses unknown and duplicate fields.
    A dry run stores nothing.
    """
    path = _with_query(
        object_path(target, subresource),
        fieldManager=manager,
        force="true" if force else "",
        fieldValidation="Strict",
        **({"dryRun": "All"} if dry_run else {}),
    )
    return ApiRequest(
        verb="dry-run" if dry_run else "apply",
        what=str(target),
        method="PATCH",
        path=path,
        body=body,
        content_type=APPLY,
        repeatable=True,
    )


def patch(target: Target, body: bytes, *, kind: PatchKind, manager: str = FIELD_MANAGER) -> ApiRequest:
    """Change some fields; a merge patch may be repeated, a JSON patch (with its tests) may not."""
    path = _with_query(object_path(target), fieldManager=manager)
    return ApiRequest(
        verb="patch",
        what=str(target),
        method="PATCH",
        path=path,
        body=body,
        content_type=kind.value,
        repeatable=kind is PatchKind.MERGE,
    )


def create(
    resource: Resource,
    body: bytes,
    *,
    namespace: str = "",
    manager: str = CONTROLLER_MANAGER,
    dry_run: bool = False,
) -> ApiRequest:
    """Create an object; a dry run stores nothing."""
    path = _with_query(
        collection_path(resource, namespace),
        fieldManager=manager,
        **({"dryRun": "All"} if dry_run else {}),
    )
    return ApiRequest(
        verb="dry-run" if dry_run else "create",
        what=f"{resource} in {namespace}" if namespace else str(resource),
        method="POST",
        path=path,
        body=body,
        content_type=JSON,
        repeatable=dry_run,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Preconditions:
    """The uid and the version that an object must have to be deleted; empty fields are not checked."""

    uid: str = ""
    resource_version: str = ""


NO_PRECONDITIONS = Preconditions()


def delete(target: Target, *, only_if: Preconditions = NO_PRECONDITIONS) -> ApiRequest:
    """Delete one object, and later what it owns, if the preconditions hold (409 otherwise)."""
    fields = {"uid": only_if.uid, "resourceVersion": only_if.resource_version}
    conditions = {key: value for key, value in fields.items() if value}
    options: dict[str, object] = {
        "apiVersion": "meta.k8s.io/v1",
        "kind": "DeleteOptions",
        "propagationPolicy": "Background",
    }
    if conditions:
        options["preconditions"] = conditions
    return ApiRequest(
        verb="delete",
        what=str(target),
        method="DELETE",
        path=object_path(target),
        body=orjson.dumps(options),
        content_type=JSON,
        repeatable=bool(only_if.uid),
    )
