"""Clients of the shared control plane."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from nopea.kube.client import KubeClient
from nopea.kube.discovery import Discovery
from nopea.kube.load import load_config
from nopea_lab.lab import Lab


@pytest_asyncio.fixture
async def client(lab: Lab) -> AsyncIterator[KubeClient]:
    """The administrator's client of the shared lab."""
    async with KubeClient(load_config(lab.kubeconfig)) as client:
        yield client


@pytest_asyncio.fixture
async def discovery(client: KubeClient) -> Discovery:
    """The discovery of the kinds that the shared lab serves."""
    return Discovery(client)
