"""Jobs that have finished: they do not run again because somebody, or their TTL, removes them. Pure.

The inventory records how a Job ended and with which manifest. Until that changes, its work is done.
"""

from __future__ import annotations

from dataclasses import replace

from nopea.core.health.rules import HEALTHY, Health, failed
from nopea.core.manifests.render import Desired, content_of
from nopea.core.plan.model import Finish, Finished, LastApplied, ObservedObject

_OTHER = "other"


def record_of(
    desired: Desired, observed: ObservedObject, *, commit: str, projection: str | None, admission: str = ""
) -> LastApplied:
    """Return the record of an object that is live as `observed` and matches what Git desires."""
    return LastApplied(
        hash=desired.hash,
        projection=projection,
        commit=commit,
        admission=admission,
        finished=finished_as(desired, observed.finish),
    )


def finished_as(desired: Desired, finish: Finish | None) -> Finished | None:
    """Return the record of a Job that ended with the desired manifest; None while it has not ended."""
    return Finished(how=finish, manifest=desired.content) if finish is not None else None


def is_done(last: LastApplied | None, desired: Desired) -> bool:
    """Return whether the desired Job has run to its end, so that it need not be live."""
    return last is not None and last.finished is not None and last.finished.manifest == desired.content


def compared(last: LastApplied, desired: Desired, before: bytes | None) -> LastApplied:
    """Return the record of a finished Job whose hashes have another key, by the manifest that ran.

    Where that is not known any more, the Job does not run again.
    """
    if last.finished is None or last.finished.manifest:
        return last
    is_same = before is None or content_of(before) == content_of(desired.body)
    return replace(last, finished=replace(last.finished, manifest=desired.content if is_same else _OTHER))


def health_of(finished: Finished) -> Health:
    """Return the health of a finished Job that is no longer live."""
    return failed("the Job failed and was removed") if finished.how is Finish.FAILED else HEALTHY
