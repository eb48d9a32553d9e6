"""Finds why Pods do not work and describes the most useful cause in one sentence.

Reads the status that the kubelet and the scheduler wrote. Does not assess workloads (`assess.py` does) and
never raises: unreadable fields are skipped.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Any

from nopea.core.api.times import parse_time
from nopea.core.problem import printable

CRASH_LOOP = "CrashLoopBackOff"
# The scheduler reports a Pod as unschedulable before a node that is starting can take it.
UNSCHEDULABLE_AFTER = timedelta(seconds=15)
# Each container is not ready at first: until then it may just be starting, or miss one probe.
NOT_READY_AFTER = timedelta(minutes=2)
# Normal steps while a container starts.
_STARTING = ("ContainerCreating", "PodInitializing", "")
_STATUSES = (("initContainerStatuses", "init container"), ("containerStatuses", "container"))
_MESSAGE_LIMIT = 400
_NOTHING: Mapping[str, Any] = {}


class _Rank(IntEnum):
    """The most useful cause comes first."""

    CANNOT_RUN = 0  # the kubelet reports why
    ENDED = 1
    NOT_PLACED = 2
    ENDED_BEFORE = 3
    NOT_READY = 4


@dataclass(frozen=True, slots=True, order=True)
class _Trouble:
    rank: _Rank
    is_bare: bool  # no message beside the reason
    text: str


def pod_trouble(pods: Iterable[Mapping[str, Any]], *, now: datetime | None = None) -> str:
    """Return the most useful cause among the Pods; empty when nothing is wrong.

    For example `pod web-5d8 container web: CrashLoopBackOff: back-off 5m0s restarting failed container`. Pods
    that are being deleted or have succeeded are skipped. The order of the Pods does not matter. With `now`,
    which is aware, what is normal while a Pod starts is left out: see `UNSCHEDULABLE_AFTER` and
    `NOT_READY_AFTER`.
    """
    troubles = [(trouble, _name(pod)) for pod in pods for trouble in _troubles(pod, now)]
    if not troubles:
        return ""
    trouble, name = min(troubles)
    return f"pod {name}{trouble.text}"


def trouble_of(pod: Mapping[str, Any]) -> str:
    """Return the most useful cause in one Pod, without its name; empty when nothing is wrong."""
    troubles = sorted(_troubles(pod))
    return troubles[0].text.lstrip(": ") if troubles else ""


def is_crashing(pod: Mapping[str, Any]) -> bool:
    """Return whether a container or an init container is in CrashLoopBackOff."""
    status = _mapping(pod, "status")
    return any(
        _text(_mapping(_mapping(container, "state"), "waiting"), "reason") == CRASH_LOOP
        for field, _ in _STATUSES
        for container in _mappings(status, field)
    )


def _troubles(pod: Any, now: datetime | None = None) -> Iterator[_Trouble]:
    pod = pod if isinstance(pod, Mapping) else _NOTHING
    status = _mapping(pod, "status")
    phase = _text(status, "phase")
    if phase == "Succeeded" or _mapping(pod, "metadata").get("deletionTimestamp") is not None:
        return
    for field, word in _STATUSES:
        for container in _mappings(status, field):
            trouble = _container(container, f" {word} {_text(container, 'name') or '?'}: ")
            if trouble is None or (trouble.rank is _Rank.NOT_READY and _is_starting(container, status, now)):
                continue
            yield trouble
    if phase == "Failed" and (_text(status, "reason") or _text(status, "message")):
        yield _trouble(_Rank.ENDED, ": ", _text(status, "reason") or phase, _text(status, "message"))
    until = unplaced_until(pod)
    for condition in _mappings(status, "conditions"):
        if _is_unschedulable(condition) and (now is None or (until is not None and now > until)):
            yield _trouble(_Rank.NOT_PLACED, ": ", "Unschedulable", _text(condition, "message"))


def unplaced_until(pod: Mapping[str, Any]) -> datetime | None:
    """Return how long a node that takes the Pod is waited for; None if one has, or it says no time."""
    if not any(map(_is_unschedulable, _mappings(_mapping(pod, "status"), "conditions"))):
        return None
    created = parse_time(_text(_mapping(pod, "metadata"), "creationTimestamp"))
    return created + UNSCHEDULABLE_AFTER if created is not None else None


def _is_unschedulable(condition: Mapping[str, Any]) -> bool:
    wanted = ("PodScheduled", "False", "Unschedulable")
    return (condition.get("type"), condition.get("status"), condition.get("reason")) == wanted


def _is_starting(container: Mapping[str, Any], status: Mapping[str, Any], now: datetime | None) -> bool:
    """Return whether a running container has not been unready for longer than `NOT_READY_AFTER`."""
    if now is None:
        return False
    times = [_text(_mapping(_mapping(container, "state"), "running"), "startedAt")]
    times += [
        _text(condition, "lastTransitionTime")
        for condition in _mappings(status, "conditions")
        if condition.get("type") == "Ready"
    ]
    return any(time is not None and now - time <= NOT_READY_AFTER for time in map(parse_time, times))


def _container(container: Mapping[str, Any], where: str) -> _Trouble | None:
    state = _mapping(container, "state")
    last_end = _mapping(_mapping(container, "lastState"), "terminated")
    waiting, ended = _mapping(state, "waiting"), _mapping(state, "terminated")
    reason = _text(waiting, "reason")
    if reason not in _STARTING:
        message = _text(waiting, "message")
        if reason == CRASH_LOOP and _has_failed(last_end):
            message = "; last end: ".join(filter(None, (message, ": ".join(filter(None, _end(last_end))))))
        return _trouble(_Rank.CANNOT_RUN, where, reason, message)
    if _has_failed(ended):
        return _trouble(_Rank.ENDED, where, *_end(ended))
    if container.get("ready") is False and _has_failed(last_end):
        return _trouble(_Rank.ENDED_BEFORE, where, *_end(last_end))
    if container.get("ready") is False and "running" in state and container.get("started") is not False:
        return _trouble(_Rank.NOT_READY, where, "running but not ready")
    return None


def _has_failed(end: Mapping[str, Any]) -> bool:
    return bool(end) and (end.get("exitCode", 0) != 0 or end.get("reason") == "OOMKilled")


def _end(end: Mapping[str, Any]) -> tuple[str, str]:
    """Return how a container ended, and its termination message."""
    reason = _text(end, "reason") or "ended"
    return f"{reason} (exit code {_number(end.get('exitCode'))})", _text(end, "message")


def _trouble(rank: _Rank, where: str, reason: str, message: str = "") -> _Trouble:
    text = f"{reason}: {message}" if message else reason
    return _Trouble(rank, not message, where + one_line(text))


def one_line(text: str, limit: int = _MESSAGE_LIMIT) -> str:
    """Return a foreign string as one line of at most `limit` characters."""
    line = printable(" ".join(text[: 4 * limit].split()))
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def _name(pod: Mapping[str, Any]) -> str:
    return _text(_mapping(pod, "metadata"), "name") or "?"


def _mapping(parent: Mapping[str, Any], field: str) -> Mapping[str, Any]:
    value = parent.get(field)
    return value if isinstance(value, Mapping) else _NOTHING


def _mappings(parent: Mapping[str, Any], field: str) -> list[Mapping[str, Any]]:
    value = parent.get(field)
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def _text(parent: Mapping[str, Any], field: str) -> str:
    value = parent.get(field)
    return value if isinstance(value, str) else ""


def _number(value: Any) -> str:
    return str(value) if isinstance(value, int) else "?"
