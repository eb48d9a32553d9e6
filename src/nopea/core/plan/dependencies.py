"""Decides what a GitRepository must wait for (`spec.dependsOn`) and finds dependency cycles.

Pure: the caller looks up the other repositories and decides when to ask again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from nopea.core.api import names
from nopea.core.api.spec import GitRepositorySpec
from nopea.core.objects import ObjectKey, RepoKey
from nopea.core.problem import Code, Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependency:
    """What is known about a repository that another one depends on.

    `applied` and `healthy` are about its current generation: a status older than the spec is neither.
    `reason` says why it is not, and may be empty.
    """

    exists: bool = True
    applied: bool = False
    healthy: bool = False
    reason: str = ""


MISSING = Dependency(exists=False)


def dependencies_of(key: RepoKey, spec: GitRepositorySpec) -> tuple[RepoKey, ...]:
    """Return the repositories in `spec.dependsOn`, each once, in order."""
    named = (RepoKey(other.namespace or key.namespace, other.name) for other in spec.depends_on)
    return tuple(dict.fromkeys(named))


def blockers(
    key: RepoKey, spec: GitRepositorySpec, lookup: Callable[[RepoKey], Dependency]
) -> tuple[Problem, ...]:
    """Return one problem for each dependency that is missing, not applied or not healthy; empty to go ahead.

    A repository that depends on itself waits for ever; `find_cycle` reports that.
    """
    states = ((other, lookup(other)) for other in dependencies_of(key, spec))
    found = (_problem(other, state, is_shown=other.namespace == key.namespace) for other, state in states)
    return tuple(problem for problem in found if problem is not None)


def find_cycle(key: RepoKey, edges: Mapping[RepoKey, Collection[RepoKey]]) -> tuple[RepoKey, ...]:
    """Return a shortest cycle of dependencies through `key`, which is first and last; empty if there is none.

    `edges` maps each repository to its dependencies; one that is not in it has none. A cycle that `key` only
    leads to is reported by its members.
    """
    reached_from: dict[RepoKey, RepoKey] = {}
    waiting = deque([key])
    while waiting:
        current = waiting.popleft()
        for other in sorted(edges.get(current, ())):
            if other == key:
                return _way_back(current, key, reached_from)
            if other not in reached_from:
                reached_from[other] = current
                waiting.append(other)
    return ()


def cycle_problem(cycle: Collection[RepoKey]) -> Problem:
    """Return the problem of a cycle that `find_cycle` found."""
    return Problem(
        code=Code.DEPENDENCY_CYCLE,
        message=f"The dependencies form a cycle: {' -> '.join(map(str, cycle))}.",
        hint="Remove one of them from spec.dependsOn.",
    )


def _way_back(last: RepoKey, key: RepoKey, reached_from: Mapping[RepoKey, RepoKey]) -> tuple[RepoKey, ...]:
    way = [key, last]
    while way[-1] != key:
        way.append(reached_from[way[-1]])
    return tuple(reversed(way))


def _problem(other: RepoKey, state: Dependency, *, is_shown: bool) -> Problem | None:
    """Return why it is waited for; the reason only if `is_shown`: another namespace may not read it."""
    if not state.exists:
        return Problem(
            code=Code.DEPENDENCY_MISSING,
            message="The dependency does not exist.",
            hint="Create it, or correct spec.dependsOn.",
            object=str(ObjectKey(names.GROUP, names.KIND, other.namespace, other.name)),
        )
    if state.applied and state.healthy:
        return None
    missing = "healthy" if state.applied else "applied"
    because = f": {state.reason.rstrip('.')}" if state.reason and is_shown else ""
    return Problem(
        code=Code.DEPENDENCY_NOT_READY,
        message=f"The dependency is not {missing}{because}.",
        hint=f"This GitRepository is synced when that changes. To see what is wrong there, run "
        f"`nopea why {other.arguments}`.",
        object=str(ObjectKey(names.GROUP, names.KIND, other.namespace, other.name)),
    )
