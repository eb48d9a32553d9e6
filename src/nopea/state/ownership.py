"""Which repository of this process applies an object: the first that writes it, until it releases it.

Closes the window in which two repositories apply one object before the watches have seen either's label, and
says who waits for an object that is another's, so that it is handed over and not deleted.
"""

from __future__ import annotations

from collections.abc import Iterable

from nopea.core.objects import ObjectKey, RepoKey


class Ownership:
    """Bounded by the objects that the repositories declare."""

    def __init__(self) -> None:
        self._owner: dict[ObjectKey, RepoKey] = {}
        self._wanted: dict[RepoKey, set[ObjectKey]] = {}
        self._waiting: dict[ObjectKey, set[RepoKey]] = {}
        self._told: set[RepoKey] = set()
        """The repositories whose complete list of objects is known."""

    def claim(self, key: ObjectKey, repo: RepoKey) -> RepoKey:
        """Claim an object and return its owner: the repository itself, or the one that was first."""
        self._wanted.setdefault(repo, set()).add(key)
        return self._owner.setdefault(key, repo)

    def unclaim(self, key: ObjectKey, repo: RepoKey) -> None:
        """Give a claim back: the object turned out to be another's."""
        if self._owner.get(key) == repo:
            del self._owner[key]

    def wait(self, key: ObjectKey, repo: RepoKey) -> None:
        """Record that a repository declares an object that another one owns."""
        self._waiting.setdefault(key, set()).add(repo)

    def is_waiting(self, key: ObjectKey, repo: RepoKey) -> bool:
        """True when the repository is known to declare an object that another one owns."""
        return repo in self._waiting.get(key, ())

    def waiting(self, key: ObjectKey, *, besides: RepoKey) -> RepoKey | None:
        """Return another repository that declares the object."""
        return next(iter(self.waiting_for(key, besides=besides)), None)

    def waiting_for(self, key: ObjectKey, *, besides: RepoKey) -> list[RepoKey]:
        """Return all other repositories that declare the object, by name."""
        return sorted(self._waiting.get(key, set()) - {besides})

    def has_let_go(self, key: ObjectKey, repo: RepoKey) -> bool:
        """True when the repository's complete list is known and lacks the object."""
        return repo in self._told and key not in self._wanted.get(repo, ())

    def keep(self, repo: RepoKey, keys: Iterable[ObjectKey], *, complete: bool = True) -> None:
        """Set what a repository declares; a `complete` list releases all its other objects."""
        before = self._wanted.get(repo, set())
        wanted = set(keys) if complete else before | set(keys)
        if complete:
            self._told.add(repo)
        self._wanted[repo] = wanted
        for key in before - wanted:
            self._forget(key, repo)

    def release(self, repo: RepoKey) -> set[RepoKey]:
        """Let go of everything: the repository is gone. Returns who waits for something that it wanted."""
        wanted = self._wanted.pop(repo, set())
        self._told.discard(repo)
        waiting = {other for key in wanted for other in self._waiting.get(key, ())} - {repo}
        for key in wanted:
            self._forget(key, repo)
        return waiting

    def _forget(self, key: ObjectKey, repo: RepoKey) -> None:
        if self._owner.get(key) == repo:
            del self._owner[key]
        repos = self._waiting.get(key)
        if repos is not None:
            repos.discard(repo)
            if not repos:
                del self._waiting[key]
