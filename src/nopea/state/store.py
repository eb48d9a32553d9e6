"""What the process remembers of each repository; it outlives the workers.

Bounded by what it describes: one entry per GitRepository, one line per object it declares; parsed manifests
by a number of bytes.
"""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cachetools import LRUCache

from nopea.core.api.entries import ChartEntry
from nopea.core.api.status import GitRepositoryStatus
from nopea.core.downloads.items import RemoteItem
from nopea.core.git.source import Commit, ParsedFile, PathListing, Remote
from nopea.core.objects import GroupKind, ObjectKey, RepoKey
from nopea.core.plan.contention import NO_FIGHTS, Fights
from nopea.core.plan.model import LastApplied
from nopea.core.problem import Problem


@dataclass(frozen=True, slots=True)
class FirstSeen:
    """When drift began; `what` differs from that of any other drift of the object.

    Without `is_dated`, `at` is only when it was found: it may have begun long before.
    """

    what: int
    at: datetime
    is_dated: bool = True


@dataclass(slots=True)
class RepositoryState:
    """One repository's memory: the status as last written, and what the last syncs learned."""

    uid: str
    status: GitRepositoryStatus
    applied: dict[ObjectKey, LastApplied] = field(default_factory=dict)
    """The inventory: what was applied and is not known to be gone."""
    loaded: bool = False
    """True once the inventory has been read back from Kubernetes."""
    chunks: dict[int, str] = field(default_factory=dict)
    """The digests of the Inventory objects as last written, by index."""
    drifted_since: dict[ObjectKey, FirstSeen] = field(default_factory=dict)
    """Since when objects drift."""
    as_applied: set[ObjectKey] = field(default_factory=set)
    """The objects that a watch has shown as they were applied: drift that appears in one begins now."""
    left: dict[ObjectKey, tuple[object, ...] | None] = field(default_factory=dict)
    """The `ObservedObject.facts` of the objects that the last run left alone; None without our label."""
    fights: Fights = NO_FIGHTS
    """How often changes by each manager were healed."""
    contested: frozenset[tuple[ObjectKey, RepoKey]] = frozenset()
    """The objects of this repository that another one declares too, as last reported."""
    remote: Remote | None = None
    """The URL with the credentials of the last sync: polls need not read the Secret again."""
    commit: Commit | None = None
    synced_version: tuple[int, str] | None = None
    """The `Repository.version` for which `commit` was read: both are used while Git fails."""
    has_links: bool = True
    """False when the commit that was read last has no links: files outside `spec.path` do not matter."""
    complete: bool = False
    """True when the last sync of `commit` had no problem: a poll that finds it has nothing to do."""
    admission_tried_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    """When objects that admission changed were last applied again; a start counts as a try."""
    problems: tuple[Problem, ...] = ()
    """The problems of the last sync: logged in full when they change, not at each retry."""
    written_at: float = -math.inf
    """When the status was last written, in seconds of the event loop."""
    bases: tuple[Remote, ...] = ()
    """Other repositories that the last rendering read."""
    follows_remotes: bool = False
    """True when the last rendering read something elsewhere that may change without a commit."""
    secret_versions: dict[str, str] = field(default_factory=dict)
    """The versions of the Secrets that the last sync read for Git, by name; empty for a missing one."""
    unknown_kinds: bool = False
    """True when the last sync met a kind that the API server does not serve: retry when a kind appears."""


class StateStore:
    """All tables of the process, keyed by repository."""

    def __init__(self, *, manifest_bytes: int = 32 * 1024 * 1024) -> None:
        self.states: dict[RepoKey, RepositoryState] = {}
        self.manifests = ManifestCache(limit_bytes=manifest_bytes)
        self.renderings = RenderCache(limit_bytes=manifest_bytes)

    def state(self, key: RepoKey, *, uid: str, status: GitRepositoryStatus) -> RepositoryState:
        """Return the repository's memory; a new one when the object was deleted and made again meanwhile."""
        known = self.states.get(key)
        if known is None or known.uid != uid:
            known = self.states[key] = RepositoryState(uid=uid, status=status)
        return known

    def remote(self, key: RepoKey) -> Remote | None:
        """Return the URL and credentials of a repository's last sync, if it came that far."""
        known = self.states.get(key)
        return known.remote if known else None

    def has_links(self, key: RepoKey) -> bool:
        """Whether files outside `spec.path` may matter to a repository, because of links."""
        known = self.states.get(key)
        return known is None or known.has_links

    def applied_kinds(self) -> set[GroupKind]:
        """Return the kinds of which a repository has applied objects."""
        return {key.group_kind for state in self.states.values() for key in state.applied}

    def forget(self, key: RepoKey) -> None:
        """Drop everything about a repository that is gone."""
        self.states.pop(key, None)


class ManifestCache(LRUCache[str, ParsedFile]):
    """Parsed files by blob id, least recently used out first: equal content is parsed once.

    Sizes are estimates in bytes. A file that is larger than the cache fills it alone.
    """

    def __init__(self, *, limit_bytes: int) -> None:
        super().__init__(maxsize=limit_bytes, getsizeof=lambda file: min(_size_of(file), limit_bytes))


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """What a folder rendered to, by the file that each object comes from, and what was read for it.

    The same `listing` of `paths` means the same rendering.
    """

    files: dict[str, ParsedFile]
    paths: tuple[str, ...]
    listing: PathListing
    notes: tuple[str, ...] = ()
    """What users should know of it, in sentences."""
    items: tuple[RemoteItem, ...] = ()
    """What it read elsewhere."""
    bases: tuple[str, ...] = ()
    """The URLs of the repositories among that."""
    is_pinned: bool = True
    """False when some of that may change without a commit."""
    chart: ChartEntry | None = None
    """The chart that it is of, if that lies elsewhere."""


class RenderCache(LRUCache[Hashable, Rendered]):
    """Renderings by what was asked, least recently used out first; sizes as in ManifestCache."""

    def __init__(self, *, limit_bytes: int) -> None:
        super().__init__(
            maxsize=limit_bytes, getsizeof=lambda found: min(_size_of_rendered(found), limit_bytes)
        )


def _size_of_rendered(rendered: Rendered) -> int:
    paths = 200 * (len(rendered.paths) + len(rendered.listing.files))
    return paths + sum(map(_size_of, rendered.files.values()))


def _size_of(file: ParsedFile) -> int:
    return 512 + sum(len(document.body) + 200 for document in file.documents)
