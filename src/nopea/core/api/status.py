"""`GitRepository.status` and `Inventory` as the API server stores them: the one model, bounded everywhere."""

from __future__ import annotations

import enum
from typing import Annotated

import msgspec
from msgspec import Meta

from nopea.core.api.spec import Model, Name

MAX_ERRORS = 20
MAX_DRIFTS = 20
MAX_HISTORY = 10
MAX_INLINE_INVENTORY = 100
MAX_INVENTORY_CHUNK = 1000
MAX_MESSAGE = 1024
SHORT_COMMIT = 7

Text = Annotated[str, Meta(max_length=MAX_MESSAGE)]
Line = Annotated[str, Meta(max_length=512)]
Time = Annotated[str, Meta(max_length=40, extra_json_schema={"format": "date-time"})]
Count = Annotated[int, Meta(ge=0, le=2_147_483_647, extra_json_schema={"format": "int32"})]
CommitId = Annotated[str, Meta(max_length=64)]


class Phase(enum.StrEnum):
    """One word for people; programs read the conditions."""

    INITIALIZING = "Initializing"
    SYNCING = "Syncing"
    SYNCED = "Synced"
    FAILED = "Failed"
    SUSPENDED = "Suspended"


class Condition(Model, frozen=True, kw_only=True):
    """A metav1.Condition."""

    type: Annotated[str, Meta(min_length=1, max_length=316)]
    status: Annotated[str, Meta(extra_json_schema={"enum": ["True", "False", "Unknown"]})]
    reason: Annotated[
        str, Meta(min_length=1, max_length=1024, pattern=r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?\Z")
    ]
    message: Annotated[str, Meta(max_length=32768)]
    last_transition_time: Time
    observed_generation: Annotated[int, Meta(ge=0, extra_json_schema={"format": "int64"})] | None = None


class FieldChange(Model, frozen=True, kw_only=True):
    """A field that differs from Git; Secret values are masked."""

    path: Text
    from_: Annotated[str, Meta(max_length=256)] | None = msgspec.field(name="from", default=None)
    to: Annotated[str, Meta(max_length=256)] | None = None


class Drift(Model, frozen=True, kw_only=True):
    """An object that differs from Git, and who made it differ."""

    object: Line
    kind: Annotated[str, Meta(max_length=32)]
    fields: Annotated[tuple[FieldChange, ...], Meta(max_length=20)] = ()
    manager: Annotated[str, Meta(max_length=128)] | None = None
    operation: Annotated[str, Meta(max_length=32)] | None = None
    since: Time | None = None
    action: Annotated[str, Meta(max_length=32)] | None = None


class StatusError(Model, frozen=True, kw_only=True):
    """Something wrong: what, where, and what to do next."""

    code: Annotated[str, Meta(max_length=32)]
    message: Text
    hint: Text
    object: Line | None = None
    source: Text | None = None


class HistoryEntry(Model, frozen=True, kw_only=True):
    """One pass that changed something, failed or recovered."""

    id: Annotated[str, Meta(max_length=26)]
    commit: CommitId
    trigger: Annotated[str, Meta(max_length=128)]
    outcome: Annotated[str, Meta(max_length=32)]
    started: Time
    duration: Annotated[str, Meta(max_length=32)]
    created: Count = 0
    changed: Count = 0
    pruned: Count = 0
    failed: Count = 0


class InventoryEntry(Model, frozen=True, kw_only=True):
    """An object that Nopea applied: identity, hashes of the manifest and of the live projection, commit."""

    object: Line
    desired: Annotated[str, Meta(max_length=64)]
    live: Annotated[str, Meta(max_length=64)] | None = None
    commit: CommitId | None = None


class GitRepositoryStatus(Model, frozen=True, kw_only=True):
    """What Nopea last saw and did; written only when it changes."""

    observed_generation: Annotated[int, Meta(ge=0, extra_json_schema={"format": "int64"})] | None = None
    phase: Phase | None = None
    last_attempted_commit: CommitId | None = None
    last_applied_commit: CommitId | None = None
    short_commit: (
        Annotated[
            str,
            Meta(
                max_length=SHORT_COMMIT,
                description="The start of lastAppliedCommit, for people: a printer column cannot cut.",
            ),
        ]
        | None
    ) = None
    last_commit_message: Line | None = None
    last_commit_author: Annotated[str, Meta(max_length=256)] | None = None
    last_commit_time: Time | None = None
    last_sync_time: Time | None = None
    last_sync_duration: Annotated[str, Meta(max_length=32)] | None = None
    next_sync_time: Time | None = None
    last_handled_sync_at: Annotated[str, Meta(max_length=256)] | None = None
    resource_count: Count | None = None
    applied_count: Count | None = None
    drifted_count: Count | None = None
    suspended_count: Count | None = None
    failed_count: Count | None = None
    drifts: Annotated[tuple[Drift, ...], Meta(max_length=MAX_DRIFTS)] = ()
    errors: Annotated[tuple[StatusError, ...], Meta(max_length=MAX_ERRORS)] = ()
    history: Annotated[tuple[HistoryEntry, ...], Meta(max_length=MAX_HISTORY)] = ()
    inventory: Annotated[tuple[InventoryEntry, ...], Meta(max_length=MAX_INLINE_INVENTORY)] = ()
    conditions: Annotated[
        tuple[Condition, ...],
        Meta(
            max_length=16,
            extra_json_schema={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
        ),
    ] = ()


class InventorySpec(Model, frozen=True, kw_only=True):
    """One chunk of a repository's inventory, when it is too long for the status."""

    repository: Annotated[Name, Meta(description="The GitRepository's name, in this namespace.")]
    index: Count
    entries: Annotated[tuple[InventoryEntry, ...], Meta(max_length=MAX_INVENTORY_CHUNK)] = ()


INVENTORY_RULES = (
    {"rule": "self.repository == oldSelf.repository", "message": "repository is immutable"},
    {"rule": "self.index == oldSelf.index", "message": "index is immutable"},
)
