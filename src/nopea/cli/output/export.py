"""GitRepositories as manifests for another cluster: without what belongs to this one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from nopea.core.api import names

_OF_THIS_CLUSTER = frozenset(
    {
        "kubectl.kubernetes.io/last-applied-configuration",
        names.SYNC_REQUESTED_ANNOTATION,
        names.HEAL_REQUESTED_ANNOTATION,
        names.CONFIRM_PRUNE_ANNOTATION,
        names.SOURCE_ANNOTATION,
    }
)
"""Annotations that are requests to this controller, or notes of it. A rollback is kept: it is what runs."""

Raw = Mapping[str, Any]


def exported(raw: Raw) -> dict[str, Any]:
    """Return the object as somebody would write it: name, labels, annotations and spec."""
    metadata = raw["metadata"]
    annotations = {
        name: value
        for name, value in (metadata.get("annotations") or {}).items()
        if name not in _OF_THIS_CLUSTER
    }
    labels = {
        name: value
        for name, value in (metadata.get("labels") or {}).items()
        if name != names.REPOSITORY_LABEL
    }
    kept = {
        "name": metadata["name"],
        "namespace": metadata["namespace"],
        **({"labels": labels} if labels else {}),
        **({"annotations": annotations} if annotations else {}),
    }
    head = {"apiVersion": raw["apiVersion"], "kind": raw["kind"], "metadata": kept}
    return {**head, "spec": raw.get("spec") or {}}


def needs(raw: Raw) -> list[str]:
    """Return what a GitRepository refers to, such as `Secret team-shop/git (spec.secretRef)`."""
    namespace = raw["metadata"]["namespace"]
    found = _references(raw.get("spec") or {}, "spec")
    return list(dict.fromkeys(f"{kind} {namespace}/{name} ({path})" for kind, name, path in found))


def _references(value: Any, path: str) -> Iterator[tuple[str, str, str]]:
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _references(item, f"{path}[{index}]")
    if not isinstance(value, Mapping):
        return
    for name, item in value.items():
        at = f"{path}.{name}"
        match name, item:
            case "serviceAccountName", str(account):
                yield "ServiceAccount", account, at
            case _, {"name": str(referred)} if name.lower().endswith("secretref"):
                yield "Secret", referred, at
            case _, [*items] if name.endswith("From"):
                for index, each in enumerate(items):
                    if isinstance(each, Mapping):
                        yield str(each.get("kind")), str(each.get("name")), f"{at}[{index}]"
            case _:
                yield from _references(item, at)
