"""Reconciliations while Git fails or the repository waits for another: drift is still reverted."""

from __future__ import annotations

import pytest
from tests.fakes.installation import config_map, installed, key_of, manifest
from tests.fakes.object_store import CONFIG_MAPS

from nopea.core.problem import Code
from nopea.core.status.report import Result
from nopea.core.trigger import Trigger
from nopea.kube.errors import ApiFailure, ServerError

pytestmark = pytest.mark.looptime

BLUE = {"a.yaml": config_map("a", colour="blue")}


async def test_while_git_fails_the_last_commit_stays_in_effect() -> None:
    """Drift is still healed, and the report contains the failure."""
    async with installed(BLUE) as place:
        await place.sync()
        place.git.down = True
        place.edit("a", {"colour": "red"})

        report = await place.sync(Trigger.POLL)

        assert (report.result, report.codes) == (Result.FAILED, (Code.GIT_UNREACHABLE,))
        assert report.commit == place.git.commit
        assert place.data("a") == {"colour": "blue"}
        assert place.condition("Fetched") == ("False", "GitUnreachable")
        assert place.condition("Applied") == place.condition("Ready") == ("True", "Succeeded")
        assert (place.status().summary or "").startswith("Git cannot be reached; next try")
        place.git.down = False
        assert (await place.sync(Trigger.RETRY)).result is Result.SYNCED
        assert place.condition("Fetched") == ("True", "Succeeded")


async def test_a_commit_of_another_spec_is_not_used() -> None:
    """While Git fails, the known commit does not stand in for a new ref or path."""
    async with installed(BLUE) as place:
        await place.sync()
        place.git.down = True
        place.configure(ref={"branch": "other"})
        place.cluster.delete(key_of("a"))

        report = await place.sync(Trigger.SPEC_CHANGE)

        assert (report.result, report.commit) == (Result.FAILED, None)
        assert place.data("a") is None


async def test_without_any_commit_nothing_is_written() -> None:
    """The failure is reported, and the first commit that Git returns is applied."""
    async with installed(BLUE) as place:
        place.git.down = True
        report = await place.sync(Trigger.STARTUP)
        assert (report.result, report.codes) == (Result.FAILED, (Code.GIT_UNREACHABLE,))
        assert report.transient
        assert place.data("a") is None

        place.git.down = False
        assert (await place.sync(Trigger.RETRY)).result is Result.SYNCED
        assert place.data("a") == {"colour": "blue"}


async def test_a_repository_waits_for_those_it_depends_on() -> None:
    """Until they are applied and healthy nothing is applied, and the problem names them."""
    files = {"web/a.yaml": config_map("a", colour="blue"), "base/b.yaml": config_map("b")}
    async with installed(files, path="web", dependsOn=[{"name": "base"}]) as place:
        place.declare("base", path="base")
        place.repository("base")
        report = await place.sync()
        assert report.codes == (Code.DEPENDENCY_NOT_READY,)
        assert report.problems[0].object == "nopea.io/GitRepository shop/base"
        assert place.status().summary == "Waiting for GitRepository shop/base"
        assert place.data("a") is None

        await place.sync(name="base")
        place.repository("base")
        assert (await place.sync(Trigger.DEPENDENCY)).result is Result.SYNCED
        assert place.data("a") == {"colour": "blue"}


async def test_drift_is_reverted_while_it_waits() -> None:
    """A dependency in trouble does not stop the care for what is applied already; a new commit waits."""
    files = {"web/a.yaml": config_map("a", colour="blue"), "base/b.yaml": config_map("b")}
    async with installed(files, path="web", dependsOn=[{"name": "base"}]) as place:
        place.declare("base", path="base")
        await place.sync(name="base")
        place.repository("base")
        await place.sync()
        place.configure("base", path="elsewhere")  # not applied yet
        place.repository("base")
        place.edit("a", {"colour": "red"})
        place.git.push({"web/a.yaml": config_map("a", colour="green")})

        report = await place.sync(Trigger.POLL)

        assert report.codes == (Code.DEPENDENCY_NOT_READY,)
        assert place.data("a") == {"colour": "blue"}
        assert place.condition("Ready") == ("False", "DependencyNotReady")
        assert place.condition("Applied") == ("True", "Succeeded")


async def test_waiting_says_nothing_about_git() -> None:
    """Fetched keeps what the last try said."""
    files = {"web/a.yaml": config_map("a"), "base/b.yaml": config_map("b")}
    async with installed(files, path="web", dependsOn=[{"name": "base"}]) as place:
        place.declare("base", path="base")
        await place.sync(name="base")
        place.repository("base")
        await place.sync()
        place.git.down = True
        await place.sync(Trigger.POLL)
        place.configure("base", path="elsewhere")
        place.repository("base")

        await place.sync(Trigger.RETRY)

        assert place.condition("Fetched") == ("False", "GitUnreachable")


async def test_what_was_never_applied_is_not_created_while_it_waits() -> None:
    """A commit that was only read before the dependency got into trouble waits too."""
    files = {"web/a.yaml": config_map("a"), "base/b.yaml": config_map("b")}
    error = ServerError(ApiFailure(code=500, reason="InternalError", message="etcd is gone"))
    async with installed(files, path="web", dependsOn=[{"name": "base"}]) as place:
        place.declare("base", path="base")
        await place.sync(name="base")
        place.repository("base")
        place.cluster.fail_next("apply", CONFIG_MAPS, error)
        assert (await place.sync()).result is Result.FAILED
        place.configure("base", path="elsewhere")
        place.repository("base")

        report = await place.sync(Trigger.RETRY)

        assert report.codes == (Code.DEPENDENCY_NOT_READY,)
        assert place.data("a") is None


async def test_a_new_process_reverts_drift_while_git_is_away() -> None:
    """The mirror still has the commit that the status names."""
    async with installed(BLUE) as place:
        await place.sync()
        await place.restart()
        place.git.down = True
        place.edit("a", {"colour": "red"})

        report = await place.sync(Trigger.STARTUP)

        assert report.codes == (Code.GIT_UNREACHABLE,)
        assert place.data("a") == {"colour": "blue"}
        assert place.condition("Ready") == ("True", "Succeeded")


async def test_a_new_process_does_not_go_back_from_a_commit_that_failed() -> None:
    """While Git is away nothing is known of the newer commit but that it was tried: its changes stay."""
    wrong = {"b.yaml": manifest("v1", "Nonsense", "b")}
    async with installed(BLUE) as place:
        await place.sync()
        place.git.push({"a.yaml": config_map("a", colour="green"), **wrong})
        assert (await place.sync(Trigger.POLL)).result is Result.FAILED
        assert place.data("a") == {"colour": "green"}
        await place.restart()
        place.git.down = True

        report = await place.sync(Trigger.STARTUP)

        assert (report.codes, report.commit) == ((Code.GIT_UNREACHABLE,), None)
        assert place.data("a") == {"colour": "green"}
        assert place.condition("Ready")[0] == place.condition("Applied")[0] == "False"
