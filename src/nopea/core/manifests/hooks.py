"""What Helm's annotations mean for an object, in Nopea's own annotations. Pure.

A hook that runs before the rest of a chart is in an early wave, one that runs after it in a late wave, by its
weight. A Job among them is awaited. A hook of another event is left out.
Source: https://helm.sh/docs/topics/charts_hooks/
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final

from nopea.core.api import names

_HOOK, _WEIGHT, _DELETE = "helm.sh/hook", "helm.sh/hook-weight", "helm.sh/hook-delete-policy"
_BEFORE: Final = frozenset(("pre-install", "pre-upgrade"))
_AFTER: Final = frozenset(("post-install", "post-upgrade"))
_FIRST, _LAST, _SPREAD = -750, 750, 249
_DELETIONS = {"hook-succeeded": "succeeded", "hook-failed": "failed"}


def from_helm(manifest: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return an object of a chart with Nopea's annotations; None for a hook that is left out.

    Annotations of Nopea that the chart sets itself stay.
    """
    metadata = manifest.get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, Mapping) else None
    if not isinstance(metadata, Mapping) or not isinstance(annotations, Mapping):
        return dict(manifest)
    added: dict[str, str] = {}
    events = _words(annotations.get(_HOOK))
    if events:
        if not events & (_BEFORE | _AFTER):
            return None
        added |= _of_hook(events, annotations, is_job=manifest.get("kind") == "Job")
    return {**manifest, "metadata": {**metadata, "annotations": {**added, **annotations}}}


def named(manifest: dict[str, Any], place: str) -> dict[str, Any]:
    """Return an object of a chart; a hook with `generateName` has a name that is the same for the same place.

    Helm makes another object each time. Nopea runs a hook again only when its rendering changed.
    """
    metadata = manifest.get("metadata")
    if not isinstance(metadata, Mapping) or metadata.get("name") is not None:
        return manifest
    prefix, annotations = metadata.get("generateName"), metadata.get("annotations")
    if not isinstance(prefix, str) or not isinstance(annotations, Mapping) or not annotations.get(_HOOK):
        return manifest
    rest = {name: value for name, value in metadata.items() if name != "generateName"}
    name = f"{prefix}{hashlib.sha256(place.encode()).hexdigest()[:8]}"
    return {**manifest, "metadata": {**rest, "name": name}}


def _of_hook(events: frozenset[str], annotations: Mapping[str, Any], *, is_job: bool) -> dict[str, str]:
    middle = _FIRST if events & _BEFORE else _LAST
    added = {
        names.WAVE_ANNOTATION: str(middle + max(-_SPREAD, min(_SPREAD, _weight(annotations.get(_WEIGHT)))))
    }
    if is_job:
        policies = _words(annotations.get(_DELETE))
        added |= {names.AWAIT_ANNOTATION: "true", names.FORCE_ANNOTATION: "true"}
        if ends := sorted(_DELETIONS[policy] for policy in policies & _DELETIONS.keys()):
            added[names.DELETE_AFTER_ANNOTATION] = ",".join(ends)
    return added


def _words(value: Any) -> frozenset[str]:
    return (
        frozenset(word.strip() for word in value.split(",") if word.strip())
        if isinstance(value, str)
        else frozenset()
    )


def _weight(value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        return 0
