"""The metrics that are counted as things happen: syncs, Git operations, API requests, webhooks.

They are in a registry of their own, never the global one. Counting costs less than a microsecond. Metrics
that only have a current value are read at the scrape (`exposition.py`, `repositories.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
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
    Trigger.SECRET_CHANGE,
    Trigger.INPUT_CHANGE,
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
"""A sync with several triggers is counted once, under the first of these."""


def trigger_label(triggers: tuple[str, ...]) -> str:
    """Return the label of a sync with these triggers."""
    heaviest = next((trigger for trigger in BY_WEIGHT if trigger in triggers), None)
    return heaviest.replace(" ", "_") if heaviest else "unknown"


def _counter(metric: Metric, registry: CollectorRegistry) -> Callable[..., Counter]:
    """Return the children of a counter by their label values, cached: `labels()` costs four times as much."""
    return cache(Counter(metric.name, metric.help, metric.labels, registry=registry).labels)


def _histogram(metric: Metric, registry: CollectorRegistry) -> Callable[..., Histogram]:
    """Return the children of a histogram by their label values, cached."""
    buckets = metric.buckets
    return cache(
        Histogram(metric.name, metric.help, metric.labels, buckets=buckets, registry=registry).labels
    )


class Instruments:
    """The counters of one process; two instances share nothing."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._syncs = _counter(catalogue.SYNCS, self.registry)
        self._sync_seconds = _histogram(catalogue.SYNC_SECONDS, self.registry)
        self._objects = _counter(catalogue.SYNC_OBJECTS, self.registry)
        self._drifts = _counter(catalogue.DRIFTS, self.registry)
        self._renderings = _counter(catalogue.RENDERINGS, self.registry)
        self._rendering_seconds = _histogram(catalogue.RENDERING_SECONDS, self.registry)
        self._downloads = _counter(catalogue.DOWNLOADS, self.registry)
        self._download_seconds = _histogram(catalogue.DOWNLOAD_SECONDS, self.registry)
        self._git = _counter(catalogue.GIT_OPERATIONS, self.registry)
        self._git_seconds = _histogram(catalogue.GIT_SECONDS, self.registry)
        self._api = _counter(catalogue.API_REQUESTS, self.registry)
        self._api_seconds = _histogram(catalogue.API_SECONDS, self.registry)
        self._webhooks = _counter(catalogue.WEBHOOKS, self.registry)
        self._webhook_seconds = _histogram(catalogue.WEBHOOK_SECONDS, self.registry)
        self._plans = _counter(catalogue.PULL_REQUEST_PLANS, self.registry)
        self.synced_at: dict[RepoKey, float] = {}
        """When a repository was last synced (Unix time); a scrape drops deleted repositories."""
        for outcome in Outcome:
            self._objects(outcome).inc(0)  # a rate does not see the first value of a series
        self._webhooks("unknown", "refused").inc(0)

    def git_operation(self, operation: str, result: str, seconds: float) -> None:
        """Count a Git operation."""
        self._git(operation, result).inc()
        self._git_seconds(operation).observe(seconds)

    def rendering(self, tool: str, result: str, seconds: float) -> None:
        """Count a rendering."""
        self._renderings(tool, result).inc()
        self._rendering_seconds(tool).observe(seconds)

    def download(self, source: str, result: str, seconds: float) -> None:
        """Count what was asked of a registry, a chart repository or a server of files."""
        self._downloads(source, result).inc()
        self._download_seconds(source).observe(seconds)

    def api_request(self, verb: str, code: str, seconds: float) -> None:
        """Count a request to the API server."""
        self._api(verb, code).inc()
        self._api_seconds(verb).observe(seconds)

    def webhook(self, provider: str, result: str, seconds: float) -> None:
        """Count a delivery; the provider is known once the sender is authenticated."""
        self._webhooks(provider, result).inc()
        self._webhook_seconds(result).observe(seconds)

    def pull_request_plan(self, result: str) -> None:
        """Count what became of the plan of a pull request."""
        self._plans(result).inc()

    def on_transition(self, transition: Transition) -> None:
        """Count the sync of a transition, if there was one."""
        report = transition.report
        if report is None:
            return
        self._syncs(report.result, trigger_label(report.triggers)).inc()
        self._sync_seconds(report.result).observe(report.seconds)
        self._count_objects(report)
        if report.result is Result.SYNCED:
            self.synced_at[transition.repository.key] = transition.at.timestamp()
        elif report.result is Result.DELETED:
            self.synced_at.pop(transition.repository.key, None)

    def _count_objects(self, report: ReconcileReport) -> None:
        unchanged = Outcome.UNCHANGED  # most objects: 10,000 of them must not cost a hash each
        changed = [
            result for result in report.objects if result.outcome is not unchanged or result.seen is not None
        ]
        self._objects(unchanged).inc(len(report.objects) - len(changed))
        for result in changed:
            self._objects(result.outcome).inc()
            if result.drifts or result.healed:
                self._drifts(*_drift_labels(result)).inc()


def _drift_labels(result: ObjectResult) -> tuple[str, str, str]:
    assert result.seen is not None  # noqa: S101 - drift was observed
    drift = result.seen.drift
    field = drift.attributed
    return drift.kind, _action(result), tool_of(field.manager if field else "")


def _action(result: ObjectResult) -> str:
    if result.healed:
        return "healed"
    return "failed" if result.outcome is Outcome.FAILED else f"left_{_WHY_LEFT.get(result.reason, 'other')}"


_WHY_LEFT: Final = {
    Reason.POLICY: "policy",
    Reason.GRACE: "grace",
    Reason.CONTENDED: "contended",
    Reason.BREAK_GLASS: "break_glass",
    Reason.IGNORED: "ignored",
    Reason.READ_ONLY: "read_only",
}
"""The reasons that leave drift, as label values."""
