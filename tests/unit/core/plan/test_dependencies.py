"""What a repository waits for, and cycles of dependencies."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nopea.core.api.spec import GitRepositorySpec, RepositoryReference
from nopea.core.objects import RepoKey
from nopea.core.plan.dependencies import (
    MISSING,
    Dependency,
    blockers,
    cycle_problem,
    dependencies_of,
    find_cycle,
)
from nopea.core.problem import Code

SHOP = RepoKey("shop", "web")
FINE = Dependency(applied=True, healthy=True)


def spec(*names: str) -> GitRepositorySpec:
    """Return a spec that depends on `name` or `namespace/name`."""
    references = []
    for name in names:
        namespace, _, last = name.rpartition("/")
        references.append(RepositoryReference(name=last, namespace=namespace or None))
    return GitRepositorySpec(url="https://git.acme.example/web", depends_on=tuple(references))


def keys(*names: str) -> tuple[RepoKey, ...]:
    """Return the keys of some repositories in the namespace `shop`."""
    return tuple(RepoKey("shop", name) for name in names)


def test_the_default_namespace_of_a_dependency_is_the_own_one() -> None:
    """Each dependency is listed once, in the order of the spec."""
    assert dependencies_of(SHOP, spec("infra", "base/crds", "shop/infra")) == (
        RepoKey("shop", "infra"),
        RepoKey("base", "crds"),
    )


def test_nothing_to_wait_for() -> None:
    """Without dependencies, or if all are ready and healthy, nothing blocks."""
    assert blockers(SHOP, spec(), lambda _: MISSING) == ()
    assert blockers(SHOP, spec("infra"), lambda _: FINE) == ()


@pytest.mark.parametrize(
    ("state", "code", "message"),
    [
        (MISSING, Code.DEPENDENCY_MISSING, "does not exist."),
        (
            Dependency(exists=False, applied=True, healthy=True),
            Code.DEPENDENCY_MISSING,
            "does not exist.",
        ),
        (Dependency(), Code.DEPENDENCY_NOT_READY, "is not applied."),
        (Dependency(healthy=True), Code.DEPENDENCY_NOT_READY, "is not applied."),
        (Dependency(applied=True), Code.DEPENDENCY_NOT_READY, "is not healthy."),
        (Dependency(reason="GitTimeout"), Code.DEPENDENCY_NOT_READY, "is not applied: GitTimeout."),
        (
            Dependency(applied=True, reason="apps/Deployment base/db: crashing"),
            Code.DEPENDENCY_NOT_READY,
            "is not healthy: apps/Deployment base/db: crashing.",
        ),
    ],
)
def test_what_blocks(state: Dependency, code: Code, message: str) -> None:
    """A dependency that is missing, not applied or not healthy blocks; the message contains the reason.

    The reason is not told to another namespace, whose users may not read it.
    """
    (problem,) = blockers(SHOP, spec("infra"), lambda _: state)

    assert problem.code is code
    assert problem.code.transient
    assert problem.message == f"The dependency {message}"
    (told_elsewhere,) = blockers(SHOP, spec("base/infra"), lambda _: state)
    assert told_elsewhere.message == f"The dependency {message.partition(':')[0].rstrip('.')}."


_WAITS = (
    "This GitRepository is synced when that changes. To see what is wrong there, run `nopea why a -n shop`."
)


def test_every_blocker_is_reported() -> None:
    """All blocking dependencies are reported, in the order of the spec."""
    states = {"a": Dependency(), "b": FINE, "c": MISSING}

    problems = blockers(SHOP, spec("c", "b", "a"), lambda key: states[key.name])

    assert [problem.code for problem in problems] == [Code.DEPENDENCY_MISSING, Code.DEPENDENCY_NOT_READY]
    assert [problem.hint for problem in problems] == [
        "Create it, or correct spec.dependsOn.",
        _WAITS,
    ]


@pytest.mark.parametrize(
    ("edges", "cycle"),
    [
        ({}, ""),
        ({"a": "b", "b": "c"}, ""),
        ({"a": "a"}, "a a"),
        ({"a": "b", "b": "a"}, "a b a"),
        ({"a": "b", "b": "c", "c": "a"}, "a b c a"),
        ({"a": "bc", "b": "c", "c": "a"}, "a c a"),  # the shortest cycle
        ({"a": "cb", "b": "a", "c": "a"}, "a b a"),  # the first by name
        ({"a": "b", "b": "c", "c": "b"}, ""),  # a leads to a cycle but is not part of it
        ({"a": "bc", "b": "d", "c": "d"}, ""),  # two paths, but no cycle
        ({"a": "b", "b": "cd", "c": "c", "d": "a"}, "a b d a"),
    ],
)
def test_cycles(edges: dict[str, str], cycle: str) -> None:
    """A cycle starts and ends with the repository itself."""
    found = find_cycle(keys("a")[0], {keys(one)[0]: keys(*others) for one, others in edges.items()})

    assert found == keys(*cycle.split())


def test_a_cycle_is_named() -> None:
    """The message contains the whole cycle."""
    problem = cycle_problem(keys("a", "b", "a"))

    assert problem.code is Code.DEPENDENCY_CYCLE
    assert not problem.code.transient
    assert problem.message == "The dependencies form a cycle: shop/a -> shop/b -> shop/a."
    assert problem.hint == "Remove one of them from spec.dependsOn."


def test_a_long_chain_does_not_overflow_the_stack() -> None:
    """A chain of thousands of dependencies is searched."""
    chain = keys(*(f"r{number}" for number in range(5000)))
    edges = {one: [other] for one, other in pairwise(chain)}

    assert find_cycle(chain[0], edges) == ()
    edges[chain[-1]] = [chain[0]]
    assert find_cycle(chain[0], edges) == (*chain, chain[0])


NAMES = st.sampled_from(keys(*"abcdef"))


@given(st.dictionaries(NAMES, st.frozensets(NAMES, max_size=3)))
def test_a_found_cycle_is_real_and_known_to_all_its_members(edges: dict[RepoKey, frozenset[RepoKey]]) -> None:
    """Each step of a cycle is a dependency, and every member finds a cycle."""
    for start, first in edges.items():
        cycle = find_cycle(start, edges)
        assert not cycle or cycle[0] == cycle[-1] == start
        for one, other in pairwise(cycle):
            assert other in edges[one]
            assert find_cycle(one, edges)
        reached = set(first)
        for _ in edges:
            reached |= {other for one in reached for other in edges.get(one, ())}
        assert bool(cycle) == (start in reached)
