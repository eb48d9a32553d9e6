"""The inventory: how records are packed and distributed, and how unrecorded objects are found."""

from __future__ import annotations

import base64
import hashlib
import zlib
from dataclasses import replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nopea.core.api import packed
from nopea.core.api.inventory import MAX_INLINE_INVENTORY, MAX_INVENTORY_CHUNK
from nopea.core.objects import ObjectKey, RepoKey
from nopea.core.plan.inventory import (
    chunks,
    inline,
    namespaces_of,
    pack,
    uids_of,
    unpack,
    unrecorded,
)
from nopea.core.plan.model import Finish, Finished, LastApplied, ObservedObject
from nopea.core.secret import Secret

WORDS = st.text(st.characters(codec="utf-8", exclude_characters=" /"), min_size=1, max_size=12)
GROUPS = st.just("") | st.lists(WORDS, min_size=1, max_size=3).map(".".join)
KEYS = st.builds(ObjectKey, GROUPS, WORDS, st.just("") | WORDS, WORDS)
FINISHED = st.builds(Finished, how=st.sampled_from(Finish), manifest=WORDS)
LAST = st.builds(
    LastApplied,
    hash=WORDS,
    projection=st.none() | WORDS,
    commit=st.just("") | WORDS,
    finished=st.none() | FINISHED,
)
WEB = ObjectKey("", "ConfigMap", "shop", "web")
API = ObjectKey("", "ConfigMap", "shop", "api")
EVENT = ObjectKey("events.k8s.io", "Event", "shop", "noted")
CORE_EVENT = ObjectKey("", "Event", "shop", "noted")


def records(count: int) -> dict[ObjectKey, LastApplied]:
    """Return this number of records."""
    keys = (ObjectKey("", "ConfigMap", "shop", f"c{number:05}") for number in range(count))
    return {key: LastApplied(hash="h", projection=None, commit="") for key in keys}


@given(st.dictionaries(KEYS, LAST, max_size=5))
def test_packed_records_can_be_unpacked(applied: dict[ObjectKey, LastApplied]) -> None:
    """Nothing is lost, and the order of the records does not change the text."""
    text = pack(applied)

    assert unpack(text) == applied
    assert pack(dict(reversed(applied.items()))) == text


def test_what_admission_changed_is_recorded() -> None:
    """A record without it is as short as before, and one of an earlier version can be read."""
    key = ObjectKey("", "ConfigMap", "shop", "web")
    last = LastApplied(hash="h", projection=None, commit="c", admission="d1ce5700")
    assert unpack(pack({key: last})) == {key: last}
    _, _, records = pack({key: replace(last, admission="")}).rpartition(".")
    assert records == packed.pack([(str(key), "h", None, "c")])


def test_a_record_of_an_earlier_version_can_be_unpacked() -> None:
    """It does not say whether a Job has finished."""
    key_id, _, _ = pack(records(1)).partition(".")
    text = f"{key_id}.{packed.pack([(str(WEB), 'h', None, 'c0ffee')])}"
    assert unpack(text) == {WEB: LastApplied(hash="h", projection=None, commit="c0ffee")}


def test_that_a_job_has_finished_survives_another_key() -> None:
    """What it ran is not known then."""
    finished = Finished(how=Finish.FAILED, manifest="m")
    text = pack({WEB: LastApplied(hash="h", projection="p", finished=finished)}, key=Secret(b"old"))
    assert unpack(text, key=Secret(b"new"))[WEB].finished == Finished(how=Finish.FAILED, manifest="")


def test_a_packed_record_is_short() -> None:
    """Hundred records of a usual length stay far below what etcd accepts."""
    hashes = (hashlib.blake2b(str(n).encode(), digest_size=16).hexdigest() for n in range(200))
    applied = {
        ObjectKey("apps", "Deployment", "shop", f"web-{number}"): LastApplied(
            hash=next(hashes), projection=next(hashes), commit="c0ffee" * 6 + "c0ff"
        )
        for number in range(100)
    }

    assert len(pack(applied)) < 7_000


@pytest.mark.parametrize(
    "text",
    [
        "rubbish",
        "bm9uZQ==",
        pack(records(3))[:-8],
        base64.b64encode(zlib.compress(msgspec.msgpack.encode([("Service", "h", None, "")]))).decode(),
        base64.b64encode(zlib.compress(b"\x00" * 10_000_000)).decode(),
    ],
)
def test_an_unreadable_text_is_an_error(text: str) -> None:
    """It must not pass for an empty inventory: its objects would stay for ever."""
    with pytest.raises(ValueError, match=r"\w"):
        unpack(text)


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
    """All records are either in the status or in chunks; none is lost or duplicated."""
    applied = records(count)
    unpacked = [unpack(text) for text in (inline(applied), *chunks(applied))]
    assert [len(found) for found in unpacked] == [in_status, *pieces]
    assert {key: last for found in unpacked for key, last in found.items()} == applied


def _live(uid: str, *, projection: str | None = "hash") -> ObservedObject:
    return ObservedObject(owner="shop.shop", resource_version="1", uid=uid, projection=projection)


def test_unrecorded_objects_are_found() -> None:
    """An object with our Apply entry is unrecorded if it is not in the inventory."""
    owned = {WEB: _live("1"), API: _live("2"), EVENT: _live("3", projection=None)}
    assert unrecorded(owned, {WEB}, namespaces={"shop"}) == {API: owned[API]}


def test_an_object_elsewhere_is_not_ours() -> None:
    """Whoever may write it there can forge our label and our Apply entry."""
    node = ObjectKey("", "Node", "", "n")
    forged = {ObjectKey("", "ConfigMap", "attacker", "web"): _live("7"), node: _live("8")}
    repository = RepoKey("shop", "web")

    assert unrecorded(forged, set(), namespaces=namespaces_of(repository, None, [WEB])) == {}
    assert namespaces_of(repository, "live", [node]) == {"shop", "live", ""}


def test_a_recorded_object_under_another_group_is_not_unrecorded() -> None:
    """Events are served by two API groups; the recorded key covers both."""
    owned = {EVENT: _live("1"), CORE_EVENT: _live("1")}
    assert unrecorded(owned, {EVENT}, namespaces={"shop"}) == {}
    assert unrecorded(owned, {CORE_EVENT}, namespaces={"shop"}) == {}


def test_objects_without_uids_are_different_objects() -> None:
    """Two objects without a known uid are not the same object."""
    owned = {WEB: _live(""), API: _live("")}
    assert unrecorded(owned, {WEB}, namespaces={"shop"}) == {API: owned[API]}
    assert uids_of(owned, {WEB, API}) == set()


def test_only_live_objects_have_uids() -> None:
    """Keys of objects that do not exist have no uid."""
    assert uids_of({WEB: _live("1"), API: _live("2")}, {WEB, EVENT}) == {"1"}


def test_hashes_of_another_key_are_not_used() -> None:
    """What was applied stays known. The same holds for the texts of a version without a key."""
    applied = {WEB: LastApplied(hash="h", projection="p", commit="c0ffee")}
    without = {WEB: LastApplied(hash="", projection=None, commit="c0ffee")}
    text = pack(applied, key=Secret(b"one"))

    assert unpack(text, key=Secret(b"one")) == applied
    assert unpack(text, key=Secret(b"two")) == without
    assert unpack(text) == without
    assert unpack(text.rpartition(".")[2], key=Secret(b"one")) == without
