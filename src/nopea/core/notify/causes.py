"""Why repositories fail, as far as they may share it: a Git server, the API server. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from nopea.core.api.entries import StatusError
from nopea.core.api.spec import GitRepositorySpec
from nopea.core.git.source import host_of
from nopea.core.notify.failures import is_held
from nopea.core.problem import Code
from nopea.core.status.transition import Transition

_OF_GIT: Final = "NOPEA-G"
_OF_API: Final = frozenset((Code.API_UNREACHABLE, Code.API_BUSY))


@dataclass(frozen=True, slots=True, order=True)
class FailureCause:
    """Why repositories fail; `place` is the host of a Git server, or the name of one repository."""

    code: str
    place: str
    is_shared: bool = True

    def __str__(self) -> str:
        return f"{self.code} {self.place}"


def cause_of(error: StatusError, transition: Transition) -> FailureCause | None:
    """Return the cause of a problem; None if it is reported at once, by `failures.py`."""
    if not is_held(error.code):
        return None
    spec, key = transition.repository.spec, transition.repository.key
    host = host_of(spec.url) if isinstance(spec, GitRepositorySpec) else ""
    if error.code.startswith(_OF_GIT) and error.code != Code.GIT_PATH_NOT_FOUND and host:
        return FailureCause(error.code, host)
    if error.code in _OF_API:
        return FailureCause(error.code, "the API server")
    return FailureCause(error.code, str(key), is_shared=False)


def causes_of(transition: Transition) -> dict[FailureCause, StatusError]:
    """Return the causes for which the repository fails after a transition, each with its first problem."""
    causes: dict[FailureCause, StatusError] = {}
    for error in transition.after.errors:
        cause = cause_of(error, transition)
        if cause is not None:
            causes.setdefault(cause, error)
    return causes
