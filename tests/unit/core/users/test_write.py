"""An AdmissionReview as the API server sends it: what is read of it, and the answer."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nopea.core.secret import Secret
from nopea.core.users.write import InvalidReviewError, ReportedObject, Review

AT = datetime(2026, 11, 25, 13, 11, 25, tzinfo=UTC)
KEY = Secret(b"k")
OLD = {"metadata": {"name": "web", "uid": "u"}, "spec": {"replicas": 2}}
NEW = {"metadata": {"name": "web", "uid": "u"}, "spec": {"replicas": 7}}


def body(**request: Any) -> bytes:
    """Return a review of an update of the Deployment web by Ada."""
    update = {
        "uid": "1", "kind": {"group": "apps", "version": "v1", "kind": "Deployment"},
        "resource": {"group": "apps", "version": "v1", "resource": "deployments"},
        "namespace": "shop", "name": "web", "operation": "UPDATE",
        "userInfo": {"username": "ada", "uid": "7", "groups": ["team", "system:authenticated"], "extra": {}},
        "object": NEW, "oldObject": OLD, "dryRun": False, "options": {"fieldManager": "kubectl-edit"},
    }  # fmt: skip
    review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": update | request}
    return json.dumps(review).encode()


def test_a_write_has_its_user() -> None:
    """User, groups, manager and the changed leaf are kept."""
    write = Review(body()).write(AT, key=KEY)

    assert (write.user, write.groups, write.manager, write.at) == ("ada", ("team",), "kubectl-edit", AT)
    assert list(write.changes or ()) == [("f:spec", "f:replicas")]
    assert Review(body()).place() == ReportedObject(
        group="apps", plural="deployments", namespace="shop", name="web", uid="u"
    )


def test_every_review_is_allowed() -> None:
    """Nopea only listens."""
    assert orjson.loads(Review(body(operation="CONNECT")).answer()) == {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "response": {"uid": "1", "allowed": True},
    }


@pytest.mark.parametrize(
    "request_",
    [
        {"dryRun": True},
        {"operation": "CREATE"},
        {"operation": "CONNECT"},
        {"subResource": "status"},
        {"oldObject": None},
    ],
    ids=str,
)
def test_what_is_not_a_change_has_no_place(request_: dict[str, Any]) -> None:
    """It is answered and forgotten."""
    assert Review(body(**request_)).place() is None


def test_a_deletion_of_a_collection_is_that_of_each_object() -> None:
    """The request has no name; the object that is deleted has."""
    review = Review(body(operation="DELETE", name="", object=None))

    place = review.place()
    assert place is not None
    assert place.name == "web"
    assert review.write(AT, key=KEY).deletes


def test_a_report_tells_whether_the_object_was_being_deleted() -> None:
    """A Scale does not."""
    terminating = {"metadata": {"uid": "u", "deletionTimestamp": "2026-11-25T13:11:25Z"}}
    assert Review(body()).write(AT, key=KEY).found_terminating is False
    assert Review(body(oldObject=terminating)).write(AT, key=KEY).found_terminating is True
    assert Review(body(subResource="scale")).write(AT, key=KEY).found_terminating is None


def test_names_are_one_short_line() -> None:
    """A terminal obeys control characters, and some user names are as long as a certificate allows."""
    user = {
        "username": "ada\x1b[2J\n" + "x" * 1000,
        "groups": [f"{number}\x07" + "g" * 500 for number in range(99)],
    }
    write = Review(body(userInfo=user)).write(AT, key=KEY)

    assert write.user.isprintable()
    assert len(write.user) == 256
    assert len(write.groups) == 5
    assert all(group.isprintable() and len(group) <= 64 for group in write.groups)


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"{}", b"[]", b"null", b'{"apiVersion":"admission.k8s.io/v1"}', b"\xff",
        b'{"apiVersion":"admission.k8s.io/v1beta1","request":{"uid":"1","resource":{},"operation":"UPDATE"}}',
        b"[" * 100_000, b'{"apiVersion":' + b'{"a":' * 100_000,
    ],
    ids=lambda raw: str(raw[:20]),
)  # fmt: skip
def test_rubbish_is_refused(raw: bytes) -> None:
    """What is not a review raises one error."""
    with pytest.raises(InvalidReviewError):
        Review(raw)


ANY: st.SearchStrategy[Any] = (
    st.none() | st.integers() | st.text(max_size=2) | st.lists(st.none(), max_size=1) | st.just({"a": {}})
)


@given(metadata=ANY, managed=ANY, spec=ANY)
def test_objects_of_any_shape_are_read(metadata: Any, managed: Any, spec: Any) -> None:
    """The API server sends none of these; a review never ends the connection with a bug."""
    for part in (metadata, {"managedFields": managed, "name": spec, "uid": spec}):
        review = Review(body(object={"metadata": part, "spec": spec}, oldObject={"metadata": part}))
        review.place()
        review.write(AT, key=KEY)
