"""The output of an inspection: lines for users, JSON for programs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import click

from nopea.cli.output.diff import inspection_json, object_lines, summary
from nopea.core.drift.three_way import Side
from nopea.core.objects import ObjectKey
from nopea.core.plan.model import Action, Reason, Step
from nopea.core.plan.object_diff import FieldDiff, ObjectDiff
from nopea.core.problem import Code, Problem
from nopea.reconcile.inspect import Inspection

KEY = ObjectKey("apps", "Deployment", "shop", "web")
AT = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
PROBLEM = Problem(code=Code.OWNED_BY_OTHER, message="it is another's", hint="Remove it.", object=str(KEY))


def _field(**changes: Any) -> FieldDiff:
    known: dict[str, Any] = {
        "path": ".spec.replicas", "last": "2", "git": "2", "live": "5", "side": Side.CLUSTER,
        "manager": "kubectl", "operation": "Update", "subresource": "scale", "changed_at": AT,
    }  # fmt: skip
    return FieldDiff(**{**known, **changes})


def _object(
    *fields: FieldDiff, action: Action = Action.LEAVE, reason: Reason = Reason.POLICY, **more: Any
) -> ObjectDiff:
    return ObjectDiff(step=Step(action=action, reason=reason, key=KEY, **more), fields=fields)


def _plain(*objects: ObjectDiff) -> list[str]:
    return [click.unstyle(line) for line in object_lines(objects)]


def test_a_field_is_one_line_with_its_author() -> None:
    """The line contains path, three values, manager, operation and time."""
    assert _plain(_object(_field())) == [
        "leave  apps/Deployment shop/web: policy",
        "    .spec.replicas: 2 → 2 → 5   by kubectl (Update/scale) at 2026-03-04T05:06:07Z",
    ]


def test_long_values_are_on_separate_lines() -> None:
    """Each value is on its own line with its name, and truncated."""
    lines = _plain(_object(_field(git="x" * 5000)))

    assert [line[:20] for line in lines[2:]] == [
        "      last applied  ",
        "      Git           ",
        "      live          ",
    ]
    assert lines[3].endswith("x…")
    assert len(lines[3]) < 1100


def test_absent_and_unknown_values_look_different() -> None:
    """An absent value is (none), an unknown one (unknown); a change without a manager says so."""
    gone = _field(live=None, manager="", operation="", subresource="", changed_at=None)
    lost = _field(last=None, last_is_known=False)
    new = _field(last=None, side=Side.GIT, manager="", operation="", subresource="", changed_at=None)

    assert [line.strip().partition(": ")[2] for line in _plain(_object(gone, lost, new))[1:]] == [
        "2 → 2 → (none)   (Kubernetes does not record by whom)",
        "(unknown) → 2 → 5   by kubectl (Update/scale) at 2026-03-04T05:06:07Z",
        "(none) → 2 → 5   by Git",
    ]


def test_a_refusal_says_why_and_what_to_do() -> None:
    """The message and the hint follow the object's line."""
    refused = _object(action=Action.REFUSE, reason=Reason.OWNED_BY_OTHER, problem=PROBLEM)

    assert _plain(refused)[1:] == ["    it is another's", "    → Remove it."]


def test_lines_are_coloured() -> None:
    """Lines contain colour codes; `click.echo` removes them if the output is not a terminal."""
    assert all("\x1b[" in line for line in object_lines((_object(_field()),)))


def test_the_summary_counts_what_would_be_done() -> None:
    """Actions come before unchanged objects; an empty inspection has its own text."""
    unchanged = _object(reason=Reason.UNCHANGED)
    create = _object(action=Action.CREATE, reason=Reason.NOT_THERE)

    assert summary((unchanged, create, unchanged, _object())) == "1 to create, 1 left as is, 2 unchanged"
    assert summary(()) == "No objects."


def test_json_has_every_fact() -> None:
    """Every field is present; unknown values are null."""
    refused = _object(_field(live=None), action=Action.REFUSE, reason=Reason.OWNED_BY_OTHER, problem=PROBLEM)
    inspection = Inspection(objects=(refused,), problems=(PROBLEM,))

    document = inspection_json(inspection, inspection.objects, commit="1f0c")

    problem = {"code": "NOPEA-K004", "message": "it is another's", "hint": "Remove it.", "source": None,
               "object": str(KEY)}  # fmt: skip
    field = {"path": ".spec.replicas", "lastApplied": "2", "git": "2", "live": None, "changedBy": "cluster",
             "manager": "kubectl", "operation": "Update", "subresource": "scale",
             "time": "2026-03-04T05:06:07Z", "note": None}  # fmt: skip
    assert document == {
        "commit": "1f0c",
        "differs": True,
        "objects": [
            {"object": str(KEY), "action": "refuse", "reason": "owned by another GitRepository",
             "differs": True, "source": None, "until": None, "fields": [field], "problem": problem,
             "unchecked": None}
        ],
        "problems": [problem],
    }  # fmt: skip


def test_an_inspection_is_complete_when_only_objects_are_refused() -> None:
    """An object that cannot be read, or a problem without an object, makes the inspection incomplete."""
    refused = _object(action=Action.REFUSE, reason=Reason.OWNED_BY_OTHER, problem=PROBLEM)
    unreadable = _object(action=Action.REFUSE, reason=Reason.UNREADABLE, problem=PROBLEM)

    assert Inspection(objects=(refused,), problems=(PROBLEM,)).is_complete
    assert not Inspection(objects=(unreadable,), problems=(PROBLEM,)).is_complete
    assert not Inspection(objects=(), problems=(PROBLEM,)).is_complete
