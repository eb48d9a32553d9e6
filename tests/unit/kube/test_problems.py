"""Problems out of API errors: the code, and a hint that a person can act on."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from nopea.core.problem import Code
from nopea.kube.errors import ApiFailure, UnknownKindError, UnreachableError, error_of
from nopea.kube.problems import to_problem

_RBAC = (
    'deployments.apps "web" is forbidden: User "system:serviceaccount:shop:deployer" cannot patch resource '
    '"deployments" in API group "apps" in the namespace "shop"'
)


def _problem(code: int, message: str, reason: str = "", **details: Any) -> tuple[Code, str]:
    body = {"kind": "Status", "code": code, "reason": reason, "message": message, "details": details}
    problem = to_problem(error_of(code, orjson.dumps(body)), object="x", source="y#1")
    assert (problem.object, problem.source) == ("x", "y#1")
    return problem.code, problem.hint


@pytest.mark.parametrize(
    ("code", "message", "expected", "hint"),
    [
        (
            403,
            _RBAC,
            Code.FORBIDDEN,
            'a Role in shop: apiGroups: ["apps"], resources: ["deployments"], verbs: ["patch", "create"]',
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
            "wait",
        ),
        (
            403,
            'pods "x" is forbidden: violates PodSecurity "restricted:latest"',
            Code.ADMISSION_DENIED,
            "change the object",
        ),
        (403, "exceeded quota: small, requested: pods=1", Code.ADMISSION_DENIED, "policy"),
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
            "change",
        ),
        (422, "spec.selector: Invalid value: 1: field is immutable", Code.IMMUTABLE, "nopea.io/force"),
        (422, "port: must be between 1 and 65535", Code.INVALID, "manifest"),
        (409, "object was modified", Code.API_REJECTED, "next pass"),
        (429, "slow down", Code.API_BUSY, "retried"),
        (503, "later", Code.API_BUSY, "retried"),
        (500, "oops", Code.API_REJECTED, "log"),
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
    """Each kind of refusal has its code and a hint that says what to do."""
    found, said = _problem(code, message)

    assert found is expected
    assert hint in said


def test_missing_namespace_and_missing_object() -> None:
    """A 404 about a namespace is told from one about the object."""
    assert _problem(404, "namespaces not found", name="shop", kind="namespaces")[0] is Code.NAMESPACE_MISSING
    assert _problem(404, "not found", name="web", kind="deployments")[0] is Code.API_REJECTED


def test_terminating_by_its_cause() -> None:
    """The API server's machine-readable cause is enough, whatever the words."""
    causes = [{"reason": "NamespaceTerminating", "message": "x", "field": "metadata.namespace"}]

    assert _problem(403, "no", causes=causes)[0] is Code.TERMINATING


def test_invalid_names_the_fields() -> None:
    """The hint lists each wrong field once."""
    causes = [
        {"reason": "FieldValueInvalid", "message": "bad", "field": f} for f in ("spec.a", "spec.b", "spec.a")
    ]
    code, hint = _problem(422, "two fields", causes=causes)

    assert (code, hint) == (Code.INVALID, "correct spec.a, spec.b in the manifest")


def test_immutable_without_a_way_to_recreate() -> None:
    """For what is never recreated, the hint does not offer force."""
    causes = [{"reason": "FieldValueForbidden", "message": "spec is immutable", "field": "spec"}]
    error = error_of(422, orjson.dumps({"kind": "Status", "code": 422, "details": {"causes": causes}}))

    hint = to_problem(error, recreatable=False).hint

    assert "undo the change of spec" in hint
    assert "force" not in hint


def test_field_conflict() -> None:
    """A conflict over ownership says what takes the fields over."""
    causes = [{"reason": "FieldManagerConflict", "message": "m", "field": ".spec.replicas"}]

    assert "force" in _problem(409, "conflict", causes=causes)[1]


def test_errors_without_an_answer() -> None:
    """No answer, and no such kind, have their codes."""
    assert to_problem(UnreachableError("gone")).code is Code.API_UNREACHABLE
    assert to_problem(UnknownKindError(ApiFailure(code=404, message="no kind"))).code is Code.KIND_UNKNOWN
