"""Whom a record of writes may name: only who left what is live now."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from nopea.core.apply.managers import Owner
from nopea.core.drift.find import Drift, FieldDrift
from nopea.core.drift.three_way import DriftKind
from nopea.core.secret import Secret
from nopea.core.users.attribute import MOST_WRITES, ObjectWrites, attributed
from nopea.core.users.changes import changes_of
from nopea.core.users.write import Write

AT = datetime(2026, 11, 25, 13, 11, 25, tzinfo=UTC)
SECOND = timedelta(seconds=1)
KEY = Secret(b"k")
REPLICAS = ("f:spec", "f:replicas")


def live(replicas: int | None) -> dict[str, Any]:
    """Return the live object."""
    return {"metadata": {"uid": "u"}, "spec": {} if replicas is None else {"replicas": replicas}}


def entry(at: datetime | None = AT, manager: str = "kubectl-edit", subresource: str = "") -> Owner:
    """Return an entry of managedFields."""
    return Owner(manager=manager, operation="Update", subresource=subresource, changed_at=at)


def write(
    user: str, old: int | None, new: int | None, owner: Owner | None = None, *, manager: str = "kubectl-edit"
) -> Write:
    """Return a write of the replicas."""
    return Write(
        user=user,
        groups=("team",),
        at=AT,
        manager=manager,
        subresource=owner.subresource if owner else "",
        entries=frozenset((owner,)) if owner else frozenset(),
        changes=changes_of(live(old), live(new), key=KEY),
    )


def scale(user: str, old: int, new: int) -> Write:
    """Return a write by `kubectl scale`, which shows no managedFields."""
    return Write(
        user=user, groups=(), at=AT, manager="kubectl", subresource="scale",
        changes=changes_of(live(old), live(new), key=KEY),
    )  # fmt: skip


def who_did(
    writes: list[Write], *, owner: Owner | None, from_: int | None = 2, to: int | None = 7, uid: str = "u"
) -> str:
    """Return the user who is named for the replicas."""
    field = FieldDrift(
        path=".spec.replicas", keys=REPLICAS, from_=from_, to=to,
        manager=owner.manager if owner else "", operation=owner.operation if owner else "",
        subresource=owner.subresource if owner else "", changed_at=owner.changed_at if owner else None,
    )  # fmt: skip
    drift = Drift(kind=DriftKind.MANUAL_DRIFT, fields=(field,))
    known = ObjectWrites(uid=uid, writes=tuple(writes))
    (found,) = attributed(drift, live(to), known, key=KEY).fields
    assert (found.groups == ()) == (found.user == "" or found.user == "scaler")
    return found.user


def test_the_write_of_the_live_entry_is_named() -> None:
    """Value and entry agree."""
    assert who_did([write("ada", 2, 7, entry())], owner=entry()) == "ada"


def test_a_write_with_another_value_or_entry_names_nobody() -> None:
    """Its claim is contradicted by the object: somebody whose write was not recorded came later."""
    assert who_did([write("ada", 2, 6, entry())], owner=entry()) == ""
    assert who_did([write("ada", 2, 7, entry())], owner=entry(AT + SECOND)) == ""
    assert who_did([write("ada", 2, 7, entry())], owner=entry(manager="k9s")) == ""
    assert who_did([write("ada", 2, 7)], owner=entry()) == ""
    assert who_did([write("ada", 2, 7, entry())], owner=entry(), uid="another") == ""


def test_the_entry_may_be_of_a_later_write_of_another_field() -> None:
    """An entry has the time of the last write of its manager."""
    later = entry(AT + SECOND)
    other = Write(
        user="bob", groups=("team",), at=AT, manager="kubectl-edit", entries=frozenset((later,)),
        changes=changes_of({}, {"spec": {"paused": True}}, key=KEY),
    )  # fmt: skip
    assert who_did([write("ada", 2, 7, entry()), other], owner=later) == "ada"


def test_a_refused_write_hides_nobody() -> None:
    """Its entry is not in the object, so it never happened."""
    refused = write("bob", 7, 9, entry(AT + SECOND))
    assert who_did([write("ada", 2, 7, entry()), refused], owner=entry()) == "ada"


def test_two_writes_within_a_second_are_told_apart_by_their_values() -> None:
    """Times of entries are in whole seconds."""
    writes = [write("ada", 2, 6, entry()), write("bob", 6, 7, entry())]
    assert who_did(writes, owner=entry()) == "bob"


def test_without_a_date_the_newest_write_of_the_field_decides() -> None:
    """`kubectl scale` leaves no time: a write that contradicts may have come after."""
    owner = entry(None, "kubectl", "scale")
    assert who_did([scale("scaler", 2, 7)], owner=owner) == "scaler"
    assert who_did([scale("scaler", 2, 7), write("bob", 7, 9, entry())], owner=owner) == ""
    assert who_did([scale("scaler", 2, 7)], owner=entry(None, "k9s", "scale")) == ""
    assert who_did([write("ada", 2, 7, entry())], owner=owner) == ""


def test_who_removed_a_field_is_known() -> None:
    """managedFields say nothing about a removed field."""
    assert who_did([write("ada", 2, None, entry())], owner=None, to=None) == "ada"
    assert who_did([write("ada", 2, None, entry()), write("nopea", None, 2)], owner=None, to=None) == ""


def test_who_took_the_ownership_is_known_by_the_entry() -> None:
    """The value is the same, and the manager is another one."""
    assert who_did([write("ada", 7, 7, entry())], owner=entry(), from_=7) == "ada"
    assert who_did([write("ada", 7, 7, entry(AT + SECOND))], owner=entry(), from_=7) == ""


def test_a_write_that_was_too_big_names_nobody() -> None:
    """It may have changed any field."""
    big = Write(
        user="ada", groups=(), at=AT, manager="kubectl-edit", entries=frozenset((entry(),)), changes=None
    )
    assert who_did([big], owner=entry()) == ""
    assert who_did([scale("scaler", 2, 7), big], owner=entry(None, "kubectl", "scale")) == ""


GONE = Drift(
    kind=DriftKind.MANUAL_DRIFT,
    fields=(
        FieldDrift(
            path=".", keys=(), from_={}, to=None, manager="", operation="", subresource="", changed_at=None
        ),
    ),
)


def deletion(user: str, at: datetime = AT, *, of_terminating: bool = False) -> Write:
    """Return a deletion."""
    return Write(
        user=user, groups=("team",), at=at, manager="", deletes=True, found_terminating=of_terminating
    )


def edit(at: datetime, *, of_terminating: bool | None) -> Write:
    """Return another write, such as one that removes a finalizer."""
    return Write(user="bob", groups=(), at=at, manager="edit", found_terminating=of_terminating)


def who_deleted(*writes: Write, seen: datetime = AT + SECOND) -> str:
    """Return who is named after these reports, when the object was then seen to be gone."""
    known = ObjectWrites(uid="u")
    for each in writes:
        known = known.and_then(each)
    return attributed(GONE, None, known.deleted(seen), key=KEY).fields[0].user


def test_a_deletion_names_its_user_until_the_object_is_there_again() -> None:
    """Nothing else in the cluster says who deleted an object."""
    known = ObjectWrites(uid="u").and_then(deletion("ada")).deleted(AT + SECOND)

    (field,) = attributed(GONE, None, known, key=KEY).fields
    assert (field.user, field.groups, field.changed_at) == ("ada", ("team",), AT)
    assert attributed(GONE, None, known.without_deletions(), key=KEY) == GONE


def test_a_refused_deletion_names_nobody() -> None:
    """Another webhook refused it later: a deletion that was not reported since is somebody else's."""
    later = AT + timedelta(minutes=5)
    assert who_deleted(deletion("ada"), seen=later) == ""
    assert who_deleted(deletion("ada"), edit(AT + SECOND, of_terminating=False)) == ""
    assert (
        who_deleted(deletion("ada"), edit(AT + SECOND, of_terminating=None)) == "ada"
    )  # scale tells nothing
    assert who_deleted(deletion("ada"), deletion("bob", later), seen=later + SECOND) == "bob"


def test_who_deletes_a_terminating_object_again_did_not_delete_it() -> None:
    """Finalizers hold an object for any time; the first deletion is the one."""
    later = AT + timedelta(hours=1)
    again = deletion("bob", AT + 2 * SECOND, of_terminating=True)
    assert who_deleted(deletion("ada"), again, seen=later) == "ada"
    assert who_deleted(deletion("ada"), edit(AT + SECOND, of_terminating=True), again, seen=later) == "ada"
    known = ObjectWrites(uid="u").and_then(deletion("ada")).deleted(AT + SECOND).and_then(again)
    assert attributed(GONE, None, known, key=KEY).fields[0].user == "ada"
    assert who_deleted(again, seen=later) == ""  # the first one was not reported


def test_an_object_that_only_seemed_to_be_gone_can_be_deleted_later() -> None:
    """A watch shows an object whose label was removed as deleted."""
    known = ObjectWrites(uid="u").deleted(AT).and_then(deletion("ada", AT + SECOND)).deleted(AT + 2 * SECOND)

    assert attributed(GONE, None, known, key=KEY).fields[0].user == "ada"


def test_an_undated_change_has_the_time_of_its_write() -> None:
    """`kubectl scale` leaves no time in managedFields."""
    field = FieldDrift(
        path=".spec.replicas", keys=REPLICAS, from_=2, to=7, manager="kubectl", operation="Update",
        subresource="scale", changed_at=None,
    )  # fmt: skip
    drift = Drift(kind=DriftKind.MANUAL_DRIFT, fields=(field,))
    known = ObjectWrites(uid="u", writes=(scale("ada", 2, 7),))

    assert attributed(drift, live(7), known, key=KEY).fields[0].changed_at == AT


def test_few_writes_are_kept() -> None:
    """The oldest goes."""
    known = ObjectWrites(uid="u")
    for number in range(MOST_WRITES + 5):
        known = known.and_then(write("ada", number, number + 1))

    assert len(known.writes) == MOST_WRITES
