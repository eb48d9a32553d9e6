"""Helpers for the tests of pruning: candidates, and decisions about them."""

from __future__ import annotations

from collections.abc import Collection

from nopea.core.api.spec import GitRepositorySpec, PruneLimit
from nopea.core.objects import ObjectKey
from nopea.core.plan.prune import (
    PruneCandidate,
    PruneDecision,
    PruneReason,
    PruneVerdict,
    prune_decisions,
)

DEFAULT_LIMIT = GitRepositorySpec(url="https://git.acme.example/shop.git").prune_limit
OWNER = "shop.web"
WEB = ObjectKey("apps", "Deployment", "shop", "web")
NAMESPACE = ObjectKey("", "Namespace", "", "shop")
CLAIM = ObjectKey("", "PersistentVolumeClaim", "shop", "data")
DEFINITION = ObjectKey("apiextensions.k8s.io", "CustomResourceDefinition", "", "shops.acme.example")
PRUNABLE = PruneCandidate(in_inventory=True, live=True, owner=OWNER, has_our_apply=True, uid="u-1")


def decide(
    candidates: dict[ObjectKey, PruneCandidate],
    *,
    inventory_size: int = 100,
    enabled: bool = True,
    rendered_cleanly: bool = True,
    rendered_count: int = 10,
    confirmed: bool = False,
    limit: PruneLimit = "50%",
    replaced: Collection[ObjectKey] = (),
    runs_on: bool = True,
    deleting: bool = False,
) -> dict[ObjectKey, PruneDecision]:
    """Decide about the candidates; by default everything allows the deletion."""
    return prune_decisions(
        candidates=candidates,
        inventory_size=inventory_size,
        owner=OWNER,
        enabled=enabled,
        rendered_cleanly=rendered_cleanly,
        rendered_count=rendered_count,
        confirmed=confirmed,
        limit=limit,
        replaced=replaced,
        runs_on=runs_on,
        deleting=deleting,
        commit="c0ffee",
    )


def config_maps(count: int, candidate: PruneCandidate = PRUNABLE) -> dict[ObjectKey, PruneCandidate]:
    """Return this number of candidates."""
    return {ObjectKey("", "ConfigMap", "shop", f"c{number:03}"): candidate for number in range(count)}


def verdicts(decisions: dict[ObjectKey, PruneDecision]) -> list[tuple[PruneVerdict, PruneReason]]:
    """Return verdicts and reasons."""
    return [(decision.verdict, decision.reason) for decision in decisions.values()]
