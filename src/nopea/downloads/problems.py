"""Turn what goes wrong with a download into the problems that users read. Pure."""

from __future__ import annotations

from nopea.core.problem import (
    MOST_RETRY_AFTER_SECONDS,
    Code,
    Problem,
    StalledError,
    SyncError,
    TransientError,
)

_LATER = "Nopea tries again. If it stays, check the server and the network between it and Nopea."
_LOGIN = "Check spec.helm.secretRef: the Secret must hold a login for this host that may read the chart."
_SERVER_ERROR = 500
_MISSING = frozenset((404, 410))
_REFUSED = frozenset((401, 403))
_BUSY = frozenset((408, 425, 429))


def unreachable(what: str, why: str, *, retry_after: float = 0.0) -> SyncError:
    """Return the error of a server that does not answer as it should at the moment."""
    return TransientError(
        Problem(
            code=Code.REMOTE_UNREACHABLE,
            message=f"{what}: {why}.",
            hint=_LATER,
            retry_after_seconds=min(max(retry_after, 0.0), MOST_RETRY_AFTER_SECONDS),
        )
    )


def refused(what: str, why: str, hint: str = _LOGIN) -> SyncError:
    """Return the error of what may not be fetched."""
    return StalledError(Problem(code=Code.REMOTE_REFUSED, message=f"{what}: {why}.", hint=hint))


def not_found(what: str, why: str, hint: str) -> SyncError:
    """Return the error of what the server does not have."""
    return StalledError(Problem(code=Code.REMOTE_NOT_FOUND, message=f"{what}: {why}.", hint=hint))


def corrupt(what: str, *, wanted: str, found: str) -> SyncError:
    """Return the error of a content that is not what the server announced."""
    return unreachable(what, f"the content has the digest {found}, and {wanted} was announced")


def too_big(what: str, limit: int) -> SyncError:
    """Return the error of a content that is too big."""
    return StalledError(
        Problem(
            code=Code.RENDERING_TOO_BIG,
            message=f"{what} is larger than {limit // 2**20} MiB.",
            hint="Use something smaller: the limit is there for the memory of the controller.",
        )
    )


def of_status(what: str, status: int, *, retry_after: str = "", missing: str) -> SyncError:
    """Return the error of a response; `missing` is what to do about a 404."""
    if status in _MISSING:
        return not_found(what, "it does not exist", missing)
    if status in _REFUSED:
        return refused(what, f"the server refused the request (HTTP {status})")
    if status in _BUSY or status >= _SERVER_ERROR:
        wait = float(retry_after) if retry_after.isascii() and retry_after.isdigit() else 0.0
        return unreachable(what, f"the server answered with HTTP {status}", retry_after=wait)
    return refused(
        what, f"the server answered with HTTP {status}", "Check the URL in a browser or with curl."
    )
