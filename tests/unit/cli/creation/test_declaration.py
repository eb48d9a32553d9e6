"""Making the objects: all or nothing, and never changing one."""

from __future__ import annotations

import pytest
from tests.fakes.cluster import FakeCluster

from nopea.cli.cluster import CommandError
from nopea.cli.creation.declaration import (
    make,
    planned_repository,
    refuse_existing,
    repository_manifest,
    secret_manifest,
    try_repository,
    with_secret,
)
from nopea.core.api.spec import GitRepositorySpec
from nopea.core.objects import ObjectKey, RepoKey
from nopea.core.problem import Problem
from nopea.kube.errors import ApiFailure, ForbiddenError
from nopea.kube.kinds import GIT_REPOSITORIES

KEY = RepoKey("shop", "web")
REPOSITORY = repository_manifest(KEY, {"url": "https://git.example/web", "ref": {}, "path": None})
SECRET = secret_manifest("web-git", "shop", {"token": b"s3cr3t"})


def test_what_is_not_said_is_not_declared() -> None:
    """Defaults are those of the API server."""
    assert REPOSITORY["spec"] == {"url": "https://git.example/web"}
    assert with_secret(REPOSITORY, "web-git")["spec"]["secretRef"] == {"name": "web-git"}
    assert "secretRef" not in REPOSITORY["spec"]
    planned = planned_repository(REPOSITORY)
    assert planned.uid == ""
    assert isinstance(planned.spec, GitRepositorySpec)
    wrong = repository_manifest(KEY, {"url": "https://git.example/web", "interval": "soon"})
    assert isinstance(planned_repository(wrong).spec, Problem)


async def test_both_are_created_by_the_command() -> None:
    """The field manager is that of the commands."""
    cluster = FakeCluster()

    await try_repository(cluster.client, REPOSITORY)
    assert len(cluster.objects) == 1
    await make(cluster.client, REPOSITORY, SECRET)

    stored = cluster.objects[ObjectKey("nopea.io", "GitRepository", "shop", "web")]
    assert {each["manager"] for each in stored["metadata"]["managedFields"]} == {"nopea-cli"}
    assert ObjectKey("", "Secret", "shop", "web-git") in cluster.objects


async def test_without_the_repository_no_secret_stays() -> None:
    """A login that nothing refers to would be forgotten."""
    cluster = FakeCluster()
    cluster.fail_next("create", GIT_REPOSITORIES, ForbiddenError(ApiFailure(code=403)))

    with pytest.raises(ForbiddenError):
        await make(cluster.client, REPOSITORY, SECRET)
    assert ObjectKey("", "Secret", "shop", "web-git") not in cluster.objects


async def test_what_exists_is_never_changed() -> None:
    """Whether it was there before, or somebody was faster."""
    cluster = FakeCluster()
    await refuse_existing(cluster.client, KEY, "web-git")
    await make(cluster.client, REPOSITORY, SECRET)
    before = dict(cluster.objects)

    with pytest.raises(CommandError):
        await refuse_existing(cluster.client, KEY, "other")
    with pytest.raises(CommandError):
        await refuse_existing(cluster.client, RepoKey("shop", "new"), "web-git")
    with pytest.raises(CommandError):
        await make(cluster.client, REPOSITORY, SECRET)
    assert cluster.objects == before
