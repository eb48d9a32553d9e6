"""Which repository of this process applies an object: the first one that plans it, until it lets go.

Closes the window in which two repositories apply one object before the watches have seen either's label.
"""

from __future__ import annotations

from collections.abc import Iterable

from nopea.core.objects import ObjectKey, RepoKey


class Claims:
    """Bounded by the objects that the repositories declare."""

    def __init__(self) -> None:
        self._owner: dict[ObjectKey, RepoKey] = {}
        self._held: dict[RepoKey, set[ObjectKey]] = {}

    def claim(self, key: ObjectKey, repo: RepoKey) -> RepoKey:
        """Claim an object and return its owner: the repository itself, or the one that was first."""
        owner = self._owner.setdefault(key, repo)
        if owner == repo:
            self._held.setdefault(repo, set()).add(key)
        return owner

    def keep(self, repo: RepoKey, keys: Iterable[ObjectKey]) -> None:
        """Let go of every object of the repository that is not among the keys."""
        kept = set(keys)
        for key in self._held.get(repo, set()) - kept:
            self._owner.pop(key, None)
        self._held[repo] = self._held.get(repo, set()) & kept

    def release(self, repo: RepoKey) -> None:
        """Let go of everything: the repository is gone."""
        self.keep(repo, ())
        self._held.pop(repo, None)
