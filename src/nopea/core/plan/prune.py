"""Decide which objects that have gone from Git are deleted: only those that pass every safeguard.

Pure, and the only place that decides it; the caller deletes with the uid as a precondition, after everything
else was applied, and keeps an object in the inventory until the API server says that it is gone.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Final

from nopea.core.api import names
from nopea.core.objects import GroupKind, ObjectKey
from nopea.core.problem import Code, Problem

MOST_AT_ONCE: Final = 100
"""Objects that one pass deletes without a confirmation, however large the inventory is."""

PROTECTED_KINDS: Final = frozenset(
    {
        GroupKind("", "Namespace"),
        GroupKind("", "PersistentVolumeClaim"),
        GroupKind("apiextensions.k8s.io", "CustomResourceDefinition"),
    }
)
"""Their deletion takes more along than themselves: all that is in them, all of the kind, the data."""

_NAMED_IN_MESSAGE: Final = 3


class PruneVerdict(enum.StrEnum):
    """What becomes of an object that has gone from Git."""

    PRUNE = "prune"
    KEEP = "keep"  # somebody wants it so
    REFUSE = "refuse"  # it should go, and a safeguard forbids it
    GONE = "gone"
    WAIT = "wait"


class PruneReason(enum.StrEnum):
    """Why."""

    GONE_FROM_GIT = "gone from Git"
    DELETED = "the GitRepository is being deleted"
    NOT_THERE = "not there any more"
    TERMINATING = "being deleted already"
    NO_UID = "its uid is not known yet"
    NOT_IN_INVENTORY = "not in the inventory"
    HANDED_OVER = "handed over to another GitRepository"
    OWNED_BY_OTHER = "owned by another GitRepository"
    ANNOTATED = f"annotated {names.PRUNE_ANNOTATION}"
    BREAK_GLASS = "break-glass"
    PRUNING_OFF = "spec.prune is false"
    NO_LABEL = "it does not carry this GitRepository's label"
    NOT_APPLIED = "Nopea has applied none of its fields"
    PROTECTED_KIND = "objects of this kind are deleted only on request"
    RENDER_FAILED = "Git did not render without errors"
    RENDERED_TO_NOTHING = "Git renders to nothing"
    GUARD = "too many at once"


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneCandidate:
    """What is known of an object that Git does not declare any more.

    `owner` is the value of its label or None, `prune_live` and `prune_in_git` those of `nopea.io/prune` on
    the live object and in the manifest that was applied last; `wanted_by` names another GitRepository that
    declares the object now, or is empty.
    """

    in_inventory: bool
    live: bool
    owner: str | None = None
    has_our_apply: bool = False
    uid: str = ""
    prune_live: str | None = None
    prune_in_git: str | None = None
    terminating: bool = False
    break_glass: bool = False
    wanted_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneDecision:
    """One object's verdict. Several decisions may share one problem, which then is about the whole pass."""

    verdict: PruneVerdict
    reason: PruneReason
    problem: Problem | None = None

    @property
    def forgets(self) -> bool:
        """True when the object leaves the inventory, for it is gone or another repository's."""
        return self.verdict is PruneVerdict.GONE or self.reason in (
            PruneReason.HANDED_OVER,
            PruneReason.OWNED_BY_OTHER,
        )

    @property
    def blocks_deletion(self) -> bool:
        """True while a GitRepository under deletionPolicy Delete has to wait for the object."""
        return self.verdict in (PruneVerdict.PRUNE, PruneVerdict.WAIT, PruneVerdict.REFUSE)


def prune_decisions(
    *,
    candidates: Mapping[ObjectKey, PruneCandidate],
    inventory_size: int,
    owner: str,
    enabled: bool,
    rendered_cleanly: bool,
    rendered_count: int,
    confirmed: bool,
    deleting: bool = False,
    commit: str = "",
) -> dict[ObjectKey, PruneDecision]:
    """Decide about every candidate, in their order.

    `inventory_size` counts all objects of the inventory, the candidates among them. `enabled` is spec.prune,
    `confirmed` says that the annotation `nopea.io/confirm-prune` names this `commit`. `deleting` means that
    the GitRepository goes, with deletionPolicy Delete: then only what is asked of each object counts.
    """
    decisions = {
        key: _decide(key, candidate, owner=owner, enabled=enabled, deleting=deleting)
        for key, candidate in candidates.items()
    }
    pruned = [key for key, decision in decisions.items() if decision.verdict is PruneVerdict.PRUNE]
    if not pruned or deleting:
        return decisions
    left = inventory_size - sum(  # what is on its way out does not count, or it would let more go
        candidates[key].in_inventory
        for key, decision in decisions.items()
        if decision.verdict in (PruneVerdict.GONE, PruneVerdict.WAIT)
    )
    problem: Problem | None = None  # of the pass: all or nothing
    if not rendered_cleanly:
        reason = PruneReason.RENDER_FAILED  # what is wrong was told where it was found
    elif rendered_count <= 0:
        reason, problem = PruneReason.RENDERED_TO_NOTHING, _nothing_left(pruned)
    elif len(pruned) > allowed_at_once(left) and not confirmed:
        reason, problem = PruneReason.GUARD, _too_many(pruned, left=left, commit=commit)
    else:
        return decisions
    refusal = PruneDecision(verdict=PruneVerdict.REFUSE, reason=reason, problem=problem)
    return {**decisions, **dict.fromkeys(pruned, refusal)}


def allowed_at_once(inventory_size: int) -> int:
    """Return how many objects one pass may delete unconfirmed: half of them, rounded up, and at most 100.

    Rounded up so that the only object of a repository can be replaced. What is terminating is no longer
    counted in the inventory, or two passes in a row could delete all of it.
    """
    return min((inventory_size + 1) // 2, MOST_AT_ONCE)


def blocked(key: ObjectKey, message: str) -> Problem:
    """Return the problem of an object that keeps a deleted GitRepository from going, such as a finalizer."""
    let_go = f'annotate the GitRepository with {names.ABANDON_ANNOTATION}: "true"'
    return Problem(
        code=Code.PRUNE_BLOCKED,
        message=message,
        hint=f"Remove what holds it, or leave all objects where they are: {let_go}.",
        object=str(key),
    )


def _decide(
    key: ObjectKey, candidate: PruneCandidate, *, owner: str, enabled: bool, deleting: bool
) -> PruneDecision:
    """Apply the safeguards that look at one object; the first that holds says why."""
    if not candidate.live:
        return PruneDecision(verdict=PruneVerdict.GONE, reason=PruneReason.NOT_THERE)
    if candidate.terminating:
        return PruneDecision(verdict=PruneVerdict.WAIT, reason=PruneReason.TERMINATING)
    if (reason := _reason_to_keep(candidate, owner=owner, enabled=enabled or deleting)) is not None:
        if deleting and reason is PruneReason.BREAK_GLASS:
            return _refusal(key, reason, deleting=True)
        return PruneDecision(verdict=PruneVerdict.KEEP, reason=reason)
    if (reason := _reason_to_refuse(key, candidate, owner=owner)) is not None:
        return _refusal(key, reason, deleting=deleting)
    if not candidate.uid:
        return PruneDecision(verdict=PruneVerdict.WAIT, reason=PruneReason.NO_UID)
    return PruneDecision(
        verdict=PruneVerdict.PRUNE, reason=PruneReason.DELETED if deleting else PruneReason.GONE_FROM_GIT
    )


def _reason_to_keep(candidate: PruneCandidate, *, owner: str, enabled: bool) -> PruneReason | None:
    """Return why somebody wants the object to stay: nothing has to be told."""
    if not candidate.in_inventory:
        return PruneReason.NOT_IN_INVENTORY
    if candidate.wanted_by:
        return PruneReason.HANDED_OVER
    if candidate.owner not in (None, owner):
        return PruneReason.OWNED_BY_OTHER
    if any(text not in (None, "true") for text in (candidate.prune_live, candidate.prune_in_git)):
        return PruneReason.ANNOTATED  # "false"; and what nobody can read keeps it too
    if candidate.break_glass:
        return PruneReason.BREAK_GLASS
    return None if enabled else PruneReason.PRUNING_OFF


def _reason_to_refuse(key: ObjectKey, candidate: PruneCandidate, *, owner: str) -> PruneReason | None:
    """Return why the object must not be deleted although it should: a person has to know."""
    if candidate.owner != owner:
        return PruneReason.NO_LABEL
    if not candidate.has_our_apply:
        return PruneReason.NOT_APPLIED
    if key.group_kind in PROTECTED_KINDS and "true" not in (candidate.prune_live, candidate.prune_in_git):
        return PruneReason.PROTECTED_KIND
    return None


def _refusal(key: ObjectKey, reason: PruneReason, *, deleting: bool) -> PruneDecision:
    message = f"it is not deleted: {reason}"
    problem = blocked(key, message) if deleting else _protected(key, reason, message)
    return PruneDecision(verdict=PruneVerdict.REFUSE, reason=reason, problem=problem)


def _protected(key: ObjectKey, reason: PruneReason, message: str) -> Problem:
    by_annotation = f'annotate it with {names.PRUNE_ANNOTATION}: "true"'
    how = by_annotation if reason is PruneReason.PROTECTED_KIND else "delete it by hand"
    return Problem(
        code=Code.PRUNE_PROTECTED,
        message=f"it has gone from Git, but {message}",
        hint=f'To let it go, {how}. To keep it, annotate it with {names.PRUNE_ANNOTATION}: "false".',
        object=str(key),
    )


def _nothing_left(pruned: list[ObjectKey]) -> Problem:
    return Problem(
        code=Code.PRUNE_GUARD,
        message=f"Git renders to nothing, so nothing is deleted ({_named(pruned)} would be)",
        hint="Put the manifests back; to delete everything, delete the GitRepository.",
    )


def _too_many(pruned: list[ObjectKey], *, left: int, commit: str) -> Problem:
    confirmation = f"{names.CONFIRM_PRUNE_ANNOTATION}: {commit or '<commit>'}"
    return Problem(
        code=Code.PRUNE_GUARD,
        message=f"{len(pruned)} of {left} objects have gone from Git, so none is deleted ({_named(pruned)})",
        hint=f"Put them back, or, if it is meant, annotate the GitRepository with {confirmation}",
    )


def _named(keys: Iterable[ObjectKey]) -> str:
    listed = sorted(keys)
    text = ", ".join(map(str, islice(listed, _NAMED_IN_MESSAGE)))
    more = len(listed) - _NAMED_IN_MESSAGE
    return f"{text} and {more} more" if more > 0 else text
