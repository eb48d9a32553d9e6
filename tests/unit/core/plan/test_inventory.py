"""The inventory: how entries are written, read and distributed, and how unrecorded objects are found."""

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
    """Return this number of entries."""
    return tuple(
        InventoryEntry(object=f"ConfigMap shop/c{number:05}", desired="h") for number in range(count)
    )


@given(KEYS)
def test_a_printed_key_can_be_parsed(key: ObjectKey) -> None:
    """A key can be parsed with and without group and namespace."""
    assert parse_key(str(key)) == key


@given(st.dictionaries(KEYS, LAST, max_size=5))
def test_written_entries_can_be_read(applied: dict[ObjectKey, LastApplied]) -> None:
    """The entries are sorted by object and contain everything."""
    entries = entries_of(applied)
    assert read_entries(entries) == applied
    assert [parse_key(entry.object) for entry in entries] == sorted(applied)


def test_the_fields_of_an_entry() -> None:
    """An entry has the object, the hash, and the baseline and commit if they are known."""
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
def test_parsing_a_key(text: str, expected: ObjectKey | None) -> None:
    """A text without kind or name, or with extra parts, is not a key."""
    assert parse_key(text) == expected


@given(st.text(max_size=20))
def test_no_text_is_misread(text: str) -> None:
    """A text that is parsed has a kind and a name, and the key is stable when printed and parsed again."""
    key = parse_key(text)
    assert key is None or (key.kind and key.name and parse_key(str(key)) == key)


def test_an_invalid_entry_is_skipped() -> None:
    """An invalid entry does not affect the others."""
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
def test_where_entries_are_stored(count: int, in_status: int, pieces: list[int]) -> None:
    """All entries are either in the status or in chunks; none is lost or duplicated."""
    entries = lines(count)
    assert len(inline(entries)) == in_status
    assert [len(piece) for piece in chunks(entries)] == pieces
    assert inline(entries) + sum(chunks(entries), ()) == entries


def _live(uid: str, *, projection: str | None = "hash") -> ObservedObject:
    return ObservedObject(owner="shop.shop", resource_version="1", uid=uid, projection=projection)


def test_unrecorded_objects_are_found() -> None:
    """An object with our Apply entry is unrecorded if it is not in the inventory."""
    owned = {WEB: _live("1"), API: _live("2"), EVENT: _live("3", projection=None)}
    assert unrecorded(owned, {WEB}) == {API: owned[API]}


def test_a_recorded_object_under_another_group_is_not_unrecorded() -> None:
    """Events are served by two API groups; the recorded key covers both."""
    owned = {EVENT: _live("1"), CORE_EVENT: _live("1")}
    assert unrecorded(owned, {EVENT}) == {}
    assert unrecorded(owned, {CORE_EVENT}) == {}


def test_objects_without_uids_are_different_objects() -> None:
    """Two objects without a known uid are not the same object."""
    owned = {WEB: _live(""), API: _live("")}
    assert unrecorded(owned, {WEB}) == {API: owned[API]}
    assert uids_of(owned, {WEB, API}) == set()


def test_only_live_objects_have_uids() -> None:
    """Keys of objects that do not exist have no uid."""
    assert uids_of({WEB: _live("1"), API: _live("2")}, {WEB, EVENT}) == {"1"}
