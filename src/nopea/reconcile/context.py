"""What every pass works with, in one value."""

from __future__ import annotations

from dataclasses import dataclass

from nopea.informers.object_cache import LiveIndex
from nopea.kube.client import KubeClient
from nopea.kube.discovery import Discovery
from nopea.reconcile.fetch import Fetcher
from nopea.state.ownership import Claims
from nopea.state.repositories import Directory


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What the work of every pass needs: clients and the process's memory."""

    client: KubeClient
    discovery: Discovery
    fetcher: Fetcher
    index: LiveIndex
    directory: Directory
    claims: Claims
