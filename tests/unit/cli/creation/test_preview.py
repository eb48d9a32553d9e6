"""The line about what a first sync does."""

from __future__ import annotations

from dataclasses import replace

from tests.fakes.samples import COMMIT
from tests.unit.cli.output.inspections import planned

from nopea.cli.creation.declaration import planned_repository, repository_manifest
from nopea.cli.creation.preview import Preview
from nopea.core.objects import RepoKey
from nopea.core.plan.inspection import Inspection
from nopea.core.plan.model import Action

REPOSITORY = planned_repository(
    repository_manifest(RepoKey("shop", "web"), {"url": "https://git.example/web", "path": "deploy"})
)


def test_objects_are_counted_by_what_becomes_of_them() -> None:
    """What exists is taken over, also if nothing in it changes; the message comes from Git."""
    actions = (Action.CREATE, Action.CREATE, Action.APPLY, Action.LEAVE, Action.REFUSE)
    inspection = Inspection(objects=tuple(planned(action) for action in actions), problems=())
    commit = replace(COMMIT, message="Clear \x1b[2J", ref="refs/heads/main")

    found = Preview(repository=REPOSITORY, commit=commit, inspection=inspection)

    assert found.line() == (
        'main is at c0ffee0 "Clear [2J": 5 objects in deploy: 2 new, 2 taken over, 1 refused (dry run).'
    )
    assert len(found.taken_over) == 2
    assert len(found.refused) == 1
    assert replace(found, commit=COMMIT).line().startswith("It is at c0ffee0 ")
