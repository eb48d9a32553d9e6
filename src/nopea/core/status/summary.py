"""The column STATUS: what a user must know about a GitRepository, in one short sentence. Pure.

It holds no URL and no error code; conditions and errors have the details. The time of the next try is in UTC:
the stored text could not count minutes down.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime

from nopea.core.api.conditions import HEALTHY, ROLLED_BACK, SUSPENDED, find
from nopea.core.api.entries import DriftEntry
from nopea.core.api.names import GROUP
from nopea.core.api.status import MAX_SUMMARY, GitRepositoryStatus
from nopea.core.drift.find import who
from nopea.core.health.rules import HealthStatus
from nopea.core.objects import ObjectKey, parse_key
from nopea.core.plan.model import Reason
from nopea.core.problem import Code, Problem, printable

_PHRASES = {
    Code.GIT_UNREACHABLE: "Git cannot be reached",
    Code.GIT_AUTHENTICATION: "Git login refused",
    Code.GIT_REF_NOT_FOUND: "branch, tag or commit not found; check spec.ref",
    Code.GIT_PATH_NOT_FOUND: "folder not found in Git; check spec.path",
    Code.GIT_EMPTY_REPOSITORY: "Git repository is empty; push a commit",
    Code.GIT_HOST_KEY: "SSH host key is not known",
    Code.GIT_CERTIFICATE: "TLS certificate of the Git server refused",
    Code.GIT_TIMEOUT: "Git server too slow",
    Code.GIT_CHILD_DIED: "Git process died",
    Code.GIT_PROTOCOL: "answer of the Git server cannot be read",
    Code.GIT_TOO_BIG: "Git repository too large",
    Code.GIT_SECRET_MISSING: "Secret missing",
    Code.GIT_SECRET_INVALID: "Secret invalid",
    Code.GIT_NOT_FOUND: "Git repository not found; check URL and Secret",
    Code.GIT_DISK: "disk of the Git cache full",
    Code.GIT_RATE_LIMITED: "Git server limits the rate of requests",
    Code.GIT_ADDRESS_DENIED: "Git server in a network that is not allowed",
    Code.YAML_SYNTAX: "invalid YAML",
    Code.YAML_VALUE: "invalid YAML value",
    Code.YAML_LIMIT: "YAML too large",
    Code.YAML_DUPLICATE_KEY: "duplicate key",
    Code.NOT_AN_OBJECT: "not a Kubernetes object",
    Code.NO_OBJECT_IN_FILE: "no Kubernetes object",
    Code.DUPLICATE_OBJECT: "object declared twice",
    Code.ENCODING: "not UTF-8",
    Code.LFS_POINTER: "Git LFS pointer",
    Code.OBJECT_METADATA: "invalid metadata",
    Code.NO_MANIFESTS: "no manifests",
    Code.SYMLINK: "symbolic link",
    Code.REPOSITORY_TOO_BIG: "repository too big",
    Code.NOT_A_FILE: "submodule or folder instead of a file",
    Code.NOT_RENDERED: "folder of Kustomize or Helm below spec.path",
    Code.ENCRYPTED: "encrypted",
    Code.RENDERER_MISSING: "renderer not installed",
    Code.KUSTOMIZATION_INVALID: "kustomization invalid",
    Code.RENDER_FILE_MISSING: "file to render missing",
    Code.KUSTOMIZATION_CYCLE: "kustomizations form a cycle",
    Code.PATCH_NO_MATCH: "patch matches no object",
    Code.REMOTE_BASE: "remote base refused",
    Code.PLUGIN_REFUSED: "plugin refused",
    Code.OUTSIDE_REPOSITORY: "path leaves the repository",
    Code.REMOTE_UNREACHABLE: "chart or remote base cannot be fetched",
    Code.REMOTE_REFUSED: "chart or remote base refused",
    Code.REMOTE_NOT_FOUND: "chart or remote base not found",
    Code.REMOTE_CHANGED: "chart has another digest",
    Code.NOTIFY_RECEIVER: "receiver of notifications refused",
    Code.PULL_REQUEST_PLAN: "pull request cannot be planned",
    Code.RENDERED_INVALID: "rendered object invalid",
    Code.RENDERED_TWICE: "object rendered twice",
    Code.GENERATED_TOO_BIG: "generated object too big",
    Code.RENDERING_TOO_BIG: "rendering too big",
    Code.RENDERING_TIMEOUT: "rendering takes too long",
    Code.RENDERING_FAILED: "rendering failed",
    Code.CHART_INVALID: "chart invalid",
    Code.CHART_DEPENDENCY: "dependency of the chart missing",
    Code.CHART_INCOMPATIBLE: "chart needs another Kubernetes",
    Code.VALUES_INVALID: "values of the chart invalid",
    Code.TEMPLATE_FAILED: "template of the chart fails",
    Code.TEMPLATE_OUTPUT: "output of a template is not YAML",
    Code.DECRYPTION_KEY: "no key decrypts a file",
    Code.DECRYPTION_FAILED: "encrypted file damaged",
    Code.DECRYPTION_LOGIN: "no login for the key of a file",
    Code.DECRYPTION_REFUSED: "key service refuses",
    Code.KEY_SERVICE_UNREACHABLE: "key service cannot be reached",
    Code.VARIABLE_UNSET: "variable not set",
    Code.SUBSTITUTION_INVALID: "invalid variable",
    Code.KIND_UNKNOWN: "kind is not served",
    Code.FORBIDDEN: "forbidden",
    Code.INVALID: "invalid",
    Code.OWNED_BY_OTHER: "owned by another GitRepository",
    Code.IMMUTABLE: "immutable field changed",
    Code.NAMESPACE_MISSING: "namespace missing",
    Code.CRD_NOT_ESTABLISHED: "definition not established",
    Code.API_UNREACHABLE: "API server cannot be reached",
    Code.API_REJECTED: "refused by the API server",
    Code.API_BUSY: "API server busy",
    Code.TERMINATING: "being deleted",
    Code.ADMISSION_DENIED: "denied by admission control",
    Code.PRUNE_GUARD: "deletion held back by the prune guard",
    Code.PRUNE_PROTECTED: "not deleted, because a safeguard keeps it",
    Code.PRUNE_BLOCKED: "deletion blocked",
    Code.JOB_FAILED: "Job failed; what comes after it waits",
    Code.JOB_UNFINISHED: "Job has not finished; what comes after it waits",
    Code.SPEC_INVALID: "spec invalid",
    Code.DEPENDENCY_CYCLE: "dependencies form a cycle",
    Code.ROLLBACK_INVALID: "rollback annotation invalid",
    Code.ACCOUNT_MISSING: "no service account set; nothing is applied",
    Code.INPUT_MISSING: "an object that the spec refers to is missing",
    Code.NOT_ALLOWED: "not allowed by Nopea's settings",
    Code.WORKER_CRASHED: "worker keeps crashing",
}
_LEFT: dict[str, str] = {
    Reason.GRACE: "; reverted after the grace period",
    Reason.BREAK_GLASS: "; protected by break-glass",
    Reason.CONTENDED: "; reverted later, because it is changed back again and again",
    Reason.READ_ONLY: "; not reverted, because Nopea runs read-only",
}
"""What is said of drift that was left for another reason than the policy."""
_NEXT_TRY = re.compile(r"; next try [0-9:]+Z")
_LINE = re.compile(r"(?:#\d+(?:\[\d+\])*|:\d+)\Z")


def problem_line(problems: Sequence[Problem], *, retry_at: datetime | None = None) -> str:
    """Return what is wrong: the problem, or the number of problems and of files, and the first of them."""
    waits = [problem for problem in problems if problem.code.is_waiting]
    listed = list(dict.fromkeys(_one(problem) for problem in problems if not problem.code.is_waiting))
    files = {_LINE.sub("", problem.source) for problem in problems if problem.source}
    if not listed:
        line = _waiting(waits)
    elif listed[1:] or waits:
        where = f" in {len(files)} files" if len(files) > 1 else ""
        line = f"{len(problems)} problems{where}; first {listed[0]}"
    else:
        line = listed[0]
    if retry_at is not None and all(_is_retried(problem.code) for problem in problems):
        line = f"{line}; next try {retry_at.astimezone(UTC):%H:%M:%SZ}"
    return _bounded(line)


def state_line(status: GitRepositoryStatus, *, brief: str) -> str:
    """Return the state of a repository whose last sync found no problem; `brief` is its health."""
    is_held = find(status.conditions, ROLLED_BACK) is not None
    healthy = find(status.conditions, HEALTHY)
    is_unhealthy = healthy is not None and healthy.status == "False" and bool(brief)
    if is_unhealthy or status.drifts:
        line = brief if is_unhealthy else _drifted(status.drifts[0], count=status.drifted_count or 1)
        line = f"{line}; rolled back" if is_held else line
    elif is_held:
        line = "Rolled back; new commits are not applied"
    elif brief:
        line = brief
    else:
        count = status.in_sync_count or 0
        line = f"{count} {'object' if count == 1 else 'objects'} in sync"
        if status.suspended_count:
            line = f"{line}, {status.suspended_count} protected by break-glass"
    return _bounded(line)


def shown_revision(status: GitRepositoryStatus) -> str:
    """Return the revision that is applied, or in brackets why there is none."""
    return status.revision or f"({without_revision(status)})"


def without_revision(status: GitRepositoryStatus) -> str:
    """Return what is applied where no revision is."""
    return "no commit applied in full" if status.in_sync_count else "nothing applied"


def suspended_line(previous: GitRepositoryStatus) -> str:
    """Return that nothing is done, and what was wrong before."""
    if previous.errors and find(previous.conditions, SUSPENDED) is None:
        return _bounded(f"Suspended; before that: {_NEXT_TRY.sub('', previous.summary or '')}")
    if previous.errors and previous.summary:
        return previous.summary
    health = previous.health
    if health is not None and health.status == HealthStatus.FAILED and health.object is not None:
        brief = f"{short_object(health.object.key)}: {health.message}"
        return _bounded(f"Suspended; {brief}")
    return "Suspended; nothing is applied or reverted"


def _drifted(first: DriftEntry, *, count: int) -> str:
    name = short_object(first.object.key)
    by = f" by {whom}" if (whom := who(first.manager, first.user)) else ""
    what = "deleted" if first.is_deletion else "changed" if by else ""
    if count > 1:
        return f"{count} objects drifted, not reverted; first {name}{f', {what}{by}' if what else ''}"
    left = (first.action or "").removeprefix("left: ")
    return f"{name} {f'{what}{by}' if what else 'drifted'}{_LEFT.get(left, ', not reverted')}"


def _is_retried(code: Code) -> bool:
    """Return whether time may solve it; a repository that waits is woken by the one it waits for."""
    return (code.transient or code is Code.GIT_AUTHENTICATION) and not code.is_waiting


def _waiting(problems: Sequence[Problem]) -> str:
    others = list(dict.fromkeys(problem.object.removeprefix(f"{GROUP}/") for problem in problems))
    if others[1:]:
        return f"Waiting for {len(others)} GitRepositories; first {others[0]}"
    missing = ", which does not exist" if problems[0].code is Code.DEPENDENCY_MISSING else ""
    return f"Waiting for {others[0]}{missing}"


def _one(problem: Problem) -> str:
    phrase = _PHRASES.get(problem.code, problem.code.reason)
    key = parse_key(problem.object)
    object_ = short_object(key) if key else problem.object
    if problem.code.is_of_source:
        return _capitalized(phrase)
    if object_:
        return f"{object_}: {phrase}"
    return f"{problem.source}: {phrase}" if problem.source else _capitalized(phrase)


def short_object(key: ObjectKey) -> str:
    """Return kind and name: `Deployment api` for `apps/Deployment shop/api`."""
    return f"{key.kind} {key.name}"


def _capitalized(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"


def _bounded(line: str) -> str:
    one_line = printable(" ".join(line.split()))
    return one_line if len(one_line) <= MAX_SUMMARY else f"{one_line[: MAX_SUMMARY - 1]}…"
