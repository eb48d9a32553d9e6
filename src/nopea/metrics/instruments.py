"""What is counted as it happens: passes, Git operations, API requests; in an own registry, never the global.

Counting costs about a microsecond and never raises on what rooms tell; what only has a present value is not
counted here but read at the scrape (`live.py`, `repositories.py`).
"""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.process_collector import ProcessCollector

from nopea.core.objects import RepoKey
from nopea.core.plan.model import Reason
from nopea.core.status.report import ObjectResult, Outcome, ReconcileReport, Result
from nopea.core.status.transition import Transition
from nopea.core.trigger import Trigger
from nopea.metrics import catalogue
from nopea.metrics.catalogue import Metric
from nopea.metrics.tools import tool_of

BY_WEIGHT: Final = (
    Trigger.DELETION,
    Trigger.ROLLBACK,
    Trigger.RESUME,
    Trigger.MANUAL,
    Trigger.WEBHOOK,
    Trigger.SPEC_CHANGE,
    Trigger.STARTUP,
    Trigger.KIND_CHANGE,
    Trigger.DEPENDENCY,
    Trigger.HEAL,
    Trigger.OBJECT_CHANGE,
    Trigger.RETRY,
    Trigger.RECONCILE,
    Trigger.HEALTH,
    Trigger.POLL,
    Trigger.SHUTDOWN,
)
"""Of several triggers, a pass is counted under the first of these: each pass is counted once."""


def trigger_label(triggers: tuple[str, ...]) -> str:
    """Return the label of a pass that these triggers woke."""
    heaviest = next((one for one in BY_WEIGHT if one in triggers), None)
    return heaviest.replace(" ", "_") if heaviest else "unknown"


class Counters:
    """A counter's children, kept: `labels()` at each increment is four times dearer."""

    __slots__ = ("_children", "_metric")

    def __init__(self, metric: Metric, registry: CollectorRegistry) -> None:
        self._metric = Counter(metric.name, metric.help, metric.labels, registry=registry)
        self._children: dict[tuple[str, ...], Counter] = {}

    def add(self, *labels: str, amount: float = 1.0) -> None:
        """Count; an amount of 0 makes the series, so that rates begin before the first event."""
        child = self._children.get(labels)
        if child is None:
            child = self._children[labels] = self._metric.labels(*labels)
        child.inc(amount)


class Histograms:
    """The same for a histogram."""

    __slots__ = ("_children", "_metric")

    def __init__(self, metric: Metric, registry: CollectorRegistry) -> None:
        self._metric = Histogram(
            metric.name, metric.help, metric.labels, buckets=metric.buckets, registry=registry
        )
        self._children: dict[str, Histogram] = {}

    def observe(self, label: str, seconds: float) -> None:
        """Take one duration."""
        child = self._children.get(label)
        if child is None:
            child = self._children[label] = self._metric.labels(label)
        child.observe(seconds)


class Instruments:
    """The counters of one process; two of them share nothing."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._syncs = Counters(catalogue.SYNCS, self.registry)
        self._sync_seconds = Histograms(catalogue.SYNC_SECONDS, self.registry)
        self._objects = Counters(catalogue.SYNC_OBJECTS, self.registry)
        self._drifts = Counters(catalogue.DRIFTS, self.registry)
        self._git = Counters(catalogue.GIT_OPERATIONS, self.registry)
        self._git_seconds = Histograms(catalogue.GIT_SECONDS, self.registry)
        self._api = Counters(catalogue.API_REQUESTS, self.registry)
        self._api_seconds = Histograms(catalogue.API_SECONDS, self.registry)
        self._webhooks = Counters(catalogue.WEBHOOKS, self.registry)
        self._webhook_seconds = Histograms(catalogue.WEBHOOK_SECONDS, self.registry)
        self.synced_at: dict[RepoKey, float] = {}
        """When a pass last synced a repository (Unix time); a scrape drops those that are gone."""
        for outcome in Outcome:
            self._objects.add(outcome, amount=0)
        self._webhooks.add("unknown", "refused", amount=0)

    def git_operation(self, operation: str, result: str, seconds: float) -> None:
        """Count a Git operation."""
        self._git.add(operation, result)
        self._git_seconds.observe(operation, seconds)

    def api_request(self, verb: str, code: str, seconds: float) -> None:
        """Count a request to the API server."""
        self._api.add(verb, code)
        self._api_seconds.observe(verb, seconds)

    def webhook(self, provider: str, result: str, seconds: float) -> None:
        """Count a delivery; the provider is known once the sender has proved who it is."""
        self._webhooks.add(provider, result)
        self._webhook_seconds.observe(result, seconds)

    def on_transition(self, transition: Transition) -> None:
        """Count the pass of a transition, if there was one."""
        report = transition.report
        if report is None:
            return
        self._syncs.add(report.result, trigger_label(report.triggers))
        self._sync_seconds.observe(report.result, report.seconds)
        self._count_objects(report)
        if report.result is Result.SYNCED:
            self.synced_at[transition.repository.key] = transition.at.timestamp()
        elif report.result is Result.DELETED:
            self.synced_at.pop(transition.repository.key, None)

    def _count_objects(self, report: ReconcileReport) -> None:
        unchanged = Outcome.UNCHANGED  # most are: 10,000 of them must not cost a hash each
        moved = [one for one in report.objects if one.outcome is not unchanged or one.seen is not None]
        self._objects.add(unchanged, amount=len(report.objects) - len(moved))
        for one in moved:
            self._objects.add(one.outcome)
            if one.drifts or one.healed:
                self._drifts.add(*_drift_labels(one))


def _drift_labels(one: ObjectResult) -> tuple[str, str, str]:
    assert one.seen is not None  # noqa: S101 - what drifts was seen
    drift = one.seen.drift
    field = drift.attributed
    return drift.kind, _action(one), tool_of(field.manager if field else "")


def _action(one: ObjectResult) -> str:
    if one.healed:
        return "healed"
    return "failed" if one.outcome is Outcome.FAILED else f"left_{_WHY_LEFT.get(one.reason, 'other')}"


_WHY_LEFT: Final = {
    Reason.POLICY: "policy",
    Reason.GRACE: "grace",
    Reason.CONTENDED: "contended",
    Reason.BREAK_GLASS: "break_glass",
    Reason.IGNORED: "ignored",
}
"""The reasons that leave drift, as label values."""
