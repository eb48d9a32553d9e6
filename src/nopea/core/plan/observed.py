"""Reads from a live object the few facts that a plan needs. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from nopea.core.api import names
from nopea.core.apply.ignore_rules import NO_RULES, IgnoreRules
from nopea.core.apply.projection import projection_hash
from nopea.core.health.assess import assess
from nopea.core.plan.model import BreakGlass, Finish, ObservedObject
from nopea.core.secret import NO_KEY, Secret

_KEEPING: Final = frozenset({"Prune=false", "Prune=confirm"})


def observed_of(
    live: Mapping[str, Any], *, now: datetime, rules: IgnoreRules = NO_RULES, key: Secret = NO_KEY
) -> ObservedObject:
    """Return the facts about an object as the API server stores it; `now` is aware, `key` of the hash."""
    metadata = live.get("metadata") or {}
    annotations = metadata.get("annotations") or {}
    return ObservedObject(
        owner=(metadata.get("labels") or {}).get(names.REPOSITORY_LABEL),
        resource_version=metadata.get("resourceVersion", ""),
        uid=metadata.get("uid", ""),
        projection=projection_hash(live, rules=rules, key=key),
        break_glass=_break_glass(annotations),
        prune=annotations.get(names.PRUNE_ANNOTATION, "false" if _is_kept_elsewhere(annotations) else None),
        terminating="deletionTimestamp" in metadata,
        health=assess(live, now=now),
        finish=_finish(live),
    )


def _finish(live: Mapping[str, Any]) -> Finish | None:
    """Return how a Job ended; None for one that has not, and for another kind."""
    if (live.get("apiVersion"), live.get("kind")) != ("batch/v1", "Job"):
        return None
    status = live.get("status")
    conditions = status.get("conditions") if isinstance(status, dict) else None
    true = {
        condition.get("type")
        for condition in (conditions if isinstance(conditions, list) else ())
        if isinstance(condition, dict) and condition.get("status") == "True"
    }
    return next((finish for finish in Finish if finish in true), None)


def _is_kept_elsewhere(annotations: Mapping[str, str]) -> bool:
    """Return whether an annotation of Flux, Argo CD or Helm keeps the object, whatever applies it now.

    A deletion cannot be undone: who migrates may not know that Nopea has a name of its own for it.
    """
    options = annotations.get("argocd.argoproj.io/sync-options") or ""
    return (
        annotations.get("kustomize.toolkit.fluxcd.io/prune") == "disabled"
        or annotations.get("helm.sh/resource-policy") == "keep"
        or bool(_KEEPING & {option.strip() for option in options.split(",")})
    )


def _break_glass(annotations: Mapping[str, str]) -> BreakGlass | None:
    if annotations.get(names.SUSPEND_HEAL_ANNOTATION) != "true":
        return None
    until = annotations.get(names.SUSPEND_HEAL_UNTIL_ANNOTATION)
    if not until:
        return BreakGlass()
    try:
        moment = datetime.fromisoformat(until)
    except ValueError:
        return BreakGlass()  # an unreadable end must not end the protection
    return BreakGlass(until=moment) if moment.tzinfo else BreakGlass()
