"""The inventory: what is written is read again, what is no line is passed over, what is missing found."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nopea.core.api.status import MAX_INLINE_INVENTORY, MAX_INVENTORY_CHUNK, InventoryEntry
from nopea.core.objects import ObjectKey
from nopea.core.plan.inventory import (
    chunks,
    entries_of,
    inline,
    parse_key,
    read_entries,
    uids_of,
    unrecorded,
)
from nopea.core.plan.model import LastApplied, ObservedObject

WORDS = st.text(st.characters(codec="utf-8", exclude_characters=" /"), min_size=1, max_size=12)
GROUPS = st.just("") | st.lists(WORDS, min_size=1, max_size=3).map(".".join)
KEYS = st.builds(ObjectKey, GROUPS, WORDS, st.just("") | WORDS, WORDS)
LAST = st.builds(LastApplied, hash=WORDS, projection=st.none() | WORDS, commit=st.just("") | WORDS)
WEB = ObjectKey("", "ConfigMap", "shop", "web")
API = ObjectKey("", "ConfigMap", "shop", "api")
EVENT = ObjectKey("events.k8s.io", "Event", "shop", "noted")
CORE_EVENT = ObjectKey("", "Event", "shop", "noted")


def lines(count: int) -> tuple[InventoryEntry, ...]:
    """Return so many lines."""
    return tuple(
        InventoryEntry(object=f"ConfigMap shop/c{number:05}", desired="h") for number in range(count)
    )


@given(KEYS)
def test_a_key_reads_as_it_prints(key: ObjectKey) -> None:
    """Whatever its group, with a namespace or without."""
    assert parse_key(str(key)) == key


@given(st.dictionaries(KEYS, LAST, max_size=5))
def test_what_is_written_is_read(applied: dict[ObjectKey, LastApplied]) -> None:
    """The lines are sorted by object and lose nothing."""
    entries = entries_of(applied)
    assert read_entries(entries) == applied
    assert [parse_key(entry.object) for entry in entries] == sorted(applied)


def test_what_a_line_says() -> None:
    """The object as it prints, the wish, the baseline if there is one, and the commit if it is known."""
    web = ObjectKey("apps", "Deployment", "shop", "web")
    space = ObjectKey("", "Namespace", "", "shop")
    applied = {
        web: LastApplied(hash="h1", projection="p1", commit="c0ffee"),
        space: LastApplied(hash="h2", projection=None),
    }
    assert entries_of(applied) == (
        InventoryEntry(object="Namespace shop", desired="h2"),
        InventoryEntry(object="apps/Deployment shop/web", desired="h1", live="p1", commit="c0ffee"),
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("apps/Deployment shop/web", ObjectKey("apps", "Deployment", "shop", "web")),
        ("Service shop/web", ObjectKey("", "Service", "shop", "web")),
        ("Namespace shop", ObjectKey("", "Namespace", "", "shop")),
        (
            "rbac.authorization.k8s.io/ClusterRole system:view",
            ObjectKey("rbac.authorization.k8s.io", "ClusterRole", "", "system:view"),
        ),
        ("", None),
        (" ", None),
        ("Service", None),
        ("Service ", None),
        (" shop/web", None),
        ("apps/ shop/web", None),
        ("Service shop/", None),
        ("Service shop/web/more", None),
        ("Service shop web", None),
        ("Service shop/web ", None),
    ],
)
def test_reading_a_key(text: str, expected: ObjectKey | None) -> None:
    """Anything but kind and name, with group and namespace where they are, names no object."""
    assert parse_key(text) == expected


@given(st.text(max_size=20))
def test_no_text_is_misread(text: str) -> None:
    """What is read as an object has a kind and a name, and says the same to people as it did before."""
    key = parse_key(text)
    assert key is None or (key.kind and key.name and parse_key(str(key)) == key)


def test_a_line_that_names_no_object_is_passed_over() -> None:
    """A broken line costs itself, not the inventory."""
    entries = (InventoryEntry(object="rubbish", desired="h0"), *lines(1))
    assert read_entries(entries) == {
        ObjectKey("", "ConfigMap", "shop", "c00000"): LastApplied(hash="h", projection=None)
    }


@pytest.mark.parametrize(
    ("count", "in_status", "pieces"),
    [
        (0, 0, []),
        (1, 1, []),
        (MAX_INLINE_INVENTORY, MAX_INLINE_INVENTORY, []),
        (MAX_INLINE_INVENTORY + 1, 0, [MAX_INLINE_INVENTORY + 1]),
        (MAX_INVENTORY_CHUNK, 0, [MAX_INVENTORY_CHUNK]),
        (MAX_INVENTORY_CHUNK + 1, 0, [MAX_INVENTORY_CHUNK, 1]),
        (10_000, 0, [MAX_INVENTORY_CHUNK] * 10),
    ],
)
def test_where_the_lines_are_kept(count: int, in_status: int, pieces: list[int]) -> None:
    """Either all in the status or all in chunks; none is lost and none is in both."""
    entries = lines(count)
    assert len(inline(entries)) == in_status
    assert [len(piece) for piece in chunks(entries)] == pieces
    assert inline(entries) + sum(chunks(entries), ()) == entries


def _live(uid: str, *, projection: str | None = "hash") -> ObservedObject:
    return ObservedObject(owner="shop.shop", resource_version="1", uid=uid, projection=projection)


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
