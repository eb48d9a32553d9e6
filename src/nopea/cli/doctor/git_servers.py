"""The Git servers, as the statuses of GitRepositories show them, and how many of these need somebody."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable, Iterator
from datetime import UTC, datetime

from nopea.cli.doctor.finding import Finding, good, problem, warning
from nopea.cli.doctor.troubles import first_of
from nopea.core.api.conditions import FETCHED, READY, find
from nopea.core.api.entries import StatusError
from nopea.core.api.repository import Repository
from nopea.core.api.spec import GitRepositorySpec
from nopea.core.drift.mask import plain_line
from nopea.core.git.source import host_of
from nopea.core.objects import RepoKey
from nopea.core.problem import Code
from nopea.core.show.words import count
from nopea.core.status.concerns import concerns_of

_ELSEWHERE = "this machine"


def git_findings(
    repositories: Iterable[Repository], *, told: Container[tuple[RepoKey, Code]] = ()
) -> Iterator[Finding]:
    """Yield a line for each server, and one for each way in which it fails repositories.

    `told` are errors that have a line already.
    """
    by_host: dict[str, list[Repository]] = defaultdict(list)
    for repository in repositories:
        if isinstance(repository.spec, GitRepositorySpec):
            by_host[host_of(repository.spec.url) or _ELSEWHERE].append(repository)
    fine: list[str] = []
    for host, found in sorted(by_host.items()):
        failures = _failures(found)
        for code, all_failing in sorted(failures.items()):
            failing = [each for each in all_failing if (each[0].key, Code(code)) not in told]
            if failing:
                yield _failure(host, code, failing, of=len(found))
        if not failures and any(_was_fetched(each) for each in found):
            fine.append(
                f"{host} ({count(len(found), 'repository') if len(found) == 1 else _many(len(found))})"
            )
    if fine:
        yield good("git", f"Git answers: {', '.join(fine)}")


def _many(number: int) -> str:
    return f"{number} repositories"


def _was_fetched(repository: Repository) -> bool:
    fetched = find(repository.status.conditions, FETCHED)
    return fetched is not None and fetched.status == "True"


def _failures(repositories: Iterable[Repository]) -> dict[str, list[tuple[Repository, StatusError]]]:
    found: dict[str, list[tuple[Repository, StatusError]]] = defaultdict(list)
    for repository in repositories:
        for error in repository.status.errors:
            if error.code in {*Code} and Code(error.code).is_of_source:
                found[error.code].append((repository, error))
                break
    return found


def _failure(host: str, code: str, failing: list[tuple[Repository, StatusError]], *, of: int) -> Finding:
    first, error = failing[0]
    names = first_of(str(repository.key) for repository, _ in failing)
    share = "its repository" if of == 1 else f"{len(failing)} of {_many(of)}"
    text = f"{host} fails {share} ({names}). {code} {plain_line(error.message, limit=300)}"
    why = f" `nopea why {first.key.arguments}` says more." if len(failing) > 1 else ""
    return problem("git", text, f"{plain_line(error.hint, limit=300)}{why}")


def repository_findings(repositories: list[Repository]) -> Iterator[Finding]:
    """Yield how many GitRepositories there are, and how many need somebody."""
    now = datetime.now(UTC)
    needy = [
        each
        for each in repositories
        if any(concern.kind.needs_somebody for concern in concerns_of(each, now=now))
    ]
    unseen = [each for each in needy if find(each.status.conditions, READY) is None]
    if unseen:
        names = first_of(str(each.key) for each in unseen)
        why = "Check that a controller runs that watches this namespace: `nopea run --namespace` watches one."
        yield problem("repositories", f"No controller has ever looked at {names}.", why)
    total = "1 GitRepository" if len(repositories) == 1 else f"{len(repositories)} GitRepositories"
    if needy:
        text = (
            f"{len(needy)} of {total} need somebody." if len(needy) != 1 else f"1 of {total} needs somebody."
        )
        yield warning("repositories", text, "`nopea status` lists what is wrong, worst first.")
    elif repositories:
        yield good("repositories", f"{total}; none needs you.")
