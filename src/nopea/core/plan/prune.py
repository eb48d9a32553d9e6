"""Decides which objects that were removed from Git are deleted: those that pass every safeguard.

Pure, and the only place that decides it. The caller deletes with the uid as a precondition, after everything
else was applied, and keeps an object in the inventory until the API server reports it as not found.
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Final

from nopea.core.api import names
from nopea.core.api.spec import PruneLimit
from nopea.core.apply.equality import BUILT_IN_GROUPS
from nopea.core.manifests.stages import Stage, stage_of
from nopea.core.objects import CUSTOM_RESOURCE_DEFINITION, PROTECTED_KINDS, GroupKind, ObjectKey
from nopea.core.problem import Code, Problem

MOST_AT_ONCE: Final = 100
"""The most objects that a percentage allows one sync to delete without a confirmation."""

FEW: Final = 20
"""In a repository of so few objects, a percentage does not allow the deletion of the last workload."""

WORKLOADS: Final = frozenset(
    GroupKind(group, kind)
    for group, kind in (
        ("apps", "Deployment"), ("apps", "StatefulSet"), ("apps", "DaemonSet"), ("batch", "CronJob")
    )
)  # fmt: skip
"""What runs an application; a Job is removed when it has done its work."""

_NAMED_IN_MESSAGE: Final = 3
_NAMESPACE: Final = GroupKind("", "Namespace")


class PruneVerdict(enum.StrEnum):
    """What happens to an object that was removed from Git."""

    PRUNE = "prune"
    KEEP = "keep"  # an annotation, the spec or another repository says so
    REFUSE = "refuse"  # it should be deleted, and a safeguard forbids it
    GONE = "gone"
    WAIT = "wait"


class PruneReason(enum.StrEnum):
    """Why. The first two say why an object is deleted, the others complete "It is not deleted: …"."""

    GONE_FROM_GIT = "removed from Git"
    DELETED = "the GitRepository is being deleted"
    NOT_THERE = "it no longer exists"
    TERMINATING = "it is already being deleted"
    NO_UID = "its uid is not known yet"
    UNKNOWN_KIND = "the API server does not serve its kind now"
    NOT_IN_INVENTORY = "it is not in the inventory"
    HANDED_OVER = "handed over to another GitRepository"
    OWNED_BY_OTHER = "owned by another GitRepository"
    ANNOTATED = "an annotation keeps it"
    BREAK_GLASS = "it is under break-glass"
    PRUNING_OFF = "spec.prune is false"
    NO_LABEL = "it does not carry this GitRepository's label"
    NOT_APPLIED = "Nopea has not applied any of its fields"
    PROTECTED_KIND = "objects of this kind are deleted only on request"
    RENDER_FAILED = "the manifests in Git have errors"
    RENDERED_TO_NOTHING = "Git holds no objects"
    GUARD = "too many at once"
    UNREADABLE = "it cannot be read"


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneCandidate:
    """What is known about an object that Git no longer declares.

    `owner` is the value of its ownership label or None, `prune_live` that of the annotation `nopea.io/prune`.
    `wanted_by` names another GitRepository that declares the object now, or is empty. `is_itself` says that
    it is the GitRepository, with which its objects may go. `unreadable` says why the API server does not
    show it: then nothing else is known.
    """

    in_inventory: bool
    live: bool
    kind_served: bool = True
    owner: str | None = None
    has_our_apply: bool = False
    uid: str = ""
    prune_live: str | None = None
    terminating: bool = False
    break_glass: bool = False
    wanted_by: str = ""
    is_itself: bool = False
    unreadable: Problem | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneDecision:
    """The decision about one object. Decisions may share one problem, which then is about the whole sync."""

    verdict: PruneVerdict
    reason: PruneReason
    problem: Problem | None = None

    @property
    def forgets(self) -> bool:
        """True when the object leaves the inventory: it is gone, or another repository owns it."""
        return self.verdict is PruneVerdict.GONE or self.reason in (
            PruneReason.HANDED_OVER,
            PruneReason.OWNED_BY_OTHER,
        )

    @property
    def is_told(self) -> bool:
        """True when the status lists the object: it stays although its user removed it from Git."""
        return self.reason in HOW_TO_LET_GO

    @property
    def blocks_deletion(self) -> bool:
        """True while a GitRepository with deletionPolicy Delete must wait for the object."""
        return self.verdict in (PruneVerdict.PRUNE, PruneVerdict.WAIT, PruneVerdict.REFUSE)


HOW_TO_LET_GO: Final[Mapping[PruneReason, str]] = {
    PruneReason.PROTECTED_KIND: f'To delete it, annotate it with {names.PRUNE_ANNOTATION}: "true". '
    f'To keep it and end this message, annotate it with {names.PRUNE_ANNOTATION}: "false".',
    PruneReason.UNKNOWN_KIND: "It is deleted when the API server serves its kind again.",
}
"""For objects that stay although their user removed them from Git and nothing failed: what to do."""


def prune_decisions(
    *,
    candidates: Mapping[ObjectKey, PruneCandidate],
    inventory_size: int,
    owner: str,
    enabled: bool,
    rendered_cleanly: bool,
    rendered_count: int,
    confirmed: bool,
    limit: PruneLimit,
    replaced: Collection[ObjectKey] = (),
    runs_on: bool = True,
    deleting: bool = False,
    commit: str = "",
    arguments: str = "NAME",
) -> dict[ObjectKey, PruneDecision]:
    """Decide about every candidate, in their order.

    `inventory_size` counts all objects of the inventory, including the candidates; `runs_on` says that Git
    still declares a workload. The guard does not count what is `replaced` by an object in Git. `enabled` is
    spec.prune, `limit` is spec.pruneLimit. `confirmed` means that the annotation `nopea.io/confirm-prune`
    names this `commit`; `arguments` name the GitRepository in the command that sets it. `deleting` means
    that the GitRepository is being deleted with deletionPolicy Delete: then only each object's safeguards
    apply.
    """
    decisions = {
        key: _decide(key, candidate, owner=owner, enabled=enabled, deleting=deleting)
        for key, candidate in candidates.items()
    }
    pruned = [key for key, decision in decisions.items() if decision.verdict is PruneVerdict.PRUNE]
    if not pruned or deleting:
        return decisions
    removed = [key for key in pruned if key not in replaced]
    left = inventory_size - sum(  # objects that are being deleted do not count, or more could be pruned
        candidates[key].in_inventory
        for key, decision in decisions.items()
        if decision.verdict in (PruneVerdict.GONE, PruneVerdict.WAIT)
    )
    confirm = _confirm(commit, arguments)
    problem: Problem | None = None  # about the whole sync: all or nothing
    if not rendered_cleanly:
        reason = PruneReason.RENDER_FAILED  # the errors were reported where they were found
    elif rendered_count <= 0:
        reason, problem = PruneReason.RENDERED_TO_NOTHING, _nothing_left(pruned)
    elif len(removed) > allowed_at_once(left, limit) and not confirmed:
        reason, problem = PruneReason.GUARD, _too_many(removed, left=left, limit=limit, confirm=confirm)
    elif not (runs_on or confirmed) and (last := _last_workloads(pruned, left, limit)):
        reason, problem = PruneReason.GUARD, _no_workload_left(last, confirm=confirm)
    else:
        return decisions
    refusal = PruneDecision(verdict=PruneVerdict.REFUSE, reason=reason, problem=problem)
    return {**decisions, **dict.fromkeys(pruned, refusal)}


def allowed_at_once(inventory_size: int, limit: PruneLimit) -> int:
    """Return how many objects one sync may delete without a confirmation.

    That is the limit if it is a number. A percentage is rounded down, and 100 is the most that it allows.
    Terminating objects are not counted in the inventory, or a few syncs in a row could delete all of it.
    """
    if isinstance(limit, int):
        return limit
    return min(inventory_size * int(limit.removesuffix("%")) // 100, MOST_AT_ONCE)


def may_need(stays: ObjectKey, other: ObjectKey) -> bool:
    """Return whether an object that stays may still need another one, which is pruned after it.

    It needs its namespace and its definition. A workload needs what it mounts and runs as. A custom resource
    needs its operator, which is looked for in its own namespace. The backend of a webhook may be anywhere.
    """
    stage = stage_of(stays.group_kind)
    if other.group_kind == CUSTOM_RESOURCE_DEFINITION:
        return stays.group == other.name.partition(".")[2]
    if stage is Stage.ADMISSION:
        return True
    if other.group_kind == _NAMESPACE:
        return stays.namespace == other.name
    is_custom = stage is Stage.REST and stays.group not in BUILT_IN_GROUPS
    if not is_custom and stage is not Stage.WORKLOADS:
        return False
    return not stays.namespace or other.namespace in ("", stays.namespace)


def blocked(key: ObjectKey, message: str) -> Problem:
    """Return the problem of an object that blocks the deletion of its GitRepository."""
    abandon = f'annotate the GitRepository with {names.ABANDON_ANNOTATION}: "true"'
    return Problem(
        code=Code.PRUNE_BLOCKED,
        message=message,
        hint=f"Remove what blocks it, such as a finalizer. To keep all objects instead, {abandon}.",
        object=str(key),
    )


def _last_workloads(pruned: Iterable[ObjectKey], inventory_size: int, limit: PruneLimit) -> list[ObjectKey]:
    """Return the workloads among the pruned objects, if the guard holds for them."""
    if isinstance(limit, int) or limit == "100%" or inventory_size > FEW:
        return []
    return [key for key in pruned if key.group_kind in WORKLOADS]


def _decide(
    key: ObjectKey, candidate: PruneCandidate, *, owner: str, enabled: bool, deleting: bool
) -> PruneDecision:
    """Apply the safeguards of a single object; the first one that applies is the reason."""
    if candidate.unreadable is not None:
        return PruneDecision(
            verdict=PruneVerdict.REFUSE, reason=PruneReason.UNREADABLE, problem=candidate.unreadable
        )
    if not candidate.kind_served:
        return PruneDecision(verdict=PruneVerdict.KEEP, reason=PruneReason.UNKNOWN_KIND)
    if not candidate.live:
        return PruneDecision(verdict=PruneVerdict.GONE, reason=PruneReason.NOT_THERE)
    if candidate.terminating:
        return PruneDecision(verdict=PruneVerdict.WAIT, reason=PruneReason.TERMINATING)
    if (reason := _reason_to_keep(candidate, owner=owner, enabled=enabled or deleting)) is not None:
        if deleting and reason is PruneReason.BREAK_GLASS:
            problem = _blocked_by(key, reason)
            return PruneDecision(verdict=PruneVerdict.REFUSE, reason=reason, problem=problem)
        return PruneDecision(verdict=PruneVerdict.KEEP, reason=reason)
    if (reason := _not_ours(candidate, owner=owner)) is not None:
        problem = (_blocked_by if deleting else _protected)(key, reason)
        return PruneDecision(verdict=PruneVerdict.REFUSE, reason=reason, problem=problem)
    if (key.group_kind in PROTECTED_KINDS or candidate.is_itself) and candidate.prune_live != "true":
        return PruneDecision(verdict=PruneVerdict.KEEP, reason=PruneReason.PROTECTED_KIND)
    if not candidate.uid:
        return PruneDecision(verdict=PruneVerdict.WAIT, reason=PruneReason.NO_UID)
    return PruneDecision(
        verdict=PruneVerdict.PRUNE, reason=PruneReason.DELETED if deleting else PruneReason.GONE_FROM_GIT
    )


def _reason_to_keep(candidate: PruneCandidate, *, owner: str, enabled: bool) -> PruneReason | None:
    """Return why the object stays on purpose; nothing has to be reported."""
    if not candidate.in_inventory:
        return PruneReason.NOT_IN_INVENTORY
    if candidate.wanted_by:
        return PruneReason.HANDED_OVER
    if candidate.owner not in (None, owner):
        return PruneReason.OWNED_BY_OTHER
    if candidate.prune_live not in (None, "true"):
        return PruneReason.ANNOTATED  # "false"; a value that is not a boolean keeps it too
    if candidate.break_glass:
        return PruneReason.BREAK_GLASS
    return None if enabled else PruneReason.PRUNING_OFF


def _not_ours(candidate: PruneCandidate, *, owner: str) -> PruneReason | None:
    """Return what shows that somebody else has made the object theirs."""
    if candidate.owner != owner:
        return PruneReason.NO_LABEL
    return None if candidate.has_our_apply else PruneReason.NOT_APPLIED


def _blocked_by(key: ObjectKey, reason: PruneReason) -> Problem:
    return blocked(key, f"The object is not deleted: {reason}.")


def _protected(key: ObjectKey, reason: PruneReason) -> Problem:
    keep = f'annotate it with {names.PRUNE_ANNOTATION}: "false"'
    return Problem(
        code=Code.PRUNE_PROTECTED,
        message=f"The object was removed from Git but is not deleted: {reason}.",
        hint=f"To delete it, use kubectl. To keep it, {keep}.",
        object=str(key),
    )


def _nothing_left(pruned: list[ObjectKey]) -> Problem:
    return Problem(
        code=Code.PRUNE_GUARD,
        message=f"Git holds no objects, so nothing is pruned. A prune would delete {_named(pruned)}.",
        hint="Restore the manifests. To delete all objects, delete the GitRepository.",
    )


def _too_many(pruned: list[ObjectKey], *, left: int, limit: PruneLimit, confirm: str) -> Problem:
    allowed = f"spec.pruneLimit ({limit}) allows {allowed_at_once(left, limit)} at once"
    return Problem(
        code=Code.PRUNE_GUARD,
        message=f"{len(pruned)} of {left} objects were removed from Git, and {allowed}. "
        f"None is pruned: {_named(pruned)}.",
        hint=f"Restore them, or {confirm}",
    )


def _no_workload_left(last: list[ObjectKey], *, confirm: str) -> Problem:
    return Problem(
        code=Code.PRUNE_GUARD,
        message=f"The last workload was removed from Git: {_named(last)}. Nothing is pruned.",
        hint=f"Restore it, or {confirm}",
    )


def _confirm(commit: str, arguments: str) -> str:
    """Complete a hint: the command, and the annotation that it sets."""
    annotation = f"{names.CONFIRM_PRUNE_ANNOTATION}: {commit or '<commit>'}"
    return (
        f"confirm the prune with `nopea confirm-prune {arguments}`, which sets the annotation {annotation}."
    )


def _named(keys: Iterable[ObjectKey]) -> str:
    objects = sorted(keys)
    first = ", ".join(map(str, islice(objects, _NAMED_IN_MESSAGE)))
    more = len(objects) - _NAMED_IN_MESSAGE
    return f"{first} and {more} more" if more > 0 else first
