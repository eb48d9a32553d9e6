"""What keeps a GitRepository from doing what a plan shows. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from nopea.core.api.repository import Repository
from nopea.core.problem import Code

_WAITS = (Code.DEPENDENCY_NOT_READY, Code.DEPENDENCY_MISSING, Code.DEPENDENCY_CYCLE)


def held_notes(repository: Repository) -> Iterator[str]:
    """Yield why a sync would not make the changes of a plan now, each with what ends that."""
    arguments = repository.key.arguments
    if repository.deleting:
        yield "The GitRepository is being deleted: nothing is applied any more."
        return
    if repository.pin is not None:
        ends = f"`nopea rollback {arguments} --resume`"
        yield f"The GitRepository is rolled back: {repository.pin.left} is not followed until {ends}."
    if repository.suspended:
        yield f"The GitRepository is suspended: nothing is written until `nopea resume {arguments}`."
    if any(error.code in _WAITS for error in repository.status.errors):
        yield (
            "The GitRepository waits for another one (spec.dependsOn): nothing new is applied until then. "
            f"`nopea why {arguments}` says why."
        )
