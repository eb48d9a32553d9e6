"""The model of `GitRepository.status` and of `Inventory`; every field is bounded.

The schemas of the CRDs are generated from it, and its descriptions are what `kubectl explain` prints.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from nopea.core.api.spec import Model, Name

MAX_ERRORS = 20
MAX_DRIFTS = 20
MAX_DRIFT_FIELDS = 20
MAX_HISTORY = 10
MAX_REVISIONS = 10
MAX_REVERTED = 5
MAX_INLINE_INVENTORY = 100
MAX_INVENTORY_CHUNK = 1000
MAX_MESSAGE = 1024
MAX_SUMMARY = 160

Text = Annotated[str, Meta(max_length=MAX_MESSAGE)]
Line = Annotated[str, Meta(max_length=512)]
Time = Annotated[str, Meta(max_length=40, extra_json_schema={"format": "date-time"})]
Count = Annotated[int, Meta(ge=0, le=2_147_483_647, extra_json_schema={"format": "int32"})]
Generation = Annotated[int, Meta(ge=0, extra_json_schema={"format": "int64"})]
CommitId = Annotated[str, Meta(max_length=64)]
Hash = Annotated[str, Meta(max_length=64)]
Word = Annotated[str, Meta(max_length=32)]
Value = Annotated[str, Meta(max_length=256)]


class Condition(Model, frozen=True, kw_only=True):
    """One aspect of the current state of the GitRepository."""

    type: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=316,
            description="Type: Ready, Fetched, Applied, Healthy, Reconciling, Stalled, Suspended, Drifted, "
            "Contended, RolledBack or Watching.",
        ),
    ]
    status: Annotated[
        str,
        Meta(
            pattern=r"^(True|False|Unknown)\Z",
            description="Status of the condition: True, False or Unknown.",
            extra_json_schema={"enum": ["True", "False", "Unknown"]},
        ),
    ]
    reason: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=1024,
            pattern=r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?\Z",
            description="Reason for the last transition, as a CamelCase word.",
        ),
    ]
    message: Annotated[str, Meta(max_length=4096, description="Details of the last transition, for people.")]
    last_transition_time: Annotated[
        Time, Meta(description="Time at which the status of the condition last changed.")
    ]
    observed_generation: (
        Annotated[Generation, Meta(description="The metadata.generation that the condition describes.")]
        | None
    ) = None


class FieldChange(Model, frozen=True, kw_only=True):
    """A field that differs from Git. Values of Secrets are masked."""

    path: Annotated[Line, Meta(description="Path of the field, such as .spec.replicas.")]
    from_: (
        Annotated[Value, Meta(description="The value in Git; absent if Git does not set the field.")] | None
    ) = msgspec.field(name="from", default=None)
    to: (
        Annotated[Value, Meta(description="The value in the cluster; absent if the field is not set.")] | None
    ) = None


class DriftEntry(Model, frozen=True, kw_only=True):
    """An object that differs from Git, and the manager that changed it."""

    object: Annotated[Line, Meta(description="The object, such as apps/Deployment shop/web.")]
    kind: Annotated[Word, Meta(description="manual_drift, or conflict if Git changed the object as well.")]
    fields: Annotated[
        tuple[FieldChange, ...],
        Meta(max_length=MAX_DRIFT_FIELDS, description="Fields that differ; at most 20."),
    ] = ()
    manager: (
        Annotated[str, Meta(max_length=128, description="The field manager that changed the object.")] | None
    ) = None
    operation: Annotated[Word, Meta(description="Operation of the manager: Apply or Update.")] | None = None
    since: Annotated[Time, Meta(description="Time of the change.")] | None = None
    action: Annotated[Word, Meta(description="What Nopea does about the drift.")] | None = None


class StatusError(Model, frozen=True, kw_only=True):
    """A problem: what happened, where, and what to do next."""

    code: Annotated[
        Word, Meta(description="Error code, such as NOPEA-M001; docs/errors.md explains each code.")
    ]
    message: Annotated[Text, Meta(description="What happened.")]
    hint: Annotated[Text, Meta(description="What to do next.")]
    object: Annotated[Line, Meta(description="The object that the problem is about.")] | None = None
    source: (
        Annotated[Text, Meta(description="File in the repository, followed by #document or :line.")] | None
    ) = None


class HistoryEntry(Model, frozen=True, kw_only=True):
    """A sync that changed something, failed or recovered."""

    id: Annotated[str, Meta(max_length=26, description="ULID of the sync, as in logs and events.")]
    commit: Annotated[CommitId, Meta(description="The commit; empty if Git could not be read.")]
    trigger: Annotated[str, Meta(max_length=128, description="What triggered the sync, separated by commas.")]
    outcome: Annotated[Word, Meta(description="Outcome of the sync.")]
    started: Annotated[Time, Meta(description="Time at which the sync started.")]
    duration: Annotated[Word, Meta(description="Duration of the sync.")]
    created: Annotated[Count, Meta(description="Number of objects created.")] = 0
    changed: Annotated[Count, Meta(description="Number of objects changed.")] = 0
    pruned: Annotated[Count, Meta(description="Number of objects pruned.")] = 0
    failed: Annotated[Count, Meta(description="Number of objects that could not be applied.")] = 0


class RevisionEntry(Model, frozen=True, kw_only=True):
    """A commit that was applied, or should have been, and what became of it until the next one."""

    commit: Annotated[CommitId, Meta(description="The commit.")]
    message: Annotated[Line, Meta(description="First line of its message.")]
    author: Annotated[str, Meta(max_length=256, description="Its author.")]
    time: Annotated[Time, Meta(description="When it was made.")]
    applied: (
        Annotated[Time, Meta(description="When it was applied in full; absent if it never was.")] | None
    ) = None
    created: Annotated[Count, Meta(description="Number of objects that its syncs created.")] = 0
    changed: Annotated[Count, Meta(description="Number of objects that its syncs changed.")] = 0
    pruned: Annotated[Count, Meta(description="Number of objects that its syncs deleted.")] = 0
    failed: Annotated[Count, Meta(description="Number of objects that its last sync could not apply.")] = 0
    rollback: Annotated[bool, Meta(description="True if a rollback chose the commit.")] = False
    reverted: Annotated[
        tuple[Line, ...],
        Meta(
            max_length=MAX_REVERTED,
            description="The last changes in the cluster that were reverted: object, fields and manager.",
        ),
    ] = ()


class GitRepositoryStatus(Model, frozen=True, kw_only=True):
    """The last observed state of the GitRepository."""

    observed_generation: (
        Annotated[Generation, Meta(description="The metadata.generation that the status describes.")] | None
    ) = None
    summary: (
        Annotated[
            str,
            Meta(
                max_length=MAX_SUMMARY,
                description="What to know about the GitRepository, in one sentence. "
                "Programs should read the conditions.",
            ),
        ]
        | None
    ) = None
    revision: (
        Annotated[
            str,
            Meta(
                max_length=300,
                description="What is applied: the branch or tag and the first characters of the commit.",
            ),
        ]
        | None
    ) = None
    last_attempted_commit: Annotated[CommitId, Meta(description="The commit of the last sync.")] | None = None
    last_applied_commit: (
        Annotated[CommitId, Meta(description="The last commit that was applied completely.")] | None
    ) = None
    last_commit_message: (
        Annotated[Line, Meta(description="First line of the message of lastAttemptedCommit.")] | None
    ) = None
    last_commit_author: (
        Annotated[str, Meta(max_length=256, description="Author of lastAttemptedCommit.")] | None
    ) = None
    last_commit_time: Annotated[Time, Meta(description="Time of lastAttemptedCommit.")] | None = None
    last_sync_time: (
        Annotated[
            Time,
            Meta(description="Time of the last sync that changed something or reported something new."),
        ]
        | None
    ) = None
    next_sync_time: (
        Annotated[
            Time,
            Meta(description="Time of the next retry; absent if the last sync succeeded."),
        ]
        | None
    ) = None
    failures: Annotated[
        Count, Meta(description="Number of consecutive failed syncs; absent if the last sync succeeded.")
    ] = 0
    failing_since: (
        Annotated[
            Time,
            Meta(description="Time of the first of these failures; absent if the last sync succeeded."),
        ]
        | None
    ) = None
    last_deployment: (
        Annotated[
            str,
            Meta(max_length=26, description="ULID of the last sync that applied a change from Git."),
        ]
        | None
    ) = None
    last_handled_sync_at: (
        Annotated[
            str,
            Meta(
                max_length=256,
                description="Value of the annotation nopea.io/sync-requested-at that was handled last.",
            ),
        ]
        | None
    ) = None
    last_handled_heal_at: (
        Annotated[
            str,
            Meta(
                max_length=512,
                description="Value of the annotation nopea.io/heal-requested that was handled last.",
            ),
        ]
        | None
    ) = None
    resource_count: Annotated[Count, Meta(description="Number of objects in Git.")] | None = None
    applied_count: (
        Annotated[Count, Meta(description="Number of objects that are in sync with Git.")] | None
    ) = None
    drifted_count: (
        Annotated[Count, Meta(description="Number of objects that were changed in the cluster.")] | None
    ) = None
    suspended_count: (
        Annotated[
            Count, Meta(description="Number of objects that are not written because they are suspended.")
        ]
        | None
    ) = None
    failed_count: (
        Annotated[Count, Meta(description="Number of objects that could not be applied.")] | None
    ) = None
    drifts: Annotated[
        tuple[DriftEntry, ...], Meta(max_length=MAX_DRIFTS, description="Objects that drifted; at most 20.")
    ] = ()
    errors: Annotated[
        tuple[StatusError, ...],
        Meta(max_length=MAX_ERRORS, description="Problems of the last sync; at most 20."),
    ] = ()
    error_count: Annotated[
        Count, Meta(description="Number of problems of the last sync; errors lists the first of them.")
    ] = 0
    history: Annotated[
        tuple[HistoryEntry, ...],
        Meta(
            max_length=MAX_HISTORY,
            description="The last 10 syncs that changed something, failed or recovered.",
        ),
    ] = ()
    revisions: Annotated[
        tuple[RevisionEntry, ...],
        Meta(max_length=MAX_REVISIONS, description="The last 10 commits that were applied, newest first."),
    ] = ()
    inventory: Annotated[
        str,
        Meta(
            max_length=131_072,
            description="Record of the applied objects, at most 100, packed. For Nopea only. "
            "With more, the record is in Inventory objects instead.",
        ),
    ] = ""
    conditions: Annotated[
        tuple[Condition, ...],
        Meta(
            max_length=16,
            description="Conditions of the GitRepository.",
            extra_json_schema={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
        ),
    ] = ()


class InventorySpec(Model, frozen=True, kw_only=True):
    """A part of the inventory of a GitRepository with more than 100 objects."""

    repository: Annotated[Name, Meta(description="Name of the GitRepository, in the same namespace.")]
    index: Annotated[Count, Meta(description="Number of this part, from 0.")]
    objects: Annotated[
        str, Meta(max_length=500_000, description="Record of the objects of this part, packed.")
    ] = ""


INVENTORY_RULES = (
    {
        "rule": "self.repository == oldSelf.repository",
        "fieldPath": ".repository",
        "message": "is immutable; delete the Inventory and create it again",
    },
    {
        "rule": "self.index == oldSelf.index",
        "fieldPath": ".index",
        "message": "is immutable; delete the Inventory and create it again",
    },
)
