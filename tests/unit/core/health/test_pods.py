"""The text that explains why Pods do not work."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nopea.core.health.assess import pod_trouble
from nopea.core.health.pods import is_crashing, trouble_of

Fields = dict[str, Any]


def _container(name: str = "web", *, ready: bool = False, last: Fields | None = None, **state: Any) -> Fields:
    return {
        "name": name,
        "ready": ready,
        "state": state,
        **({"lastState": {"terminated": last}} if last else {}),
    }


def _waits(reason: str, message: str = "", *, last: Fields | None = None) -> Fields:
    return _container(waiting={"reason": reason, "message": message}, last=last)


def _ended(code: int, reason: str = "Error", message: str = "") -> Fields:
    return _container(terminated={"exitCode": code, "reason": reason, "message": message})


def _pod(*containers: Fields, name: str = "web-5d8", phase: str = "Running", **status: Any) -> Fields:
    status = {"phase": phase, "containerStatuses": [*containers], **status}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "status": status}


BACK_OFF = "back-off 5m0s restarting failed container"
RUNS = _container(ready=True, running={"startedAt": "2026-05-04T11:00:00Z"})
UNPLACED = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes fit"}
NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
KILLED = {"exitCode": 137, "reason": "OOMKilled"}

CASES: dict[str, tuple[Fields, str]] = {
    "runs": (_pod(RUNS), ""),
    "starts": (_pod(_waits("ContainerCreating"), _waits("PodInitializing"), phase="Pending"), ""),
    "waits for no reason": (_pod(_container(waiting={})), ""),
    "crashes": (_pod(_waits("CrashLoopBackOff", BACK_OFF)), f" container web: CrashLoopBackOff: {BACK_OFF}"),
    "crashes with last words": (
        _pod(
            _waits(
                "CrashLoopBackOff", "back-off", last={"exitCode": 1, "reason": "Error", "message": "no\ndb"}
            )
        ),
        " container web: CrashLoopBackOff: back-off; last end: Error (exit code 1): no db",
    ),
    "crashes for want of memory": (
        _pod(_waits("CrashLoopBackOff", last=KILLED)),
        " container web: CrashLoopBackOff: OOMKilled (exit code 137)",
    ),
    "image pull backs off": (
        _pod(_waits("ImagePullBackOff", 'Back-off pulling image "acme/web:9"'), phase="Pending"),
        ' container web: ImagePullBackOff: Back-off pulling image "acme/web:9"',
    ),
    "image pull fails": (
        _pod(_waits("ErrImagePull", "no such tag")),
        " container web: ErrImagePull: no such tag",
    ),
    "configuration is missing": (
        _pod(_waits("CreateContainerConfigError", 'secret "db" not found')),
        ' container web: CreateContainerConfigError: secret "db" not found',
    ),
    "an unknown reason": (_pod(_waits("NewInThisRelease")), " container web: NewInThisRelease"),
    "ends with an error": (
        _pod(_ended(3, message="disk full"), phase="Failed"),
        " container web: Error (exit code 3): disk full",
    ),
    "is killed for want of memory": (
        _pod(_container(terminated=KILLED)),
        " container web: OOMKilled (exit code 137)",
    ),
    "ends well": (_pod(_ended(0, "Completed")), ""),
    "runs again after a crash": (
        _pod(_container(running={}, started=True, last=KILLED)),
        " container web: OOMKilled (exit code 137)",
    ),
    "works again after a crash": (_pod(_container(ready=True, running={}, last=KILLED)), ""),
    "runs, never ready": (
        _pod(_container(running={}, started=True)),
        " container web: running but not ready",
    ),
    "runs its start-up probe": (_pod({**_container(running={}), "started": False}), ""),
    "an init container crashes": (
        _pod(_waits("PodInitializing"), initContainerStatuses=[_waits("CrashLoopBackOff", BACK_OFF)]),
        f" init container web: CrashLoopBackOff: {BACK_OFF}",
    ),
    "an init container has ended well": (_pod(RUNS, initContainerStatuses=[_ended(0, "Completed")]), ""),
    "no node takes it": (_pod(phase="Pending", conditions=[UNPLACED]), ": Unschedulable: 0/3 nodes fit"),
    "was not placed at first": (_pod(RUNS, conditions=[{**UNPLACED, "status": "True"}]), ""),
    "evicted": (_pod(phase="Failed", reason="Evicted", message="low on disk"), ": Evicted: low on disk"),
    "failed without a word": (_pod(phase="Failed"), ""),
    "succeeded": (_pod(_ended(1), phase="Succeeded"), ""),
    "is being deleted": ({**_pod(_ended(143)), "metadata": {"name": "web", "deletionTimestamp": "now"}}, ""),
    "nameless container": (
        _pod({"state": {"waiting": {"reason": "ErrImagePull"}}}),
        " container ?: ErrImagePull",
    ),
}


@pytest.mark.parametrize(("pod", "said"), CASES.values(), ids=CASES.keys())
def test_each_kind_of_trouble(pod: Fields, said: str) -> None:
    """The text names the Pod and the container; a Pod that works or is starting has none."""
    assert pod_trouble([pod]) == (f"pod web-5d8{said}" if said else "")
    assert trouble_of(pod) == said.lstrip(": ")


@pytest.mark.parametrize(
    ("started", "unready", "is_trouble"),
    [
        ("2026-05-04T11:59:00Z", "2026-05-04T11:58:50Z", False),  # a rollout
        ("2026-05-04T11:59:00Z", "2026-05-04T11:50:00Z", False),  # its image was pulled for long
        ("2026-05-01T00:00:00Z", "2026-05-04T11:59:30Z", False),  # one missed probe of a Pod that works
        ("2026-05-04T11:57:00Z", "2026-05-04T11:56:50Z", True),
        ("2026-05-01T00:00:00Z", "2026-05-04T11:57:30Z", True),
        ("2026-05-04T11:57:00", "today", True),  # nobody knows since when
    ],
)
def test_a_pod_that_starts_is_no_trouble_for_two_minutes(
    started: str, unready: str, is_trouble: bool
) -> None:
    """Each container is not ready at first; then it is time to say so."""
    ready = {"type": "Ready", "status": "False", "lastTransitionTime": unready}
    pod = _pod(_container(running={"startedAt": started}), conditions=[ready])

    assert bool(pod_trouble([pod], now=NOW)) is is_trouble
    assert trouble_of(pod) == "container web: running but not ready"
    crashed = _pod(_container(running={"startedAt": started}, last=KILLED), conditions=[ready])
    assert "OOMKilled" in pod_trouble([crashed], now=NOW)


@pytest.mark.parametrize(
    ("created", "is_trouble"), [("2026-05-04T11:59:50Z", False), ("2026-05-04T11:59:40Z", True)]
)
def test_a_pod_is_no_trouble_before_the_scheduler_had_time(created: str, is_trouble: bool) -> None:
    """A node for it may be starting."""
    pod = _pod(phase="Pending", conditions=[UNPLACED])
    pod["metadata"]["creationTimestamp"] = created

    assert bool(pod_trouble([pod], now=NOW)) is is_trouble


def test_the_most_specific_trouble_comes_first() -> None:
    """The kubelet's reasons come before exit codes, those before scheduling; a text with a message first."""
    pods = [
        _pod(_container(running={}, started=True), name="a"),
        _pod(name="b", phase="Pending", conditions=[UNPLACED]),
        _pod(_ended(1), name="c", phase="Failed"),
        _pod(_waits("ErrImagePull"), name="d"),
        _pod(_waits("ImagePullBackOff", "no such tag"), name="e"),
    ]

    for order in itertools.permutations(pods):
        assert pod_trouble(order) == "pod e container web: ImagePullBackOff: no such tag"
    assert pod_trouble(pods[:4]) == "pod d container web: ErrImagePull"
    assert pod_trouble(pods[:3]) == "pod c container web: Error (exit code 1)"
    assert pod_trouble(pods[:2]).startswith("pod b: Unschedulable")
    assert pod_trouble([]) == ""


def test_of_equal_troubles_the_first_pod_by_name_is_named() -> None:
    """The text does not depend on the order of the Pods."""
    pods = [_pod(_waits("CrashLoopBackOff", BACK_OFF), name=name) for name in ("web-c", "web-a", "web-b")]

    assert {pod_trouble(order)[:9] for order in itertools.permutations(pods)} == {"pod web-a"}


def test_a_termination_message_is_one_bounded_line() -> None:
    """A container can write 4 KiB to its termination message."""
    said = trouble_of(_pod(_ended(1, message="panic\n" * 700)))

    assert "\n" not in said
    assert len(said) < 450


def test_crashing_means_repeated_crashes() -> None:
    """A single failure may be followed by a successful start."""
    assert is_crashing(_pod(RUNS, _waits("CrashLoopBackOff")))
    assert is_crashing(_pod(initContainerStatuses=[_waits("CrashLoopBackOff")]))
    assert not is_crashing(_pod(_ended(1)))
    assert not is_crashing(_pod(_waits("ImagePullBackOff")))


FIELDS = st.sampled_from(
    [
        "metadata",
        "name",
        "status",
        "phase",
        "conditions",
        "type",
        "reason",
        "message",
        "initContainerStatuses",
        "containerStatuses",
        "state",
        "waiting",
        "terminated",
        "running",
        "lastState",
        "exitCode",
        "ready",
        "started",
        "startedAt",
        "lastTransitionTime",
        "creationTimestamp",
    ]
)
WORDS = st.sampled_from(["CrashLoopBackOff", "PodScheduled", "False", "Failed", "OOMKilled"])
HOSTILE = st.recursive(
    st.none() | st.booleans() | st.integers() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS, inner, max_size=5),
    max_leaves=25,
)


@given(st.lists(HOSTILE, max_size=4), HOSTILE)
def test_no_shape_raises(pods: Any, status: Any) -> None:
    """Any Pod and any status gives a text."""
    assert isinstance(pod_trouble(pods, now=NOW), str)
    assert isinstance(pod_trouble([{"metadata": {"name": "web"}, "status": status}]), str)
