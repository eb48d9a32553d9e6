"""Applying the objects; on a real API server: tests/cli/test_install.py."""

from __future__ import annotations

import pytest
from tests.fakes.cluster import FakeCluster

from nopea.cli.cluster import CommandError
from nopea.cli.heartbeat import SYSTEM_NAMESPACE
from nopea.cli.installation.install import apply_all, marked
from nopea.cli.installation.profiles import Profile


async def test_a_namespace_that_somebody_creates_meanwhile_ends_it() -> None:
    """It was not there when it was looked at: whoever was faster may have rights in it."""
    namespace = [each for each in marked(Profile.TENANTS, image="nopea:1") if each["kind"] == "Namespace"]
    cluster = FakeCluster(namespaces=(SYSTEM_NAMESPACE,))

    with pytest.raises(CommandError) as refused:
        await apply_all(cluster.client, namespace, force=False, new_namespace=True)
    assert refused.value.message == f"Namespace {SYSTEM_NAMESPACE} was created meanwhile."
    assert await apply_all(cluster.client, namespace, force=False) == 0
    assert await apply_all(FakeCluster().client, namespace, force=False, new_namespace=True) == 1
