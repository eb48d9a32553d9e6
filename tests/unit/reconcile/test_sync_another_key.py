"""A start with another key of the hashes: what was recorded is compared, and recorded again."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping

import orjson
import pytest
from tests.fakes.installation import (
    NAMESPACE,
    Installation,
    config_map,
    installed,
    key_of,
    manifest,
    outcomes,
)

from nopea.core.api import names
from nopea.core.apply.projection import projection_hash
from nopea.core.objects import ObjectKey
from nopea.core.plan.inventory import unpack
from nopea.core.plan.model import Reason
from nopea.core.status.report import Outcome, Result
from nopea.core.trigger import Trigger
from nopea.state.inventory_key import InventoryKey

pytestmark = pytest.mark.looptime

BLUE = {"a.yaml": config_map("a", colour="blue"), "b.yaml": config_map("b", colour="blue")}
KEY = ObjectKey("", "Secret", NAMESPACE, names.INVENTORY_KEY)


async def restart_with_another_key(place: Installation) -> None:
    """Delete the Secret, as somebody who cleans up would, and start a new process."""
    place.cluster.delete(KEY)
    await place.restart()
    place.cluster.requests.clear()


def versions(place: Installation) -> dict[str, str]:
    """Return the versions of the applied objects."""
    return {
        key.name: one["metadata"]["resourceVersion"]
        for key, one in place.cluster.objects.items()
        if key.kind == "ConfigMap"
    }


async def test_nothing_is_written_and_no_drift_is_told() -> None:
    """The objects are read once; the next start with the same key reads none."""
    async with installed(BLUE, healPolicy="manual") as place:
        await place.sync()
        before = versions(place)
        await restart_with_another_key(place)

        report = await place.sync()

        assert report.result is Result.SYNCED
        assert outcomes(report) == {"a": Outcome.UNCHANGED, "b": Outcome.UNCHANGED}
        assert [request for request in place.cluster.writes if "configmaps" in request] == []
        assert versions(place) == before
        assert not place.status().drifts
        assert place.condition("Drifted")[0] != "True"
        await place.restart()
        place.cluster.requests.clear()
        await place.sync()
        assert place.cluster.writes == []
        assert [request for request in place.cluster.requests if request.startswith("get configmaps")] == []


async def test_drift_that_came_meanwhile_is_told_and_left() -> None:
    """It is still told from a change in Git: the policy `manual` keeps it."""
    async with installed(BLUE, healPolicy="manual") as place:
        await place.sync()
        place.edit("a", {"colour": "red"})
        await restart_with_another_key(place)

        report = await place.sync()

        assert {one.key.name: one.reason for one in report.objects} == {
            "a": Reason.POLICY,
            "b": Reason.UNCHANGED,
        }
        assert place.data("a") == {"colour": "red"}
        assert [drift.manager for drift in place.status().drifts] == ["kubectl-edit"]


async def test_a_commit_that_came_meanwhile_is_applied() -> None:
    """Where Git changed, and only there; drift in other fields stays drift."""
    async with installed(
        {**BLUE, "c.yaml": config_map("c", colour="blue", size="1")}, healPolicy="manual"
    ) as place:
        await place.sync()
        place.git.push({"b.yaml": config_map("b", colour="green")})
        await place.sync(Trigger.POLL)
        place.edit("a", {"colour": "red"})
        place.edit("c", {"colour": "red"})
        place.git.push({"c.yaml": config_map("c", colour="blue", size="2")})
        before = versions(place)
        await restart_with_another_key(place)

        report = await place.sync()

        assert report.result is Result.SYNCED
        assert (place.data("a"), place.data("c")) == ({"colour": "red"}, {"colour": "red", "size": "2"})
        assert versions(place)["b"] == before["b"]


async def test_break_glass_holds() -> None:
    """A protected object is not written, now or later, whatever the key was."""
    async with installed(BLUE) as place:
        await place.sync()
        place.annotate("a", {"nopea.io/suspend-heal": "true"})
        place.edit("a", {"colour": "red"})
        await place.sync()
        await restart_with_another_key(place)

        await place.sync()
        await restart_with_another_key(place)
        await place.sync()

        assert place.data("a") == {"colour": "red"}
        place.annotate("a", {"nopea.io/suspend-heal": None})
        await place.sync()
        assert place.data("a") == {"colour": "blue"}


async def test_a_failing_repository_keeps_what_it_had_applied() -> None:
    """Objects were applied from several commits; none of them drifts."""
    async with installed(BLUE, healPolicy="manual") as place:
        await place.sync()
        broken = {"apiVersion": "v1", "kind": "Nothing", "metadata": {"name": "x"}}
        place.git.push({"b.yaml": config_map("b", colour="green"), "x.yaml": orjson.dumps(broken).decode()})
        assert (await place.sync(Trigger.POLL)).result is Result.FAILED
        before = versions(place)
        await restart_with_another_key(place)

        report = await place.sync()

        assert {one.key.name: one.reason for one in report.objects} == {
            "a": Reason.UNCHANGED,
            "b": Reason.UNCHANGED,
        }
        assert versions(place) == before


def _guesses(live: Mapping[str, object]) -> list[str]:
    """Return the hashes that somebody who knows the Secret's form can compute, without the key."""
    fields = ("apiVersion", "kind", "metadata", "data")
    plain = {name: live[name] for name in fields}
    found = [projection_hash(live) or ""]
    for content in (live, plain):
        body = orjson.dumps(content, option=orjson.OPT_SORT_KEYS)
        found += [hashlib.blake2b(body, digest_size=16).hexdigest(), hashlib.sha256(body).hexdigest()]
    return found


async def test_a_guess_of_a_secret_cannot_be_checked() -> None:
    """The hashes in the status are of no use without the key, which only the controller reads."""
    password = base64.b64encode(b"canary-Swordfish").decode()
    files = {"s.yaml": manifest("v1", "Secret", "db", data={"password": password})}
    async with installed(files) as place:
        await place.sync()

        key = InventoryKey(place.cluster.client, namespace=NAMESPACE)
        await key.load()
        stored = unpack(place.status().inventory, key=key.current())[key_of("db", "Secret")]
        live = place.cluster.objects[key_of("db", "Secret")]
        assert stored.projection == projection_hash(live, key=key.current())
        assert not {stored.hash, stored.projection} & set(_guesses(live))
