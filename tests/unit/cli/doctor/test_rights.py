"""The rights of the controller; what an API server answers: tests/cli/test_doctor.py."""

from __future__ import annotations

from tests.fakes.cluster import FakeCluster
from tests.fakes.samples import raw_repository
from tests.unit.cli.doctor.test_controller import deployment

from nopea.cli.doctor.deployed import Deployed
from nopea.cli.doctor.finding import Verdict
from nopea.cli.doctor.references import references_of
from nopea.cli.doctor.rights import account_name, examine_rights, missing_rights, own_roles, told
from nopea.core.api.repository import parse_repository
from nopea.core.api.spec import GitRepositorySpec
from nopea.core.api.tenancy import AS_CALLER
from nopea.kube.access import Permission


def test_the_account_of_a_spec_may_be_the_default() -> None:
    """As `--default-service-account` of the controller says."""
    controller = Deployed(raw=deployment(args=["run", "--default-service-account=deployer"]))

    assert account_name(controller, GitRepositorySpec(url="x", service_account_name="own")) == "own"
    assert account_name(controller, GitRepositorySpec(url="x")) == "deployer"
    assert account_name(Deployed(raw=deployment()), GitRepositorySpec(url="x")) == ""


def test_a_controller_that_only_reads_acts_as_itself() -> None:
    """It needs no right to act as the account that a spec names."""
    flags = ["run", "--read-only", "--apply-as-controller"]
    spec = GitRepositorySpec(url="x", service_account_name="own")

    assert account_name(Deployed(raw=deployment(args=flags)), spec) == ""
    assert account_name(Deployed(raw=deployment(args=flags[:2])), spec) == "own"


async def test_a_controller_with_all_rights_is_one_line() -> None:
    """Every rule of its roles is asked for."""
    cluster = FakeCluster()
    cluster.allowed.add(str(Deployed(raw=deployment()).account))

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


async def test_what_is_missing_in_many_namespaces_is_one_line() -> None:
    """With the roles of all of them, although each names a Secret of its own."""
    cluster = FakeCluster()
    repositories = [
        parse_repository(
            raw_repository("web", namespace=f"n{each:03}", secretRef={"name": f"login-{each}"}),
            policy=AS_CALLER,
        )
        for each in range(500)
    ]
    named = [reference for each in repositories for reference in references_of(each, AS_CALLER)]
    examined = examine_rights(cluster.client, Deployed(raw=deployment()), named, repositories)

    *_, found = [each async for each in examined]

    assert found.message == (
        "Nopea may not get secrets in n000, n001, n002 and 497 more, which GitRepositories there name."
    )
    assert len({each["metadata"]["namespace"] for each in found.manifests}) == 500


def test_missing_rights_are_told_by_kind() -> None:
    """Names of one kind together; at most five kinds, and three names."""

    def on(verb: str, resource: str, name: str = "") -> Permission:
        return Permission(verb=verb, group="", resource=resource, name=name)

    assert told([on("list", "pods"), on("watch", "pods"), on("get", "secrets", "a")]) == (
        "list and watch pods and get secrets/a"
    )
    assert told(on("get", "secrets", f"s{each}") for each in range(9)) == "get secrets s0, s1, s2 and 6 more"
    assert told(on("get", f"r{each}") for each in range(7)).endswith("get r4 and 2 others")


async def test_in_one_namespace_each_role_is_granted_once_and_whole() -> None:
    """Two Roles of one name would undo each other, and a Role grants nothing outside of namespaces."""
    cluster, controller = FakeCluster(), Deployed(raw=deployment(args=["run", "--namespace=shop"]))
    cluster.without_watch.add("")

    findings = [each async for each in examine_rights(cluster.client, controller, [], [])]

    made = [each for finding in findings for each in finding.manifests]
    assert [(each["kind"], each["metadata"].get("namespace")) for each in made] == [
        ("ClusterRole", None), ("ClusterRoleBinding", None), ("Role", "shop"), ("RoleBinding", "shop"),
    ]  # fmt: skip
    resources = [sorted({name for rule in role["rules"] for name in rule["resources"]}) for role in made[::2]]
    assert resources == [
        ["customresourcedefinitions", "namespaces"],
        ["events", "gitrepositories", "gitrepositories/finalizers", "gitrepositories/status", "inventories",
         "leases", "secrets"],
    ]  # fmt: skip


def test_in_the_whole_cluster_the_roles_are_those_of_deploy() -> None:
    """The Role is in Nopea's own namespace."""
    everywhere, own = own_roles(Deployed(raw=deployment()))

    assert everywhere["kind"] == "ClusterRole"
    assert any("gitrepositories" in rule["resources"] for rule in everywhere["rules"])
    assert own["metadata"]["namespace"] == "nopea-system"
