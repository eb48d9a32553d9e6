"""Ask the API server what it would say to each write of a plan. Nothing is stored."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

import orjson

from nopea.core.apply.body import body_to_apply
from nopea.core.apply.strays import claim_defaults, is_stray
from nopea.core.manifests.render import Desired
from nopea.core.objects import (
    CUSTOM_RESOURCE_DEFINITION,
    NAMESPACE,
    PROTECTED_KINDS,
    GroupKind,
    ObjectKey,
)
from nopea.core.plan.model import Action, Reason, Step
from nopea.core.plan.object_diff import RIGHTS
from nopea.core.plan.recreation import may_be_recreated
from nopea.core.problem import Code, Problem
from nopea.kube.client import KubeClient
from nopea.kube.errors import (
    ApiError,
    ConflictError,
    InvalidError,
    NotFoundError,
    is_immutable,
    names_version_gone,
)
from nopea.kube.problems import lacks_rights, to_problem
from nopea.reconcile.apply import may_hold_claims
from nopea.reconcile.definitions import is_unserved

SECONDS: Final = 120.0
"""After so long, the rest of a plan is not tried."""

Refuse: TypeAlias = Callable[[Desired], Awaitable[Problem | None]]
"""Says why an object may not be written, or None; raises ApiError."""

_UNSUPPORTED: Final = "does not support dry run"
_NO_ACCOUNT: Final = "error looking up service account"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A step after a dry run: the same, or refused.

    `answer` is the object that would be stored, None if nothing was tried or it is not known. `unchecked`
    says why not. An object that is `recreated` is deleted and created again, because a field cannot change.
    """

    step: Step
    answer: Mapping[str, Any] | None = None
    unchecked: str = ""
    recreated: bool = False


class DryRun:
    """Tries the writes of one plan, with the rights of its client."""

    def __init__(
        self,
        client: KubeClient,
        steps: Iterable[Step],
        *,
        owner: str = "",
        seconds: float = SECONDS,
        is_writer: bool = False,
        refuse: Refuse | None = None,
    ) -> None:
        """`steps` are the whole plan; `owner` is the label of its GitRepository.

        `is_writer` says that the client is the one that a sync writes with: what it may not do is refused.
        `refuse` says what a sync refuses whatever the rights are.
        """
        self._client = client
        self._owner = owner
        self._seconds = seconds
        self._is_writer = is_writer
        self._refuse = refuse
        self._deadline: float | None = None
        writes = [step for step in steps if step.writes]
        self._namespaces = {step.key.name for step in writes if step.key.group_kind == NAMESPACE}
        self._defined = frozenset(kind for step in writes if (kind := _defined_by(step)) is not None)

    async def check(self, step: Step, live: Mapping[str, Any] | None) -> Checked:
        """Return the step, refused where the API server refuses the write."""
        desired = step.desired
        if not step.writes or desired is None:
            return Checked(step=step)
        body = orjson.loads(desired.body)
        if live is not None:
            body = body_to_apply(body, live, rules=desired.rules, keep=step.keep)
        if self._deadline is None:
            self._deadline = asyncio.get_running_loop().time() + self._seconds
        try:
            async with asyncio.timeout_at(self._deadline):
                if self._refuse is not None and (problem := await self._refuse(desired)) is not None:
                    return Checked(step=_rejected(step, problem))
                applied = await self._client.dry_apply(desired.target, orjson.dumps(body))
        except TimeoutError:
            return Checked(step=step, unchecked=f"the API server took more than {self._seconds:.0f} s")
        except ApiError as error:
            return self._refused(step, error, body, live)
        return Checked(step=step, answer=applied.json())

    def _refused(
        self, step: Step, error: ApiError, body: Mapping[str, Any], live: Mapping[str, Any] | None
    ) -> Checked:
        if is_immutable(error) and may_be_recreated(step, self._owner):
            return Checked(step=step, recreated=True)
        source = step.desired.source if step.desired else ""
        recreatable = step.key.group_kind not in PROTECTED_KINDS
        problem = to_problem(error, object=str(step.key), source=source, recreatable=recreatable)
        why = _corrected_first(step, error, body, live) or self._why_unknown(step.key, error, problem)
        if why:
            return Checked(step=step, unchecked=why)
        return Checked(step=_rejected(step, problem))

    def _why_unknown(self, key: ObjectKey, error: ApiError, problem: Problem) -> str:
        """Return why the error does not mean that a sync's write would fail; empty if it does."""
        if problem.code is Code.NAMESPACE_MISSING and key.namespace in self._namespaces:
            return "its namespace does not exist yet"
        if isinstance(error, NotFoundError) and is_unserved(error):
            return "its kind is not served yet"
        if isinstance(error, InvalidError) and key.group_kind in self._defined:
            return "the definition of its kind changes with it"
        if lacks_rights(error) and not self._is_writer:
            return RIGHTS
        if _UNSUPPORTED in error.message:
            return "an admission webhook does not support dry runs"
        if _NO_ACCOUNT in error.message:
            return "its service account does not exist yet"
        if isinstance(error, ConflictError) or error.retryable:
            return f"the API server could not say. {problem.message}"
        return ""


def _rejected(step: Step, problem: Problem) -> Step:
    return replace(step, action=Action.REFUSE, reason=Reason.REJECTED, problem=problem)


def _corrected_first(
    step: Step, error: ApiError, body: Mapping[str, Any], live: Mapping[str, Any] | None
) -> str:
    """Return what a sync corrects before it applies, so that it does not get this error; empty if nothing."""
    if live is None:
        return ""
    if names_version_gone(error):
        return "its managedFields name a version that is gone, which a sync corrects first"
    fields = [cause.field for cause in error.causes if cause.field]
    if not isinstance(error, InvalidError) or not fields:
        return ""
    if claim_defaults(fields, manifest=body, live=live) is not None:
        return "a default is in the way, which a sync removes first"
    if may_hold_claims(step) and any(is_stray(field, body) for field in fields):
        return "a field that Git does not have is in the way, and a sync takes it over first"
    return ""


def _defined_by(step: Step) -> GroupKind | None:
    """Return the kind that a step defines, None for other objects."""
    if step.key.group_kind != CUSTOM_RESOURCE_DEFINITION or step.desired is None:
        return None
    spec = orjson.loads(step.desired.body).get("spec") or {}
    names = spec.get("names") if isinstance(spec, dict) else None
    if not isinstance(names, dict):
        return None
    return GroupKind(str(spec.get("group") or ""), str(names.get("kind") or ""))
