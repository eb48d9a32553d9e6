"""The status of a commit at its Git server: the state, the address and the words. Pure; sends nothing.

The commit is applied, it cannot be applied, or it waits: for what may end without a person, or for health.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlencode

import orjson

from nopea.core.api.conditions import HEALTHY, find
from nopea.core.api.spec import GitRepositorySpec, Provider
from nopea.core.drift.mask import plain_line
from nopea.core.forge.project import REFUSALS, Project, project_of
from nopea.core.notify.failures import HOLD_SECONDS, seconds_of
from nopea.core.notify.rate_limit import AlertState
from nopea.core.objects import RepoKey
from nopea.core.status.conditions import report_line
from nopea.core.status.report import Result
from nopea.core.status.transition import Transition

MAX_DESCRIPTION: Final = 140
_GRANTS: Final = {
    Provider.GITHUB: "Use a token with `Commit statuses: write` (classic: `repo:status`)",
    Provider.GITLAB: "Use a project access token with the scope `api` and the role Developer",
    Provider.GITEA: "Use a token with the permission `repository: write`",
}
_GITLAB_STATES: Final = {"success": "success", "pending": "pending"}


class State(enum.StrEnum):
    """The result for a commit."""

    PENDING = "pending"
    """It is tried again, or its objects are not healthy yet and the spec waits for that."""
    SUCCESS = "success"
    FAILURE = "failure"
    """Somebody must correct the commit."""
    ERROR = "error"
    """It has failed for a while, for reasons that may go away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitStatus:
    """One status of one commit, for the repository's own server only."""

    repository: RepoKey
    project: Project
    """Where the repository is; only its own credentials may be sent."""
    commit: str
    state: State
    description: str

    @property
    def namespace(self) -> str:
        """The namespace of the repository."""
        return self.repository.namespace

    @property
    def subject(self) -> str:
        """The latest status of a repository replaces the one that waits."""
        return f"{self.repository} commit status"

    @property
    def fingerprint(self) -> str:
        """The commit and its state; another description is a repetition."""
        return f"{self.commit} {self.state}"

    @property
    def alert_state(self) -> AlertState:
        """A status is not an alert."""
        return AlertState.EVENT

    @property
    def sent_once(self) -> bool:
        """True: the server keeps it."""
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusRequest:
    """The POST that sets a status, without its authorization."""

    url: str
    body: bytes


def commit_status(transition: Transition) -> CommitStatus | None:
    """Return the status to report; None without a change, a commit or a known server."""
    spec = transition.repository.spec
    commit = _commit(transition)
    result = _state(transition)
    if result is None or not commit or not isinstance(spec, GitRepositorySpec):
        return None
    project = project_of(spec)
    if project is None:
        return None
    state, description = result
    return CommitStatus(
        repository=transition.repository.key,
        project=project,
        commit=commit,
        state=state,
        description=plain_line(description, *transition.hidden, limit=MAX_DESCRIPTION),
    )


def _commit(transition: Transition) -> str:
    if transition.report is not None:
        return transition.report.commit.id if transition.report.commit else ""
    return transition.after.last_applied_commit or ""


def _state(transition: Transition) -> tuple[State, str] | None:
    report = transition.report
    if report is None:
        return _state_of_health(transition)
    if report.commit is None:
        return None
    if report.result is Result.SYNCED:
        has_changed = transition.is_reportable or transition.before.failures > 0
        if not has_changed:
            return None
        return _waits_for_health(transition) or (State.SUCCESS, report_line(report))
    if report.result is not Result.FAILED:
        return None
    codes = ((problem, problem.code) for problem in report.problems)
    problems = [problem for problem, code in codes if not (code.is_of_source or code.is_waiting)]
    if not problems:
        return None  # that Git fails, or that it waits for another, says nothing about the commit
    first = next((problem for problem in problems if not problem.code.transient), problems[0])
    where = " ".join(str(part) for part in (first.source, first.object) if part)
    more = f" (and {len(problems) - 1} more)" if problems[1:] else ""
    text = f"{first.code}{f' {where}' if where else ''}: {first.message}"
    text = f"{plain_line(text, *transition.hidden, limit=MAX_DESCRIPTION - len(more))}{more}"
    if not first.code.transient:
        return State.FAILURE, text
    has_lasted = seconds_of(transition.after, at=transition.at) >= HOLD_SECONDS
    return (State.ERROR if has_lasted else State.PENDING), text


def _waits_for_health(transition: Transition) -> tuple[State, str] | None:
    """Return the state of a commit that is applied, while the spec waits for objects that are not healthy."""
    if not transition.repository.waits_for_health:
        return None
    healthy = find(transition.after.conditions, HEALTHY)
    if healthy is None or healthy.status == "True":
        return None
    return (State.FAILURE if healthy.status == "False" else State.PENDING), healthy.message


def _state_of_health(transition: Transition) -> tuple[State, str] | None:
    """Return the state after a mere change of health; it matters only if the spec waits for it."""
    before, after = (find(status.conditions, HEALTHY) for status in (transition.before, transition.after))
    is_applied = not transition.after.failures and not transition.after.errors
    if not transition.repository.waits_for_health or after is None or not is_applied:
        return None
    if before is not None and before.status == after.status:
        return None
    return _waits_for_health(transition) or (State.SUCCESS, after.message)


def request_of(status: CommitStatus, *, context: str, target_url: str) -> StatusRequest:
    """Return the provider's request. `target_url`, if any, is the link of the status."""
    sha = quote(status.commit, safe="")
    if status.project.provider is Provider.GITLAB:
        state = _GITLAB_STATES.get(status.state, "failed")
        query = {"state": state, "name": context, "description": status.description}
        if target_url:
            query["target_url"] = target_url
        url = f"{status.project.endpoint}/statuses/{sha}?{urlencode(query)}"
        return StatusRequest(url=url, body=b"")
    body = {"state": status.state, "context": context, "description": status.description}
    if target_url:
        body["target_url"] = target_url
    return StatusRequest(url=f"{status.project.endpoint}/statuses/{sha}", body=orjson.dumps(body))


def what_to_grant(provider: Provider, answer: int) -> str:
    """Return what to do about a response that refuses a status."""
    if answer in REFUSALS:
        return f"{_GRANTS[provider]} in the Secret of spec.secretRef, or remove --commit-status."
    return "Check whether the server still has the commit."
