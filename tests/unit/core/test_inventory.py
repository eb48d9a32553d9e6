"""The inventory's decisions: what is ours and in no inventory, also where one object has two names."""

from __future__ import annotations

from nopea.core.inventory import uids_of, unrecorded
from nopea.core.objects import ObjectKey
from nopea.core.plan import Observed

WEB = ObjectKey("", "ConfigMap", "shop", "web")
API = ObjectKey("", "ConfigMap", "shop", "api")
EVENT = ObjectKey("events.k8s.io", "Event", "shop", "noted")
CORE_EVENT = ObjectKey("", "Event", "shop", "noted")


def _live(uid: str, *, projection: str | None = "hash") -> Observed:
    return Observed(owner="shop.shop", resource_version="1", uid=uid, projection=projection)


def test_what_is_applied_and_not_recorded_is_found() -> None:
    """An object with our Apply entry that no line names is unrecorded; one without the entry is not ours."""
    owned = {WEB: _live("1"), API: _live("2"), EVENT: _live("3", projection=None)}
    assert unrecorded(owned, {WEB}) == {API: owned[API]}


def test_another_name_of_a_recorded_object_is_not_an_object() -> None:
    """An Event is served by two groups: the name that is recorded stands for both."""
    owned = {EVENT: _live("1"), CORE_EVENT: _live("1")}
    assert unrecorded(owned, {EVENT}) == {}
    assert unrecorded(owned, {CORE_EVENT}) == {}


def test_unknown_uids_are_nobodys() -> None:
    """Two objects whose uids are not known are two objects."""
    owned = {WEB: _live(""), API: _live("")}
    assert unrecorded(owned, {WEB}) == {API: owned[API]}
    assert uids_of(owned, {WEB, API}) == set()


def test_only_live_objects_have_uids() -> None:
    """Of the keys that are asked about, those that are not live say nothing."""
    assert uids_of({WEB: _live("1"), API: _live("2")}, {WEB, EVENT}) == {"1"}
