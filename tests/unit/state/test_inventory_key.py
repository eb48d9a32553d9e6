"""The key of the hashes in inventories: one for all processes of an installation, kept in a Secret."""

from __future__ import annotations

import asyncio
import base64

import pytest
from tests.fakes.cluster import FakeCluster

from nopea.core.objects import ObjectKey
from nopea.kube.errors import ApiFailure, ForbiddenError, NotFoundError, ServerError
from nopea.kube.kinds import SECRETS
from nopea.state.inventory_key import KEY_BYTES, RIGHTS_SECONDS, InventoryKey

pytestmark = pytest.mark.looptime

SECRET = ObjectKey("", "Secret", "shop", "nopea-inventory-key")
DOWN = ServerError(ApiFailure(code=503, message="the API server is starting"))


def key_of(cluster: FakeCluster) -> InventoryKey:
    """Return the key as a new process would."""
    return InventoryKey(cluster.client, namespace="shop")


async def test_every_process_has_the_same_key() -> None:
    """The first creates the Secret, the others read it."""
    cluster = FakeCluster()
    first, second = key_of(cluster), key_of(cluster)
    assert first.current() != second.current()

    await first.load()
    await second.load()

    assert first.current() == second.current()
    stored = cluster.objects[SECRET]["data"]["key"]
    assert base64.b64decode(stored) == first.current().reveal()
    assert len(first.current().reveal()) == KEY_BYTES


async def test_two_processes_that_start_at_once_agree() -> None:
    """The one that comes second with its Secret reads that of the other."""
    cluster = FakeCluster()
    first, second = key_of(cluster), key_of(cluster)
    cluster.fail_next("get", SECRETS, NotFoundError(ApiFailure(code=404)), times=2)

    await first.load()
    await second.load()

    assert first.current() == second.current()


async def test_an_api_server_that_starts_is_waited_for() -> None:
    """A temporary error is raised by `load`, and tried again by `run`."""
    cluster = FakeCluster()
    cluster.fail_next("get", SECRETS, DOWN, times=4)
    key = key_of(cluster)
    with pytest.raises(ServerError):
        await key.load()

    await key.run()

    assert base64.b64decode(cluster.objects[SECRET]["data"]["key"]) == key.current().reveal()


async def test_a_right_that_comes_late_is_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    """A key that is not stored would be lost with the process; without the right the start goes on."""
    cluster = FakeCluster()
    refused = ForbiddenError(ApiFailure(code=403, message="no"))
    cluster.fail_next("get", SECRETS, refused, times=3)
    key, never = key_of(cluster), key_of(cluster)

    await key.run()
    assert base64.b64decode(cluster.objects[SECRET]["data"]["key"]) == key.current().reveal()

    cluster.fail_next("get", SECRETS, refused, times=1000)
    began = asyncio.get_running_loop().time()
    await never.run()
    assert RIGHTS_SECONDS <= asyncio.get_running_loop().time() - began < 2 * RIGHTS_SECONDS
    assert [record.message for record in caplog.records] == ["inventory key not kept"]


@pytest.mark.parametrize("data", [{}, {"key": "c2hvcnQ="}, {"key": "!"}, None])
async def test_a_secret_that_holds_no_key_is_not_used(
    data: dict[str, str] | None, caplog: pytest.LogCaptureFixture
) -> None:
    """Its hashes would be as good as without a key; the process takes one of its own and says so."""
    cluster = FakeCluster()
    cluster.create(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": SECRET.name, "namespace": "shop"},
            "data": data,
        }
    )
    key = key_of(cluster)

    await key.load()

    assert len(key.current().reveal()) == KEY_BYTES
    assert [record.message for record in caplog.records] == ["inventory key not kept"]


async def test_without_the_right_to_the_secret_the_process_has_its_own_key(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Nothing is recorded without a key, and the operator learns why each start reads every object."""
    cluster = FakeCluster()
    cluster.fail_next("get", SECRETS, ForbiddenError(ApiFailure(code=403, message="no")), times=9)
    key = key_of(cluster)

    await key.load()
    await key.load()

    assert len(key.current().reveal()) == KEY_BYTES
    assert [record.message for record in caplog.records] == ["inventory key not kept"]


async def test_a_process_that_records_nothing_creates_no_secret() -> None:
    """It uses the key that is there, or its own."""
    cluster = FakeCluster()
    lone = InventoryKey(cluster.client, namespace="shop", creates=False)
    await lone.load()
    assert SECRET not in cluster.objects

    first, later = key_of(cluster), InventoryKey(cluster.client, namespace="shop", creates=False)
    await first.load()
    await later.load()
    assert later.current() == first.current() != lone.current()
