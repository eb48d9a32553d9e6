"""How responses become errors, whatever their body."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from nopea.kube import errors
from nopea.kube.errors import ApiError, error_of, has_cause, immutable_fields, is_field_conflict, is_immutable


def _status(code: int, reason: str = "", message: str = "no", **details: Any) -> bytes:
    body = {"kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": message}
    return orjson.dumps({**body, "details": details})


@pytest.mark.parametrize(
    ("code", "reason", "kind", "retryable"),
    [
        (400, "BadRequest", errors.InvalidError, False),
        (401, "Unauthorized", errors.UnauthorizedError, True),
        (403, "Forbidden", errors.ForbiddenError, False),
        (404, "NotFound", errors.NotFoundError, False),
        (409, "Conflict", errors.ConflictError, True),
        (409, "AlreadyExists", errors.AlreadyExistsError, False),
        (410, "Expired", errors.GoneError, True),
        (410, "Gone", errors.GoneError, True),
        (413, "RequestEntityTooLarge", errors.InvalidError, False),
        (415, "UnsupportedMediaType", errors.UnsupportedMediaError, False),
        (422, "Invalid", errors.InvalidError, False),
        (429, "TooManyRequests", errors.TooManyRequestsError, True),
        (500, "InternalError", errors.ServerError, True),
        (503, "ServiceUnavailable", errors.ServerError, True),
        (504, "Timeout", errors.ServerError, True),
        (418, "", errors.ServerError, True),
    ],
)
def test_kind_of_each_status(code: int, reason: str, kind: type[ApiError], retryable: bool) -> None:
    """Each status has its type of error, which says whether a retry can help."""
    error = error_of(code, _status(code, reason), request="get x")

    assert type(error) is kind
    assert error.retryable is retryable
    assert (error.code, error.reason) == (code, reason)
    assert str(error) == f"get x: no (HTTP {code})"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"5",
        b"[]",
        b"\xff\xfe\x00",
        b'{"kind":"Status","code":"x"}',
        b'{"message":5}',
        b"\x00\x1b[31m",
    ],
)
def test_any_body_gives_an_error(body: bytes) -> None:
    """Any body gives an error with a printable message."""
    error = error_of(503, body)

    assert type(error) is errors.ServerError
    assert error.code == 503
    assert error.message
    assert error.message.isprintable()


def test_null_fields_are_accepted() -> None:
    """A Status may contain null in its optional fields."""
    error = error_of(
        422, b'{"kind":"Status","message":null,"reason":null,"details":{"causes":null,"name":null}}'
    )

    assert type(error) is errors.InvalidError
    assert error.causes == ()


def test_long_messages_are_truncated() -> None:
    """The message and its causes are bounded."""
    causes = [{"reason": "R", "message": "y" * 10_000, "field": "f"}] * 1000
    error = error_of(422, _status(422, message="x" * 100_000, causes=causes))

    assert len(error.message) == errors.MESSAGE_LIMIT
    assert len(error.causes) == 50
    assert len(error.causes[0].message) == errors.MESSAGE_LIMIT


@pytest.mark.parametrize(
    ("header", "details", "seconds"),
    [
        ("7", {}, 7),
        ("", {"retryAfterSeconds": 3}, 3),
        ("7", {"retryAfterSeconds": 3}, 7),
        ("Wed, 21 Oct", {}, None),
    ],
)
def test_retry_after(header: str, details: dict[str, Any], seconds: float | None) -> None:
    """The header wins over the body; a date is not supported."""
    assert error_of(429, _status(429, **details), retry_after=header).retry_after_seconds == seconds


def test_typed_apply_failures_are_invalid() -> None:
    """A failed typed apply has the status 500, but is caused by the object; the field is in the message."""
    message = (
        "failed to create typed patch object (shop/web; apps/v1, Kind=Deployment): "
        ".spec.x: field not declared in schema"
    )
    error = error_of(500, _status(500, message=message))

    assert type(error) is errors.InvalidError
    assert [(c.field, c.message) for c in error.causes] == [("spec.x", "field not declared in schema")]


def test_an_error_event_has_its_own_code() -> None:
    """The code of an ERROR event in a stream is that of its Status."""
    assert type(error_of(200, _status(410, "Expired"))) is errors.GoneError


@pytest.mark.parametrize(
    "message",
    [
        "spec.selector: Invalid value: {}: field is immutable",
        'spec.clusterIPs[0]: Invalid value: ["10.0.0.10"]: may not change once set',
        "spec: Forbidden: spec is immutable after creation except resources.requests",
        (
            "spec: Forbidden: updates to statefulset spec for fields other than 'replicas', "
            "'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', "
            "'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"
        ),
        "roleRef: Invalid value: {}: cannot change roleRef",
        "data: Forbidden: field is immutable when `immutable` is set",
    ],
)
def test_immutable_fields_are_recognised(message: str) -> None:
    """The API server reports immutable fields with different messages."""
    field = message.partition(":")[0]
    causes = [{"reason": "FieldValueInvalid", "message": message.partition(": ")[2], "field": field}]
    error = error_of(422, _status(422, "Invalid", f"X is invalid: {message}", causes=causes))

    assert is_immutable(error)
    assert immutable_fields(error) == (field,)


def test_other_invalid_values_are_not_immutable() -> None:
    """Other invalid values and conflicts do not count as immutable."""
    assert not is_immutable(error_of(422, _status(422, "Invalid", "port: must be between 1 and 65535")))
    assert not is_immutable(error_of(409, _status(409, "Conflict", "field is immutable")))


def test_conflicts_are_distinguished() -> None:
    """A field conflict has causes; a stale resourceVersion has none."""
    cause = {
        "reason": "FieldManagerConflict",
        "message": 'conflict with "kubectl"',
        "field": ".spec.replicas",
    }
    field = error_of(409, _status(409, "Conflict", causes=[cause]))
    stale = error_of(409, _status(409, "Conflict", name="web", kind="deployments"))

    assert is_field_conflict(field)
    assert has_cause(field, "FieldManagerConflict")
    assert not is_field_conflict(stale)


@pytest.mark.parametrize(
    "message",
    [
        'failed to create typed patch object (s; /v1, Kind=Secret): .data.a: expected string, got "hunter2"',
        'Secret in version "v1" cannot be handled as a Secret: illegal base64 data at input byte 4: hunter2',
        'Secret "s" is invalid: data[hunter2]: Invalid value: "hunter2"',
    ],
)
def test_values_of_secrets_are_masked(message: str) -> None:
    """What the server quotes from a Secret is removed from the error; the field is kept."""
    causes = [{"reason": "FieldValueInvalid", "message": 'Invalid value: "hunter2"', "field": "data"}]
    error = error_of(422, _status(422, "Invalid", message, causes=causes), masked=True)

    assert "hunter2" not in f"{error} {error.causes}"
    assert "The API server refused the Secret at data" in str(error)


def test_a_kind_that_the_server_cannot_read() -> None:
    """Only this 429 says nothing about the server's load; without a cause it ends within a moment."""
    new = error_of(429, _status(429, "TooManyRequests", "storage is (re)initializing"))
    assert errors.is_storage_unavailable(new)
    assert not errors.is_storage_broken(new)
    broken = "storage is (re)initializing: conversion webhook for a.example/v1, Kind=Gizmo failed"

    assert errors.is_storage_unavailable(error_of(429, _status(429, "TooManyRequests", broken)))
    assert errors.is_storage_broken(error_of(429, _status(429, "TooManyRequests", broken)))
    assert not errors.is_storage_unavailable(error_of(429, b"Too many requests, please try again later."))
    assert not errors.is_storage_unavailable(error_of(500, _status(500, "InternalError", broken)))


DUMP = {"Spec": {"Containers": [{"Env": [{"Name": f"E{number}"} for number in range(300)]}]}}


def test_a_dumped_value_does_not_hide_what_is_wrong() -> None:
    """A Job's template is thousands of characters, and `field is immutable` comes after it."""
    text = orjson.dumps(DUMP).decode()
    cause = {
        "reason": "FieldValueInvalid",
        "field": "spec.template",
        "message": f"Invalid value: {text}: field is immutable",
    }
    message = f'Job.batch "migrate" is invalid: spec.template: {cause["message"]}'
    error = error_of(422, _status(422, message=message, causes=[cause]))

    assert error.message == 'Job.batch "migrate" is invalid: spec.template: field is immutable'
    assert errors.is_immutable(error)
    assert errors.immutable_fields(error) == ("spec.template",)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (500, "rpc error: code = ResourceExhausted desc = trying to send message larger than max (3 vs. 2)"),
        (500, "etcdserver: request is too large"),
        (413, "Request entity too large: limit is 3145728"),
    ],
)
def test_an_object_that_is_too_large_is_invalid(code: int, message: str) -> None:
    """Sending it again cannot help."""
    error = error_of(code, _status(code, message=message))
    assert type(error) is errors.InvalidError
    assert errors.is_too_large(error.failure)
    assert not error.retryable
