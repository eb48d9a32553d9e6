"""Which objects may be deleted and created again, because a field of theirs cannot change. Pure."""

from __future__ import annotations

from nopea.core.objects import PROTECTED_KINDS
from nopea.core.plan.model import Step


def may_be_recreated(step: Step, owner: str) -> bool:
    """Return whether a sync of the owner may do it.

    A finished Job has done its work. One that nobody owns may have done it for others, so it also needs
    `force`, which the hooks of charts have: they stay after Helm.
    """
    live, desired = step.live, step.desired
    if live is None or desired is None or step.key.group_kind in PROTECTED_KINDS:
        return False
    has_finished = live.finish is not None
    if live.owner is None:
        return desired.force and has_finished
    return live.owner == owner and (desired.force or has_finished)
