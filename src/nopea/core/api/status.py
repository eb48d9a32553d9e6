"""The model of `GitRepository.status`; every field is bounded.

The schema of the CRD is generated from it, and its descriptions are what `kubectl explain` prints.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from nopea.core.api.entries import (
    ChartEntry,
    CommitId,
    Condition,
    Count,
    DriftEntry,
    Generation,
    HistoryEntry,
    KeptEntry,
    Line,
    RepositoryHealth,
    RevisionEntry,
    StatusError,
    Time,
)
from nopea.core.api.model import Model

MAX_DRIFTS = 20
MAX_ERRORS = 20
MAX_HISTORY = 10
MAX_KEPT = 20
MAX_OBJECT_STATES = 65_536
MAX_REVISIONS = 10
MAX_SUMMARY = 160


class GitRepositoryStatus(Model, frozen=True, kw_only=True):
    """The last observed state of the GitRepository."""

    observed_generation: (
        Annotated[
            Generation,
            Meta(
                description="The metadata.generation that the status describes. The rest is current "
                "once it equals the object's own."
            ),
        ]
        | None
    ) = None
    summary: (
        Annotated[
            str,
            Meta(
                max_length=MAX_SUMMARY,
                description="What to know about the GitRepository, in one sentence without URLs and "
                "error codes. "
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
                description="What is applied: the branch or tag and the first characters of the "
                "commit, such as main@sha1:c0ffee0.",
            ),
        ]
        | None
    ) = None
    chart: (
        Annotated[ChartEntry, Meta(description="The chart in spec.helm.chart, if it is not in Git.")] | None
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
    in_sync_count: (
        Annotated[Count, Meta(description="Number of objects that are in sync with Git.")] | None
    ) = None
    drifted_count: (
        Annotated[Count, Meta(description="Number of objects with drift that was not reverted.")] | None
    ) = None
    suspended_count: (
        Annotated[
            Count,
            Meta(description="Number of objects that are not written: under break-glass, or suspended."),
        ]
        | None
    ) = None
    failed_count: (
        Annotated[Count, Meta(description="Number of objects that could not be applied.")] | None
    ) = None
    health: (
        Annotated[
            RepositoryHealth, Meta(description="Health of the applied objects; absent before the first sync.")
        ]
        | None
    ) = None
    drifts: Annotated[
        tuple[DriftEntry, ...],
        Meta(max_length=MAX_DRIFTS, description="Objects with drift that was not reverted; at most 20."),
    ] = ()
    errors: Annotated[
        tuple[StatusError, ...],
        Meta(max_length=MAX_ERRORS, description="Problems of the last sync; at most 20."),
    ] = ()
    error_count: Annotated[
        Count, Meta(description="Number of problems of the last sync; errors lists the first of them.")
    ] = 0
    kept: Annotated[
        tuple[KeptEntry, ...],
        Meta(
            max_length=MAX_KEPT,
            description="Objects that were removed from Git and stay in the cluster, because they "
            "are deleted only on request or because their kind is not served; at most 20.",
        ),
    ] = ()
    history: Annotated[
        tuple[HistoryEntry, ...],
        Meta(
            max_length=MAX_HISTORY,
            description="The last 10 syncs that changed something, failed or recovered; newest first.",
        ),
    ] = ()
    revisions: Annotated[
        tuple[RevisionEntry, ...],
        Meta(
            max_length=MAX_REVISIONS,
            description="The last 10 commits that were applied, or should have been; newest first. "
            "Retries and checks do not push them out.",
        ),
    ] = ()
    inventory: Annotated[
        str,
        Meta(
            max_length=131_072,
            description="Record of the applied objects, at most 100, packed, with keyed hashes. For "
            "Nopea only. "
            "With more, the record is in Inventory objects instead.",
        ),
    ] = ""
    object_states: Annotated[
        str,
        Meta(
            max_length=MAX_OBJECT_STATES,
            description="Sync and health of the objects that are not in sync or not healthy, packed. "
            "For Nopea only; `nopea tree` prints it.",
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
