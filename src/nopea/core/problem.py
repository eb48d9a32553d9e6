"""Problems: what happened, where, and what to do next. Every view prints the same value.

Each `Code` has a section in `docs/errors.md`; a test compares the two.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Final

MOST_RETRY_AFTER_SECONDS: Final = 3600.0
"""A server that asks for a longer wait is asked again after this time."""


class Remedy(enum.Enum):
    """What can mend a problem, and so when it is worth a retry."""

    TIME = enum.auto()
    """A network, a server, a race, or somebody in the cluster: retried with backoff."""
    COMMIT = enum.auto()
    """A push, which is looked for at every interval."""
    SETTING = enum.auto()
    """The spec, a Secret or the Git server's settings; asking again could lock an account."""


class Code(enum.StrEnum):
    """The error codes, which users depend on.

    G = Git, M = manifests, R = rendering, K = Kubernetes, S = spec, P = process, W = webhooks,
    N = notifications.
    """

    GIT_UNREACHABLE = "NOPEA-G001"
    GIT_AUTHENTICATION = "NOPEA-G002"
    GIT_REF_NOT_FOUND = "NOPEA-G003"
    GIT_PATH_NOT_FOUND = "NOPEA-G004"
    GIT_EMPTY_REPOSITORY = "NOPEA-G005"
    GIT_HOST_KEY = "NOPEA-G006"
    GIT_CERTIFICATE = "NOPEA-G007"
    GIT_TIMEOUT = "NOPEA-G008"
    GIT_CHILD_DIED = "NOPEA-G009"
    GIT_PROTOCOL = "NOPEA-G010"
    GIT_TOO_BIG = "NOPEA-G011"
    GIT_SECRET_MISSING = "NOPEA-G012"
    GIT_SECRET_INVALID = "NOPEA-G013"
    GIT_NOT_FOUND = "NOPEA-G014"
    GIT_DISK = "NOPEA-G015"
    GIT_ADDRESS_DENIED = "NOPEA-G016"
    GIT_RATE_LIMITED = "NOPEA-G017"

    YAML_SYNTAX = "NOPEA-M001"
    YAML_VALUE = "NOPEA-M002"
    YAML_LIMIT = "NOPEA-M003"
    YAML_DUPLICATE_KEY = "NOPEA-M004"
    NOT_AN_OBJECT = "NOPEA-M005"
    NO_OBJECT_IN_FILE = "NOPEA-M006"
    DUPLICATE_OBJECT = "NOPEA-M007"
    ENCODING = "NOPEA-M008"
    LFS_POINTER = "NOPEA-M009"
    OBJECT_METADATA = "NOPEA-M010"
    NO_MANIFESTS = "NOPEA-M011"
    SYMLINK = "NOPEA-M012"
    REPOSITORY_TOO_BIG = "NOPEA-M013"
    NOT_A_FILE = "NOPEA-M014"
    NOT_RENDERED = "NOPEA-M015"
    ENCRYPTED = "NOPEA-M016"

    RENDERER_MISSING = "NOPEA-R001"
    KUSTOMIZATION_INVALID = "NOPEA-R002"
    RENDER_FILE_MISSING = "NOPEA-R003"
    KUSTOMIZATION_CYCLE = "NOPEA-R004"
    PATCH_NO_MATCH = "NOPEA-R005"
    REMOTE_BASE = "NOPEA-R006"
    PLUGIN_REFUSED = "NOPEA-R007"
    OUTSIDE_REPOSITORY = "NOPEA-R008"
    RENDERED_INVALID = "NOPEA-R009"
    RENDERED_TWICE = "NOPEA-R010"
    GENERATED_TOO_BIG = "NOPEA-R011"
    RENDERING_TOO_BIG = "NOPEA-R012"
    RENDERING_TIMEOUT = "NOPEA-R013"
    RENDERING_FAILED = "NOPEA-R014"
    CHART_INVALID = "NOPEA-R015"
    CHART_DEPENDENCY = "NOPEA-R016"
    CHART_INCOMPATIBLE = "NOPEA-R017"
    VALUES_INVALID = "NOPEA-R018"
    TEMPLATE_FAILED = "NOPEA-R019"
    TEMPLATE_OUTPUT = "NOPEA-R020"
    DECRYPTION_KEY = "NOPEA-R021"
    DECRYPTION_FAILED = "NOPEA-R022"
    VARIABLE_UNSET = "NOPEA-R023"
    SUBSTITUTION_INVALID = "NOPEA-R024"
    REMOTE_UNREACHABLE = "NOPEA-R025"
    REMOTE_REFUSED = "NOPEA-R026"
    REMOTE_NOT_FOUND = "NOPEA-R027"
    REMOTE_CHANGED = "NOPEA-R028"
    DECRYPTION_LOGIN = "NOPEA-R029"
    DECRYPTION_REFUSED = "NOPEA-R030"
    KEY_SERVICE_UNREACHABLE = "NOPEA-R031"

    KIND_UNKNOWN = "NOPEA-K001"
    FORBIDDEN = "NOPEA-K002"
    INVALID = "NOPEA-K003"
    OWNED_BY_OTHER = "NOPEA-K004"
    IMMUTABLE = "NOPEA-K005"
    NAMESPACE_MISSING = "NOPEA-K006"
    CRD_NOT_ESTABLISHED = "NOPEA-K007"
    API_UNREACHABLE = "NOPEA-K008"
    API_REJECTED = "NOPEA-K009"
    API_BUSY = "NOPEA-K010"
    TERMINATING = "NOPEA-K011"
    ADMISSION_DENIED = "NOPEA-K012"
    PRUNE_GUARD = "NOPEA-K013"
    PRUNE_PROTECTED = "NOPEA-K014"
    PRUNE_BLOCKED = "NOPEA-K015"
    JOB_FAILED = "NOPEA-K016"
    JOB_UNFINISHED = "NOPEA-K017"

    SPEC_INVALID = "NOPEA-S001"
    DEPENDENCY_NOT_READY = "NOPEA-S002"
    DEPENDENCY_CYCLE = "NOPEA-S003"
    DEPENDENCY_MISSING = "NOPEA-S004"
    ROLLBACK_INVALID = "NOPEA-S005"
    ACCOUNT_MISSING = "NOPEA-S006"
    NOT_ALLOWED = "NOPEA-S007"
    INPUT_MISSING = "NOPEA-S008"
    WORKER_CRASHED = "NOPEA-P001"

    WEBHOOK_UNSIGNED = "NOPEA-W001"
    WEBHOOK_SIGNATURE = "NOPEA-W002"
    WEBHOOK_STALE = "NOPEA-W003"
    WEBHOOK_PAYLOAD = "NOPEA-W004"
    WEBHOOK_NO_SECRET = "NOPEA-W005"
    WEBHOOK_UNKNOWN_REPOSITORY = "NOPEA-W006"
    WEBHOOK_AMBIGUOUS_NAME = "NOPEA-W007"
    WEBHOOK_TOO_LARGE = "NOPEA-W008"
    WEBHOOK_TRY_AGAIN = "NOPEA-W009"

    NOTIFY_RECEIVER = "NOPEA-N001"
    PULL_REQUEST_PLAN = "NOPEA-N002"

    @property
    def reason(self) -> str:
        """The code's name as a condition or Event reason: one CamelCase word, `GitRefNotFound`."""
        return "".join(word.capitalize() for word in self.name.split("_"))

    @property
    def is_of_source(self) -> bool:
        """True when Git, a chart or a key could not be read: what is applied may be old but is not wrong."""
        return self in _OF_REMOTES or (self.startswith("NOPEA-G") and self is not Code.GIT_PATH_NOT_FOUND)

    @property
    def is_waiting(self) -> bool:
        """True when the repository only waits for another one."""
        return self in (Code.DEPENDENCY_NOT_READY, Code.DEPENDENCY_MISSING)

    @property
    def transient(self) -> bool:
        """True when the problem may go away without a person: the network, a server, a race."""
        return self in _TRANSIENT


_OF_REMOTES = frozenset(
    (
        Code.REMOTE_UNREACHABLE, Code.REMOTE_REFUSED, Code.REMOTE_NOT_FOUND, Code.REMOTE_CHANGED,
        Code.KEY_SERVICE_UNREACHABLE,
    )
)  # fmt: skip
_TRANSIENT = frozenset(
    {
        Code.GIT_UNREACHABLE,
        Code.GIT_RATE_LIMITED,
        Code.GIT_TIMEOUT,
        Code.GIT_CHILD_DIED,
        Code.GIT_PROTOCOL,
        Code.GIT_DISK,
        Code.RENDERING_TIMEOUT,
        Code.RENDERING_FAILED,
        Code.REMOTE_UNREACHABLE,
        Code.KEY_SERVICE_UNREACHABLE,
        Code.CRD_NOT_ESTABLISHED,
        Code.API_UNREACHABLE,
        Code.API_REJECTED,
        Code.API_BUSY,
        Code.TERMINATING,
        Code.JOB_UNFINISHED,
        Code.DEPENDENCY_NOT_READY,
        Code.DEPENDENCY_MISSING,
    }
)


_REMEDIES = {
    **dict.fromkeys(
        (
            Code.GIT_REF_NOT_FOUND, Code.GIT_PATH_NOT_FOUND, Code.GIT_EMPTY_REPOSITORY, Code.GIT_TOO_BIG,
            Code.REMOTE_BASE, Code.REMOTE_NOT_FOUND,
        ),
        Remedy.COMMIT,
    ),
    **dict.fromkeys(
        (
            Code.GIT_AUTHENTICATION, Code.GIT_HOST_KEY, Code.GIT_CERTIFICATE, Code.GIT_SECRET_MISSING,
            Code.GIT_SECRET_INVALID, Code.GIT_NOT_FOUND, Code.GIT_ADDRESS_DENIED, Code.SPEC_INVALID,
            Code.ROLLBACK_INVALID, Code.ACCOUNT_MISSING, Code.NOT_ALLOWED, Code.REMOTE_REFUSED,
            Code.REMOTE_CHANGED, Code.DECRYPTION_LOGIN, Code.DECRYPTION_REFUSED,
        ),
        Remedy.SETTING,
    ),
}  # fmt: skip


def printable(text: str) -> str:
    """Return a text from Git, a server or an object without what could control a terminal; lines stay."""
    return "".join(char if char.isprintable() or char == "\n" else " " for char in text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One problem; it never holds a secret, nor characters that control a terminal.

    `source` is `path/in/repo.yaml#2` (document) or `path/in/repo.yaml:14` (line), or empty; `object` is
    `apps/Deployment shop/web` or empty. `message` and `hint` are sentences with a capital and a full stop:
    what happened, and what to do next. A server that is busy may have asked for a wait. `is_stalled` tells a
    problem that no retry mends from others with its code.
    """

    code: Code
    message: str
    hint: str
    source: str = ""
    object: str = ""
    retry_after_seconds: float = field(default=0.0, compare=False)
    is_stalled: bool = field(default=False, compare=False)

    def __post_init__(self) -> None:
        for name in ("message", "hint", "source", "object"):
            text = getattr(self, name)
            if not text.isprintable():
                object.__setattr__(self, name, printable(text))

    @property
    def remedy(self) -> Remedy:
        """What can mend it."""
        return Remedy.SETTING if self.is_stalled else _REMEDIES.get(self.code, Remedy.TIME)

    def __str__(self) -> str:
        where = " ".join(part for part in (self.source, self.object) if part)
        message = self.message if self.message.endswith((".", "!", "?", "…")) else f"{self.message}."
        return f"{self.code}{f' {where}' if where else ''}: {message} {self.hint}".rstrip()


class SyncError(Exception):
    """A reconciliation cannot continue; `problems` (never empty) holds all the reasons."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__(*problems)
        self.problems = problems

    def __str__(self) -> str:
        return " ".join(str(problem) for problem in self.problems)


class StalledError(SyncError):
    """A user must change Git, the spec, a Secret or the cluster; retried too, by each problem's remedy."""


class TransientError(SyncError):
    """The network, the Git server or the API server must recover; retried with backoff."""


def _of_group(group: list[Problem]) -> str:
    others = len(group) - 1
    if not others:
        return str(group[0])
    where = f"{group[0].object} and {others} more" if group[0].object else ""
    source = group[0].source if where else f"{group[0].source} and {others} more".strip()
    return str(replace(group[0], object=where, source=source))


def first_lines(problems: Iterable[Problem], *, limit: int = 3) -> str:
    """Join the first problems for a condition, with the number of those that are left out.

    Problems that differ only in their place are said once, with the first place and the number of the others.
    """
    listed = list(problems)
    groups: dict[tuple[Code, str, str], list[Problem]] = {}
    for problem in listed:
        groups.setdefault((problem.code, problem.message, problem.hint), []).append(problem)
    shown = list(groups.values())[:limit]
    first = " ".join(_of_group(group) for group in shown)
    more = len(listed) - sum(map(len, shown))
    return (
        f"{first} {more} more {'problem' if more == 1 else 'problems'}: see status.errors."
        if more > 0
        else first
    )
