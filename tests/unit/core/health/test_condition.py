"""The condition Healthy of a GitRepository."""

from __future__ import annotations

import pytest

from nopea.core.health.assess import Health, HealthStatus
from nopea.core.health.condition import summarize, unsettled
from nopea.core.objects import ObjectKey

WEB, API, DB, JOB = (ObjectKey("apps", "Deployment", "shop", name) for name in ("web", "api", "db", "job"))
FINE = Health(status=HealthStatus.HEALTHY)
SLOW = Health(status=HealthStatus.PROGRESSING, message="1 of 3 replicas are ready")
BROKEN = Health(status=HealthStatus.FAILED, message="the Job has failed")
GOING = Health(status=HealthStatus.TERMINATING)
UNREADABLE = Health(status=HealthStatus.UNKNOWN, message="spec is not a mapping")


@pytest.mark.parametrize(("count", "message"), [(1, "1 object is healthy."), (2, "2 objects are healthy.")])
def test_all_healthy_is_true_and_counted(count: int, message: str) -> None:
    """If all objects are healthy, the condition is True and counts them."""
    summary = summarize(dict(list({WEB: FINE, API: FINE}.items())[:count]), {})

    assert (summary.status, summary.reason, summary.message) == ("True", "Healthy", message)
    assert summary.is_settled


def test_one_failed_object_makes_it_false_and_only_failed_ones_are_named() -> None:
    """If an object has failed, the message does not mention objects that are progressing."""
    summary = summarize({WEB: SLOW, DB: BROKEN, API: FINE}, {})

    assert (summary.status, summary.reason) == ("False", "Unhealthy")
    assert summary.message == "apps/Deployment shop/db: the Job has failed"
    assert not summary.is_settled


def test_a_failure_of_its_pods_makes_a_workload_failed() -> None:
    """The cause in the Pods replaces the message of the workload."""
    summary = summarize({WEB: SLOW}, {WEB: "pod web-1 container web: CrashLoopBackOff"})

    assert (summary.status, summary.reason) == ("False", "Unhealthy")
    assert summary.message == "apps/Deployment shop/web: pod web-1 container web: CrashLoopBackOff"


def test_progress_is_unknown_and_names_the_object() -> None:
    """An object that is not ready yet makes the condition Unknown."""
    summary = summarize({WEB: SLOW, API: FINE}, {})

    assert (summary.status, summary.reason) == ("Unknown", "Progressing")
    assert summary.message == "apps/Deployment shop/web: 1 of 3 replicas are ready"


def test_unreadable_objects_alone_are_unknown() -> None:
    """If another object is progressing, the reason is Progressing."""
    assert summarize({WEB: UNREADABLE}, {}).reason == "Unknown"
    assert summarize({WEB: UNREADABLE, API: SLOW}, {}).reason == "Progressing"


def test_three_objects_are_named_and_the_others_counted() -> None:
    """The message is bounded; an object without a message shows its status."""
    summary = summarize({WEB: SLOW, API: GOING, DB: SLOW, JOB: SLOW}, {})

    assert summary.message.startswith("apps/Deployment shop/api: terminating; apps/Deployment shop/db: ")
    assert summary.message.endswith("; 1 more object is not healthy")
    long = Health(status=HealthStatus.FAILED, message="x" * 5000)
    assert len(summarize({WEB: long}, {}).message) == 4096


def test_failed_objects_come_first() -> None:
    """Terminating objects come second, then progressing and unknown ones."""
    healths = {API: SLOW, DB: UNREADABLE, JOB: GOING, WEB: BROKEN}

    assert unsettled(healths) == [WEB, JOB, API, DB]
