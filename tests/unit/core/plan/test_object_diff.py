"""The differences of an object, field by field, with their managers."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from tests.unit.core.apply.owned import TIME

from nopea.core.api.entries import DriftEntry, FieldChange, ObjectReference
from nopea.core.apply.ignore_rules import NO_RULES, IgnoreRules
from nopea.core.drift.find import find_drift
from nopea.core.drift.three_way import Side
from nopea.core.objects import ObjectKey
from nopea.core.plan.model import Action, Reason, Step
from nopea.core.plan.object_diff import (
    KEPT,
    FieldDiff,
    ObjectDiff,
    Three,
    admission_changes,
    field_diffs,
    removals,
    with_users,
)
from nopea.core.plan.outcome import change_of

KEY = ObjectKey("", "ConfigMap", "shop", "web")
SECRET_KEY = ObjectKey("", "Secret", "shop", "web")
LABELS = {"nopea.io/repository": "shop.web"}
SOURCE = {"nopea.io/source": "web.yaml#1"}


def _git(kind: str = "ConfigMap", **data: str) -> dict[str, Any]:
    metadata = {"name": "web", "namespace": "shop", "labels": LABELS, "annotations": SOURCE}
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata, "data": data}


def _live(applied: dict[str, Any], *, by: str = "", **changed: str | None) -> dict[str, Any]:
    """Return the stored object after a manager changed its data."""
    live = copy.deepcopy(applied)
    ours: dict[str, Any] = {f"f:{name}": {} for name in applied["data"] if name not in changed}
    marks: dict[str, Any] = {
        "f:labels": {f"f:{name}": {} for name in LABELS},
        "f:annotations": {f"f:{name}": {} for name in SOURCE},
    }
    for name, value in changed.items():
        live["data"].pop(name, None)
        if value is not None:
            live["data"][name] = value
    owned = {"f:data": ours or {".": {}}, "f:metadata": marks}  # {} would own all of it
    live["metadata"]["managedFields"] = [
        {"manager": "nopea", "operation": "Apply", "fieldsV1": owned},
        {"manager": by, "operation": "Update", "time": TIME,
         "fieldsV1": {"f:data": {f"f:{name}": {} for name in changed}}},
    ]  # fmt: skip
    return live


def _diffs(
    last: dict[str, Any] | None,
    desired: dict[str, Any],
    live: dict[str, Any] | None,
    *,
    key: ObjectKey = KEY,
    rules: IgnoreRules = NO_RULES,
) -> list[FieldDiff]:
    drift = find_drift(desired=desired, last_applied=last, live=live, rules=rules)
    three = Three(last=last, desired=desired, live=live)
    return list(field_diffs(key, three, drifted=drift.fields, rules=rules))


def _short(fields: list[FieldDiff]) -> list[tuple[str, str | None, str | None, str | None, str, str]]:
    return [(one.path, one.last, one.git, one.live, str(one.side), one.manager) for one in fields]


def test_equal_manifests_have_no_differences() -> None:
    """Fields that only the live object has do not count."""
    assert _diffs(_git(a="1"), _git(a="1"), _live(_git(a="1"))) == []


def test_a_change_in_git() -> None:
    """The side is Git, and there is no manager; a removed field has no value in Git."""
    assert _short(_diffs(_git(a="1", b="1"), _git(a="2"), _live(_git(a="1", b="1")))) == [
        (".data.a", "1", "2", "1", "git", ""),
        (".data.b", "1", None, "1", "git", ""),
    ]


def test_a_change_in_the_cluster() -> None:
    """The difference has manager, operation and time."""
    (field,) = _diffs(_git(a="1"), _git(a="1"), _live(_git(a="1"), by="kubectl-edit", a="2"))

    assert _short([field]) == [(".data.a", "1", "1", "2", "cluster", "kubectl-edit")]
    assert (field.operation, field.changed_at is not None) == ("Update", True)


def test_a_change_in_both() -> None:
    """The difference has all three values and the manager of the live one."""
    assert _short(_diffs(_git(a="1"), _git(a="2"), _live(_git(a="1"), by="k9s", a="3"))) == [
        (".data.a", "1", "2", "3", "both", "k9s")
    ]


def test_a_missing_object_is_one_field() -> None:
    """The values are those of the whole object."""
    (field,) = _diffs(_git(a="1"), _git(a="1"), None)

    assert (field.path, field.live, field.side) == (".", None, Side.CLUSTER)
    assert field.last == field.git


def test_a_new_object_is_a_change_in_git() -> None:
    """The object was not applied and is not live; ownership marks are not shown."""
    (field,) = _diffs(None, _git(a="1"), None)

    assert (field.path, field.last, field.live, field.side) == (".", None, None, Side.GIT)
    assert "nopea.io/" not in str(field.git), "the marks of ownership are no news"


def test_adoption_shows_what_would_change_and_its_manager() -> None:
    """Equal fields and ownership marks are not shown."""
    live = _live(_git(a="1", b="1"), by="helm", a="2")
    del live["metadata"]["labels"], live["metadata"]["annotations"]
    live["metadata"]["managedFields"].pop(0)

    assert _short(_diffs(None, _git(a="1", b="1"), live)) == [(".data.a", None, "1", "2", "git", "helm")]


def test_a_removal_by_the_adoption_has_its_owner_and_a_note() -> None:
    """The value is masked as in every difference."""
    live = _live(_git(colour="red"), by="helm", extra="1")
    (field,) = removals(KEY, live, [("f:data", "f:extra")])
    assert (field.path, field.git, field.live, field.manager) == (".data.extra", None, "1", "helm")
    assert field.note == "removed by the adoption"
    (masked,) = removals(SECRET_KEY, live, [("f:data", "f:extra")])
    assert masked.live == "***"


def test_what_admission_changed_is_shown_and_does_not_differ() -> None:
    """A sync cannot change it."""
    fields = admission_changes(KEY, _git(colour="red"), _git(colour="blue"), [("f:data", "f:colour")])
    assert [(field.git, field.live, field.note) for field in fields] == [
        ("red", "blue", "changed at admission")
    ]
    step = Step(action=Action.LEAVE, reason=Reason.UNCHANGED, key=KEY)
    assert not ObjectDiff(step=step, fields=fields).differs


def test_a_field_that_git_drops_and_another_manager_owns_stays() -> None:
    """The note is for the field that stays alone."""
    live = _live(_git(colour="red", gone="1", later="1"), by="helm", later="1")
    live["metadata"]["managedFields"][0]["fieldsV1"]["f:data"]["f:later"] = {}
    last, desired = _git(colour="red", gone="1", later="1"), _git(colour="red")
    notes = {field.path: field.note for field in _diffs(last, desired, live)}
    assert notes == {".data.gone": "", ".data.later": "stays: helm owns it too"}


@pytest.mark.parametrize("was_applied", [False, True])
def test_an_unknown_last_value_differs_from_an_absent_one(was_applied: bool) -> None:
    """The last applied value is unknown if the commit is no longer in Git."""
    live = _live(_git(a="1"), by="k9s", a="2")
    three = Three(last=None, desired=_git(a="1"), live=live, was_applied=was_applied)

    (field,) = field_diffs(KEY, three)

    assert (field.last, field.last_is_known) == (None, not was_applied)


def test_ignored_fields_are_not_shown() -> None:
    """Neither the change in the cluster nor the one in Git is shown."""
    rules = IgnoreRules(pointers=("/data/a",))

    assert _diffs(_git(a="1"), _git(a="2"), _live(_git(a="1"), by="k9s", a="3"), rules=rules) == []


@pytest.mark.parametrize("last", [None, _git("Secret", key="b2xk")])
@pytest.mark.parametrize("gone", [False, True])
def test_values_of_a_secret_are_masked(last: dict[str, Any] | None, gone: bool) -> None:
    """All three values are masked, for a field and for the whole object."""
    key = ObjectKey("", "Secret", "shop", "web")
    live = None if gone else _live(_git("Secret", key="b2xk"), by="k9s", key="bGl2ZQ==")

    fields = _diffs(last, _git("Secret", key="bmV3"), live, key=key)

    assert fields
    assert "***" in str(fields)
    for value in ("b2xk", "bmV3", "bGl2ZQ"):
        assert value not in str(fields)


@pytest.mark.parametrize(
    ("action", "reason", "differs"),
    [
        (Action.CREATE, Reason.NOT_THERE, True),
        (Action.PRUNE, Reason.GONE_FROM_GIT, True),
        (Action.REFUSE, Reason.OWNED_BY_OTHER, True),
        (Action.APPLY, Reason.NOT_RECORDED, False),
        (Action.LEAVE, Reason.UNCHANGED, False),
        (Action.LEAVE, Reason.KEPT, False),
    ],
)
def test_an_object_without_fields_differs_by_its_action(
    action: Action, reason: Reason, differs: bool
) -> None:
    """An apply that changes no field is not a difference."""
    assert ObjectDiff(step=Step(action=action, reason=reason, key=KEY)).differs is differs


def test_drift_that_an_apply_keeps_is_noted() -> None:
    """The values say nothing of it: the object is written, and the field stays."""
    last, live = _git(colour="blue"), _live(_git(colour="blue"), by="kubectl", colour="red")
    drift = find_drift(desired=last, last_applied=last, live=live)
    three = Three(last=last, desired=last, live=live)

    (field,) = field_diffs(KEY, three, drifted=drift.fields, kept=(("f:data", "f:colour"),))

    assert (field.path, field.note) == (".data.colour", KEPT)


@pytest.mark.parametrize(
    ("action", "reason", "colour", "expected"),
    [
        (Action.APPLY, Reason.GIT_CHANGE, "blue", True),
        (Action.APPLY, Reason.CONFLICT, "red", False),
        (Action.APPLY, Reason.ADOPTED, "red", True),
        (Action.CREATE, Reason.NOT_THERE, "blue", True),
        (Action.PRUNE, Reason.GONE_FROM_GIT, "red", True),
        (Action.LEAVE, Reason.POLICY, "red", False),
        (Action.REFUSE, Reason.REJECTED, "red", False),
    ],
)
def test_what_a_sync_would_change(action: Action, reason: Reason, colour: str, *, expected: bool) -> None:
    """An apply that leaves every value as it is changes nothing, but an adoption sets Nopea's marks."""
    change = change_of(_git(colour="red"), _git(colour=colour))

    diff = ObjectDiff(step=Step(action=action, reason=reason, key=KEY), change=change)

    assert diff.would_change is expected


def _entry(*paths: str, manager: str | None = "kubectl-edit", user: str | None = "ada") -> DriftEntry:
    """Return what the controller wrote into the status about the ConfigMap."""
    return DriftEntry(
        object=ObjectReference.of(KEY),
        kind="manual_drift",
        fields=tuple(FieldChange(path=path) for path in paths),
        manager=manager,
        user=user,
    )


@pytest.mark.parametrize(
    ("entry", "named"),
    [
        (_entry(".data.colour"), "ada"),
        (_entry(".data.size"), ""),
        (_entry(".data.colour", manager="helm"), ""),
        (_entry(".data.colour", user=None), ""),
        (_entry(".data.colour", ".data.size"), ""),
    ],
)
def test_a_user_comes_from_the_same_drift_in_the_status(entry: DriftEntry, named: str) -> None:
    """An entry about several fields does not say who changed which."""
    field = FieldDiff(
        path=".data.colour", last="blue", git="blue", live="red", side=Side.CLUSTER, manager="kubectl-edit"
    )
    step = Step(action=Action.APPLY, reason=Reason.MANUAL_DRIFT, key=KEY)

    (found,) = with_users([ObjectDiff(step=step, fields=(field,))], [entry])

    assert found.fields[0].user == named
