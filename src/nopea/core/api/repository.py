"""A parsed GitRepository object: its identity, and its spec or the problem with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from nopea.core.api import names
from nopea.core.api.pin import Pin, parse_pin, pinned
from nopea.core.api.rules import REF_RULES
from nopea.core.api.spec import DeletionPolicy, GitReference, GitRepositorySpec
from nopea.core.api.status import GitRepositoryStatus
from nopea.core.api.tenancy import LEAST, TenancyPolicy, within
from nopea.core.duration import parse_duration
from nopea.core.git.source import DEFAULT_BRANCH, Ref, RefKind
from nopea.core.objects import ObjectKey, RepoKey
from nopea.core.problem import Code, Problem
from nopea.core.secret import mask_url


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """One version of a GitRepository object, as the API server stores it.

    During a rollback, `spec` names the pinned commit instead of its own ref. With a `pin_problem`, an
    annotation that cannot be parsed, nothing may be applied.
    """

    key: RepoKey
    uid: str
    generation: int
    resource_version: str
    deleting: bool
    sync_requested_at: str
    heal_requested: str = ""
    confirm_prune: str = ""
    created: str = ""
    """When the object was created, as Kubernetes writes times."""
    abandoned: bool = False
    has_finalizer: bool = False
    pin: Pin | None = None
    pin_problem: Problem | None = None
    spec: GitRepositorySpec | Problem
    status: GitRepositoryStatus

    @property
    def suspended(self) -> bool:
        """Whether the spec forbids all writes."""
        return isinstance(self.spec, GitRepositorySpec) and self.spec.suspend

    @property
    def rollback_to(self) -> str:
        """The full id of the commit of the rollback; empty without one."""
        return self.pin.commit if self.pin else ""

    @property
    def version(self) -> tuple[int, str]:
        """The generation and the pin: as long as both are the same, Git is asked for the same ref."""
        return self.generation, self.rollback_to

    @property
    def follows(self) -> str:
        """The ref that Git is asked for, for messages; empty for an invalid spec."""
        return "" if isinstance(self.spec, Problem) else str(ref_of(self.spec))

    @property
    def deletes_objects(self) -> bool:
        """Whether the objects are deleted with the GitRepository; never with an invalid spec."""
        spec = self.spec
        return isinstance(spec, GitRepositorySpec) and spec.deletion_policy is DeletionPolicy.DELETE

    @property
    def waits_for_health(self) -> bool:
        """Whether health is a part of Ready."""
        return isinstance(self.spec, GitRepositorySpec) and self.spec.wait

    @property
    def why_objects_stay(self) -> str:
        """Return why a deletion of the GitRepository leaves its objects; empty if it deletes them."""
        if self.abandoned:
            return "abandoned"
        if self.suspended:
            return "suspended"
        if not self.deletes_objects:
            return "deletionPolicy"
        return "" if self.has_finalizer else "finalizer removed by others"

    @property
    def object_key(self) -> ObjectKey:
        """The identity of the GitRepository object itself."""
        return ObjectKey(names.GROUP, names.KIND, self.key.namespace, self.key.name)


def parse_repository(raw: Mapping[str, Any], *, policy: TenancyPolicy = LEAST) -> Repository:
    """Parse a GitRepository from the API server; an invalid spec becomes a Problem, never an exception."""
    metadata = raw["metadata"]
    annotations = metadata.get("annotations") or {}
    spec = parse_spec(raw.get("spec") or {}, policy=policy)
    key = RepoKey(metadata["namespace"], metadata["name"])
    pin = _pin(key, annotations.get(names.ROLLBACK_ANNOTATION), spec)
    if isinstance(pin, Pin) and isinstance(spec, GitRepositorySpec):
        spec = pinned(spec, pin)
    return Repository(
        key=key,
        uid=metadata["uid"],
        generation=metadata.get("generation", 0),
        resource_version=metadata["resourceVersion"],
        deleting="deletionTimestamp" in metadata,
        sync_requested_at=str(annotations.get(names.SYNC_REQUESTED_ANNOTATION, ""))[:256],
        heal_requested=str(annotations.get(names.HEAL_REQUESTED_ANNOTATION, ""))[:512],
        confirm_prune=str(annotations.get(names.CONFIRM_PRUNE_ANNOTATION, ""))[:64],
        created=str(metadata.get("creationTimestamp") or ""),
        abandoned=annotations.get(names.ABANDON_ANNOTATION) == "true",
        has_finalizer=names.FINALIZER in (metadata.get("finalizers") or ()),
        pin=pin if isinstance(pin, Pin) else None,
        pin_problem=pin if isinstance(pin, Problem) else None,
        spec=spec,
        status=_parse_status(raw.get("status") or {}),
    )


def parse_spec(raw_spec: Mapping[str, Any], *, policy: TenancyPolicy = LEAST) -> GitRepositorySpec | Problem:
    """Parse a spec, which an older schema may have accepted; the Problem names the first invalid field."""
    try:
        spec = msgspec.convert(raw_spec, GitRepositorySpec)
        for text in (spec.interval, spec.retry_interval, spec.timeout, spec.heal_grace_period):
            parse_duration(text or "0s")
        ref_of(spec)
    except (msgspec.ValidationError, ValueError) as error:
        return _spec_problem(str(error), "Correct the spec. `kubectl explain gr.spec` describes its fields.")
    if spec.url.lower().startswith("file:") and not policy.allow_file_urls:
        return _spec_problem(
            f"{mask_url(spec.url)} is a file URL",
            "Use https or ssh, or start Nopea with --allow-file-urls.",
        )
    return within(spec, policy)


def ref_of(spec: GitRepositorySpec) -> Ref:
    """Return the ref of the spec: by default the default branch, and a commit instead of its branch.

    Raises ValueError for any other combination.
    """
    ref = spec.ref or GitReference()
    one_of = {
        RefKind.TAG: ref.tag, RefKind.SEMVER: ref.semver, RefKind.NAME: ref.name,
        RefKind.BRANCH if ref.commit is None else RefKind.COMMIT: ref.commit or ref.branch,
    }  # fmt: skip
    given = [Ref(kind, value) for kind, value in one_of.items() if value is not None]
    if len(given) > 1:
        raise ValueError(f"spec.ref: {REF_RULES[0]['message']}")
    return given[0] if given else DEFAULT_BRANCH


def _pin(key: RepoKey, text: object, spec: GitRepositorySpec | Problem) -> Pin | Problem | None:
    if text is None:
        return None
    ref = None if isinstance(spec, Problem) else ref_of(spec)
    return parse_pin(str(text), instead_of=ref, arguments=key.arguments)


def _spec_problem(message: str, hint: str) -> Problem:
    return Problem(
        code=Code.SPEC_INVALID, message=f"The spec is invalid: {message.removesuffix('.')}.", hint=hint
    )


def _parse_status(raw_status: Mapping[str, Any]) -> GitRepositoryStatus:
    """Parse the status; one that another version wrote in another form is empty and written again."""
    try:
        return msgspec.convert(raw_status, GitRepositoryStatus)
    except msgspec.ValidationError:
        return GitRepositoryStatus()
