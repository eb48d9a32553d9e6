"""Translate an API error into a `Problem`: its code, the server's message, and what the user can do. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from nopea.core.problem import Code, Problem, StalledError, TransientError
from nopea.kube.errors import (
    AlreadyExistsError,
    ApiError,
    ApiServiceError,
    Cause,
    ConflictError,
    ForbiddenError,
    GoneError,
    InvalidError,
    NotFoundError,
    UnauthorizedError,
    UnknownKindError,
    UnreachableError,
    has_cause,
    immutable_fields,
    is_immutable,
    is_too_large,
)

_RBAC = re.compile(
    r'User "(?P<user>[^"]*)" cannot (?P<verb>\S+) resource "(?P<resource>[^"]+)"'
    r' in API group "(?P<group>[^"]*)"(?: in the namespace "(?P<namespace>[^"]*)")?'
)
_ESCALATION = re.compile(r"is attempting to grant RBAC permissions not currently held")
_WEBHOOK_DENIED = re.compile(r'admission webhook "(?P<name>[^"]+)" denied the request')
_WEBHOOK_FAILED = re.compile(r'failed calling webhook "(?P<name>[^"]+)"')
_CONVERSION = re.compile(r"conversion webhook for .{1,300} failed")
_POLICY = re.compile(
    r"ValidatingAdmissionPolicy '(?P<name>[^']+)'|violates PodSecurity|exceeded quota"
    r"|(?:maximum|minimum) \S+ usage per |max limit to request ratio per "  # LimitRange
)
_QUANTITY = re.compile(r"quantities must match the regular expression")
_MANAGING_VERBS = ("get", "create", "patch", "delete")  # KEP-555: an apply is a patch that may create
_NO_FIELDS = ("", "[]", "<nil>")
_OF_A_TENANT = {("impersonate", "serviceaccounts"), ("get", "secrets")}
"""What Nopea may do only in namespaces where somebody has granted it."""

RETRIED = "Nopea retries automatically."
"""The last sentence of some hints; a command that ends leaves it out."""


def to_problem(
    error: ApiError,
    *,
    object: str = "",  # noqa: A002 - Problem's name
    source: str = "",
    recreatable: bool = True,
) -> Problem:
    """Return the problem for an object and for the file that declares it.

    `object` and `source` are as in `Problem`; `recreatable` is False for kinds that Nopea never deletes in
    order to create them again. The message is the server's, because it names fields and values; the
    client has removed the values of Secrets.
    """
    code, hint = _code_and_hint(error, managed=bool(source))
    if code is Code.IMMUTABLE and not recreatable:
        hint = f"{_undo(error)}, or rename the object. It is never recreated, as that would delete its data."
    return Problem(code=code, message=_message(error), hint=hint, source=source, object=object)


def to_sync_error(error: ApiError, *, object: str) -> TransientError | StalledError:  # noqa: A002 - as above
    """Return the error that ends a reconciliation: transient where the same request can succeed later."""
    problem = to_problem(error, object=object)
    return TransientError(problem) if error.retryable else StalledError(problem)


def as_reader(problem: Problem) -> Problem:
    """Return the problem of a user who may not read an object that somebody else applies.

    The rights to manage it are neither missing nor needed.
    """
    denied = _RBAC.search(problem.message) if problem.code is Code.FORBIDDEN else None
    if denied is None:
        return problem
    return replace(problem, hint=f"{_missing_rule(denied, managed=False)} A sync does not need your rights.")


def lacks_rights(error: ApiError) -> bool:
    """Return whether RBAC refused the request, which says nothing about the same request of another user."""
    is_refused = isinstance(error, ForbiddenError) and _admission(error) is None
    return is_refused and bool(_RBAC.search(error.message) or _ESCALATION.search(error.message))


def _message(error: ApiError) -> str:
    message = error.message
    if isinstance(error, InvalidError) and error.causes and not _names_fields(error):
        message = "; ".join(f"{cause.field}: {cause.message}" for cause in error.causes[:5])
    if isinstance(error, UnauthorizedError) and message == "Unauthorized":
        message = "The API server rejected these credentials"
    return f"{message.strip().rstrip('.')}."


def _names_fields(error: ApiError) -> bool:
    return all(cause.field in error.message for cause in error.causes[:5])


def _code_and_hint(error: ApiError, *, managed: bool) -> tuple[Code, str]:
    admission = _admission(error)
    if admission is not None:
        return admission
    if "while custom resource definition is terminating" in error.message:
        return Code.TERMINATING, f"Wait until the CustomResourceDefinition is deleted. {RETRIED}"
    match error:
        case UnknownKindError():
            return Code.KIND_UNKNOWN, "Install its CustomResourceDefinition, or correct apiVersion and kind."
        case NotFoundError():
            return _not_found(error)
        case UnauthorizedError():
            return Code.FORBIDDEN, "Log in again, or correct the credentials that Nopea runs with."
        case ForbiddenError():
            return _forbidden(error, managed=managed)
        case InvalidError():
            return _invalid(error)
        case ConflictError() | AlreadyExistsError() | GoneError():
            return Code.API_REJECTED, "The object changed in the meantime. The next sync reads it again."
        case UnreachableError():
            return Code.API_UNREACHABLE, f"Check that the API server runs and can be reached. {RETRIED}"
        case _:
            return _server_failed(error)


def _server_failed(error: ApiError) -> tuple[Code, str]:
    """Return code and hint for a server error: which part does not answer, if not the API server."""
    if isinstance(error, ApiServiceError):
        return Code.API_BUSY, f"See `kubectl get apiservice {error.failure.name}`. {RETRIED}"
    if _CONVERSION.search(error.message):
        return Code.API_BUSY, f"Check the conversion webhook of the CustomResourceDefinition. {RETRIED}"
    if error.code in (429, 502, 503, 504):
        return Code.API_BUSY, RETRIED
    return Code.API_REJECTED, f"If this persists, see the API server's log. {RETRIED}"


def _admission(error: ApiError) -> tuple[Code, str] | None:
    """Recognize refusals by admission control: a webhook chooses the HTTP status of its refusal."""
    if denied := _WEBHOOK_DENIED.search(error.message):
        return Code.ADMISSION_DENIED, f"Change the object so that webhook {denied['name']} accepts it."
    if failed := _WEBHOOK_FAILED.search(error.message):
        return Code.ADMISSION_DENIED, f"Check the service behind webhook {failed['name']}. {RETRIED}"
    if isinstance(error, ForbiddenError | InvalidError) and _POLICY.search(error.message):
        return Code.ADMISSION_DENIED, "Change the object as the message says, or ask the owner of the policy."
    return None


def _not_found(error: ApiError) -> tuple[Code, str]:
    if error.failure.kind == "namespaces":
        name = error.failure.name
        return Code.NAMESPACE_MISSING, f"Create Namespace {name}, or add it to this repository."
    if not error.failure.name:  # the path itself: the kind stopped being served
        return Code.KIND_UNKNOWN, "Check that its CustomResourceDefinition is still installed."
    return Code.API_REJECTED, "The object was deleted in the meantime. The next sync reads it again."


def _forbidden(error: ApiError, *, managed: bool) -> tuple[Code, str]:
    if has_cause(error, "NamespaceTerminating") or "because it is being terminated" in error.message:
        return Code.TERMINATING, f"Wait until the namespace is deleted. {RETRIED}"
    if is_immutable(error):
        return _invalid(error)
    if _ESCALATION.search(error.message):
        return Code.FORBIDDEN, "Give the account these rights first, or the verbs bind and escalate."
    denied = _RBAC.search(error.message)
    if denied is None:
        return Code.FORBIDDEN, "The message names what refused the request. Allow the request there."
    return Code.FORBIDDEN, _missing_rule(denied, managed=managed)


def _missing_rule(denied: re.Match[str], *, managed: bool) -> str:
    """Spell out the RBAC rule: for an object from Git all verbs at once, not one error after the other."""
    verbs = _MANAGING_VERBS if managed and denied["verb"] in _MANAGING_VERBS else (denied["verb"],)
    role = f"a Role in {denied['namespace']}" if denied["namespace"] else "a ClusterRole"
    listed = ", ".join(f'"{verb}"' for verb in verbs)
    rule = (
        f'Grant {denied["user"]} in {role}: apiGroups: ["{denied["group"]}"], '
        f'resources: ["{denied["resource"]}"], verbs: [{listed}].'
    )
    if (denied["verb"], denied["resource"]) in _OF_A_TENANT and denied["namespace"]:
        rule = f"{rule} deploy/tenant does so for a namespace."
    return f"{rule} Or name another account in spec.serviceAccountName." if managed else rule


def _invalid(error: ApiError) -> tuple[Code, str]:
    if is_immutable(error):
        return Code.IMMUTABLE, _change_of_immutable(error)
    if is_too_large(error.failure):
        return Code.INVALID, "Split the object, or store large data elsewhere: its size is limited."
    if _QUANTITY.search(error.message):
        return Code.INVALID, "Correct the quantity in the manifest. Examples: 500m, 2, 512Mi."
    return Code.INVALID, _corrections(error.causes)


def _change_of_immutable(error: ApiError) -> str:
    if error.failure.kind in ("Job", "Job.batch"):
        return (
            f"{_undo(error)}, or wait until the Job has finished: then Nopea replaces it. To replace it now, "
            'annotate it with nopea.io/force: "true".'
        )
    return f'{_undo(error)}, or let Nopea recreate the object: annotate it with nopea.io/force: "true".'


def _corrections(causes: Iterable[Cause]) -> str:
    """Return the hint for an invalid object; a field that the manifest lacks is not to be corrected there."""
    strays = [cause for cause in causes if cause.holder is not None or cause.field.startswith("status.")]
    others = [cause for cause in causes if cause not in strays]
    missing = [cause for cause in others if cause.reason == "FieldValueRequired"]
    wrong = [cause for cause in others if cause not in missing]
    hints = [
        f"{verb} {fields} in the manifest."
        for verb, some in (("Correct", wrong), ("Set", missing))
        if (fields := _fields(some))
    ]
    hints += list(dict.fromkeys(_about_stray(cause) for cause in strays))
    return " ".join(hints) or "Correct the manifest."


def _fields(causes: Iterable[Cause]) -> str:
    return ", ".join(dict.fromkeys(cause.field for cause in causes if cause.field not in _NO_FIELDS))


def _about_stray(cause: Cause) -> str:
    if cause.field.startswith("status.storedVersions"):
        return (
            "Keep the version in spec.versions, with served: false, until no object is stored in it and it "
            "is removed from status.storedVersions."
        )
    whose = f"{cause.holder} set it" if cause.holder else "it is a default of the API server"
    return f"{cause.field} is not in the manifest: {whose}. Remove it from the live object with kubectl."


def _undo(error: ApiError) -> str:
    return f"Undo the change of {', '.join(immutable_fields(error)) or 'the field'}"
