"""A write of an object as an AdmissionReview describes it: who, when, and what changed.

Reads `admission.k8s.io/v1`. Keeps no value: `changes.py` hashes them. Decides nothing about drift.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import msgspec

from nopea.core.api.entries import MAX_GROUP, MAX_GROUPS, MAX_USER
from nopea.core.apply.fieldset import entries
from nopea.core.apply.managers import Owner, owner_of
from nopea.core.apply.projection import managed_fields_of
from nopea.core.secret import Secret
from nopea.core.users.changes import Changes, changes_of

_EVERYBODY: Final = "system:authenticated"
"""The group that says nothing: every user is in it."""


class _UserInfo(msgspec.Struct, frozen=True):
    username: str = ""
    groups: tuple[str, ...] | None = None


class _AdmittedResource(msgspec.Struct, frozen=True):
    group: str = ""
    resource: str = ""


class _Options(msgspec.Struct, frozen=True, rename="camel"):
    field_manager: str = ""


class _AdmissionRequest(msgspec.Struct, frozen=True, rename="camel"):
    uid: str
    resource: _AdmittedResource
    operation: str
    user_info: _UserInfo = _UserInfo()
    sub_resource: str = ""
    namespace: str = ""
    name: str = ""
    dry_run: bool = False
    options: _Options | None = None
    object: dict[str, Any] | None = None
    old_object: dict[str, Any] | None = None


class _AdmissionReview(msgspec.Struct, frozen=True, rename="camel"):
    api_version: str
    request: _AdmissionRequest


_REVIEW: Final = msgspec.json.Decoder(_AdmissionReview)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedObject:
    """The object of a write, as a request names it; `uid` is that of the object."""

    group: str
    plural: str
    namespace: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """One write by one user. `entries` are the entries of `managedFields` that it wrote, without the fields.

    `found_terminating` says whether the object was being deleted already; None if the report does not tell.
    `changes` is None for a write that changed too much to be kept; it may have touched every field.
    """

    user: str
    groups: tuple[str, ...]
    at: datetime
    manager: str
    subresource: str = ""
    deletes: bool = False
    found_terminating: bool | None = None
    entries: frozenset[Owner] = frozenset()
    changes: Changes | None = field(default_factory=dict, repr=False)


class InvalidReviewError(Exception):
    """The body is not an AdmissionReview of `admission.k8s.io/v1`."""


class Review:
    """One AdmissionReview. Raises InvalidReviewError for a body that is none."""

    def __init__(self, body: bytes) -> None:
        try:
            review = _REVIEW.decode(body)
        except (msgspec.MsgspecError, RecursionError, ValueError) as error:
            raise InvalidReviewError(str(error)) from error
        if review.api_version != "admission.k8s.io/v1" or not review.request.uid:
            raise InvalidReviewError(f"{review.api_version!r} is not admission.k8s.io/v1.")
        self._request = review.request

    def answer(self) -> bytes:
        """Return the AdmissionReview that allows the write; no other answer is ever given."""
        return msgspec.json.encode(
            {
                "apiVersion": "admission.k8s.io/v1",
                "kind": "AdmissionReview",
                "response": {"uid": self._request.uid, "allowed": True},
            }
        )

    def place(self) -> ReportedObject | None:
        """Return the object that the request changes or deletes; None for all else, such as a dry run."""
        request = self._request
        if request.dry_run or request.operation not in ("UPDATE", "DELETE") or request.old_object is None:
            return None
        if request.sub_resource not in ("", "scale"):
            return None
        metadata = _metadata_of(request.old_object)
        return ReportedObject(
            group=request.resource.group,
            plural=request.resource.resource,
            namespace=request.namespace,
            name=request.name or str(metadata.get("name", "")),
            uid=str(metadata.get("uid", "")),
        )

    def write(self, at: datetime, *, key: Secret) -> Write:
        """Return the write; `key` is the key of its hashes."""
        request = self._request
        old, new = request.old_object or {}, request.object or {}
        metadata = _metadata_of(old)
        is_deletion = request.operation == "DELETE"
        return Write(
            user=_line(request.user_info.username, MAX_USER),
            groups=_groups(request.user_info.groups or ()),
            at=at,
            manager=(request.options or _Options()).field_manager,
            subresource=request.sub_resource,
            deletes=is_deletion,
            found_terminating="deletionTimestamp" in metadata if not request.sub_resource else None,
            entries=frozenset() if is_deletion else _owners(new) - _owners(old),
            changes={} if is_deletion else changes_of(old, new, key=key),
        )


def _metadata_of(manifest: dict[str, Any]) -> dict[str, Any]:
    metadata = manifest.get("metadata")
    return metadata if isinstance(metadata, dict) else {}


def _owners(manifest: dict[str, Any]) -> frozenset[Owner]:
    return frozenset(
        Owner(
            manager=owner.manager,
            operation=owner.operation,
            subresource=owner.subresource,
            changed_at=owner.changed_at,
        )
        for owner in map(owner_of, entries(managed_fields_of(manifest)))
    )


def _groups(groups: tuple[str, ...]) -> tuple[str, ...]:
    named = [_line(group, MAX_GROUP) for group in groups if group != _EVERYBODY]
    return tuple(group for group in named if group)[:MAX_GROUPS]


def _line(text: str, limit: int) -> str:
    """Return the text on one line, without control characters, which a terminal would obey."""
    return "".join(letter for letter in text if letter.isprintable())[:limit]
