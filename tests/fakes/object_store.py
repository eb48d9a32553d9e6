"""The objects of an in-memory API server: versions, managers, finalizers, preconditions, definitions.

It does not know HTTP or watches; `cluster.py` serves it. It has no schemas, admission or controllers, and
each kind exists in one version.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from tests.fakes.field_management import FieldConflictError, Json, Writer, applied, updated

from nopea.core.apply.fieldset import render_path
from nopea.core.objects import ObjectKey, Resource
from nopea.kube.kinds import (
    CLUSTER_ROLE_BINDINGS,
    DEFINITIONS,
    GIT_REPOSITORIES,
    INVENTORIES,
    PODS,
    ROLE_BINDINGS,
    SECRETS,
    SERVICE_ACCOUNTS,
)
from nopea.kube.requests import APPLY, PatchKind

KUBECTL = "kubectl-edit"
_VERBS = frozenset({"create", "delete", "get", "list", "patch", "update", "watch"})
_NOTHING: Json = {"metadata": {}}


def served(where: Resource) -> Resource:
    """Return a resource as discovery reports it."""
    return replace(where, verbs=_VERBS)


def _builtin(group: str, version: str, kind: str, plural: str, *, namespaced: bool = True) -> Resource:
    return Resource(group=group, version=version, kind=kind, plural=plural, namespaced=namespaced)


NAMESPACES = served(_builtin("", "v1", "Namespace", "namespaces", namespaced=False))
CONFIG_MAPS = served(_builtin("", "v1", "ConfigMap", "configmaps"))
CLAIMS = served(_builtin("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims"))
DEPLOYMENTS = served(_builtin("apps", "v1", "Deployment", "deployments"))
EVENTS = served(_builtin("events.k8s.io", "v1", "Event", "events"))
KINDS = (
    NAMESPACES,
    CONFIG_MAPS,
    CLAIMS,
    DEPLOYMENTS,
    EVENTS,
    *map(served, (SECRETS, PODS, DEFINITIONS, GIT_REPOSITORIES, INVENTORIES)),
    *map(served, (SERVICE_ACCOUNTS, ROLE_BINDINGS, CLUSTER_ROLE_BINDINGS)),
)


class RefusedError(Exception):
    """A refused request: the code and the Status of the response."""

    def __init__(self, code: int, reason: str, message: str, **details: Any) -> None:
        super().__init__(message)
        status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code}
        self.code = code
        self.status = {**status, "reason": reason, "message": message, "details": details}


class ObjectStore:
    """Stores `objects`; calls `on_change` after each change, with the object before and after it."""

    def __init__(self, *, kinds: Iterable[Resource] = KINDS, namespaces: Iterable[str] = ("shop",)) -> None:
        self.kinds = list(kinds)
        self.without_status = {kind.group_kind for kind in (CONFIG_MAPS, EVENTS, SECRETS)}
        self.objects: dict[ObjectKey, Json] = {}
        self.version = 1
        self.now: Callable[[], datetime] = lambda: datetime.now(UTC)
        for name in namespaces:
            self.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        self.establishes = True
        """False: definitions are stored and never Established."""

    def create(self, value: Json, *, manager: str = "kubectl-create") -> Json:
        """Store a new object."""
        group, _, version = value["apiVersion"].rpartition("/")
        of = (group, version, value["kind"])
        where = next(kind for kind in self.kinds if (kind.group, kind.version, kind.kind) == of)
        key = where.at(name=value["metadata"]["name"], namespace=value["metadata"].get("namespace", "")).key
        if key in self.objects:
            raise RefusedError(409, "AlreadyExists", f"{key} already exists", **_named(where, key.name))
        return self._store(where, key, updated(_NOTHING, value, self._writer(where, manager)))

    def change(self, key: ObjectKey, patch: Json, *, manager: str = KUBECTL, subresource: str = "") -> Json:
        """Merge a patch (RFC 7396) into an object."""
        where = self.kind_of(key)
        return self.write(where, key, patch, PatchKind.MERGE, manager=manager, subresource=subresource)

    def delete(self, key: ObjectKey, conditions: Mapping[str, str] | None = None) -> bool:
        """Delete an object, or set its deletionTimestamp if it has finalizers; return whether it is gone."""
        where, metadata = self.kind_of(key), self.find(key)["metadata"]
        for name, wanted in (conditions or {}).items():
            if metadata[name] != wanted:
                raise _conflict(where, key, f"the {name} in the precondition does not match: {wanted}")
        if metadata.get("finalizers"):
            if "deletionTimestamp" not in metadata:
                ending = {**metadata, "deletionTimestamp": self._time()}
                self._store(where, key, {**self.objects[key], "metadata": ending})
            return False
        self.version += 1
        self.on_change(where, self.objects.pop(key), None)
        return True

    def find(self, key: ObjectKey) -> Json:
        """Return an object; raise a 404 if it does not exist."""
        if key not in self.objects:
            where = self.kind_of(key)
            message = f'{where.plural} "{key.name}" not found'
            raise RefusedError(404, "NotFound", message, **_named(where, key.name))
        return self.objects[key]

    def write(
        self,
        where: Resource,
        key: ObjectKey,
        sent: Any,
        content_type: str,
        *,
        manager: str,
        subresource: str = "",
        force: bool = True,
    ) -> Json:
        """Apply or patch an object or its status. Only an apply creates, and never through a subresource."""
        has_status = where.group_kind not in self.without_status
        if content_type == APPLY and not subresource and key not in self.objects:
            if sent["metadata"].get("uid"):
                raise _conflict(where, key, "uid mismatch: no existing object was found")
            before = _NOTHING
        else:
            before = self.find(key)
        if content_type == APPLY:
            writer = self._writer(where, manager, "Apply", subresource)
            intent = _part(sent, {}, subresource, has_status=has_status)
            try:
                after = applied(before, intent, writer, force=force)
            except FieldConflictError as error:
                causes = [
                    {
                        "reason": "FieldManagerConflict",
                        "message": f"conflict: {name}",
                        "field": render_path(path),
                    }
                    for name, path in error.conflicts
                ]
                raise _conflict(where, key, "Apply failed", causes=causes) from error
        else:
            writer = self._writer(where, manager, "Update", subresource)
            patched = _json_patched(before, sent) if content_type == PatchKind.JSON else _merged(before, sent)
            after = updated(before, _part(patched, before, subresource, has_status=has_status), writer)
        if before is not _NOTHING:
            if after["metadata"]["resourceVersion"] != before["metadata"]["resourceVersion"]:
                raise _conflict(where, key, "the object has been modified")
            if after["metadata"]["uid"] != before["metadata"]["uid"]:
                raise _immutable(where, key, "metadata.uid", "field is immutable")
        return self._store(where, key, after)

    def kind_of(self, key: ObjectKey) -> Resource:
        """Return the resource of an object."""
        return next(kind for kind in self.kinds if kind.group_kind == key.group_kind)

    def on_change(self, where: Resource, before: Json | None, after: Json | None) -> None:
        """Called after each change; `version` is the object's resourceVersion."""

    def _store(self, where: Resource, key: ObjectKey, value: Json) -> Json:
        """Store an object if it changed; remove one that is being deleted and has no finalizers left."""
        before = self.objects.get(key)
        if before is not None and _less_times(before) == _less_times(value):
            return before
        if where.namespaced and ObjectKey("", "Namespace", "", key.namespace) not in self.objects:
            message = f'namespaces "{key.namespace}" not found'
            raise RefusedError(404, "NotFound", message, **_named(NAMESPACES, key.namespace))
        if before and before.get("immutable") and before.get("data") != value.get("data"):
            raise _immutable(where, key, "data", "field is immutable when `immutable` is set")
        self.version += 1
        metadata = {**value["metadata"], "name": key.name, "resourceVersion": str(self.version)}
        if key.namespace:
            metadata["namespace"] = key.namespace
        if before is None:
            metadata |= {"uid": str(uuid.uuid4()), "creationTimestamp": self._time()}
        if where.group_kind not in self.without_status:
            old = before["metadata"]["generation"] if before else 0
            metadata["generation"] = old + (before is None or _intent(before) != _intent(value))
        stored = {"apiVersion": where.api_version, "kind": where.kind, **value, "metadata": metadata}
        if where.group_kind == DEFINITIONS.group_kind:
            status = "True" if self.establishes else "False"
            stored["status"] = {"conditions": [{"type": "Established", "status": status}]}
            if self.establishes:
                self.serve(stored["spec"])
        is_gone = "deletionTimestamp" in metadata and not metadata.get("finalizers")
        if is_gone:
            del self.objects[key]
        else:
            self.objects[key] = stored
        self.on_change(where, before, None if is_gone else stored)
        return stored

    def serve(self, spec: Json) -> None:
        """Serve the first version of a CustomResourceDefinition."""
        version, kind = spec["versions"][0], spec["names"]
        where = _builtin(
            spec["group"],
            version["name"],
            kind["kind"],
            kind["plural"],
            namespaced=spec["scope"] == "Namespaced",
        )
        defined = served(where)
        if "status" not in version.get("subresources", {}):
            self.without_status.add(where.group_kind)
        if defined not in self.kinds:
            self.kinds.append(defined)

    def _time(self) -> str:
        return f"{self.now():%Y-%m-%dT%H:%M:%SZ}"

    def _writer(
        self, where: Resource, manager: str, operation: str = "Update", subresource: str = ""
    ) -> Writer:
        return Writer(
            manager=manager,
            operation=operation,
            api_version=where.api_version,
            time=self._time(),
            subresource=subresource,
        )


def _part(sent: Json, otherwise: Json, subresource: str, *, has_status: bool) -> Json:
    """Return the part that a write may set: the status through its subresource, else everything else."""
    if subresource:  # a subresource write sets only the status; of the metadata, only the version counts
        version = {key: text for key, text in sent["metadata"].items() if key == "resourceVersion"}
        status = {"status": sent["status"]} if "status" in sent else {}
        return {**otherwise, "metadata": {**otherwise.get("metadata", {}), **version}, **status}
    if not has_status:
        return sent
    status = {"status": otherwise["status"]} if "status" in otherwise else {}
    return {**{name: part for name, part in sent.items() if name != "status"}, **status}


def _merged(value: Any, patch: Any) -> Any:
    """Apply a JSON merge patch (RFC 7396)."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(value) if isinstance(value, dict) else {}
    for name, part in patch.items():
        if part is None:
            merged.pop(name, None)
        else:
            merged[name] = _merged(merged.get(name), part)
    return merged


def _json_patched(value: Json, patch: list[Json]) -> Json:
    """Apply a JSON patch (RFC 6902): replace and remove values that are not maps, and items of lists."""
    for step in patch:
        names = [name.replace("~1", "/").replace("~0", "~") for name in step["path"].split("/")[1:]]
        change = step.get("value")
        if names[-1].isdecimal():
            items = list(_at(value, names[:-1]))
            index = int(names.pop())
            if step["op"] == "test" and items[index : index + 1] != [change]:
                raise RefusedError(422, "Invalid", "the server rejected our request due to an error in it")
            change = items if step["op"] == "test" else items[:index] + items[index + 1 :]
        for name in reversed(names):
            change = {name: change}
        value = _merged(value, change)
    return value


def _at(value: Any, names: list[str]) -> Any:
    for name in names:
        value = value[name]
    return value


def _intent(value: Json) -> Json:
    return {name: part for name, part in value.items() if name not in ("metadata", "status")}


def _less_times(value: Json) -> Json:
    metadata = dict(value["metadata"])
    entries = [{**entry, "time": ""} for entry in metadata.pop("managedFields", [])]
    return {**value, "metadata": metadata, "managers": sorted(entries, key=str)}


def _named(where: Resource, name: str) -> dict[str, str]:
    return {"name": name, "kind": where.plural, "group": where.group}


def _conflict(where: Resource, key: ObjectKey, message: str, **details: Any) -> RefusedError:
    return RefusedError(409, "Conflict", message, **_named(where, key.name), **details)


def _immutable(where: Resource, key: ObjectKey, field: str, why: str) -> RefusedError:
    causes = [{"reason": "FieldValueForbidden", "message": f"Forbidden: {why}", "field": field}]
    return RefusedError(422, "Invalid", f"{field}: {why}", **_named(where, key.name), causes=causes)
