"""The page of one repository as values."""

from __future__ import annotations

from tests.fakes.dashboard import drifted, failing, fine

from nopea.core.api.repository import Repository
from nopea.core.health.rules import HealthStatus
from nopea.core.objects import ObjectKey
from nopea.core.plan.model import LastApplied
from nopea.core.status.object_states import ObjectState, SyncStatus, pack_states
from nopea.dashboard.pages.overview import Level
from nopea.dashboard.pages.repository import MOST_OBJECTS, details_of

LAST = LastApplied(hash="", projection=None)


def _key(name: str, *, namespace: str = "shop", kind: str = "ConfigMap") -> ObjectKey:
    return ObjectKey("", kind, namespace, name)


def test_objects_are_grouped_by_namespace_and_the_bad_ones_come_first() -> None:
    """Cluster-scoped objects are the first group."""
    state = ObjectState(health=HealthStatus.FAILED, health_message="It crashes.")
    states = pack_states({_key("z"): state})
    applied = {_key("a"): LAST, _key("z"): LAST, _key("shop", namespace="", kind="Namespace"): LAST}
    view = details_of(fine(objectStates=states), applied)
    assert [(group.namespace, [each.name for each in group.objects], group.bad) for group in view.groups] == [
        ("", ["shop"], 0),
        ("shop", ["z", "a"], 1),
    ]
    worst = view.groups[1].objects[0]
    assert (worst.health_level, worst.message, worst.id) == (
        Level.BAD,
        "It crashes.",
        "object_ConfigMap_shop/z",
    )


def test_long_list_keeps_what_is_not_fine() -> None:
    """And says how many it leaves out."""
    states = pack_states({_key("zzz"): ObjectState(sync=SyncStatus.FAILED, sync_message="No.")})
    applied = {_key(f"a{number}"): LAST for number in range(MOST_OBJECTS + 5)}
    view = details_of(fine(objectStates=states), applied)
    assert view.hidden_objects == 6
    assert view.groups[0].objects[0].name == "zzz"


def test_drift_says_who_from_and_to() -> None:
    """As the status reports it."""
    (drift,) = details_of(drifted(), {}).drifts
    assert (drift.manager, drift.object, drift.since) == (
        "kubectl", "apps/Deployment shop/web", "2026-11-24T05:00:00Z",
    )  # fmt: skip
    assert [(each.path, each.git, each.live) for each in drift.fields] == [(".spec.replicas", "2", "5")]


def test_prune_can_be_confirmed_only_while_the_guard_holds_it_back() -> None:
    """At the commit of the last sync."""
    held = {"code": "NOPEA-K013", "message": "9 of 10 objects would be deleted.", "hint": ""}
    view = details_of(fine(errors=[held], errorCount=1, lastAttemptedCommit="c0ffee"), {})
    assert view.held_prune == "9 of 10 objects would be deleted."
    assert details_of(failing(), {}).held_prune == ""


def _condition(type_: str, status: str) -> dict[str, str]:
    return {
        "type": type_,
        "status": status,
        "reason": "R",
        "message": "",
        "lastTransitionTime": "2026-11-24T05:00:00Z",
    }


def _levels(**conditions: str) -> dict[str, Level]:
    found: Repository = fine(conditions=[_condition(type_, status) for type_, status in conditions.items()])
    return {each.condition.type: each.level for each in details_of(found, {}).conditions}


def test_level_of_a_condition_depends_on_what_it_means() -> None:
    """`Drifted: True` is no good news, and `Suspended: True` is what somebody wanted."""
    assert _levels(Ready="True", Healthy="False", Drifted="True", Suspended="True", Fetched="Unknown") == {
        "Ready": Level.GOOD, "Healthy": Level.BAD, "Drifted": Level.WARNING, "Suspended": Level.NOTE,
        "Fetched": Level.NOTE,
    }  # fmt: skip
