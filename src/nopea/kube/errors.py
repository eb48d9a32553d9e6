"""The errors of requests to the API server.

All are `ApiError`; catch the class that you can handle and let the others pass:

    ApiError
    ├── InvalidError            400, 422, and the 500 of a failed typed apply: the object must change
    ├── UnauthorizedError       401: credentials are missing, wrong or expired
    ├── ForbiddenError          403: RBAC, admission or a terminating namespace refuses
    ├── NotFoundError           404: the object, its namespace or its kind does not exist
    │   └── UnknownKindError        no served resource has this apiVersion and kind
    ├── ConflictError           409: another manager owns a field, or the precondition does not hold
    ├── AlreadyExistsError      409 on create
    ├── GoneError               410: the resourceVersion or continue token is too old; list again
    ├── UnsupportedMediaError   415: the resource does not support this format of patch
    ├── TooManyRequestsError    429: the server is overloaded; wait for `retry_after_seconds`
    ├── ServerError             5xx, and answers that do not come from Kubernetes
    │   └── ApiServiceError         an aggregated API does not answer; the API server itself does
    └── UnreachableError        no answer: network, TLS, deadline, an answer cut short
        └── SilenceError            no byte for long on an open watch

Pure: it parses answers and never sends anything.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import ClassVar

import msgspec

from nopea.kube.brief import brief_cause, shortened

MESSAGE_LIMIT = 2_000
"""Maximum characters of a server's message: a proxy's HTML page must not fill a status."""

# KEP-555: errors of structured-merge-diff and of conversions reach the client as a 500 without a reason.
_TYPED_PATCH = re.compile(
    r"failed to create typed patch object|error decoding patch|\.managedFields must be nil"
    r"|quantities must match the regular expression"
)
_TOO_LARGE = re.compile(
    r"message larger than max|request is too large|Request entity too large", re.IGNORECASE
)
_LONG_MESSAGE = 500
_FIELD = re.compile(r"\): (?P<field>\.\S+?): ")
_IMMUTABLE = re.compile(
    r"is immutable|immutable field|may not (?:change|be changed) once set"
    r"|may not be (?:changed|mutated|unset)|cannot (?:be changed|change)|updates to .{0,500} are forbidden",
    re.IGNORECASE,
)
_HARMLESS = re.compile(
    r"illegal base64 data at input byte \d+|field not declared in schema|field is immutable(?: when `\w+`)?"
    r"|duplicate entries for key|expected (?:string|map|list)|may not change once set|Too long|Required value"
)
# structured-merge-diff prints a wrong value as a Go struct
_GO_VALUE = re.compile(r"&value\.valueUnstructured\{Value:(?P<value>[^{}]{0,500})\}")
_INITIALIZING = "storage is (re)initializing"
_TAG = re.compile(r"<[^>]{0,200}>")


@dataclass(frozen=True, slots=True)
class Cause:
    """One cause in a Status: `field` is a path such as `spec.ports[0].port`, or empty.

    `holder` is None unless the manifest lacks the field: then who set it, or empty for a default.
    """

    reason: str = ""
    message: str = ""
    field: str = ""
    holder: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiFailure:
    """The details of a failed request; `code` is the HTTP status, or 0 without an answer."""

    code: int
    reason: str = ""
    message: str = ""
    causes: tuple[Cause, ...] = ()
    retry_after_seconds: float | None = None
    kind: str = ""
    name: str = ""


class ApiError(Exception):
    """A request failed; `request` names it, such as `patch deployments.apps/v1 shop/web`."""

    retryable: ClassVar[bool] = False
    """True if the same request can succeed later although nobody changes anything."""

    def __init__(self, failure: ApiFailure, *, request: str = "") -> None:
        super().__init__(failure.message)
        self.failure = failure
        self.request = request

    @property
    def code(self) -> int:
        """The HTTP status, or 0 without an answer."""
        return self.failure.code

    @property
    def reason(self) -> str:
        """The machine-readable reason of the Status, or empty."""
        return self.failure.reason

    @property
    def message(self) -> str:
        """The server's message, at most `MESSAGE_LIMIT` characters; it may have line breaks."""
        return self.failure.message

    @property
    def causes(self) -> tuple[Cause, ...]:
        """The details, in the server's order."""
        return self.failure.causes

    @property
    def retry_after_seconds(self) -> float | None:
        """The seconds that the server asks to wait, or None."""
        return self.failure.retry_after_seconds

    def __str__(self) -> str:
        what = f"{self.request}: " if self.request else ""
        code = f" (HTTP {self.code})" if self.code and "(HTTP " not in self.message else ""
        return f"{what}{self.message}{code}"


class InvalidError(ApiError):
    """The request or the object is invalid until somebody changes it."""

    def with_holders(self, holders: Mapping[str, str | None]) -> InvalidError:
        """Return the error with the holders of fields that the manifest lacks."""
        causes = tuple(replace(cause, holder=holders.get(cause.field)) for cause in self.causes)
        return InvalidError(replace(self.failure, causes=causes), request=self.request)


class UnauthorizedError(ApiError):
    """The server does not accept the credentials."""

    retryable = True  # credentials rotate


class ForbiddenError(ApiError):
    """The server accepts the credentials, but refuses the request."""


class NotFoundError(ApiError):
    """The object, its namespace or its kind does not exist."""


class UnknownKindError(NotFoundError):
    """No served resource has this apiVersion and kind."""


class ConflictError(ApiError):
    """Another manager owns a field, or the object does not have the expected uid or version."""

    retryable = True


class AlreadyExistsError(ApiError):
    """There is already an object of this name."""


class GoneError(ApiError):
    """The resourceVersion or continue token has expired."""

    retryable = True


class UnsupportedMediaError(ApiError):
    """The resource does not support this format of patch."""


class TooManyRequestsError(ApiError):
    """The server asks for fewer requests."""

    retryable = True


class ServerError(ApiError):
    """The server failed, or something that is not an API server answered."""

    retryable = True


class ApiServiceError(ServerError):
    """The service behind an aggregated API does not answer: `failure.name` is the name of its APIService."""


class UnreachableError(ApiError):
    """The server did not answer."""

    retryable = True

    def __init__(self, message: str, *, request: str = "") -> None:
        super().__init__(ApiFailure(code=0, reason="Unreachable", message=message), request=request)


class SilenceError(UnreachableError):
    """The server has sent nothing for long on a connection that is still open."""


_BY_CODE: dict[int, type[ApiError]] = {
    HTTPStatus.BAD_REQUEST: InvalidError,
    HTTPStatus.UNAUTHORIZED: UnauthorizedError,
    HTTPStatus.FORBIDDEN: ForbiddenError,
    HTTPStatus.NOT_FOUND: NotFoundError,
    HTTPStatus.CONFLICT: ConflictError,
    HTTPStatus.GONE: GoneError,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: InvalidError,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: UnsupportedMediaError,
    HTTPStatus.UNPROCESSABLE_ENTITY: InvalidError,
    HTTPStatus.TOO_MANY_REQUESTS: TooManyRequestsError,
}


class _WireCause(msgspec.Struct):
    reason: str | None = None
    message: str | None = None
    field: str | None = None


class _WireDetails(msgspec.Struct, rename="camel"):
    name: str | None = None
    kind: str | None = None
    group: str | None = None
    causes: list[_WireCause] | None = None
    retry_after_seconds: float | None = None


class _WireStatus(msgspec.Struct):
    kind: str | None = None
    message: str | None = None
    reason: str | None = None
    code: int | None = None
    details: _WireDetails | None = None


_STATUS = msgspec.json.Decoder(_WireStatus)


def error_of(
    code: int, body: bytes, *, retry_after: str = "", request: str = "", masked: bool = False
) -> ApiError:
    """Return the error for an answer with any body: a Status, a proxy's HTML page, or nothing.

    `code` is the HTTP status (200 for an ERROR event of a watch, where the Status has the code);
    `retry_after` is the header's value, which is ignored unless it is in seconds. `masked` removes the values
    that the server quotes from a refused Secret.
    """
    failure = _failure_of(code, body, retry_after)
    kind = _class_of(failure)
    if masked and kind in (InvalidError, ServerError):
        failure = _without_values(failure)
    return kind(failure, request=request)


def _without_values(failure: ApiFailure) -> ApiFailure:
    """Keep the fields, and the parts of the message that cannot contain a value."""
    harmless = _HARMLESS.search(failure.message)
    fields = ", ".join(dict.fromkeys(cause.field for cause in failure.causes if cause.field))
    message = f"The API server refused the Secret{f' at {fields}' if fields else ''}"
    message += f": {harmless[0]}" if harmless else ". Its values are not shown."
    causes = tuple(
        Cause(cause.reason, words[0] if (words := _HARMLESS.search(cause.message)) else "", cause.field)
        for cause in failure.causes
    )
    return replace(failure, message=message, causes=causes)


def _class_of(failure: ApiFailure) -> type[ApiError]:
    if failure.code == HTTPStatus.CONFLICT and failure.reason == "AlreadyExists":
        return AlreadyExistsError
    if failure.reason == "Expired":
        return GoneError
    if failure.code == HTTPStatus.INTERNAL_SERVER_ERROR and (
        _TYPED_PATCH.search(failure.message) or is_too_large(failure)
    ):
        return InvalidError
    return _BY_CODE.get(failure.code, ServerError)


def _failure_of(code: int, body: bytes, retry_after: str) -> ApiFailure:
    seconds = float(retry_after) if retry_after.isascii() and retry_after.isdigit() else None
    try:
        status = _STATUS.decode(body)
    except msgspec.MsgspecError:
        status = _WireStatus()
    if status.kind != "Status":
        return ApiFailure(code=code, message=_text_of(code, body), retry_after_seconds=seconds)
    details = status.details or _WireDetails()
    message = _shown(status.message) or f"The API server gave no reason (HTTP {code})."
    causes = _causes_of(details, message)
    return ApiFailure(
        code=status.code or code,
        reason=status.reason or "",
        message=_brief(message, causes),
        causes=causes,
        retry_after_seconds=seconds if seconds is not None else details.retry_after_seconds,
        kind=f"{details.kind}.{details.group}" if details.group else details.kind or "",
        name=details.name or "",
    )


def _shown(message: str | None) -> str:
    return shortened(_GO_VALUE.sub(r"\g<value>", message or ""), MESSAGE_LIMIT)


def _brief(message: str, causes: tuple[Cause, ...]) -> str:
    """Return a long message with what its causes say in brief, in place of dumps of values."""
    if not causes or not (len(message) > _LONG_MESSAGE or "\n" in message):
        return message
    head, invalid, _ = message.partition(" is invalid: ")
    said = "; ".join(f"{cause.field}: {cause.message}" for cause in causes[:5])
    return shortened(f"{head}{invalid}{said}" if invalid else said, MESSAGE_LIMIT)


def _causes_of(details: _WireDetails, message: str) -> tuple[Cause, ...]:
    causes = tuple(
        Cause(
            cause.reason or "", shortened(brief_cause(cause.message or ""), MESSAGE_LIMIT), cause.field or ""
        )
        for cause in (details.causes or ())[:50]
    )
    field = None if causes else _FIELD.search(message)
    if field is None:
        return causes
    return (Cause("FieldValueInvalid", message[field.end() :], field["field"].removeprefix(".")),)


def _text_of(code: int, body: bytes) -> str:
    text = body[: 4 * MESSAGE_LIMIT].decode(errors="replace")
    words = " ".join(_TAG.sub(" ", text).split())[:300]
    shown = "".join(char for char in words if char.isprintable())
    if not shown:
        return f"The API server sent an empty answer (HTTP {code})."
    return f"The answer does not come from a Kubernetes API server (HTTP {code}): {shown}"


def is_immutable(error: ApiError) -> bool:
    """Return whether an apply was refused because it changes an immutable field."""
    if not isinstance(error, InvalidError | ForbiddenError) or error.code not in (403, 422):
        return False
    return bool(_IMMUTABLE.search(error.message)) or any(_IMMUTABLE.search(c.message) for c in error.causes)


def immutable_fields(error: ApiError) -> tuple[str, ...]:
    """Return the paths of the immutable fields that the error names."""
    return tuple(c.field for c in error.causes if c.field and _IMMUTABLE.search(c.message))


def is_field_conflict(error: ApiError) -> bool:
    """Return whether the conflict is about field ownership, not about a resourceVersion or uid."""
    return isinstance(error, ConflictError) and any(c.reason == "FieldManagerConflict" for c in error.causes)


def is_storage_unavailable(error: ApiError) -> bool:
    """Return whether the server cannot read objects of one kind now, which says nothing about its load.

    It answers 429 for a moment while the kind is new, and for as long as `is_storage_broken`.
    """
    return isinstance(error, TooManyRequestsError) and error.message.startswith(_INITIALIZING)


def is_storage_broken(error: ApiError) -> bool:
    """Return whether the server has failed to read objects of one kind: its conversion webhook is down."""
    return is_storage_unavailable(error) and error.message.startswith(f"{_INITIALIZING}: ")


def names_version_gone(error: ApiError) -> bool:
    """Return whether managedFields name a version that the CustomResourceDefinition no longer has."""
    return "request to convert CR to an invalid group/version" in error.message


def is_too_large(failure: ApiFailure) -> bool:
    """Return whether an object is larger than the API server or etcd accepts."""
    is_whole = any(c.reason == "FieldValueTooLong" and c.field in ("", "[]") for c in failure.causes)
    return is_whole or bool(_TOO_LARGE.search(failure.message)) or failure.code == 413


def has_cause(error: ApiError, reason: str) -> bool:
    """Return whether one of the causes has this reason, such as `NamespaceTerminating`."""
    return any(cause.reason == reason for cause in error.causes)
