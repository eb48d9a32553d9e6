"""Jobs that have finished: they do not run again because somebody, or their TTL, removes them. Pure.

The inventory records how a Job ended and with which manifest. Until that changes, its work is done.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final

import orjson

from nopea.core.api import names
from nopea.core.health.rules import HEALTHY, Health, failed
from nopea.core.manifests.render import Desired
from nopea.core.plan.model import Finish, Finished, LastApplied, ObservedObject

_OURS: Final = f"{names.GROUP}/"


def record_of(
    desired: Desired, observed: ObservedObject, *, commit: str, projection: str | None
) -> LastApplied:
    """Return the record of an object that is live as `observed` and matches what Git desires."""
    return LastApplied(
        hash=desired.hash,
        projection=projection,
        commit=commit,
        finished=finished_as(desired, observed.finish),
    )


def finished_as(desired: Desired, finish: Finish | None) -> Finished | None:
    """Return the record of a Job that ended with the desired manifest; None while it has not ended."""
    return Finished(how=finish, manifest=_digest(desired.body)) if finish is not None else None


def is_done(last: LastApplied | None, desired: Desired) -> bool:
    """Return whether the desired Job has run to its end, so that it need not be live."""
    return last is not None and last.finished is not None and last.finished.manifest == _digest(desired.body)


def health_of(finished: Finished) -> Health:
    """Return the health of a finished Job that is no longer live."""
    return failed("the Job failed and was removed") if finished.how is Finish.FAILED else HEALTHY


def _digest(body: bytes) -> str:
    """Hash a manifest without Nopea's own metadata: a Job does not run again because its file was moved."""
    manifest: Mapping[str, Any] = orjson.loads(body)
    metadata = dict(manifest.get("metadata") or {})
    for field in ("annotations", "labels"):
        texts: Mapping[str, Any] = metadata.pop(field, None) or {}
        if rest := {name: text for name, text in texts.items() if not name.startswith(_OURS)}:
            metadata[field] = rest
    content = orjson.dumps({**manifest, "metadata": metadata}, option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(content, digest_size=16).hexdigest()
