"""Reading what specs name: few requests, and what may not be read."""

from __future__ import annotations

import pytest
from tests.fakes.cluster import FakeCluster

from nopea.cli.doctor import named_objects
from nopea.cli.doctor.named_objects import read_named
from nopea.core.objects import ObjectKey
from nopea.kube.errors import ApiFailure, ForbiddenError
from nopea.kube.kinds import SECRETS

FORBIDDEN = ForbiddenError(ApiFailure(code=403, message="no"))


def key(name: str, namespace: str = "shop", kind: str = "Secret") -> ObjectKey:
    """Return the key of a Secret or ConfigMap."""
    return ObjectKey("", kind, namespace, name)


def store(cluster: FakeCluster, name: str, kind: str = "Secret") -> None:
    """Store an object with data."""
    cluster.create(
        {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": "shop"}, "data": {}}
    )


async def test_a_few_are_read_one_by_one() -> None:
    """So that no other Secret is asked for; one that many name is asked for once."""
    cluster = FakeCluster()
    store(cluster, "login")
    store(cluster, "values", "ConfigMap")
    values = key("values", kind="ConfigMap")

    reading = await read_named(cluster.client, [key("login"), key("login"), key("gone"), values])

    assert {found: raw is not None for found, raw in reading.found.items()} == {
        key("login"): True,
        key("gone"): False,
        values: True,
    }
    assert len(cluster.requests) == 3


async def test_many_of_a_namespace_are_one_list() -> None:
    """Who may not list them still gets those that they may get."""
    cluster = FakeCluster()
    store(cluster, "s1")
    wanted = [key(f"s{each}") for each in range(500)]

    reading = await read_named(cluster.client, wanted)
    assert len(cluster.requests) == 1
    assert [found for found, raw in reading.found.items() if raw is not None] == [key("s1")]
    assert len(reading.found) == 500

    cluster.fail_next("list", SECRETS, FORBIDDEN)
    cluster.fail_next("get", SECRETS, FORBIDDEN, times=2)
    reading = await read_named(cluster.client, wanted[:10])
    assert (len(reading.found), len(reading.errors)) == (8, 2)


async def test_there_is_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not read is neither there nor missing."""
    monkeypatch.setattr(named_objects, "MOST", 20)
    cluster = FakeCluster()

    reading = await read_named(cluster.client, [key("login", namespace=f"n{each}") for each in range(25)])

    assert len(reading.found) == 20
    assert not reading.errors
