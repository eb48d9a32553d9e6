"""Say what a GitRepository has to wait for (`spec.dependsOn`), and find circles in which none could begin.

Pure: the caller looks the other repositories up and says when to ask again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from nopea.core.api.spec import GitRepositorySpec
from nopea.core.objects import RepoKey
from nopea.core.problem import Code, Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependency:
    """What is known of a repository that another one depends on.

    `ready` and `healthy` are about its current generation: a status that is older than the spec is neither.
    `reason` says in a few words why it is not, and may be empty.
    """

    exists: bool = True
    ready: bool = False
    healthy: bool = False
    reason: str = ""


MISSING = Dependency(exists=False)


def dependencies_of(key: RepoKey, spec: GitRepositorySpec) -> tuple[RepoKey, ...]:
    """Return the repositories that `spec.dependsOn` names, each once, in its order."""
    named = (RepoKey(other.namespace or key.namespace, other.name) for other in spec.depends_on)
    return tuple(dict.fromkeys(named))


def blockers(
    key: RepoKey, spec: GitRepositorySpec, lookup: Callable[[RepoKey], Dependency]
) -> tuple[Problem, ...]:
    """Return one problem for each dependency that is not there, not ready or not healthy; none: go ahead.

    A repository that depends on itself waits for ever; that is `find_cycle`'s to tell.
    """
    problems = ((other, lookup(other)) for other in dependencies_of(key, spec))
    return tuple(problem for other, state in problems if (problem := _problem(other, state)) is not None)


def find_cycle(key: RepoKey, edges: Mapping[RepoKey, Collection[RepoKey]]) -> tuple[RepoKey, ...]:
    """Return a shortest circle of dependencies through `key`, which stands first and last; empty if none.

    `edges` says on whom each repository depends; whoever is not in it depends on nobody. A circle that `key`
    merely leads to is told by those who are in it.
    """
    reached_from: dict[RepoKey, RepoKey] = {}
    waiting = deque([key])
    while waiting:
        one = waiting.popleft()
        for other in sorted(edges.get(one, ())):
            if other == key:
                return _way_back(one, key, reached_from)
            if other not in reached_from:
                reached_from[other] = one
                waiting.append(other)
    return ()


def cycle_problem(cycle: Collection[RepoKey]) -> Problem:
    """Return the problem of a circle that `find_cycle` found."""
    return Problem(
        code=Code.DEPENDENCY_CYCLE,
        message=f"the dependencies form a circle: {' -> '.join(map(str, cycle))}",
        hint="Take one of them out of spec.dependsOn.",
    )


def _way_back(last: RepoKey, key: RepoKey, reached_from: Mapping[RepoKey, RepoKey]) -> tuple[RepoKey, ...]:
    way = [key, last]
    while way[-1] != key:
        way.append(reached_from[way[-1]])
    return tuple(reversed(way))


def _problem(other: RepoKey, state: Dependency) -> Problem | None:
    if not state.exists:
        return Problem(
            code=Code.DEPENDENCY_MISSING,
            message=f"it depends on the GitRepository {other}, which does not exist",
            hint="Create it, or correct spec.dependsOn.",
        )
    if state.ready and state.healthy:
        return None
    lacks = "healthy" if state.ready else "ready"
    because = f": {state.reason}" if state.reason else ""
    return Problem(
        code=Code.DEPENDENCY_NOT_READY,
        message=f"it depends on the GitRepository {other}, which is not {lacks}{because}",
        hint=f"It goes on by itself; see why: kubectl -n {other.namespace} describe gr {other.name}",
    )
