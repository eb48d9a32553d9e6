"""What the events of one step share: the source, the service, its environment, and facts about them.

Builds events from parts; decides nothing about which there are.
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
from nopea.core.cdevents.shrink import NAMES, foreign
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
    RefKind.COMMIT: "",
}


class DriftAs(enum.StrEnum):
    """How drift is told: as an incident, to which paging tools may listen, or as a custom event."""

    INCIDENT = "incident"
    CUSTOM = "custom"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One step of one repository, and where it plays."""

    source: str
    environment: str
    drift_as: DriftAs
    failing_after: int
    transition: Transition

    @property
    def uid(self) -> str:
        """What tells the repository from all others, before and after it in the same place too."""
        return self.transition.repository.uid

    @property
    def before(self) -> GitRepositoryStatus:
        """The status that the step started from."""
        return self.transition.before

    @property
    def after(self) -> GitRepositoryStatus:
        """The status that it led to."""
        return self.transition.after

    @property
    def service_id(self) -> str:
        """The service: what the repository keeps in the cluster."""
        key = self.transition.repository.key
        return f"gitrepository/{key.namespace}/{key.name}"

    @property
    def is_deployment(self) -> bool:
        """True when the step applied a change of another commit (`core/status/milestones.py`)."""
        return self.before.last_deployment != self.after.last_deployment

    def environment_ref(self) -> dict[str, str]:
        """The environment: the configured one, else the namespace that the objects go to."""
        repository = self.transition.repository
        spec = repository.spec
        target = spec.target_namespace if isinstance(spec, GitRepositorySpec) else None
        return {"id": self.environment or target or repository.key.namespace, "source": self.source}

    def about_service(self, *, commit: str | None = None, description: str = "") -> dict[str, Any]:
        """Return the content of an incident: which service and environment, which commit, what it is."""
        content: dict[str, Any] = {
            "environment": self.environment_ref(),
            "service": {"id": self.service_id, "source": self.source},
        }
        if description:
            content["description"] = description
        return content | self.artifact(commit)

    def artifact(self, commit: str | None) -> dict[str, str]:
        """Return the content's `artifactId`; nothing without a commit or a spec that can be read."""
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
        """Return an event of this step, which happened when the step did unless `at` says another time."""
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

    def foreign(self, text: str, length: int) -> str:
        """Return a text of people or servers in at most so many characters, fit to leave the cluster."""
        return foreign(text, length, *self.transition.hidden)

    def _masked(self, told: Mapping[str, Any]) -> dict[str, Any]:
        masked: dict[str, Any] = mask_texts(told, *self.transition.hidden, names=NAMES)
        return masked

    def _facts(self) -> dict[str, Any]:
        """Return the repository and the pass, as far as they are known: no value of any object."""
        repository, report = self.transition.repository, self.transition.report
        facts: dict[str, Any] = {}
        if isinstance(repository.spec, GitRepositorySpec):
            pin = report.pin if report is not None else repository.pin
            ref = pin.instead_of if pin is not None else ref_of(repository.spec)
            facts["repository"] = mask_url(repository.spec.url)
            facts |= {"ref": _spelled(ref)} if ref is not None else {}
            facts |= {"path": repository.spec.path} if repository.spec.path else {}
            facts |= {"rolledBackTo": pin.commit} if pin is not None else {}
        return facts | (self._pass_facts(report) if report is not None else {})

    def _pass_facts(self, report: ReconcileReport) -> dict[str, Any]:
        facts: dict[str, Any] = {"passId": report.id, "triggers": list(report.triggers)}
        if report.commit is not None:
            facts |= {
                "commit": report.commit.id,
                "commitMessage": self.foreign(report.commit.message, _MESSAGE),
            }
        return facts


def work_facts(report: ReconcileReport) -> dict[str, Any]:
    """Return how much a pass did, and how long it took."""
    return {
        "durationSeconds": round(report.seconds, 3),
        "counts": {outcome.value: report.count(outcome) for outcome in Outcome},
    }


def _spelled(ref: Ref) -> str:
    return f"{_REFS[ref.kind]}{ref.value}"
