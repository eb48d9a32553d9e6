"""Inspect a GitRepository in a fake cluster as a user does."""

from __future__ import annotations

from tests.fakes.installation import Installation, key_of

from nopea.core.api.spec import GitRepositorySpec
from nopea.core.git.source import Remote
from nopea.core.plan.inspection import Inspection
from nopea.core.plan.object_diff import ObjectDiff
from nopea.reconcile.inspect import Inspector
from nopea.state.inventory import InventoryStore
from nopea.state.store import RepositoryState


async def inspect(place: Installation, *, server: bool = True) -> Inspection:
    """Inspect the newest commit as a user, without the controller's memory and its key."""
    await place.settle()
    repository = place.repository()
    spec = repository.spec
    assert isinstance(spec, GitRepositorySpec)
    remote = Remote(spec.url)
    fetcher = place.services.fetcher
    snapshot = await fetcher.snapshot(spec, remote)
    state = RepositoryState(uid=repository.uid, status=repository.status)
    await InventoryStore(place.cluster.client).load(repository, state)
    place.cluster.requests.clear()
    inspector = Inspector(place.cluster.client, fetcher)
    return await inspector.inspect(repository, spec, state, remote, snapshot, server=server)


def diff_of(inspection: Inspection, name: str) -> ObjectDiff:
    """Return what is said about a ConfigMap."""
    return next(diff for diff in inspection.objects if diff.step.key == key_of(name))


async def inspect_within(place: Installation) -> Inspection:
    """Inspect the newest commit as the controller does, with a copy of its memory."""
    await place.settle()
    repository = place.repository()
    spec = repository.spec
    assert isinstance(spec, GitRepositorySpec)
    known = place.services.store.state(repository.key, uid=repository.uid, status=repository.status)
    state = RepositoryState(uid=known.uid, status=known.status, applied=dict(known.applied), loaded=True)
    fetcher = place.services.fetcher
    snapshot = await fetcher.snapshot(spec, Remote(spec.url))
    inspector = Inspector(place.services.client, fetcher, within=place.services)
    return await inspector.inspect(repository, spec, state, Remote(spec.url), snapshot)
