"""What Alertmanager is sent: what is wrong now, again and again, and what has ended. Pure.

Alertmanager groups, delays and repeats on its own, and forgets an alert that is not sent again. So alerts
come from the latest status of each repository, not from transitions: a restart, of Nopea or of Alertmanager,
loses none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import orjson

from nopea.core.api.conditions import CONTENDED, HEALTHY, ROLLED_BACK, find
from nopea.core.api.notify import NotificationKind, Severity
from nopea.core.api.spec import GitRepositorySpec, HealPolicy
from nopea.core.api.times import format_time, parse_time
from nopea.core.drift.mask import plain_line
from nopea.core.git.source import host_of
from nopea.core.notify.failures import (
    HOLD_SECONDS,
    is_held,
    is_transient,
    reason_of,
    seconds_of,
    severity_of,
)
from nopea.core.notify.notification import MAX_LINE
from nopea.core.notify.rules import what_happened
from nopea.core.objects import RepoKey
from nopea.core.problem import Code
from nopea.core.status.report import Result
from nopea.core.status.transition import Transition

AGAIN_SECONDS: Final = 60.0
LIFE_SECONDS: Final = 240.0
"""How long Alertmanager keeps an alert that is not sent again: three attempts may fail."""
MAX_ALERTS: Final = 2000
PER_MESSAGE: Final = 100
_CONDITIONS: Final = (
    (HEALTHY, "False", NotificationKind.HEALTH, "NopeaUnhealthy"),
    (CONTENDED, "True", NotificationKind.CONTENTION, "NopeaContended"),
    (ROLLED_BACK, "True", NotificationKind.ROLLBACK, "NopeaRolledBack"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One alert; `labels` are its identity."""

    labels: tuple[tuple[str, str], ...]
    summary: str
    description: str
    starts_at: datetime
    kind: NotificationKind
    severity: Severity
    not_before: datetime
    """It is worth an alert if it lasts until then."""


def alerts_of(
    transition: Transition, *, cluster: str, hold_seconds: float = HOLD_SECONDS
) -> tuple[Alert, ...]:
    """Return what is wrong with the repository after a transition."""
    gone = transition.report is not None and transition.report.result is Result.DELETED
    if gone or transition.repository.suspended:
        return ()
    return (
        *_failures(transition, cluster, hold_seconds),
        *_conditions(transition, cluster),
        *_drift(transition, cluster),
    )


def _failures(transition: Transition, cluster: str, hold_seconds: float) -> Iterator[Alert]:
    status, spec = transition.after, transition.repository.spec
    since = transition.at - timedelta(seconds=seconds_of(status, at=transition.at))
    host = host_of(spec.url) if isinstance(spec, GitRepositorySpec) else ""
    by_code = {error.code: error for error in reversed(status.errors)}
    for code, error in sorted(by_code.items()):
        is_guard = code == Code.PRUNE_GUARD
        more = {"code": code, "reason": reason_of(code)}
        if is_held(code) and host:
            more["git_host"] = host
        yield _alert(
            transition,
            cluster,
            name="NopeaPruneHeldBack" if is_guard else "NopeaSyncFailed",
            kind=NotificationKind.PRUNE if is_guard else NotificationKind.FAILURE,
            severity=severity_of([code]),
            text=(error.message, error.hint),
            since=since,
            hold_seconds=hold_seconds if is_transient(code) else 0.0,
            **more,
        )


def _conditions(transition: Transition, cluster: str) -> Iterator[Alert]:
    for type_, wrong, kind, name in _CONDITIONS:
        condition = find(transition.after.conditions, type_)
        if condition is not None and condition.status == wrong:
            since = parse_time(condition.last_transition_time) or transition.at
            yield _alert(
                transition,
                cluster,
                name=name,
                kind=kind,
                severity=Severity.WARNING,
                text=(condition.message, ""),
                since=since,
            )


def _drift(transition: Transition, cluster: str) -> Iterator[Alert]:
    spec, drifts = transition.repository.spec, transition.after.drifts
    left = [drift for drift in drifts if drift.action == "left: policy"]
    if not left or not isinstance(spec, GitRepositorySpec) or spec.heal_policy is not HealPolicy.NOTIFY:
        return
    count = transition.after.drifted_count or len(left)
    more = f", and {count - 1} more" if count > 1 else ""
    yield _alert(
        transition,
        cluster,
        name="NopeaDrift",
        kind=NotificationKind.DRIFT,
        severity=Severity.WARNING,
        text=(f"{left[0].object} {what_happened(left[:1])}{more}.", ""),
        since=parse_time(left[0].since) or transition.at,
    )


def _alert(
    transition: Transition,
    cluster: str,
    *,
    name: str,
    kind: NotificationKind,
    severity: Severity,
    text: tuple[str, str],
    since: datetime,
    hold_seconds: float = 0.0,
    **more: str,
) -> Alert:
    key = transition.repository.key
    labels = {
        "alertname": name,
        "severity": {Severity.ERROR: "critical"}.get(severity, str(severity)),
        "namespace": key.namespace,
        "gitrepository": key.name,
        **more,
    }
    if cluster:
        labels["cluster"] = cluster
    message, hint = (plain_line(part, *transition.hidden, limit=MAX_LINE) for part in text)
    return Alert(
        labels=tuple(sorted(labels.items())),
        summary=f"{key}: {message}",
        description=hint,
        starts_at=since,
        kind=kind,
        severity=severity,
        not_before=since + timedelta(seconds=hold_seconds),
    )


@dataclass(slots=True)
class AlertBoard:
    """The alerts of one Alertmanager, by repository; at most `MAX_ALERTS` are sent."""

    _alerts: dict[RepoKey, tuple[Alert, ...]] = field(default_factory=dict)
    _sent: dict[tuple[tuple[str, str], ...], Alert] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """True when nothing is wrong any more."""
        return not self._alerts

    def observe(self, key: RepoKey, alerts: tuple[Alert, ...]) -> bool:
        """Replace the alerts of a repository; return whether other alerts fire now."""
        before = self._alerts.get(key, ())
        if alerts:
            self._alerts[key] = alerts  # in its place: whoever tries again does not lose it
        else:
            self._alerts.pop(key, None)
        return {(each.labels, each.not_before) for each in before} != {
            (each.labels, each.not_before) for each in alerts
        }

    def messages(self, *, at: datetime) -> Iterator[bytes]:
        """Yield what to send now: all that fires, and once what has ended since the last call."""
        wrong = self._in_turn(at)
        firing = {alert.labels: alert for alert in wrong[:MAX_ALERTS]}
        still = {alert.labels for alert in wrong}
        ended = [alert for labels, alert in self._sent.items() if labels not in still]
        lives = at + timedelta(seconds=LIFE_SECONDS)
        entries = [_entry(alert, ends=lives) for alert in firing.values()]
        entries += [_entry(alert, ends=at) for alert in ended]
        self._sent = {labels: alert for labels, alert in (self._sent | firing).items() if labels in still}
        for start in range(0, len(entries), PER_MESSAGE):
            yield orjson.dumps(entries[start : start + PER_MESSAGE])

    def _in_turn(self, at: datetime) -> list[Alert]:
        """Return all that fires, the namespaces in turn: one with many leaves room for the others."""
        ranks: Counter[str] = Counter()
        ranked: list[tuple[int, Alert]] = []
        for key, alerts in self._alerts.items():
            for alert in alerts:
                if alert.not_before <= at:
                    ranks[key.namespace] += 1
                    ranked.append((ranks[key.namespace], alert))
        return [alert for _, alert in sorted(ranked, key=lambda pair: pair[0])]

    def next_at(self, *, at: datetime) -> datetime | None:
        """Return when `messages` has something new, or must be sent again; None while nothing is wrong."""
        moments = [alert.not_before for alerts in self._alerts.values() for alert in alerts]
        firing = any(moment <= at for moment in moments) or bool(self._sent)
        again = at + timedelta(seconds=AGAIN_SECONDS)
        later = [moment for moment in moments if moment > at]
        return min([*later, *([again] if firing else [])], default=None)


def _entry(alert: Alert, *, ends: datetime) -> dict[str, Any]:
    annotations = {"summary": alert.summary, "description": alert.description}
    return {
        "labels": dict(alert.labels),
        "annotations": {name: text for name, text in annotations.items() if text},
        "startsAt": format_time(alert.starts_at),
        "endsAt": format_time(ends),
    }
