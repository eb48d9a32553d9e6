"""The lines of a plan on a terminal."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import click
from tests.unit.cli.output.inspections import GUARD, manifest, planned

from nopea.cli.output.diff import object_lines
from nopea.core.drift.three_way import Side
from nopea.core.plan.model import Action, Reason
from nopea.core.plan.object_diff import ADMISSION, KEPT, RIGHTS, FieldDiff, ObjectDiff

AT = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
BEFORE, AFTER = manifest(colour="red", size="1"), manifest(colour="blue", size="1")


def field_diff(**changes: Any) -> FieldDiff:
    """Return a field that kubectl has changed."""
    known: dict[str, Any] = {
        "path": ".data.colour", "last": "blue", "git": "blue", "live": "red", "side": Side.CLUSTER,
        "manager": "kubectl-edit", "operation": "Update", "changed_at": AT,
    }  # fmt: skip
    return FieldDiff(**{**known, **changes})


def _plain(*objects: ObjectDiff) -> list[str]:
    return [click.unstyle(line) for line in object_lines(objects)]


def test_a_change_is_a_unified_diff_with_its_author() -> None:
    """The field that somebody else has changed has a line of its own; a change in Git needs none."""
    fields = (field_diff(), field_diff(path=".data.size", side=Side.GIT, manager="", operation=""))

    assert _plain(planned(Action.APPLY, before=BEFORE, after=AFTER, source="web.yaml#1", fields=fields)) == [
        "change ConfigMap shop/web: git change  web.yaml#1",
        "    .data.colour: red by kubectl-edit (Update) at 2026-03-04T05:06:07Z; becomes blue",
        "    @@ -4,5 +4,5 @@ data",
        "       name: web",
        "       namespace: shop",
        "     data:",
        "    -  colour: red",
        "    +  colour: blue",
        '       size: "1"',
    ]


def test_a_user_is_named_beside_the_manager() -> None:
    """For a removed field the user is all that is known."""
    changed = planned(Action.APPLY, before=BEFORE, after=AFTER, fields=(field_diff(user="ada"),))
    removed = field_diff(live=None, manager="", operation="", changed_at=None, user="ada")

    author = ".data.colour: red by kubectl-edit (Update), user ada, at 2026-03-04T05:06:07Z; becomes blue"
    assert f"    {author}" in _plain(changed)
    after = _plain(planned(Action.APPLY, before=BEFORE, after=AFTER, fields=(removed,)))
    assert "    .data.colour: (none) by user ada; becomes blue" in after


def test_a_new_object_is_shown_once() -> None:
    """As YAML."""
    assert _plain(planned(Action.CREATE, after=manifest(a="b"), source="web.yaml#1")) == [
        "create ConfigMap shop/web: not there  web.yaml#1",
        "    +apiVersion: v1",
        "    +kind: ConfigMap",
        "    +metadata:",
        "    +  name: web",
        "    +  namespace: shop",
        "    +data:",
        "    +  a: b",
    ]


def test_a_deletion_is_one_line() -> None:
    """Nothing of the object is printed."""
    assert _plain(planned(Action.PRUNE)) == ["delete ConfigMap shop/web: gone from Git"]


def test_drift_that_a_sync_leaves_is_no_change() -> None:
    """It is told with its author, for an object that is left and for one that Git changes elsewhere."""
    left = planned(Action.LEAVE, fields=(field_diff(),))
    kept = planned(Action.APPLY, before=BEFORE, after=BEFORE, fields=(field_diff(note=KEPT),))

    author = ".data.colour: red by kubectl-edit (Update) at 2026-03-04T05:06:07Z; blue in Git"
    assert _plain(left) == ["leave  ConfigMap shop/web: policy", f"    {author}"]
    assert _plain(kept) == ["leave  ConfigMap shop/web: git change", f"    {author}, not reverted"]


def test_what_kubernetes_does_not_record_is_said() -> None:
    """Who removed a field or an object; what admission changed has no author at all."""
    gone = field_diff(path=".", live=None, manager="", operation="", changed_at=None)
    changed = field_diff(manager="", operation="", changed_at=None, note=ADMISSION)

    assert _plain(planned(Action.LEAVE, fields=(gone,)))[1:] == [
        "    deleted in the cluster (Kubernetes does not record by whom)"
    ]
    assert _plain(planned(Action.LEAVE, fields=(changed,)))[1:] == [
        "    .data.colour: red; blue in Git, changed at admission"
    ]


def test_many_fields_are_counted() -> None:
    """The first twenty are listed; a long value is cut."""
    fields = tuple(field_diff(path=f".data.k{number}", live="x" * 500) for number in range(25))

    lines = _plain(planned(Action.LEAVE, fields=fields))

    assert lines[-1] == "    and 5 more fields"
    assert len(lines) == 22
    assert max(map(len, lines)) < 400


def test_refused_objects_come_last_and_share_their_message() -> None:
    """Six deletions that the guard holds back have one message; a sync that fails deletes nothing."""
    held = [planned(Action.REFUSE, name, reason=Reason.PRUNE_REFUSED, problem=GUARD) for name in "abc"]
    other = planned(Action.REFUSE, "d", reason=Reason.PRUNE_REFUSED)

    assert _plain(held[0], other, planned(Action.PRUNE, "old"), *held[1:]) == [
        "delete ConfigMap shop/old: gone from Git",
        "refuse ConfigMap shop/a: pruning refused",
        "refuse ConfigMap shop/b: pruning refused",
        "refuse ConfigMap shop/c: pruning refused",
        "    NOPEA-K013: Too many.",
        "    → Run `nopea confirm-prune`.",
        "refuse ConfigMap shop/d: pruning refused",
        "    Nothing is deleted while the manifests in Git have errors.",
    ]


def test_what_is_not_known_is_said() -> None:
    """Why an object was not tried, and that one is made again; missing rights have a note elsewhere."""
    unchecked = planned(Action.CREATE, after=AFTER, unchecked="its namespace does\nnot exist yet")
    recreated = planned(Action.APPLY, before=BEFORE, after=AFTER, recreated=True)
    marked = planned(Action.APPLY, before=BEFORE, after=BEFORE, reason=Reason.ADOPTED)
    forbidden = planned(Action.CREATE, after=AFTER, unchecked=RIGHTS)

    assert _plain(unchecked)[1] == "    not checked: its namespace does not exist yet"
    assert _plain(recreated)[1] == "    is deleted and created again, because a field cannot change"
    assert _plain(marked)[1:] == ["    only Nopea's own label and annotation are set"]
    assert RIGHTS not in " ".join(_plain(forbidden))


def test_lines_are_coloured() -> None:
    """Lines contain colour codes; `click.echo` removes them if the output is not a terminal."""
    lines = list(object_lines((planned(Action.APPLY, before=BEFORE, after=AFTER),)))

    assert "\x1b[31m-  colour: red" in "".join(lines)
    assert "\x1b[32m+  colour: blue" in "".join(lines)
