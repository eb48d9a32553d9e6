"""The rights of the controller; what an API server answers: tests/cli/test_doctor.py."""

from __future__ import annotations

from tests.fakes.cluster import FakeCluster
from tests.unit.cli.doctor.test_controller import deployment

from nopea.cli.doctor.deployed import Deployed
from nopea.cli.doctor.finding import Verdict
from nopea.cli.doctor.rights import account_name, examine_rights, missing_rights, told
from nopea.core.api.spec import GitRepositorySpec
from nopea.kube.access import Permission


def test_the_account_of_a_spec_may_be_the_default() -> None:
    """As `--default-service-account` of the controller says."""
    controller = Deployed(raw=deployment(args=["run", "--default-service-account=deployer"]))

    assert account_name(controller, GitRepositorySpec(url="x", service_account_name="own")) == "own"
    assert account_name(controller, GitRepositorySpec(url="x")) == "deployer"
    assert account_name(Deployed(raw=deployment()), GitRepositorySpec(url="x")) == ""


async def test_a_controller_with_all_rights_is_one_line() -> None:
    """Every rule of its roles is asked for."""
    cluster = FakeCluster()

    findings = [each async for each in examine_rights(cluster.client, Deployed(raw=deployment()), [], [])]

    assert [each.verdict for each in findings] == [Verdict.GOOD]
    assert len(cluster.requests) > 20


async def test_what_is_allowed_everywhere_is_one_question() -> None:
    """However many Secrets of however many namespaces are named."""
    cluster = FakeCluster()
    account = Deployed(raw=deployment()).account
    cluster.allowed.add(str(account))
    wanted = [
        Permission(verb="get", group="", resource="secrets", namespace=f"n{each % 10}", name=f"s{each}")
        for each in range(100)
    ]

    assert await missing_rights(cluster.client, wanted, account) == []
    assert len(cluster.requests) == 1


def test_missing_rights_are_told_by_kind() -> None:
    """Names of one kind together; at most five kinds, and three names."""

    def on(verb: str, resource: str, name: str = "") -> Permission:
        return Permission(verb=verb, group="", resource=resource, name=name)

    assert told([on("list", "pods"), on("watch", "pods"), on("get", "secrets", "a")]) == (
        "list and watch pods and get secrets/a"
    )
    assert told(on("get", "secrets", f"s{each}") for each in range(9)) == "get secrets s0, s1, s2 and 6 more"
    assert told(on("get", f"r{each}") for each in range(7)).endswith("get r4 and 2 others")
