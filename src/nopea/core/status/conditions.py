"""The conditions of a GitRepository after a sync. Pure; `status.py` puts them into the status.

Ready says that the newest known commit is applied. It stays True while only Git fails: the last commit is
still applied, and drift is still reverted. Fetched and Applied say which of the two has failed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from nopea.core.api.conditions import (
    APPLIED,
    CONTENDED,
    DRIFTED,
    FETCHED,
    READY,
    RECONCILING,
    ROLLED_BACK,
    STALLED,
    SUSPENDED,
    WATCHING,
    find,
)
from nopea.core.api.entries import MAX_MESSAGE, Condition
from nopea.core.api.status import GitRepositoryStatus
from nopea.core.api.times import format_time
from nopea.core.git.source import SHORT_COMMIT
from nopea.core.plan.model import Reason
from nopea.core.problem import Code, Problem, first_lines, printable
from nopea.core.status.drifts import drift_line
from nopea.core.status.read_only import READ_ONLY, planned_line, would_change
from nopea.core.status.report import Outcome, ReconcileReport
from nopea.core.status.rollback import has_moved, rolled_back

IN_SYNC = (Outcome.CREATED, Outcome.CONFIGURED, Outcome.UNCHANGED)
"""The outcomes after which an object is as Git declares it."""

NOT_HEALTHY = "NotHealthy"
"""The reason of Ready while only the health is missing that `spec.wait` asks for."""

ALWAYS_OWNED = frozenset({READY, RECONCILING, STALLED, SUSPENDED})
"""The conditions that every sync decides about; the others stay if a sync did not come so far."""


def conditions_of(
    previous: GitRepositoryStatus, report: ReconcileReport, now: datetime, *, wait: bool
) -> tuple[list[Condition], frozenset[str]]:
    """Return the conditions that hold after a sync, but for Healthy, and the types about which it decided.

    With `wait`, health is a part of Ready.
    """
    make = _Maker(report.generation, now)
    git = [problem for problem in report.problems if problem.code.is_of_source]
    others = [problem for problem in report.problems if not problem.code.is_of_source]
    found = [*_fetched(make, report, git), *rolled_back(report.pin, generation=report.generation, now=now)]
    owned = set(ALWAYS_OWNED)
    if git or (report.commit is not None and not report.without_git):
        owned.add(FETCHED)
    if Code.ROLLBACK_INVALID not in report.codes:  # else the pin could not be read
        owned.add(ROLLED_BACK)
    if report.commit is not None:  # else no object was looked at
        owned |= {APPLIED, DRIFTED, CONTENDED, WATCHING}
        found += _about_objects(make, report)
        if not report.read_only:
            found.append(_applied(make, report, others))
    if report.read_only:  # nothing is applied, and only what was applied is watched
        owned |= {APPLIED, WATCHING}
        return [*found, *_ready(make, report, git, others, is_applied=False)], frozenset(owned)
    applied = find(found, APPLIED)
    is_applied = applied.status == "True" if applied is not None else _was_ready(previous, report)
    found += _ready(make, report, git, others, is_applied=is_applied)
    if wait and report.health is not None and not report.health.is_settled:
        message = report.health.message
        found = [
            make(READY, "False", NOT_HEALTHY, message) if _is_true(each, READY) else each for each in found
        ]
    return found, frozenset(owned)


def _is_true(condition: Condition, type_: str) -> bool:
    return (condition.type, condition.status) == (type_, "True")


def _was_ready(previous: GitRepositoryStatus, report: ReconcileReport) -> bool:
    """Return whether the commit that this spec and pin ask for was applied before Git failed."""
    applied, ready = find(previous.conditions, APPLIED), find(previous.conditions, READY)
    if applied is None or ready is None or has_moved(previous.conditions, report.pin):
        return False
    is_current = applied.observed_generation == report.generation
    return is_current and applied.status == ready.status == "True"


class _Maker:
    """Makes conditions of one generation and time."""

    def __init__(self, generation: int, now: datetime) -> None:
        self.generation, self._now = generation, now

    def __call__(self, type_: str, status: str, reason: str, message: str) -> Condition:
        return condition(type_, status, reason, message, self.generation, self._now)


def condition(
    type_: str, status: str, reason: str, message: str, generation: int, now: datetime
) -> Condition:
    """Return a condition whose status changed now; `merge` keeps the time of one that did not."""
    return Condition(
        type=type_,
        status=status,
        reason=reason,
        message=cut(printable(message)),
        last_transition_time=format_time(now),
        observed_generation=generation,
    )


def cut(text: str, limit: int = MAX_MESSAGE) -> str:
    """Shorten a text to what the CRD accepts, and mark the cut."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def applied_line(report: ReconcileReport) -> str:
    """Return what a sync applied, in a sentence or two."""
    assert report.commit is not None  # noqa: S101 - without a commit nothing is applied
    declared = sum(result.declared for result in report.objects)
    pruned = report.count(Outcome.PRUNED)
    also = f" and pruned {pruned}" if pruned else ""
    drifted = sum(result.drifts for result in report.objects)
    left = f" {drifted} drifted and not reverted." if drifted else ""
    objects = "object" if declared == 1 else "objects"
    protected = sum(result.declared and result.reason is Reason.BREAK_GLASS for result in report.objects)
    number = f"{declared - protected} of {declared}" if protected else str(declared)
    left = f"{f' {protected} protected by break-glass.' if protected else ''}{left}"
    held = f" Rolled back: {report.pin.left} is not followed." if report.pin else ""
    return f"Applied {number} {objects} at {report.commit.id[:SHORT_COMMIT]}{also}.{left}{held}"


def report_line(report: ReconcileReport) -> str:
    """Return what a sync did, for Events."""
    return failure_line(report, report.problems) if report.problems else applied_line(report)


def failure_line(report: ReconcileReport, problems: Sequence[Problem]) -> str:
    """Return what a sync could not do, and how far it came if objects failed."""
    declared = sum(result.declared for result in report.objects)
    failed = report.count(Outcome.FAILED)
    if report.read_only:
        return f"{first_lines(problems)} {planned_line(report)}".rstrip()
    ahead = f"Applied {report.count(*IN_SYNC)} of {declared} objects. " if failed else ""
    return f"{ahead}{first_lines(problems)}"


def _fetched(make: _Maker, report: ReconcileReport, git: Sequence[Problem]) -> list[Condition]:
    if git:
        return [make(FETCHED, "False", git[0].code.reason, first_lines(git))]
    if report.commit is None or report.without_git:
        return []
    return [make(FETCHED, "True", "Succeeded", f"Fetched {report.commit.id[:SHORT_COMMIT]}.")]


def _applied(make: _Maker, report: ReconcileReport, others: Sequence[Problem]) -> Condition:
    """Waiting for another repository does not undo what is applied."""
    failed = [problem for problem in others if not problem.code.is_waiting]
    if failed:
        return make(APPLIED, "False", failed[0].code.reason, failure_line(report, failed))
    return make(APPLIED, "True", "Succeeded", " ".join((applied_line(report), *report.notes)))


def _ready(
    make: _Maker,
    report: ReconcileReport,
    git: Sequence[Problem],
    others: Sequence[Problem],
    *,
    is_applied: bool,
) -> list[Condition]:
    """Return Ready, and Reconciling or Stalled if something stands in the way."""
    blocking = [*others, *git]
    if not blocking and report.commit is not None:
        if report.read_only:
            return [make(READY, "False" if would_change(report) else "True", READ_ONLY, planned_line(report))]
        return [make(READY, "True", "Succeeded", applied_line(report))]
    reason = blocking[0].code.reason if blocking else "Failed"
    message = failure_line(report, blocking)
    if git and not others and is_applied:
        ready = make(READY, "True", "Succeeded", f"The last commit is applied. {message}")
        return [ready] if report.transient else [ready, make(STALLED, "True", reason, message)]
    ready = make(READY, "False", reason, message)
    if report.transient:
        return [ready, make(RECONCILING, "True", "ProgressingWithRetry", message)]
    return [ready, make(STALLED, "True", reason, message)]


def _about_objects(make: _Maker, report: ReconcileReport) -> list[Condition]:
    """Return Watching, and Drifted and Contended, which are present only while something is wrong."""
    drifted = [result for result in report.objects if result.drifts]
    found = []
    if drifted:
        more = f" {len(drifted)} objects drifted." if drifted[1:] else ""
        is_left = drifted[0].reason is Reason.POLICY and not report.read_only
        way_out = " Revert it with `nopea heal`, or commit the change to Git." if is_left else ""
        found.append(make(DRIFTED, "True", "ManualDrift", f"{drift_line(drifted[0])}.{more}{way_out}"))
    if report.rivals:
        found.append(make(CONTENDED, "True", "ChangedBackAgain", report.rivals))
    if report.read_only:
        return found
    if report.unwatched:
        found.append(make(WATCHING, "False", "NotWatched", _unwatched(report.unwatched)))
    elif report.count(*IN_SYNC):
        found.append(make(WATCHING, "True", "Watched", "Changes of applied objects are noticed at once."))
    return found


def _unwatched(places: Mapping[str, str]) -> str:
    without_rights = [place for place, why in places.items() if not why]
    sentences = [
        f"Changes of {_first([place for place in places if places[place] == why])} are noticed only when all "
        f"objects are compared: {why.rstrip('.')}."
        for why in dict.fromkeys(filter(None, places.values()))
    ]
    if without_rights:
        sentences.insert(
            0,
            f"Changes of {_first(without_rights)} are noticed only when all objects are compared, because "
            "neither Nopea nor the service account that applies them may list and watch them. Grant the "
            "account these verbs.",
        )
    return " ".join(sentences)


def _first(texts: Sequence[str], limit: int = 5) -> str:
    more = len(texts) - limit
    return ", ".join(texts[:limit]) + (f" and {more} more" if more > 0 else "")
