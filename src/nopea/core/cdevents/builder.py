"""Builds the events of one transition, which share the source, the service, its environment and facts.

Decides nothing about which events there are.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from nopea.core.api.repository import ref_of
from nopea.core.api.spec import GitRepositorySpec
from nopea.core.api.status import GitRepositoryStatus
from nopea.core.cdevents.event import CDEvent, Link
from nopea.core.cdevents.ids import bounded
from nopea.core.cdevents.purl import artifact_id
from nopea.core.cdevents.truncate import NAMES, external_text
from nopea.core.cdevents.vocabulary import EventType
from nopea.core.drift.mask import mask_texts
from nopea.core.git.source import Ref, RefKind
from nopea.core.secret import mask_url
from nopea.core.status.report import Outcome, ReconcileReport
from nopea.core.status.transition import Transition

_MESSAGE = 512
_REFS = {
    RefKind.BRANCH: "refs/heads/",
    RefKind.TAG: "refs/tags/",
    RefKind.SEMVER: "semver ",
    RefKind.NAME: "",
    RefKind.COMMIT: "",
    RefKind.HEAD: "HEAD",
}


class DriftAs(enum.StrEnum):
    """The type of drift events: incidents, which may page people, or custom events."""

    INCIDENT = "incident"
    CUSTOM = "custom"


@dataclass(frozen=True, slots=True, kw_only=True)
class EventBuilder:
    """Builds the events of one transition of one repository."""

    source: str
    environment: str
    drift_as: DriftAs
    failing_after: int
    transition: Transition

    @property
    def uid(self) -> str:
        """The uid of the GitRepository, which another object of the same name does not have."""
        return self.transition.repository.uid

    @property
    def before(self) -> GitRepositoryStatus:
        """The status before the transition."""
        return self.transition.before

    @property
    def after(self) -> GitRepositoryStatus:
        """The status after the transition."""
        return self.transition.after

    @property
    def service_id(self) -> str:
        """The id of the service: the objects of the repository."""
        key = self.transition.repository.key
        return f"gitrepository/{key.namespace}/{key.name}"

    @property
    def is_deployment(self) -> bool:
        """True when the transition applied a change of another commit (`core/status/milestones.py`)."""
        return self.before.last_deployment != self.after.last_deployment

    def environment_ref(self) -> dict[str, str]:
        """Return the reference of the environment: the configured one, else the target namespace."""
        repository = self.transition.repository
        spec = repository.spec
        target = spec.target_namespace if isinstance(spec, GitRepositorySpec) else None
        return {"id": self.environment or target or repository.key.namespace, "source": self.source}

    def about_service(self, *, commit: str | None = None, description: str = "") -> dict[str, Any]:
        """Return the content of an incident: service, environment, commit and description."""
        content: dict[str, Any] = {
            "environment": self.environment_ref(),
            "service": {"id": self.service_id, "source": self.source},
        }
        if description:
            content["description"] = description
        return content | self.artifact(commit)

    def artifact(self, commit: str | None) -> dict[str, str]:
        """Return `artifactId`; nothing without a commit or a valid spec."""
        spec = self.transition.repository.spec
        if not commit or not isinstance(spec, GitRepositorySpec):
            return {}
        return {"artifactId": artifact_id(spec.url, commit, spec.path)}

    def event(
        self,
        type_: EventType,
        *,
        id_: str,
        chain: str,
        subject: str,
        content: Mapping[str, Any],
        at: datetime | None = None,
        links: tuple[Link, ...] = (),
        facts: Mapping[str, Any] | None = None,
    ) -> CDEvent:
        """Return an event of this transition, with the time of the transition unless `at` is given."""
        return CDEvent(
            id=id_,
            source=self.source,
            type=type_,
            timestamp=at or self.transition.at,
            chain_id=chain,
            subject_id=bounded(subject),
            content=self._masked(content),
            custom_data={"nopea": self._masked(self._facts() | dict(facts or {}))},
            links=links,
        )

    def external_text(self, text: str, length: int) -> str:
        """Return a string from outside, masked, in at most `length` characters."""
        return external_text(text, length, *self.transition.hidden)

    def _masked(self, values: Mapping[str, Any]) -> dict[str, Any]:
        masked: dict[str, Any] = mask_texts(values, *self.transition.hidden, names=NAMES)
        return masked

    def _facts(self) -> dict[str, Any]:
        """Return what is known of repository and sync; never a value of an object."""
        repository, report = self.transition.repository, self.transition.report
        facts: dict[str, Any] = {}
        if isinstance(repository.spec, GitRepositorySpec):
            pin = report.pin if report is not None else repository.pin
            ref = pin.instead_of if pin is not None else ref_of(repository.spec)
            facts["repository"] = mask_url(repository.spec.url)
            facts |= {"ref": _spelled(ref)} if ref is not None else {}
            facts |= {"path": repository.spec.path} if repository.spec.path else {}
            facts |= {"rolledBackTo": pin.commit} if pin is not None else {}
        return facts | (self._sync_facts(report) if report is not None else {})

    def _sync_facts(self, report: ReconcileReport) -> dict[str, Any]:
        facts: dict[str, Any] = {"syncId": report.id, "triggers": list(report.triggers)}
        if report.commit is not None:
            facts |= {
                "commit": report.commit.id,
                "commitMessage": self.external_text(report.commit.message, _MESSAGE),
            }
        return facts


def work_facts(report: ReconcileReport) -> dict[str, Any]:
    """Return how much a sync changed, and how long it took."""
    return {
        "durationSeconds": round(report.seconds, 3),
        "counts": {outcome.value: report.count(outcome) for outcome in Outcome},
    }


def _spelled(ref: Ref) -> str:
    return f"{_REFS[ref.kind]}{ref.value}"
