"""Selectors of unhealthy workloads; odd shapes are never healthy and never raise."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.core.health.objects import (
    FAILED,
    NO_ROOM,
    NOW,
    PROGRESSING,
    SELECTOR,
    UNKNOWN,
    Fields,
    condition,
    custom,
    daemon_set,
    deployment,
    health_of,
    job,
    live_object,
    pod,
    replica_set,
    stateful_set,
)
from tests.unit.core.health.test_rules import CASES

from nopea.core.health.assess import Health, assess
from nopea.core.health.rules import RULES

SELECTORS = [
    (SELECTOR, "app=web"),
    ({"matchLabels": {"app": "web", "tier": ""}}, "app=web,tier="),
    (
        {
            "matchLabels": {"app": "web"},
            "matchExpressions": [
                {"key": "tier", "operator": "In", "values": ["a", "b"]},
                {"key": "zone", "operator": "NotIn", "values": ["x"]},
                {"key": "live", "operator": "Exists"},
                {"key": "old", "operator": "DoesNotExist", "values": []},
            ],
        },
        "app=web,tier in (a,b),zone notin (x),live,!old",
    ),
    ({}, ""),
    (None, ""),
    ({"matchLabels": {"app": "web", "tier": 1}}, ""),
    ({"matchLabels": {"app": "web"}, "matchExpressions": "tier"}, ""),
    ({"matchLabels": {"app": "web"}, "matchExpressions": [{"key": "tier", "operator": "Gt"}]}, ""),
    ({"matchLabels": {"app": "web"}, "matchExpressions": [{"key": "tier", "operator": "In"}]}, ""),
]


@pytest.mark.parametrize(("selector", "text"), SELECTORS)
def test_a_workload_that_is_not_healthy_tells_how_to_find_its_pods(selector: Any, text: str) -> None:
    """As kubectl's -l takes it; nothing rather than a selector that would take in other Pods too."""
    assert health_of(deployment(counts=(1, 1, 1, 1), selector=selector)).selector == text
    assert health_of(deployment(selector=selector)).selector == ""


def test_selectors_of_other_kinds() -> None:
    """A controller's selector is flat, a failed Job has one, a Service's is nobody's Pods."""
    controller = replica_set("ReplicationController", readyReplicas=0)
    controller |= {"apiVersion": "v1", "spec": {"replicas": 2, "selector": {"app": "web"}}}
    service = live_object("v1", "Service", spec={"type": "LoadBalancer", "selector": {"app": "web"}})

    assert health_of(controller).selector == "app=web"
    assert health_of(job(condition("Failed"))).selector == "job=one"
    assert health_of(service).selector == ""


def test_an_unplaced_pod_fails_with_time_alone() -> None:
    """The same object, assessed later."""
    unplaced = pod("Pending", NO_ROOM, created="2026-05-04T12:00:00Z")

    assert assess(unplaced, now=NOW + timedelta(seconds=15)).status is PROGRESSING
    assert assess(unplaced, now=NOW + timedelta(seconds=16)).status is FAILED


def test_foreign_text_is_one_bounded_line() -> None:
    """A message goes into a condition and a log line, however long the controller talks."""
    health = health_of(custom(condition("Stalled", message="line\n" * 10_000)))

    assert len(health.message) == 400
    assert "\n" not in health.message


ODD: list[Any] = ["", "text", 0, -1, True, 1.5, [], ["text"], [[]], [{}], [{"type": []}], {"type": {}}]


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in items:
        yield (*path, key)
        yield from _places(child, (*path, key))


def _with(value: Any, path: tuple[Any, ...], odd: Any) -> Any:
    changed = copy.deepcopy(value)
    parent = changed
    for key in path[:-1]:
        parent = parent[key]
    parent[path[-1]] = odd
    return changed


@pytest.mark.parametrize("live", [live for live, _, _ in CASES.values()], ids=CASES.keys())
def test_no_odd_value_anywhere_raises(live: Fields) -> None:
    """Each field of each case in turn holds a value of another type."""
    for path in _places(live):
        for odd in ODD:
            health = health_of(_with(live, path, odd))

            assert isinstance(health.message, str)
            assert isinstance(health.selector, str)


@pytest.mark.parametrize("odd", [odd for odd in ODD if not isinstance(odd, dict)])
@pytest.mark.parametrize("field", ["metadata", "spec", "status"])
def test_an_odd_workload_is_not_healthy(field: str, odd: Any) -> None:
    """Nobody knows what a list in the place of the status means."""
    for live in (deployment(), stateful_set(), daemon_set(), replica_set(), job(condition("Complete"))):
        assert health_of({**live, field: odd}).status in (UNKNOWN, PROGRESSING)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(kind=st.sampled_from(sorted(RULES)), spec=JSON, status=JSON, metadata=JSON)
def test_hostile_shapes_never_raise(kind: tuple[str, str], spec: Any, status: Any, metadata: Any) -> None:
    """Whatever stands in the place of spec, status and metadata, an answer comes."""
    group, name = kind
    live = {"apiVersion": f"{group}/v1" if group else "v1", "kind": name, "metadata": metadata}

    assert isinstance(health_of(live | {"spec": spec, "status": status}), Health)


@given(JSON)
def test_what_is_no_object_is_unknown(value: Any) -> None:
    """Neither a text nor a mapping without a kind is healthy."""
    assert health_of(value).status is UNKNOWN
