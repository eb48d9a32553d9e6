"""The parts of `GitRepository.status`: conditions, drifts, errors, history. Every field is bounded."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from nopea.core.api.model import Model
from nopea.core.objects import ObjectKey

MAX_DRIFT_FIELDS = 20
MAX_REVERTED = 5
MAX_MESSAGE = 1024
MAX_LINE = 512
MAX_PATH = 448
MAX_VALUE = 256
MAX_NAME = 253
MAX_LABEL = 63
MAX_USER = 256
MAX_GROUPS = 5
MAX_GROUP = 64

Text = Annotated[str, Meta(max_length=MAX_MESSAGE)]
Line = Annotated[str, Meta(max_length=MAX_LINE)]
Time = Annotated[str, Meta(max_length=40, extra_json_schema={"format": "date-time"})]
Count = Annotated[int, Meta(ge=0, le=2_147_483_647, extra_json_schema={"format": "int32"})]
Generation = Annotated[int, Meta(ge=0, extra_json_schema={"format": "int64"})]
CommitId = Annotated[str, Meta(max_length=64)]
Hash = Annotated[str, Meta(max_length=64)]
Word = Annotated[str, Meta(max_length=32)]
Value = Annotated[str, Meta(max_length=MAX_VALUE)]


class Condition(Model, frozen=True, kw_only=True):
    """One aspect of the current state of the GitRepository."""

    type: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=316,
            description="Type: Ready, Fetched, Applied, Healthy, Watching, Reconciling, Stalled, Suspended, "
            "Drifted, Contended or RolledBack.",
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


class ObjectReference(Model, frozen=True, kw_only=True):
    """An object in the cluster; prints as `apps/Deployment shop/web`."""

    group: Annotated[str, Meta(max_length=MAX_NAME, description="API group; absent for the core group.")] = ""
    kind: Annotated[str, Meta(max_length=MAX_LABEL, description="Kind of the object.")]
    namespace: Annotated[
        str, Meta(max_length=MAX_LABEL, description="Namespace; absent for a cluster-scoped object.")
    ] = ""
    name: Annotated[str, Meta(max_length=MAX_NAME, description="Name of the object.")]

    @classmethod
    def of(cls, key: ObjectKey) -> ObjectReference:
        """Return the reference to an object; what no object's name can hold is cut."""
        return cls(
            group=key.group[:MAX_NAME],
            kind=key.kind[:MAX_LABEL],
            namespace=key.namespace[:MAX_LABEL],
            name=key.name[:MAX_NAME],
        )

    @property
    def key(self) -> ObjectKey:
        """The identity of the object."""
        return ObjectKey(self.group, self.kind, self.namespace, self.name)

    def __str__(self) -> str:
        return str(self.key)


class FieldChange(Model, frozen=True, kw_only=True):
    """A field that differs from Git. Values of Secrets are masked."""

    path: Annotated[str, Meta(max_length=MAX_PATH, description="Path of the field, such as .spec.replicas.")]
    from_: (
        Annotated[
            Value,
            Meta(
                description="The value in Git; absent if Git does not set the field. Values of "
                "Secrets are masked."
            ),
        ]
        | None
    ) = msgspec.field(name="from", default=None)
    to: (
        Annotated[
            Value,
            Meta(
                description="The value in the cluster; absent if the field is not set. Values of "
                "Secrets are masked."
            ),
        ]
        | None
    ) = None


class DriftEntry(Model, frozen=True, kw_only=True):
    """An object that differs from Git, the manager that changed it, and the user."""

    object: Annotated[ObjectReference, Meta(description="The object that differs.")]
    kind: Annotated[Word, Meta(description="manual_drift, or conflict if Git changed the object as well.")]
    fields: Annotated[
        tuple[FieldChange, ...],
        Meta(max_length=MAX_DRIFT_FIELDS, description="Fields that differ; at most 20."),
    ] = ()
    manager: (
        Annotated[str, Meta(max_length=128, description="The field manager that changed the object.")] | None
    ) = None
    user: (
        Annotated[
            str,
            Meta(
                max_length=MAX_USER,
                description="The user who changed the object, if users are recorded and this one is known.",
            ),
        ]
        | None
    ) = None
    groups: Annotated[
        tuple[Annotated[str, Meta(max_length=MAX_GROUP)], ...],
        Meta(
            max_length=MAX_GROUPS, description="Groups of the user, without system:authenticated; at most 5."
        ),
    ] = ()
    operation: Annotated[Word, Meta(description="Operation of the manager: Apply or Update.")] | None = None
    since: Annotated[Time, Meta(description="Time of the change; absent if it is not known.")] | None = None
    action: (
        Annotated[
            Word,
            Meta(
                description="What Nopea did about it: `left:` and why, such as `left: policy`, or "
                "`revert failed`."
            ),
        ]
        | None
    ) = None

    @property
    def is_deletion(self) -> bool:
        """True if the object itself was deleted in the cluster."""
        return any(field.path in ("", ".") for field in self.fields)


class StatusError(Model, frozen=True, kw_only=True):
    """A problem: what happened, where, and what to do next."""

    code: Annotated[
        Word, Meta(description="Error code, such as NOPEA-M001; docs/errors.md explains each code.")
    ]
    message: Annotated[Text, Meta(description="What happened.")]
    hint: Annotated[Text, Meta(description="What to do next.")]
    object: Annotated[ObjectReference, Meta(description="The object that has the problem.")] | None = None
    source: (
        Annotated[Text, Meta(description="File in the repository, followed by #document or :line.")] | None
    ) = None


class ChartEntry(Model, frozen=True, kw_only=True):
    """The chart from elsewhere that is applied."""

    source: Annotated[Text, Meta(description="The repository or registry, and the name of the chart.")]
    version: Annotated[str, Meta(max_length=256, description="Its version.")] = ""
    digest: Annotated[
        str,
        Meta(
            max_length=71,
            description="Its digest: of the manifest in a registry, as `helm pull` prints it, "
            "otherwise of the file.",
        ),
    ]


class KeptEntry(Model, frozen=True, kw_only=True):
    """An object that was removed from Git and stays in the cluster."""

    object: Annotated[ObjectReference, Meta(description="The object.")]
    message: Annotated[Value, Meta(description="Why it stays, and how to delete it or to end the message.")]


class HistoryEntry(Model, frozen=True, kw_only=True):
    """A sync that changed something, failed or recovered."""

    id: Annotated[str, Meta(max_length=26, description="ULID of the sync, as in logs and events.")]
    commit: Annotated[CommitId, Meta(description="The commit; empty if Git could not be read.")]
    trigger: Annotated[str, Meta(max_length=128, description="What triggered the sync, separated by commas.")]
    outcome: Annotated[Word, Meta(description="Outcome of the sync: synced or failed.")]
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
            description="The last changes in the cluster that were reverted: object, fields without "
            "values, manager.",
        ),
    ] = ()


class RepositoryHealth(Model, frozen=True, kw_only=True):
    """Health of the applied objects: the worst of them."""

    status: Annotated[Word, Meta(description="Healthy, Progressing, Recovering, Unhealthy or Unknown.")]
    object: (
        Annotated[ObjectReference, Meta(description="The worst object, if not all are healthy.")] | None
    ) = None
    message: Annotated[Line, Meta(description="What is wrong with it.")] = ""
