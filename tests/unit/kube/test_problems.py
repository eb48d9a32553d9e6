"""How API errors become problems: the code, and a hint for the user."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from nopea.core.problem import Code, StalledError, TransientError
from nopea.kube.errors import (
    ApiError,
    ApiFailure,
    ApiServiceError,
    ForbiddenError,
    InvalidError,
    UnauthorizedError,
    UnknownKindError,
    UnreachableError,
    error_of,
)
from nopea.kube.problems import lacks_rights, to_problem, to_sync_error

_RBAC = (
    'deployments.apps "web" is forbidden: User "system:serviceaccount:shop:deployer" cannot patch resource '
    '"deployments" in API group "apps" in the namespace "shop"'
)


def _problem(code: int, message: str, reason: str = "", **details: Any) -> tuple[Code, str]:
    problem = to_problem(error_of(code, _status(code, message, reason, **details)), object="x", source="y#1")
    assert (problem.object, problem.source) == ("x", "y#1")
    return problem.code, problem.hint


def _status(code: int, message: str, reason: str = "", **details: Any) -> bytes:
    return orjson.dumps(
        {"kind": "Status", "code": code, "reason": reason, "message": message, "details": details}
    )


@pytest.mark.parametrize(
    ("code", "message", "expected", "hint"),
    [
        (
            403,
            _RBAC,
            Code.FORBIDDEN,
            'a Role in shop: apiGroups: ["apps"], resources: ["deployments"], verbs: ["get", "create",',
        ),
        (
            403,
            _RBAC.replace(' in the namespace "shop"', " at the cluster scope"),
            Code.FORBIDDEN,
            "a ClusterRole",
        ),
        (403, _RBAC.replace("patch", "list"), Code.FORBIDDEN, 'verbs: ["list"]'),
        (403, "user is attempting to grant RBAC permissions not currently held", Code.FORBIDDEN, "escalate"),
        (403, "no", Code.FORBIDDEN, "message"),
        (
            403,
            "unable to create new content in namespace shop because it is being terminated",
            Code.TERMINATING,
            "Wait",
        ),
        (
            403,
            'pods "x" is forbidden: violates PodSecurity "restricted:latest"',
            Code.ADMISSION_DENIED,
            "Change the object",
        ),
        (403, "exceeded quota: small, requested: pods=1", Code.ADMISSION_DENIED, "policy"),
        (
            403,
            'pods "x" is forbidden: maximum cpu usage per Container is 500m, but limit is 1',
            Code.ADMISSION_DENIED,
            "policy",
        ),
        (
            403,
            "create not allowed while custom resource definition is terminating",
            Code.TERMINATING,
            "CustomResourceDefinition",
        ),
        (500, "etcdserver: request is too large", Code.INVALID, "size"),
        (
            400,
            'admission webhook "check.acme.example" denied the request: no',
            Code.ADMISSION_DENIED,
            "check.acme.example",
        ),
        (
            500,
            'Internal error occurred: failed calling webhook "check.acme.example": refused',
            Code.ADMISSION_DENIED,
            "service",
        ),
        (
            422,
            "ValidatingAdmissionPolicy 'owners' with binding 'b' denied request: no",
            Code.ADMISSION_DENIED,
            "Change",
        ),
        (422, "spec.selector: Invalid value: 1: field is immutable", Code.IMMUTABLE, "nopea.io/force"),
        (422, "port: must be between 1 and 65535", Code.INVALID, "manifest"),
        (409, "object was modified", Code.API_REJECTED, "next sync"),
        (429, "slow down", Code.API_BUSY, "retries"),
        (503, "later", Code.API_BUSY, "retries"),
        (500, "oops", Code.API_REJECTED, "log"),
        (500, "conversion webhook for a.example/v1, Kind=Gizmo failed: x", Code.API_BUSY, "conversion"),
        (401, "Unauthorized", Code.FORBIDDEN, "credentials"),
        (
            404,
            "the server could not find the requested resource",
            Code.KIND_UNKNOWN,
            "CustomResourceDefinition",
        ),
    ],
)
def test_code_and_hint(code: int, message: str, expected: Code, hint: str) -> None:
    """Each kind of error has its code and a hint that says what to do."""
    actual, text = _problem(code, message)

    assert actual is expected
    assert hint in text


def test_an_api_service_that_does_not_answer_is_named() -> None:
    """The hint has the command that says why."""
    error = ApiServiceError(ApiFailure(code=503, message="It does not answer.", name="v1.acme.example"))
    problem = to_problem(error)

    assert problem.code is Code.API_BUSY
    assert "`kubectl get apiservice v1.acme.example`" in problem.hint


def test_missing_namespace_and_missing_object() -> None:
    """A 404 for the namespace has another code than a 404 for the object."""
    assert _problem(404, "namespaces not found", name="shop", kind="namespaces")[0] is Code.NAMESPACE_MISSING
    assert _problem(404, "not found", name="web", kind="deployments")[0] is Code.API_REJECTED


def test_terminating_by_its_cause() -> None:
    """The cause NamespaceTerminating is enough, whatever the message."""
    causes = [{"reason": "NamespaceTerminating", "message": "x", "field": "metadata.namespace"}]

    assert _problem(403, "no", causes=causes)[0] is Code.TERMINATING


def test_invalid_names_the_fields() -> None:
    """The hint lists each invalid field once."""
    causes = [
        {"reason": "FieldValueInvalid", "message": "bad", "field": f} for f in ("spec.a", "spec.b", "spec.a")
    ]
    code, hint = _problem(422, "two fields", causes=causes)

    assert (code, hint) == (Code.INVALID, "Correct spec.a, spec.b in the manifest.")


def test_immutable_without_a_way_to_recreate() -> None:
    """If the object cannot be recreated, the hint does not mention force."""
    causes = [{"reason": "FieldValueForbidden", "message": "spec is immutable", "field": "spec"}]
    error = error_of(422, orjson.dumps({"kind": "Status", "code": 422, "details": {"causes": causes}}))

    hint = to_problem(error, recreatable=False).hint

    assert "Undo the change of spec" in hint
    assert "force" not in hint


def test_errors_without_a_response() -> None:
    """An unreachable API server and an unknown kind have their own codes."""
    assert to_problem(UnreachableError("gone")).code is Code.API_UNREACHABLE
    assert to_problem(UnknownKindError(ApiFailure(code=404, message="no kind"))).code is Code.KIND_UNKNOWN


def test_a_missing_right_to_a_manifests_object_lists_all_verbs() -> None:
    """The hint lists every verb that managing the object needs, and spec.serviceAccountName."""
    message = _RBAC.replace("cannot patch", "cannot get")

    _, hint = _problem(403, message)

    assert hint == (
        "Grant system:serviceaccount:shop:deployer in a Role in shop: "
        'apiGroups: ["apps"], resources: ["deployments"], verbs: ["get", "create", "patch", "delete"]. '
        "Or name another account in spec.serviceAccountName."
    )


def test_a_missing_right_to_another_object_lists_one_verb() -> None:
    """For an object that is not from a manifest, such as a Secret, only the missing verb is listed."""
    message = _RBAC.replace("cannot patch", "cannot get").replace("deployments", "secrets")

    hint = to_problem(error_of(403, _status(403, message)), object="Secret shop/git").hint

    assert hint.endswith('resources: ["secrets"], verbs: ["get"]. deploy/tenant does so for a namespace.')


def test_a_missing_right_to_impersonate_names_what_grants_it() -> None:
    """Nopea may act as an account only where somebody has allowed it."""
    message = _RBAC.replace("cannot patch", "cannot impersonate").replace("deployments", "serviceaccounts")

    assert 'verbs: ["impersonate"]. deploy/tenant does so for a namespace.' in _problem(403, message)[1]


@pytest.mark.parametrize(
    ("code", "message", "expected"),
    [
        (422, "spec: wrong", "spec: wrong."),
        (422, "spec: wrong. ", "spec: wrong."),
        (401, "Unauthorized", "The API server rejected these credentials."),
        (
            500,
            "error decoding patch: .data.a: expected string, got &value.valueUnstructured{Value:false}",
            "error decoding patch: .data.a: expected string, got false.",
        ),
    ],
)
def test_the_message_is_that_of_the_server_as_a_sentence(code: int, message: str, expected: str) -> None:
    """It ends with one full stop, without Go structs or the names of HTTP statuses."""
    assert to_problem(error_of(code, _status(code, message))).message == expected


def test_an_invalid_quantity_is_a_problem_of_the_manifest() -> None:
    """The API server responds with 500; the hint shows a valid quantity."""
    message = (
        "failed to convert new object (shop/web; apps/v1, Kind=Deployment) to proper version (apps/v1): "
        "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
    )

    code, hint = _problem(500, message)

    assert code is Code.INVALID
    assert "512Mi" in hint


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (UnreachableError("gone"), TransientError),
        (UnauthorizedError(ApiFailure(code=401)), TransientError),
        (UnknownKindError(ApiFailure(code=404)), StalledError),
    ],
)
def test_which_errors_are_transient(error: ApiError, expected: type[Exception]) -> None:
    """An error that a retry can resolve is transient; others are not."""
    assert type(to_sync_error(error, object="Secret shop/git")) is expected


def _hint(*causes: dict[str, str], **holders: str) -> str:
    error = error_of(422, _status(422, "wrong", causes=causes))
    assert isinstance(error, InvalidError)
    return to_problem(error.with_holders({name.replace("_", "."): who for name, who in holders.items()})).hint


def _cause(field: str, reason: str = "FieldValueInvalid", message: str = "bad") -> dict[str, str]:
    return {"reason": reason, "message": message, "field": field}


def test_a_field_that_the_manifest_lacks_is_not_to_be_corrected_there() -> None:
    """The hint says whose it is; the other fields of the error are the manifest's."""
    assert _hint(_cause("spec.b")) == "Correct spec.b in the manifest."
    assert _hint(_cause("spec.a"), _cause("spec.b"), spec_a="acme-tuner") == (
        "Correct spec.b in the manifest. spec.a is not in the manifest: acme-tuner set it. "
        "Remove it from the live object with kubectl."
    )
    assert _hint(_cause("spec.a"), spec_a="") == (
        "spec.a is not in the manifest: it is a default of the API server. "
        "Remove it from the live object with kubectl."
    )


def test_a_missing_field_is_to_be_set() -> None:
    """The causes `<nil>` and an empty field name nothing."""
    required = _cause("spec", "FieldValueRequired", "Required value")
    nothing = _cause("<nil>", message="some validation rules were not checked")
    assert _hint(required, nothing) == "Set spec in the manifest."
    assert _hint(nothing) == "Correct the manifest."


def test_a_whole_object_that_is_too_long() -> None:
    """The API server names it as `[]`."""
    assert _hint(_cause("[]", "FieldValueTooLong", "Too long")).startswith("Split the object")


def test_a_version_in_which_objects_are_stored() -> None:
    """The field is in the status of the definition, and the answer is in its spec."""
    cause = _cause("status.storedVersions[0]")
    assert _hint(cause).startswith("Keep the version in spec.versions")  # managedFields do not name it
    error = error_of(422, _status(422, "wrong", causes=[cause]))
    assert isinstance(error, InvalidError)
    hint = to_problem(error.with_holders({cause["field"]: "kube-apiserver"})).hint
    assert hint.startswith("Keep the version in spec.versions")


def test_a_job_is_replaced_when_it_has_finished() -> None:
    """That is another way out than for other kinds."""
    causes = [_cause("spec.template", message="field is immutable")]
    for kind, is_job in (("Job", True), ("Deployment", False)):
        error = error_of(422, _status(422, "field is immutable", causes=causes, kind=kind))
        assert ("finished" in to_problem(error).hint) == is_job


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ('x is forbidden: User "ann" cannot patch resource "pods" in API group ""', True),
        ('x is forbidden: user "ann" is attempting to grant RBAC permissions not currently held', True),
        ("x is forbidden: exceeded quota: small", False),
        ('admission webhook "w" denied the request: User "a" cannot x resource "y" in API group ""', False),
    ],
)
def test_missing_rights_are_told_from_other_refusals(message: str, expected: bool) -> None:
    """Another user may have them; a quota or a policy refuses everybody."""
    error = ForbiddenError(ApiFailure(code=403, reason="Forbidden", message=message))

    assert lacks_rights(error) is expected
