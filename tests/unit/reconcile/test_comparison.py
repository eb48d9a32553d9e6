"""What a sync makes of each object, with the answers of the API server and without."""

from __future__ import annotations

import pytest
from tests.fakes.installation import config_map, installed
from tests.fakes.object_store import CONFIG_MAPS
from tests.unit.reconcile.inspecting import diff_of, inspect

from nopea.core.plan.model import Action
from nopea.core.plan.object_diff import KEPT, ObjectDiff
from nopea.kube.errors import ApiFailure, InvalidError

pytestmark = pytest.mark.looptime

FILES = {"a.yaml": config_map("a", colour="blue", size="1"), "b.yaml": config_map("b", colour="blue")}
BOTH = pytest.mark.parametrize("server", [True, False])


def _data(diff: ObjectDiff) -> tuple[object, object]:
    assert diff.change is not None
    return diff.change.before and diff.change.before["data"], diff.change.after["data"]


@BOTH
async def test_a_change_in_git(server: bool) -> None:
    """The whole object before and after; what Git no longer declares goes. Nothing is written."""
    async with installed(FILES) as place:
        await place.sync()
        place.git.push({"a.yaml": config_map("a", colour="green"), "c.yaml": config_map("c", x="y")})

        inspection = await inspect(place, server=server)

        assert _data(diff_of(inspection, "a")) == ({"colour": "blue", "size": "1"}, {"colour": "green"})
        assert _data(diff_of(inspection, "c")) == (None, {"x": "y"})
        assert inspection.would_change
        assert place.cluster.writes == []
        tried = [each for each in place.cluster.requests if each.startswith("dry-run")]
        assert len(tried) == (2 if server else 0)


@BOTH
async def test_drift_is_reverted_in_the_difference(server: bool) -> None:
    """Also the fields that somebody added, which a sync takes over first."""
    async with installed(FILES) as place:
        await place.sync()
        place.edit("a", {"colour": "red", "theirs": "x"})

        found = diff_of(await inspect(place, server=server), "a")

        before, after = _data(found)
        assert before == {"colour": "red", "size": "1", "theirs": "x"}
        assert after == {"colour": "blue", "size": "1"}
        assert {field.manager for field in found.fields} == {"kubectl-edit"}


@BOTH
async def test_what_the_policy_keeps_is_no_change(server: bool) -> None:
    """Git's own change is made; the drift beside it is told as not reverted."""
    async with installed(FILES, healPolicy="manual") as place:
        await place.sync()
        place.edit("a", {"colour": "red"})
        place.git.push({"a.yaml": config_map("a", colour="blue", size="2")})

        found = diff_of(await inspect(place, server=server), "a")

        assert _data(found) == ({"colour": "red", "size": "1"}, {"colour": "red", "size": "2"})
        assert [(field.path, field.note) for field in found.fields] == [
            (".data.colour", KEPT),
            (".data.size", ""),
        ]


async def test_what_the_server_refuses_has_no_outcome() -> None:
    """The problem names the file; the others are compared, and each is told."""
    async with installed(FILES) as place:
        place.cluster.fail_next(
            "dry-run", CONFIG_MAPS, InvalidError(ApiFailure(code=422, reason="Invalid", message="no"))
        )

        inspection = await inspect(place, server=True)

        refused = [diff for diff in inspection.objects if diff.step.action is Action.REFUSE]
        assert [diff.change for diff in refused] == [None]
        assert inspection.is_refused
