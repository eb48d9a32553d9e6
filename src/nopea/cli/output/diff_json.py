"""An inspection as a JSON document. Values of Secrets are masked before they arrive here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nopea.core.api.times import format_time
from nopea.core.plan.inspection import Inspection
from nopea.core.plan.object_diff import FieldDiff, ObjectDiff
from nopea.core.problem import Problem


def inspection_json(inspection: Inspection, objects: Sequence[ObjectDiff], **head: Any) -> dict[str, Any]:
    """Return the inspection as a JSON document with `head` in front; absent values are null."""
    return {
        **head,
        "differs": inspection.differs,
        "objects": [_object_json(object_diff) for object_diff in objects],
        "problems": [problem_json(problem) for problem in inspection.problems],
    }


def _object_json(object_diff: ObjectDiff) -> dict[str, Any]:
    step = object_diff.step
    return {
        "object": str(step.key),
        "action": str(step.action),
        "reason": str(step.reason),
        "differs": object_diff.differs,
        "source": step.desired.source if step.desired else None,
        "until": format_time(step.retry_at) if step.retry_at else None,
        "fields": [_field_json(field) for field in object_diff.fields],
        "problem": problem_json(step.problem) if step.problem else None,
        "unchecked": object_diff.unchecked or None,
    }


def _field_json(field: FieldDiff) -> dict[str, Any]:
    return {
        "path": field.path,
        "lastApplied": field.last,
        "git": field.git,
        "live": field.live,
        "changedBy": str(field.side),
        "manager": field.manager or None,
        "user": field.user or None,
        "operation": field.operation or None,
        "subresource": field.subresource or None,
        "time": format_time(field.changed_at) if field.changed_at else None,
        "note": field.note or None,
    }


def problem_json(problem: Problem) -> dict[str, Any]:
    """Return a problem; absent values are null."""
    return {
        "code": str(problem.code),
        "message": problem.message,
        "hint": problem.hint,
        "source": problem.source or None,
        "object": problem.object or None,
    }
