"""The Pod selectors of unhealthy workloads; invalid objects are never healthy and never raise errors."""

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
def test_an_unhealthy_workload_has_the_selector_of_its_pods(selector: Any, text: str) -> None:
    """The selector has the format of `kubectl -l`; it is empty rather than too broad."""
    assert health_of(deployment(counts=(1, 1, 1, 1), selector=selector)).selector == text
    assert health_of(deployment(selector=selector)).selector == ""


def test_selectors_of_other_kinds() -> None:
    """A ReplicationController has a map as its selector; a Service has no Pods of its own."""
    controller = replica_set("ReplicationController", readyReplicas=0)
    controller |= {"apiVersion": "v1", "spec": {"replicas": 2, "selector": {"app": "web"}}}
    service = live_object("v1", "Service", spec={"type": "LoadBalancer", "selector": {"app": "web"}})

    assert health_of(controller).selector == "app=web"
    assert health_of(job(condition("Failed"))).selector == "job=one"
    assert health_of(service).selector == ""


def test_an_unscheduled_pod_fails_after_a_while() -> None:
    """The same Pod is progressing at first and has failed later."""
    unplaced = pod("Pending", NO_ROOM, created="2026-05-04T12:00:00Z")

    assert assess(unplaced, now=NOW + timedelta(seconds=15)).status is PROGRESSING
    assert assess(unplaced, now=NOW + timedelta(seconds=16)).status is FAILED


def test_messages_are_one_bounded_line() -> None:
    """The message of a controller is shortened, as it is used in conditions and log lines."""
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
def test_no_unexpected_value_raises(live: Fields) -> None:
    """Any value of another type in any field gives a result."""
    for path in _places(live):
        for odd in ODD:
            health = health_of(_with(live, path, odd))

            assert isinstance(health.message, str)
            assert isinstance(health.selector, str)


@pytest.mark.parametrize("odd", [odd for odd in ODD if not isinstance(odd, dict)])
@pytest.mark.parametrize("field", ["metadata", "spec", "status"])
def test_an_invalid_workload_is_not_healthy(field: str, odd: Any) -> None:
    """A workload whose metadata, spec or status is not a mapping is never healthy."""
    for live in (deployment(), stateful_set(), daemon_set(), replica_set(), job(condition("Complete"))):
        assert health_of({**live, field: odd}).status in (UNKNOWN, PROGRESSING)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(kind=st.sampled_from(sorted(RULES)), spec=JSON, status=JSON, metadata=JSON)
def test_no_shape_raises(kind: tuple[str, str], spec: Any, status: Any, metadata: Any) -> None:
    """Any spec, status and metadata gives a result."""
    group, name = kind
    live = {"apiVersion": f"{group}/v1" if group else "v1", "kind": name, "metadata": metadata}

    assert isinstance(health_of(live | {"spec": spec, "status": status}), Health)


@given(JSON)
def test_other_values_are_unknown(value: Any) -> None:
    """A value that is not an object has an unknown health."""
    assert health_of(value).status is UNKNOWN
