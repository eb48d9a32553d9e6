"""Making the objects: all or nothing, and never changing one."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.fakes.cluster import FakeCluster

from nopea.cli.cluster import CommandError
from nopea.cli.creation.declaration import (
    Made,
    make,
    planned_repository,
    repository_manifest,
    secret_manifest,
    try_repository,
    try_secret,
    with_secret,
)
from nopea.core.api.spec import GitRepositorySpec
from nopea.core.objects import ObjectKey, RepoKey
from nopea.core.problem import Problem
from nopea.kube.errors import ApiFailure, ForbiddenError, InvalidError, ServerError, UnreachableError
from nopea.kube.kinds import GIT_REPOSITORIES, SECRETS

KEY = RepoKey("shop", "web")
REPOSITORY = repository_manifest(KEY, {"url": "https://git.example/web", "ref": {}, "path": None})
SECRET = secret_manifest("web-git", "shop", {"token": b"s3cr3t"})

GIT_REPOSITORY = ObjectKey("nopea.io", "GitRepository", "shop", "web")
STORED_SECRET = ObjectKey("", "Secret", "shop", "web-git")
FORBIDDEN = ForbiddenError(ApiFailure(code=403, message="first"))


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
    await try_secret(cluster.client, SECRET)
    assert len(cluster.objects) == 1
    await make(cluster.client, REPOSITORY, SECRET, made=Made())

    stored = cluster.objects[GIT_REPOSITORY]
    assert {each["manager"] for each in stored["metadata"]["managedFields"]} == {"nopea-cli"}
    assert STORED_SECRET in cluster.objects
    assert not any(each.startswith("get ") for each in cluster.requests)


async def test_without_the_repository_no_secret_stays() -> None:
    """A login that nothing refers to would be forgotten."""
    cluster = FakeCluster()
    cluster.fail_next("create", GIT_REPOSITORIES, FORBIDDEN)
    made = Made()

    with pytest.raises(ForbiddenError):
        await make(cluster.client, REPOSITORY, SECRET, made=made)
    assert STORED_SECRET not in cluster.objects
    assert made == Made()


async def test_a_secret_that_cannot_be_removed_is_told() -> None:
    """Who may create Secrets may not delete them everywhere; the first error is the one to mend."""
    cluster = FakeCluster()
    cluster.fail_next("create", GIT_REPOSITORIES, FORBIDDEN)
    cluster.fail_next("delete", SECRETS, ForbiddenError(ApiFailure(code=403, message="second")))
    made = Made()

    with pytest.raises(ForbiddenError, match="first"):
        await make(cluster.client, REPOSITORY, SECRET, made=made)
    assert made == Made(secret=True)


@pytest.mark.parametrize(
    "error", [ServerError(ApiFailure(code=504)), UnreachableError("cut"), asyncio.CancelledError()]
)
async def test_without_an_answer_nothing_is_taken_back(error: Any) -> None:
    """The GitRepository may exist, and then it needs the Secret."""
    for kind, expected in ((SECRETS, Made(secret=True)), (GIT_REPOSITORIES, Made(True, True))):
        cluster, made = FakeCluster(), Made()
        cluster.fail_next("create", kind, error)

        with pytest.raises(type(error)):
            await make(cluster.client, REPOSITORY, SECRET, made=made)
        assert made == expected
        assert (STORED_SECRET in cluster.objects) is (kind is GIT_REPOSITORIES)


async def test_what_exists_is_never_changed() -> None:
    """Whether it was there before, or somebody was faster."""
    cluster, made = FakeCluster(), Made()
    await make(cluster.client, REPOSITORY, SECRET, made=Made())
    before = dict(cluster.objects)

    with pytest.raises(CommandError):
        await try_repository(cluster.client, REPOSITORY)
    with pytest.raises(CommandError):
        await try_secret(cluster.client, SECRET)
    with pytest.raises(CommandError):
        await make(cluster.client, REPOSITORY, SECRET, made=made)
    assert cluster.objects == before
    assert made == Made()


async def test_a_webhook_without_dry_runs_does_not_stop_it() -> None:
    """What the API server would refuse for another reason is an error."""
    cluster = FakeCluster()
    cluster.fail_next("dry-run", SECRETS, InvalidError(ApiFailure(code=400)))
    await try_secret(cluster.client, SECRET)
    cluster.fail_next("dry-run", SECRETS, InvalidError(ApiFailure(code=422)))
    with pytest.raises(InvalidError):
        await try_secret(cluster.client, SECRET)
