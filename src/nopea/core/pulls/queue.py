"""Which pull request is planned next. Pure and bounded; time comes in as an argument, in seconds.

Of one pull request and GitRepository, the latest commit replaces the one that waits. Namespaces take turns,
and the one that has the most waiting gives room.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from cachetools import LRUCache

from nopea.core.objects import RepoKey
from nopea.core.webhooks.delivery import PullRequest

MOST_WAITING: Final = 1_000
MOST_TRIES: Final = 6
GAP_SECONDS: Final = 30.0
"""Between two plans of the same pull request."""

_MOST_REMEMBERED: Final = 10_000

Subject: TypeAlias = tuple[RepoKey, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRequest:
    """A pull request to plan for a GitRepository; `tries` is how often that has failed."""

    repository: RepoKey
    pull_request: PullRequest
    tries: int = 0

    @property
    def subject(self) -> Subject:
        """The pull request and the GitRepository, whatever the commit."""
        return self.repository, self.pull_request.number


@dataclass(frozen=True, slots=True)
class _Queued:
    request: PlanRequest
    due: float


class PlanQueue:
    """Each taken request ends with `done`."""

    def __init__(self) -> None:
        self._namespaces: OrderedDict[str, dict[Subject, _Queued]] = OrderedDict()
        """By namespace, whose turn it is first."""
        self._running: set[Subject] = set()
        self._started: LRUCache[Subject, float] = LRUCache(_MOST_REMEMBERED)

    def __len__(self) -> int:
        return sum(map(len, self._namespaces.values()))

    def put(self, request: PlanRequest, *, now: float) -> PlanRequest | None:
        """Add a request; return the one that had to give room."""
        started = self._started.get(request.subject, float("-inf"))
        return self._put(request, due=max(now, started + GAP_SECONDS))

    def take(self, *, now: float) -> PlanRequest | None:
        """Remove and return the request that is next; None if none is due."""
        for namespace, waiting in self._namespaces.items():
            for subject, each in waiting.items():
                if each.due <= now and subject not in self._running:
                    self._remove(namespace, subject)
                    if namespace in self._namespaces:
                        self._namespaces.move_to_end(namespace)
                    self._running.add(subject)
                    self._started[subject] = now
                    return each.request
        return None

    def done(self, request: PlanRequest) -> None:
        """Allow the next plan of this pull request."""
        self._running.discard(request.subject)

    def retry(self, request: PlanRequest, *, now: float, after: float) -> bool:
        """Put a taken request back; False if it was tried too often, or a newer commit waits already."""
        tries = request.tries + 1
        if tries >= MOST_TRIES or request.subject in self._namespaces.get(request.repository.namespace, {}):
            return False
        self._put(replace(request, tries=tries), due=now + after)
        return True

    def next_at(self) -> float | None:
        """Return when the next request is due; None if that is not before a `put` or `done`."""
        return min(
            (
                each.due
                for waiting in self._namespaces.values()
                for subject, each in waiting.items()
                if subject not in self._running
            ),
            default=None,
        )

    def _put(self, request: PlanRequest, *, due: float) -> PlanRequest | None:
        waiting = self._namespaces.setdefault(request.repository.namespace, {})
        waiting[request.subject] = _Queued(request, due)
        return self._drop() if len(self) > MOST_WAITING else None

    def _drop(self) -> PlanRequest:
        namespace = max(self._namespaces, key=lambda name: len(self._namespaces[name]))
        subject = next(iter(self._namespaces[namespace]))
        return self._remove(namespace, subject)

    def _remove(self, namespace: str, subject: Subject) -> PlanRequest:
        waiting = self._namespaces[namespace]
        found = waiting.pop(subject)
        if not waiting:
            del self._namespaces[namespace]
        return found.request
