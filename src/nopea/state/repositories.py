"""Which GitRepositories exist, as the watch last said; written by the controller, read by syncs."""

from __future__ import annotations

from collections.abc import Callable

from nopea.core.api.conditions import APPLIED, HEALTHY, find
from nopea.core.api.labels import owner_label
from nopea.core.api.repository import Repository
from nopea.core.apply.ignore_rules import NO_RULES, IgnoreRules, rules_for
from nopea.core.objects import ObjectKey, RepoKey
from nopea.core.plan.dependencies import MISSING, Dependency, dependencies_of
from nopea.core.problem import Problem


class RepositoryStore:
    """The latest version of every GitRepository, by key and by ownership label value."""

    def __init__(self, *, whole_cluster: bool = True, namespace: str | None = None) -> None:
        """With `whole_cluster` False an unknown owner may exist, except in the namespace that is watched."""
        self._whole_cluster = whole_cluster
        self._namespace = namespace
        self._repositories: dict[RepoKey, Repository] = {}
        self._by_label: dict[str, RepoKey] = {}

    def __len__(self) -> int:
        return len(self._repositories)

    def keys(self) -> set[RepoKey]:
        """Return the keys of all repositories."""
        return set(self._repositories)

    def put(self, repository: Repository) -> None:
        """Store a version; the caller keeps the order."""
        self._repositories[repository.key] = repository
        self._by_label[owner_label(repository.key)] = repository.key

    def remove(self, key: RepoKey) -> None:
        """Forget a repository that is gone."""
        self._repositories.pop(key, None)
        self._by_label.pop(owner_label(key), None)

    def get(self, key: RepoKey) -> Repository | None:
        """Return the latest version."""
        return self._repositories.get(key)

    def all(self) -> list[Repository]:
        """Return every repository, in no particular order."""
        return list(self._repositories.values())

    def named(self, name: str) -> list[RepoKey]:
        """Return the keys of the repositories with this name, one for each namespace that has it."""
        return [key for key in self._repositories if key.name == name]

    def owner(self, label: str) -> Repository | None:
        """Return the repository that a label value names, if it exists."""
        key = self._by_label.get(label)
        return self._repositories.get(key) if key else None

    def may_exist(self, label: str) -> bool:
        """False when the label names a repository that is certainly gone: its objects may be taken over."""
        is_here = label.partition(".")[0] == self._namespace  # a namespace has no dot
        return label in self._by_label or not (self._whole_cluster or is_here)

    def covers(self, namespace: str) -> bool:
        """True of every namespace, or only of the one that is watched: Nopea has its own rights there."""
        return self._whole_cluster or namespace == self._namespace

    def rules(self, label: str, key: ObjectKey) -> IgnoreRules:
        """Return what the repository of a label value ignores in an object."""
        repository = self.owner(label)
        if repository is None or isinstance(repository.spec, Problem):
            return NO_RULES
        ignore = repository.spec.ignore_differences
        return rules_for(ignore, key) if ignore else NO_RULES

    def dependencies(self) -> dict[RepoKey, tuple[RepoKey, ...]]:
        """Return the dependencies of each repository that has some."""
        found = {}
        for key, repository in self._repositories.items():
            if not isinstance(repository.spec, Problem) and repository.spec.depends_on:
                found[key] = dependencies_of(key, repository.spec)
        return found

    def dependency(self, key: RepoKey) -> Dependency:
        """Return whether a repository is applied and healthy, for those that depend on it."""
        repository = self._repositories.get(key)
        if repository is None:
            return MISSING
        applied = find(repository.status.conditions, APPLIED)
        healthy = find(repository.status.conditions, HEALTHY)
        is_applied = applied is not None and applied.status == "True"
        is_current = applied is not None and applied.observed_generation == repository.generation
        reason = ""
        if repository.suspended and not (is_applied and is_current):
            reason = "it is suspended"
        elif applied is not None and not is_applied:
            reason = applied.reason
        elif applied is not None and not is_current:
            reason = "its spec has changed"
        elif healthy is not None:
            reason = healthy.message
        return Dependency(
            applied=is_applied and is_current,
            healthy=healthy is None or healthy.status == "True",
            reason=reason,
        )

    def reader(self, key: RepoKey) -> Callable[[], Repository]:
        """Return a function that gives the latest version; it keeps the last one after the end."""
        last = self._repositories[key]

        def latest() -> Repository:
            nonlocal last
            last = self._repositories.get(key, last)
            return last

        return latest
