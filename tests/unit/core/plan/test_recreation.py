"""What is deleted and created again, because a field of it cannot change."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.core.plan.planning import LIVE, OWNER, WEB, wish

from nopea.core.objects import NAMESPACE, ObjectKey
from nopea.core.plan.model import Action, Finish, Reason, Step
from nopea.core.plan.recreation import may_be_recreated

JOB = ObjectKey("batch", "Job", "shop", "migrate")


def _may(owner: str | None, *, force: bool, finish: Finish | None = None, key: ObjectKey = WEB) -> bool:
    live = replace(LIVE, owner=owner, finish=finish)
    desired = replace(wish(key), force=force)
    step = Step(action=Action.APPLY, reason=Reason.GIT_CHANGE, key=key, desired=desired, live=live)
    return may_be_recreated(step, OWNER)


@pytest.mark.parametrize(
    ("owner", "force", "finish", "may"),
    [
        (OWNER, False, None, False),
        (OWNER, True, None, True),
        (OWNER, False, Finish.COMPLETE, True),
        (None, True, None, False),
        (None, False, Finish.COMPLETE, False),
        (None, True, Finish.FAILED, True),
        ("shop.other", True, Finish.COMPLETE, False),
    ],
)
def test_what_is_ours_needs_one_reason_and_what_is_nobodys_both(
    owner: str | None, force: bool, finish: Finish | None, may: bool
) -> None:
    """What belongs to another GitRepository is never deleted."""
    assert _may(owner, force=force, finish=finish, key=JOB) is may


def test_what_holds_data_is_not_recreated() -> None:
    """A namespace has everything in it."""
    assert not _may(OWNER, force=True, key=ObjectKey(NAMESPACE.group, NAMESPACE.kind, "", "shop"))


def test_what_is_not_there_is_not_recreated() -> None:
    """It is created."""
    step = Step(action=Action.CREATE, reason=Reason.NOT_THERE, key=WEB, desired=wish())
    assert not may_be_recreated(step, OWNER)
