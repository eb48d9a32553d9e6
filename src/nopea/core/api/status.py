"""`GitRepository.status` and `Inventory` as the API server stores them: the one model, bounded everywhere."""

from __future__ import annotations

import enum
from typing import Annotated

import msgspec
from msgspec import Meta

from nopea.core.api.spec import Model, Name

MAX_ERRORS = 20
MAX_DRIFTS = 20
MAX_DRIFT_FIELDS = 20
MAX_HISTORY = 10
MAX_INLINE_INVENTORY = 100
MAX_INVENTORY_CHUNK = 1000
MAX_MESSAGE = 1024
SHORT_COMMIT = 7

Text = Annotated[str, Meta(max_length=MAX_MESSAGE)]
Line = Annotated[str, Meta(max_length=512)]
Time = Annotated[str, Meta(max_length=40, extra_json_schema={"format": "date-time"})]
Count = Annotated[int, Meta(ge=0, le=2_147_483_647, extra_json_schema={"format": "int32"})]
Generation = Annotated[int, Meta(ge=0, extra_json_schema={"format": "int64"})]
CommitId = Annotated[str, Meta(max_length=64)]
Hash = Annotated[str, Meta(max_length=64)]
Word = Annotated[str, Meta(max_length=32)]
Value = Annotated[str, Meta(max_length=256)]


class Phase(enum.StrEnum):
    """One word for people; programs read the conditions."""

    INITIALIZING = "Initializing"
    SYNCING = "Syncing"
    SYNCED = "Synced"
    FAILED = "Failed"
    SUSPENDED = "Suspended"


class Condition(Model, frozen=True, kw_only=True):
    """A metav1.Condition: what is known about one aspect, since when, and why."""

    type: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=316,
            description="The aspect: Ready, Reconciling, Stalled, Healthy, Drifted, Contended or RolledBack.",
        ),
    ]
    status: Annotated[
        str,
        Meta(
            pattern=r"^(True|False|Unknown)\Z",
            description="Whether it holds.",
            extra_json_schema={"enum": ["True", "False", "Unknown"]},
        ),
    ]
    reason: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=1024,
            pattern=r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?\Z",
            description="Why, in one word for programs.",
        ),
    ]
    message: Annotated[str, Meta(max_length=4096, description="Why, in a sentence for people.")]
    last_transition_time: Annotated[Time, Meta(description="When the status last changed.")]
    observed_generation: (
        Annotated[Generation, Meta(description="The metadata.generation that this is about.")] | None
    ) = None


class FieldChange(Model, frozen=True, kw_only=True):
    """A field that differs from Git; Secret values are masked."""

    path: Annotated[Line, Meta(description="Where the field is.")]
    from_: (
        Annotated[Value, Meta(description="The value that Git wants; absent when it wants none.")] | None
    ) = msgspec.field(name="from", default=None)
    to: Annotated[Value, Meta(description="The value in the cluster; absent when there is none.")] | None = (
        None
    )


class DriftEntry(Model, frozen=True, kw_only=True):
    """An object that differs from Git, and who made it differ."""

    object: Annotated[Line, Meta(description="The object: apps/Deployment shop/web.")]
    kind: Annotated[Word, Meta(description="manual_drift, or conflict when Git changed as well.")]
    fields: Annotated[
        tuple[FieldChange, ...], Meta(max_length=MAX_DRIFT_FIELDS, description="What differs; the first 20.")
    ] = ()
    manager: (
        Annotated[str, Meta(max_length=128, description="The field manager that made the change.")] | None
    ) = None
    operation: Annotated[Word, Meta(description="How it did: Apply or Update.")] | None = None
    since: Annotated[Time, Meta(description="When it did.")] | None = None
    action: Annotated[Word, Meta(description="What Nopea does about it.")] | None = None


class StatusError(Model, frozen=True, kw_only=True):
    """Something wrong: what, where, and what to do next."""

    code: Annotated[Word, Meta(description="The code; docs/errors.md has a section for each.")]
    message: Annotated[Text, Meta(description="What happened.")]
    hint: Annotated[Text, Meta(description="What to do next.")]
    object: Annotated[Line, Meta(description="The object that it is about.")] | None = None
    source: (
        Annotated[Text, Meta(description="Where in the repository: a file with #document or :line after it.")]
        | None
    ) = None


class HistoryEntry(Model, frozen=True, kw_only=True):
    """One pass that changed something, failed or recovered."""

    id: Annotated[str, Meta(max_length=26, description="The pass's ULID, as in logs and events.")]
    commit: Annotated[CommitId, Meta(description="The commit; empty when Git could not tell it.")]
    trigger: Annotated[str, Meta(max_length=128, description="What woke Nopea, joined by commas.")]
    outcome: Annotated[Word, Meta(description="How it ended.")]
    started: Annotated[Time, Meta(description="When it started.")]
    duration: Annotated[Word, Meta(description="How long it took.")]
    created: Annotated[Count, Meta(description="Objects created.")] = 0
    changed: Annotated[Count, Meta(description="Objects changed.")] = 0
    pruned: Annotated[Count, Meta(description="Objects deleted.")] = 0
    failed: Annotated[Count, Meta(description="Objects that could not be applied.")] = 0


class InventoryEntry(Model, frozen=True, kw_only=True):
    """An object that Nopea applied."""

    object: Annotated[Line, Meta(description="The object: apps/Deployment shop/web.")]
    desired: Annotated[Hash, Meta(description="The hash of the manifest that was applied.")]
    live: (
        Annotated[Hash, Meta(description="The hash of the fields that Nopea owned right after applying.")]
        | None
    ) = None
    commit: Annotated[CommitId, Meta(description="The commit that it was applied from.")] | None = None


class GitRepositoryStatus(Model, frozen=True, kw_only=True):
    """What Nopea last saw and did; written only when it changes."""

    observed_generation: (
        Annotated[Generation, Meta(description="The metadata.generation that the status is about.")] | None
    ) = None
    phase: Annotated[Phase, Meta(description="One word for people; programs read the conditions.")] | None = (
        None
    )
    last_attempted_commit: Annotated[CommitId, Meta(description="The commit of the last pass.")] | None = None
    last_applied_commit: (
        Annotated[CommitId, Meta(description="The last commit that was applied in full.")] | None
    ) = None
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
    last_commit_message: (
        Annotated[Line, Meta(description="The first line of lastAttemptedCommit's message.")] | None
    ) = None
    last_commit_author: (
        Annotated[str, Meta(max_length=256, description="The author of lastAttemptedCommit.")] | None
    ) = None
    last_commit_time: Annotated[Time, Meta(description="When lastAttemptedCommit was made.")] | None = None
    last_sync_time: (
        Annotated[Time, Meta(description="When a pass last changed, learned or failed something.")] | None
    ) = None
    last_sync_duration: Annotated[Word, Meta(description="How long that pass took.")] | None = None
    next_sync_time: (
        Annotated[Time, Meta(description="When a failed pass is repeated; absent when nothing failed.")]
        | None
    ) = None
    failures: Annotated[
        Count, Meta(description="Passes that failed in a row; absent when the last one did not.")
    ] = 0
    failing_since: (
        Annotated[Time, Meta(description="When the first of them failed; absent when the last one did not.")]
        | None
    ) = None
    last_deployment: (
        Annotated[
            str,
            Meta(max_length=26, description="The pass that last brought a change from Git, as in history."),
        ]
        | None
    ) = None
    last_handled_sync_at: (
        Annotated[
            str, Meta(max_length=256, description="The annotation nopea.io/sync-requested-at last obeyed.")
        ]
        | None
    ) = None
    last_handled_heal_at: (
        Annotated[
            str, Meta(max_length=512, description="The annotation nopea.io/heal-requested last obeyed.")
        ]
        | None
    ) = None
    resource_count: Annotated[Count, Meta(description="Objects in Git.")] | None = None
    applied_count: Annotated[Count, Meta(description="Objects that are as Git wants them.")] | None = None
    drifted_count: (
        Annotated[Count, Meta(description="Objects that somebody changed in the cluster.")] | None
    ) = None
    suspended_count: Annotated[Count, Meta(description="Objects that nothing may be written to.")] | None = (
        None
    )
    failed_count: Annotated[Count, Meta(description="Objects that could not be applied.")] | None = None
    drifts: Annotated[
        tuple[DriftEntry, ...], Meta(max_length=MAX_DRIFTS, description="What drifted; the first 20.")
    ] = ()
    errors: Annotated[
        tuple[StatusError, ...], Meta(max_length=MAX_ERRORS, description="What is wrong; the first 20.")
    ] = ()
    history: Annotated[
        tuple[HistoryEntry, ...], Meta(max_length=MAX_HISTORY, description="The last 10 passes of note.")
    ] = ()
    inventory: Annotated[
        tuple[InventoryEntry, ...],
        Meta(
            max_length=MAX_INLINE_INVENTORY,
            description="What was applied, up to 100 objects; the rest is in Inventory objects.",
        ),
    ] = ()
    conditions: Annotated[
        tuple[Condition, ...],
        Meta(
            max_length=16,
            description="What is known, by aspect.",
            extra_json_schema={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
        ),
    ] = ()


class InventorySpec(Model, frozen=True, kw_only=True):
    """One chunk of a repository's inventory, when it is too long for the status."""

    repository: Annotated[Name, Meta(description="The GitRepository's name, in this namespace.")]
    index: Annotated[Count, Meta(description="The chunk's number, from 0.")]
    entries: Annotated[
        tuple[InventoryEntry, ...],
        Meta(max_length=MAX_INVENTORY_CHUNK, description="The chunk's objects, sorted."),
    ] = ()


INVENTORY_RULES = (
    {
        "rule": "self.repository == oldSelf.repository",
        "fieldPath": ".repository",
        "message": "is immutable: delete the Inventory and create another",
    },
    {
        "rule": "self.index == oldSelf.index",
        "fieldPath": ".index",
        "message": "is immutable: delete the Inventory and create another",
    },
)
