"""Say an API error in Nopea's words: a code, what happened, and what to do next. Pure."""

from __future__ import annotations

import re

from nopea.core.problem import Code, Problem, StalledError, TransientError
from nopea.kube.errors import (
    AlreadyExistsError,
    ApiError,
    ConflictError,
    ForbiddenError,
    GoneError,
    InvalidError,
    NotFoundError,
    ServerError,
    TooManyRequestsError,
    UnauthorizedError,
    UnknownKindError,
    UnreachableError,
    has_cause,
    immutable_fields,
    is_field_conflict,
    is_immutable,
)

_RBAC = re.compile(
    r'User "(?P<user>[^"]*)" cannot (?P<verb>\S+) resource "(?P<resource>[^"]+)"'
    r' in API group "(?P<group>[^"]*)"(?: in the namespace "(?P<namespace>[^"]*)")?'
)
_ESCALATION = re.compile(r"is attempting to grant RBAC permissions not currently held")
_WEBHOOK_DENIED = re.compile(r'admission webhook "(?P<name>[^"]+)" denied the request')
_WEBHOOK_FAILED = re.compile(r'failed calling webhook "(?P<name>[^"]+)"')
_POLICY = re.compile(r"ValidatingAdmissionPolicy '(?P<name>[^']+)'|violates PodSecurity|exceeded quota")
_RETRIED = "nothing to do: it is retried with backoff"


def to_problem(
    error: ApiError,
    *,
    object: str = "",  # noqa: A002 - Problem's name
    source: str = "",
    recreatable: bool = True,
) -> Problem:
    """Return the problem that an error is for the object and the file it came from.

    `object` and `source` are as in `Problem`; `recreatable` is False for what Nopea never deletes in order to
    create it anew. The message is the server's, for it names fields and values; for Secrets the client has
    taken the values out before.
    """
    code, hint = _code_and_hint(error)
    if code is Code.IMMUTABLE and not recreatable:
        hint = f"{_undo(error)}, or give the object a new name: it is never recreated, for what it holds"
    message = error.message.strip().rstrip(".")
    if isinstance(error, InvalidError) and error.causes and not _names_fields(error):
        message = f"{'; '.join(f'{c.field}: {c.message}' for c in error.causes[:5])}"
    return Problem(code=code, message=message, hint=hint, source=source, object=object)


def to_sync_error(error: ApiError, *, object: str) -> TransientError | StalledError:  # noqa: A002 - as above
    """Return the error that ends a reconciliation: transient where the same request can succeed later."""
    problem = to_problem(error, object=object)
    return TransientError(problem) if error.retryable else StalledError(problem)


def _names_fields(error: ApiError) -> bool:
    return all(cause.field in error.message for cause in error.causes[:5])


def _code_and_hint(error: ApiError) -> tuple[Code, str]:
    admission = _admission(error)
    if admission is not None:
        return admission
    match error:
        case UnknownKindError():
            return Code.KIND_UNKNOWN, "install the CustomResourceDefinition, or correct apiVersion and kind"
        case NotFoundError():
            return _not_found(error)
        case UnauthorizedError():
            return Code.FORBIDDEN, "check the credentials that Nopea runs with: the API server knows them not"
        case ForbiddenError():
            return _forbidden(error)
        case InvalidError():
            return _invalid(error)
        case ConflictError() | AlreadyExistsError() | GoneError():
            return Code.API_REJECTED, _conflict_hint(error)
        case TooManyRequestsError():
            return Code.API_BUSY, _RETRIED
        case UnreachableError():
            return Code.API_UNREACHABLE, "check that the API server runs and can be reached; it is retried"
        case ServerError() if error.code in (502, 503, 504):
            return Code.API_BUSY, _RETRIED
        case _:
            return Code.API_REJECTED, "see the API server's log if it stays; it is retried with backoff"


def _admission(error: ApiError) -> tuple[Code, str] | None:
    """Recognise admission's answers: they come with any code that a webhook likes."""
    if found := _WEBHOOK_DENIED.search(error.message):
        return Code.ADMISSION_DENIED, f"change the object so that webhook {found['name']} accepts it"
    if found := _WEBHOOK_FAILED.search(error.message):
        hint = f"see that the service behind webhook {found['name']} answers; it is retried"
        return Code.ADMISSION_DENIED, hint
    if isinstance(error, ForbiddenError | InvalidError) and _POLICY.search(error.message):
        return Code.ADMISSION_DENIED, "change the object as the message says, or ask for the policy's owner"
    return None


def _not_found(error: ApiError) -> tuple[Code, str]:
    if error.failure.kind == "namespaces":
        name = error.failure.name
        return Code.NAMESPACE_MISSING, f"create Namespace {name}, or add it to this repository"
    if not error.failure.name:  # the path itself: the kind stopped being served
        return Code.KIND_UNKNOWN, "see that its CustomResourceDefinition is still installed"
    return Code.API_REJECTED, "it was deleted meanwhile; the next pass looks again"


def _forbidden(error: ApiError) -> tuple[Code, str]:
    if has_cause(error, "NamespaceTerminating") or "because it is being terminated" in error.message:
        return Code.TERMINATING, "wait until the namespace is gone, then it is created anew; it is retried"
    if is_immutable(error):
        return _invalid(error)
    if _ESCALATION.search(error.message):
        return Code.FORBIDDEN, "give the account these rights, or the verbs bind and escalate, first"
    found = _RBAC.search(error.message)
    if found is None:
        return Code.FORBIDDEN, "see what refused it in the message, and allow it there"
    return Code.FORBIDDEN, _rule(found)


def _rule(found: re.Match[str]) -> str:
    # server-side apply is a patch that may create: the API server checks both (KEP-555)
    verbs = '["patch", "create"]' if found["verb"] in ("patch", "create") else f'["{found["verb"]}"]'
    role = f"a Role in {found['namespace']}" if found["namespace"] else "a ClusterRole"
    return (
        f'grant {found["user"]} in {role}: apiGroups: ["{found["group"]}"], '
        f'resources: ["{found["resource"]}"], verbs: {verbs}'
    )


def _invalid(error: ApiError) -> tuple[Code, str]:
    if is_immutable(error):
        hint = f'{_undo(error)}, or let it be recreated with annotation nopea.io/force: "true"'
        return Code.IMMUTABLE, hint
    fields = ", ".join(dict.fromkeys(cause.field for cause in error.causes if cause.field))
    return Code.INVALID, f"correct {fields} in the manifest" if fields else "correct the manifest"


def _undo(error: ApiError) -> str:
    return f"undo the change of {', '.join(immutable_fields(error)) or 'the field'}"


def _conflict_hint(error: ApiError) -> str:
    if is_field_conflict(error):
        return "another manager owns these fields; apply with force takes them over"
    return "it changed meanwhile; the next pass looks again"
