"""What is counted of a plan, and what is said of it as a whole; `test_diff.py` has the lines of an object."""

from __future__ import annotations

from dataclasses import replace

from tests.unit.cli.output.inspections import manifest, planned

from nopea.core.plan.model import Action, Reason
from nopea.core.plan.object_diff import RIGHTS
from nopea.core.problem import Code, Problem
from nopea.core.show.facts import rights_notes, summary

PROBLEM = Problem(code=Code.OWNED_BY_OTHER, message="It is another's.", hint="Remove it.")
BEFORE, AFTER = manifest(colour="red", size="1"), manifest(colour="blue", size="1")


def test_missing_rights_are_one_sentence_for_each_kind() -> None:
    """With the number of the objects that were not tried."""
    forbidden = planned(Action.CREATE, after=AFTER, unchecked=RIGHTS)
    unchecked = planned(Action.CREATE, after=AFTER, unchecked="its namespace does not exist yet")

    assert list(rights_notes([forbidden, forbidden, unchecked])) == [
        "You may not apply objects of kind ConfigMap: 2 objects not checked."
    ]


def test_the_summary_counts_what_would_be_done() -> None:
    """What changes nothing that can be seen is left as it is; an empty plan has its own text."""
    unchanged = planned(Action.LEAVE, reason=Reason.UNCHANGED)
    change = planned(Action.APPLY, before=BEFORE, after=AFTER)
    kept = replace(change, change=planned(Action.APPLY, before=BEFORE, after=BEFORE).change)
    create, delete = planned(Action.CREATE), planned(Action.PRUNE)
    refused = planned(Action.REFUSE, problem=PROBLEM)

    assert summary((unchanged, create, change, kept, delete, refused, create)) == (
        "2 to create, 1 to change, 1 to delete, 1 refused, 1 left as is, 1 unchanged"
    )
    assert summary(()) == "No objects."
