"""Which objects belong below which, by their owner references."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from nopea.core.health.descendants import JOBS, MOST_LEVELS, PODS, REPLICA_SETS, Family, places_of
from nopea.core.health.rules import HealthStatus
from nopea.core.objects import ObjectKey

NOW = datetime(2026, 11, 24, 5, tzinfo=UTC)


def _pod(name: str, *owners: dict[str, Any], phase: str = "Running") -> dict[str, Any]:
    metadata = {"name": name, "namespace": "shop", "ownerReferences": list(owners)}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "status": {"phase": phase}}


def _reference(kind: str, name: str, **more: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": kind, "name": name, "uid": "1", **more}


def _key(kind: str, name: str) -> ObjectKey:
    return ObjectKey("", kind, "shop", name)


def test_controller_is_the_owner_before_all_others() -> None:
    """Without one, the first; what nothing owns is nowhere."""
    family = Family(NOW)
    family.add(_pod("a", _reference("Job", "other"), _reference("Job", "mine", controller=True)))
    family.add(_pod("b", _reference("Job", "mine")))
    family.add(_pod("free"))
    assert [each.key.name for each in family.below(_key("Job", "mine"))] == ["a", "b"]
    assert list(family.below(_key("Job", "other"))) == []


def test_health_is_that_of_the_live_object() -> None:
    """As for applied objects."""
    family = Family(NOW)
    family.add(_pod("a", _reference("Job", "x"), phase="Failed"))
    (pod,) = family.below(_key("Job", "x"))
    assert (pod.state, pod.health.status) == ("Failed", HealthStatus.FAILED)


def test_objects_that_own_each_other_end() -> None:
    """A reference can name anything; the tree has few levels."""
    family = Family(NOW)
    family.add(_pod("a", _reference("Pod", "b")))
    family.add(_pod("b", _reference("Pod", "a")))
    depth, level = 0, list(family.below(_key("Pod", "a")))
    while level:
        depth, level = depth + 1, list(level[0].children)
    assert depth == MOST_LEVELS


def test_only_what_can_own_something_is_a_place() -> None:
    """ReplicaSets only for Deployments, Jobs only for CronJobs; everything for custom kinds."""
    deployment, cron_job = ObjectKey("apps", "Deployment", "a", "x"), ObjectKey("batch", "CronJob", "b", "x")
    assert places_of([deployment, cron_job, _key("ConfigMap", "x"), ObjectKey("", "Namespace", "", "x")]) == [
        ("a", PODS), ("a", REPLICA_SETS), ("b", JOBS), ("b", PODS),
    ]  # fmt: skip
    assert len(places_of([ObjectKey("db.example", "Database", "c", "x")])) == 6
