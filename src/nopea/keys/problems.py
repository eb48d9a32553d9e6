"""Turn what goes wrong with a key service into the problems that users read. Pure."""

from __future__ import annotations

from nopea.core.decryption.keys import WrappedKey
from nopea.core.problem import (
    MOST_RETRY_AFTER_SECONDS,
    Code,
    Problem,
    StalledError,
    SyncError,
    TransientError,
)

_LATER = "Nopea tries again. If it stays, check the key service and the network between it and Nopea."
CHECK = "Check the key, and whether the login may decrypt with it."
WRITTEN = "Correct the key with `sops updatekeys`."


def no_login(key: WrappedKey, namespace: str, *, secret_key: str) -> SyncError:
    """Return the error where nobody says who may use a key."""
    return StalledError(
        Problem(
            code=Code.DECRYPTION_LOGIN,
            message=f"There is no login for the key {key}.",
            hint=f"Add {secret_key} to the Secret that spec.decryption names, or run Nopea with "
            f"--sops-keys={namespace}={key}.",
        )
    )


def no_identity(key: WrappedKey, why: str, *, is_ours: bool, is_busy: bool) -> SyncError:
    """Return the error where a login, Nopea's own or a tenant's, is none."""
    if is_busy:
        return unreachable(key, why)
    problem = Problem(
        code=Code.DECRYPTION_LOGIN,
        message=f"The key {key}: {why}.",
        hint="Give Nopea's Pod an identity that may decrypt with it, or use a login of your own."
        if is_ours
        else "Correct the Secret that spec.decryption names.",
    )
    return StalledError(problem)


def refused(key: WrappedKey, why: str, hint: str = CHECK) -> SyncError:
    """Return the error of a key that may not be used."""
    return StalledError(Problem(code=Code.DECRYPTION_REFUSED, message=f"The key {key}: {why}.", hint=hint))


def unreachable(key: WrappedKey, why: str, *, retry_after: str = "") -> SyncError:
    """Return the error of a key service that does not answer as it should at the moment."""
    seconds = float(retry_after) if retry_after.isascii() and retry_after.isdigit() else 0.0
    return TransientError(
        Problem(
            code=Code.KEY_SERVICE_UNREACHABLE,
            message=f"The key {key}: {why}.",
            hint=_LATER,
            retry_after_seconds=min(seconds, MOST_RETRY_AFTER_SECONDS),
        )
    )
