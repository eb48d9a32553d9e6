"""`nopea status` with a cluster in memory."""

from __future__ import annotations

import json

import yaml
from tests.fakes.object_store import served
from tests.fakes.samples import READY
from tests.unit.cli.conftest import Commands

from nopea.core.objects import ObjectKey, RepoKey
from nopea.kube.errors import ApiFailure, ForbiddenError
from nopea.kube.kinds import GIT_REPOSITORIES, LEASES

UNKNOWN = "? Whether a controller runs is not known: no Lease nopea can be read in shop or nopea-system."
BAD = {**READY, "status": "False", "message": "It failed."}


def test_everything_is_fine(commands: Commands) -> None:
    """One line, and nothing to do."""
    commands.store(status={"conditions": [READY]})

    result = commands.run("status")

    assert (result.exit_code, result.stdout) == (0, f"{UNKNOWN}\n1 GitRepository: 1 fine\n")


def test_something_needs_somebody(commands: Commands) -> None:
    """In any namespace, unless one is chosen."""
    commands.store(status={"conditions": [READY]})
    commands.store("other", namespace="data", status={"conditions": [BAD], "summary": "It failed"})

    everywhere, here = commands.run("status"), commands.run("status", "-n", "shop")

    assert everywhere.exit_code == 1
    assert everywhere.stdout.splitlines()[1] == "2 GitRepositories: 1 fine, 1 failing"
    assert "data/other" in everywhere.stdout
    assert (here.exit_code, here.stdout.splitlines()[1:]) == (0, ["1 GitRepository: 1 fine"])


def test_json_has_all_repositories(commands: Commands) -> None:
    """Also those that are fine."""
    commands.store(status={"conditions": [READY]})

    found = json.loads(commands.run("status", "--output=json").stdout)

    assert [each["repository"] for each in found["repositories"]] == [str(RepoKey("shop", "api"))]
    assert found["controller"]["running"] is None


def test_names_are_those_that_need_somebody(commands: Commands) -> None:
    """As `nopea why` takes them; YAML has what JSON has."""
    commands.store(status={"conditions": [READY]})
    commands.store("other", namespace="data", status={"conditions": [BAD]})

    assert commands.run("status", "-A", "-o", "name").stdout == "data/other\n"
    assert yaml.safe_load(commands.run("status", "-o", "yaml").stdout) == json.loads(
        commands.run("status", "-o", "json").stdout
    )


def test_who_may_not_list_all_sees_a_namespace(commands: Commands) -> None:
    """The hint says so; with -A it is an error."""
    commands.store(status={"conditions": [READY]})
    forbidden = ForbiddenError(ApiFailure(code=403, message="gitrepositories is forbidden"))
    commands.cluster.fail_next("list", GIT_REPOSITORIES, forbidden)

    result = commands.run("status")

    assert result.exit_code == 0
    assert result.stderr == "→ You may not list GitRepositories in all namespaces; these are those of shop.\n"
    commands.cluster.fail_next("list", GIT_REPOSITORIES, forbidden)
    assert commands.run("status", "-A").exit_code == 3


def test_a_dead_controller_needs_somebody(commands: Commands) -> None:
    """Even if all was fine when it looked last; so says `nopea why`."""
    commands.store(status={"conditions": [READY]})
    commands.cluster.kinds.append(served(LEASES))
    commands.cluster.objects[ObjectKey("coordination.k8s.io", "Lease", "nopea-system", "nopea")] = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": "nopea", "namespace": "nopea-system"},
        "spec": {"renewTime": "2026-01-01T00:00:00.000000Z"},
    }

    for result in (commands.run("status"), commands.run("why", "api")):
        assert result.exit_code == 1
        assert "✗ The controller was stopped" in result.stdout
