"""The order of an examination, and what ends it early."""

from __future__ import annotations

import pytest
from tests.fakes.cluster import FakeCluster
from tests.fakes.samples import raw_repository
from tests.unit.cli.doctor.test_api_server import store
from tests.unit.cli.doctor.test_controller import deployment

from nopea.cli.doctor.examination import examine, examine_before
from nopea.cli.doctor.finding import Verdict
from nopea.cli.installation.profiles import Profile
from nopea.kube.errors import ApiFailure, ForbiddenError, UnreachableError
from nopea.kube.kinds import DEPLOYMENTS, GIT_REPOSITORIES


def show(text: str) -> None:
    """Ignore progress."""
    assert text.endswith(".")


async def test_without_nopea_there_is_one_problem() -> None:
    """What depends on it is not asked."""
    found = await examine(FakeCluster().client, "shop", system="nopea-system", show=show)

    assert [each.verdict for each in found] == [Verdict.GOOD, Verdict.PROBLEM]


async def test_what_is_refused_does_not_end_it() -> None:
    """Each subject is examined, as far as it can be read."""
    cluster = FakeCluster(namespaces=("nopea-system",))
    cluster.create(deployment())
    forbidden = ForbiddenError(ApiFailure(code=403, message="no"))
    cluster.fail_next("list", DEPLOYMENTS, forbidden, times=9)
    cluster.fail_next("list", GIT_REPOSITORIES, forbidden, times=9)

    found = {
        each.subject: each.verdict
        for each in await examine(cluster.client, "shop", system="nopea-system", show=show)
    }

    assert found["deployment"] is Verdict.UNKNOWN
    assert found["repositories"] is Verdict.UNKNOWN
    assert found["rights"] is Verdict.UNKNOWN


async def test_an_installation_elsewhere_is_told() -> None:
    """With the option that names it; nothing is granted to it."""
    cluster = FakeCluster(namespaces=("gitops",))
    cluster.create(deployment(namespace="gitops"))
    store(cluster)

    found = await examine(cluster.client, "shop", system="nopea-system", show=show)
    named = await examine(cluster.client, "shop", system="gitops", show=show)

    assert any("--system-namespace" in each.fix for each in found)
    assert not any(each.manifests for each in found)
    assert any("Deployment gitops/nopea is ready" in each.message for each in named)


async def test_hundreds_of_repositories_are_few_requests_and_few_lines() -> None:
    """In many namespaces, each with the same problems: lists and one read of each named object."""
    spaces = [f"n{each}" for each in range(50)]
    cluster = FakeCluster(namespaces=("nopea-system", *spaces))
    store(cluster)
    cluster.create(deployment())
    receiver = {"type": "slack", "secretRef": {"name": "chat"}}
    for number in range(500):
        raw = raw_repository(f"r{number}", namespace=spaces[number % 50], uid=f"uid-{number}")
        raw["spec"] |= {"secretRef": {"name": "login"}, "notify": [receiver]}
        raw["spec"] |= {"serviceAccountName": f"deployer-{number % 50}"}
        cluster.create(raw)

    found = await examine(cluster.client, "shop", system=None, show=show)

    named = [each for each in found if each.subject in ("secrets", "receivers")]
    assert [each.message.split(": ")[0] for each in named] == [
        "spec.secretRef of 500 GitRepositories (n0/r0, n0/r100, n0/r150 and 497 more)",
        "spec.notify of 500 GitRepositories (n0/r0, n0/r100, n0/r150 and 497 more)",
    ]
    assert len(found) < 15
    read = [each for each in cluster.requests if each.startswith("get secrets")]
    assert len(read) == 100
    assert len(cluster.requests) - len(read) < 300  # no right is there, so each is asked for


async def test_a_dead_api_server_ends_it() -> None:
    """That is no finding about Nopea."""
    cluster = FakeCluster()
    cluster.down = True

    with pytest.raises(UnreachableError):
        await examine(cluster.client, "shop", system="nopea-system", show=show)
    with pytest.raises(UnreachableError):
        await examine_before(cluster.client, Profile.TENANTS, show=show)
