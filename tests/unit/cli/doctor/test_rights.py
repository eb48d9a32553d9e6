"""What is told of rights where nobody may ask for them; the questions: tests/cli/test_doctor.py."""

from __future__ import annotations

from tests.fakes.cluster import FakeCluster
from tests.fakes.samples import READY, raw_repository
from tests.unit.cli.doctor.test_controller import deployment

from nopea.cli.doctor.controller import Deployed
from nopea.cli.doctor.finding import Verdict
from nopea.cli.doctor.rights import account_name, examine_rights, told_watches
from nopea.core.api.repository import parse_repository
from nopea.core.api.spec import GitRepositorySpec
from nopea.core.api.tenancy import AS_CALLER

BLIND = {
    **READY,
    "type": "Watching",
    "status": "False",
    "message": "Changes of pods in shop are noticed late.",
}


def test_without_questions_the_condition_is_told() -> None:
    """As it is: it names kinds and namespaces."""
    blind = parse_repository(raw_repository("a", status={"conditions": [BLIND]}), policy=AS_CALLER)
    fine = parse_repository(raw_repository("b", status={"conditions": [READY]}), policy=AS_CALLER)

    (found,) = told_watches([fine, blind])

    assert found.message == "GitRepository shop/a: Changes of pods in shop are noticed late."


def test_the_account_of_a_spec_may_be_the_default() -> None:
    """As `--default-service-account` of the controller says."""
    controller = Deployed(raw=deployment(args=["run", "--default-service-account=deployer"]))

    assert account_name(controller, GitRepositorySpec(url="x", service_account_name="own")) == "own"
    assert account_name(controller, GitRepositorySpec(url="x")) == "deployer"
    assert account_name(Deployed(raw=deployment()), GitRepositorySpec(url="x")) == ""


async def test_a_controller_with_all_rights_is_one_line() -> None:
    """Every rule of its roles is asked for."""
    cluster = FakeCluster()

    findings = [each async for each in examine_rights(cluster.client, Deployed(raw=deployment()), [])]

    assert [each.verdict for each in findings] == [Verdict.GOOD]
    assert len(cluster.requests) > 20
