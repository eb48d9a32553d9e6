"""The lines about what specs name."""

from __future__ import annotations

from typing import Any

from tests.fakes.cluster import FakeCluster
from tests.fakes.samples import raw_repository
from tests.unit.cli.doctor.test_named_objects import FORBIDDEN
from tests.unit.cli.doctor.test_references import secret

from nopea.cli.doctor.finding import Finding, Verdict
from nopea.cli.doctor.references import references_of
from nopea.cli.doctor.secrets import NamedObjects, read_references, secret_findings
from nopea.core.api.repository import Repository, parse_repository
from nopea.core.api.tenancy import AS_CALLER
from nopea.core.problem import Code
from nopea.kube.errors import UnreachableError
from nopea.kube.kinds import SECRETS


def repository(name: str = "web", **spec: Any) -> Repository:
    """Return a repository with this spec."""
    return parse_repository(raw_repository(name, **spec), policy=AS_CALLER)


def store_secret(cluster: FakeCluster, name: str, namespace: str = "shop", **values: str) -> None:
    """Store a Secret."""
    metadata = {"name": name, "namespace": namespace}
    cluster.create({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, **secret(**values)})


async def read(cluster: FakeCluster, *repositories: Repository) -> NamedObjects:
    """Read what repositories name."""
    return await read_references(
        cluster.client, [found for each in repositories for found in references_of(each, AS_CALLER)]
    )


async def findings(cluster: FakeCluster, *repositories: Repository) -> list[Finding]:
    """Return the findings about what they name."""
    return list(secret_findings(await read(cluster, *repositories)))


LOGIN: dict[str, Any] = {"secretRef": {"name": "login"}}


async def test_nothing_named_is_nothing_to_say() -> None:
    """There is no line without a subject."""
    assert await findings(FakeCluster(), repository()) == []


async def test_what_is_fine_is_one_line() -> None:
    """Whatever repositories name it."""
    cluster = FakeCluster()
    store_secret(cluster, "login", token="t")
    store_secret(cluster, "other", token="t")

    (one,) = await findings(cluster, repository("a", **LOGIN), repository("b", **LOGIN))
    (two,) = await findings(cluster, repository("a", **LOGIN), repository("b", secretRef={"name": "other"}))

    assert one.message == "1 Secret that specs name exists and has what is needed."
    assert two.message == "2 Secrets that specs name exist and have what is needed."


async def test_what_is_wrong_has_a_line_and_is_told_once() -> None:
    """The status of the repository has the same error."""
    cluster = FakeCluster()
    named = await read(cluster, repository("a", **LOGIN))

    (found,) = secret_findings(named)

    assert found.verdict is Verdict.PROBLEM
    assert (repository("a").key, Code.GIT_SECRET_MISSING) in named.told


async def test_what_may_not_be_read_is_not_checked() -> None:
    """It is neither fine nor a problem; other errors are told with their text."""
    cluster = FakeCluster()
    store_secret(cluster, "login", token="t")
    cluster.fail_next("get", SECRETS, FORBIDDEN)
    (refused,) = await findings(cluster, repository("a", **LOGIN))
    cluster.fail_next("get", SECRETS, UnreachableError("gone"))
    (failed,) = await findings(cluster, repository("a", **LOGIN))

    assert {refused.verdict, failed.verdict} == {Verdict.UNKNOWN}
    assert refused.message == (
        "1 Secret that specs name: not checked, because you may not read it (shop/login)."
    )
    assert "gone" in failed.message
