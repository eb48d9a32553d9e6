"""What every pass works with, in one value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from nopea.informers.object_cache import ObjectCache
from nopea.kube.client import KubeClient
from nopea.kube.discovery import Discovery
from nopea.reconcile.fetch import Fetcher
from nopea.state.ownership import Ownership
from nopea.state.repositories import RepositoryStore


def _wake_nobody(owner: str) -> None:
    del owner


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconcileContext:
    """What the work of every pass needs: clients and the process's memory."""

    client: KubeClient
    discovery: Discovery
    fetcher: Fetcher
    object_cache: ObjectCache
    repositories: RepositoryStore
    ownership: Ownership
    wake: Callable[[str], None] = _wake_nobody
    """Wakes the worker of the repository that a label value names. A command has no workers."""
