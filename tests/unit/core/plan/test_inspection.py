"""What is said of a compared plan as a whole."""

from __future__ import annotations

from tests.fakes.installation import key_of

from nopea.core.plan.inspection import Inspection
from nopea.core.plan.model import Action, Reason, Step
from nopea.core.plan.object_diff import ObjectDiff
from nopea.core.problem import Code, Problem

PROBLEM = Problem(code=Code.OWNED_BY_OTHER, message="It is another's.", hint="Remove it.")


def test_an_inspection_is_complete_when_only_objects_are_refused() -> None:
    """An object that cannot be read, or a problem without an object, makes the inspection incomplete."""
    refused, unreadable = (
        ObjectDiff(step=Step(action=Action.REFUSE, reason=reason, key=key_of("a"), problem=PROBLEM))
        for reason in (Reason.OWNED_BY_OTHER, Reason.UNREADABLE)
    )

    assert Inspection(objects=(refused,), problems=(PROBLEM,)).is_complete
    assert not Inspection(objects=(unreadable,), problems=(PROBLEM,)).is_complete
    assert not Inspection(objects=(), problems=(PROBLEM,)).is_complete
    assert Inspection(objects=(refused,), problems=(PROBLEM,)).is_refused
    assert not Inspection(objects=(), problems=()).is_refused
