"""What templates of charts may know of the API server."""

from __future__ import annotations

import pytest
from tests.fakes.cluster import FakeCluster

from nopea.core.problem import Code, TransientError
from nopea.kube.discovery import Discovery
from nopea.reconcile.capabilities import ClusterCapabilities


async def test_version_and_kinds_are_those_of_the_cluster() -> None:
    """Versions are listed alone and with each kind, as Helm does."""
    client = FakeCluster().client
    capabilities = ClusterCapabilities(client, Discovery(client))

    found = await capabilities()

    assert found.kube_version == "v1.36.0"
    assert {"v1", "v1/ConfigMap", "apps/v1", "apps/v1/Deployment"} <= set(found.api_versions)
    assert list(found.api_versions) == sorted(found.api_versions)


async def test_without_an_api_server_it_is_retried() -> None:
    """Nothing is rendered for a cluster that is not known."""
    cluster = FakeCluster()
    cluster.stop()

    with pytest.raises(TransientError) as error:
        await ClusterCapabilities(cluster.client, Discovery(cluster.client))()

    assert error.value.problems[0].code is Code.API_UNREACHABLE
