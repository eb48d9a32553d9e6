"""What differs in an object, field by field, and who made it so."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from tests.unit.core.apply.owned import TIME

from nopea.core.apply.ignore_rules import NO_RULES, IgnoreRules
from nopea.core.drift.find import find_drift
from nopea.core.drift.three_way import Side
from nopea.core.objects import ObjectKey
from nopea.core.plan.model import Action, Reason, Step
from nopea.core.plan.object_diff import FieldDiff, ObjectDiff, Three, field_diffs

KEY = ObjectKey("", "ConfigMap", "shop", "web")
LABELS = {"nopea.io/repository": "shop.web"}
SOURCE = {"nopea.io/source": "web.yaml#1"}


def _git(kind: str = "ConfigMap", **data: str) -> dict[str, Any]:
    metadata = {"name": "web", "namespace": "shop", "labels": LABELS, "annotations": SOURCE}
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata, "data": data}


def _live(applied: dict[str, Any], *, by: str = "", **changed: str | None) -> dict[str, Any]:
    """Return the applied object as stored, after somebody changed data in it."""
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
    owned = {"f:data": ours or {".": {}}, "f:metadata": marks}  # {} would be all of it
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


def test_equal_manifests_differ_in_nothing() -> None:
    """Whatever else the live object holds."""
    assert _diffs(_git(a="1"), _git(a="1"), _live(_git(a="1"))) == []


def test_a_change_of_git_is_gits() -> None:
    """Nobody is named beside it; what Git takes away is (none)."""
    assert _short(_diffs(_git(a="1", b="1"), _git(a="2"), _live(_git(a="1", b="1")))) == [
        (".data.a", "1", "2", "1", "git", ""),
        (".data.b", "1", None, "1", "git", ""),
    ]


def test_a_change_of_a_person_has_its_author() -> None:
    """With manager, operation and time."""
    (field,) = _diffs(_git(a="1"), _git(a="1"), _live(_git(a="1"), by="kubectl-edit", a="2"))

    assert _short([field]) == [(".data.a", "1", "1", "2", "cluster", "kubectl-edit")]
    assert (field.operation, field.changed_at is not None) == ("Update", True)


def test_a_field_that_both_changed_is_one_field() -> None:
    """With three values and the author of the live one."""
    assert _short(_diffs(_git(a="1"), _git(a="2"), _live(_git(a="1"), by="k9s", a="3"))) == [
        (".data.a", "1", "2", "3", "both", "k9s")
    ]


def test_an_object_that_is_gone_is_one_field() -> None:
    """The object itself, whole on both sides that have it."""
    (field,) = _diffs(_git(a="1"), _git(a="1"), None)

    assert (field.path, field.live, field.side) == (".", None, Side.CLUSTER)
    assert field.last == field.git


def test_an_object_that_was_never_there_is_gits() -> None:
    """Nothing was applied, nothing is live."""
    (field,) = _diffs(None, _git(a="1"), None)

    assert (field.path, field.last, field.live, field.side) == (".", None, None, Side.GIT)
    assert "nopea.io/" not in str(field.git), "the marks of ownership are no news"


def test_taking_over_shows_what_would_change_and_whose_it_is() -> None:
    """Not what is equal already, and not the marks of ownership, which every object gets."""
    live = _live(_git(a="1", b="1"), by="helm", a="2")
    del live["metadata"]["labels"], live["metadata"]["annotations"]
    live["metadata"]["managedFields"].pop(0)

    assert _short(_diffs(None, _git(a="1", b="1"), live)) == [(".data.a", None, "1", "2", "git", "helm")]


@pytest.mark.parametrize("was_applied", [False, True])
def test_what_nobody_knows_any_more_is_told_from_what_was_not_there(was_applied: bool) -> None:
    """Git may have lost the commit that was applied last."""
    live = _live(_git(a="1"), by="k9s", a="2")
    three = Three(last=None, desired=_git(a="1"), live=live, was_applied=was_applied)

    (field,) = field_diffs(KEY, three)

    assert (field.last, field.last_is_known) == (None, not was_applied)


def test_what_is_left_to_others_is_not_shown() -> None:
    """Neither the person's change nor Git's."""
    rules = IgnoreRules(pointers=("/data/a",))

    assert _diffs(_git(a="1"), _git(a="2"), _live(_git(a="1"), by="k9s", a="3"), rules=rules) == []


@pytest.mark.parametrize("last", [None, _git("Secret", key="b2xk")])
@pytest.mark.parametrize("gone", [False, True])
def test_values_of_a_secret_are_masked(last: dict[str, Any] | None, gone: bool) -> None:
    """On all three sides, of a field and of the whole object."""
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
def test_an_object_without_fields_differs_by_what_becomes_of_it(
    action: Action, reason: Reason, differs: bool
) -> None:
    """An apply that changes no field is no difference."""
    assert ObjectDiff(step=Step(action=action, reason=reason, key=KEY)).differs is differs
