"""An inspection as JSON for programs."""

from __future__ import annotations

from tests.unit.cli.output.inspections import planned
from tests.unit.cli.output.test_diff import field_diff
from tests.unit.core.show.test_facts import PROBLEM

from nopea.cli.output.diff_json import inspection_json
from nopea.core.plan.inspection import Inspection
from nopea.core.plan.model import Action, Reason


def test_json_has_every_fact() -> None:
    """Every field is present; unknown values are null."""
    refused = planned(
        Action.REFUSE,
        reason=Reason.OWNED_BY_OTHER,
        problem=PROBLEM,
        fields=(field_diff(live=None, subresource="scale"),),
    )
    inspection = Inspection(objects=(refused,), problems=(PROBLEM,))

    document = inspection_json(inspection, inspection.objects, commit="1f0c")

    problem = {"code": "NOPEA-K004", "message": "It is another's.", "hint": "Remove it.", "source": None,
               "object": None}  # fmt: skip
    field = {"path": ".data.colour", "lastApplied": "blue", "git": "blue", "live": None,
             "changedBy": "cluster",
             "manager": "kubectl-edit", "user": None, "operation": "Update", "subresource": "scale",
             "time": "2026-03-04T05:06:07Z", "note": None}  # fmt: skip
    assert document == {
        "commit": "1f0c",
        "differs": True,
        "objects": [
            {"object": "ConfigMap shop/web", "action": "refuse", "reason": "owned by another GitRepository",
             "differs": True, "source": None, "until": None, "fields": [field], "problem": problem,
             "unchecked": None}
        ],
        "problems": [problem],
    }  # fmt: skip
