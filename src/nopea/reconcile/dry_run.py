"""Ask the API server what it would say to each write of a plan. Nothing is stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson

from nopea.core.apply.body import body_to_apply
from nopea.core.objects import GroupKind, ObjectKey
from nopea.core.plan.model import Action, Reason, Step
from nopea.core.problem import Code, Problem
from nopea.kube.client import KubeClient
from nopea.kube.errors import ApiError, ConflictError, NotFoundError, is_immutable
from nopea.kube.problems import to_problem
from nopea.reconcile.definitions import is_unserved

_WRITES = (Action.CREATE, Action.APPLY)
_NAMESPACE = GroupKind("", "Namespace")
_UNSUPPORTED = "does not support dry run"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A step after a dry run: the same, or refused. `unchecked` says why nothing is known, if so."""

    step: Step
    unchecked: str = ""


class DryRun:
    """Tries writes with the caller's own rights; `planned` are all objects of the plan, which come first."""

    def __init__(self, client: KubeClient, planned: frozenset[ObjectKey]) -> None:
        self._client = client
        self._planned = planned

    async def check(self, step: Step, live: Mapping[str, Any] | None) -> Checked:
        """Return the step, refused where the API server refuses the write."""
        desired = step.desired
        if step.action not in _WRITES or desired is None:
            return Checked(step=step)
        body = orjson.loads(desired.body)
        if live is not None:
            body = body_to_apply(body, live, rules=desired.rules, keep=step.keep)
        try:
            await self._client.dry_apply(desired.target, orjson.dumps(body))
        except ApiError as error:
            problem = to_problem(error, object=str(step.key), source=desired.source)
            why = self._why_unknown(step, error, problem)
            if why is not None:
                return Checked(step=step, unchecked=why)
            refused = replace(step, action=Action.REFUSE, reason=Reason.REJECTED, problem=problem)
            return Checked(step=refused)
        return Checked(step=step)

    def _why_unknown(self, step: Step, error: ApiError, problem: Problem) -> str | None:
        """Return why the error does not mean that the write would fail; None if it does."""
        namespace = ObjectKey("", _NAMESPACE.kind, "", step.key.namespace)
        if problem.code is Code.NAMESPACE_MISSING and namespace in self._planned:
            return "its namespace does not exist yet"
        if isinstance(error, NotFoundError) and is_unserved(error):
            return "its kind is not served yet"
        if problem.code is Code.FORBIDDEN:
            return "you may not apply it"
        if _UNSUPPORTED in error.message:
            return "an admission webhook does not support dry runs"
        is_recreated = is_immutable(error) and step.desired is not None and step.desired.force
        if isinstance(error, ConflictError) or error.retryable or is_recreated:
            return ""
        return None
