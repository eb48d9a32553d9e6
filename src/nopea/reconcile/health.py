"""Follow the health of a repository's objects: from the watches, and from the Pods of what is not healthy."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from nopea import log_events, tasks
from nopea.core.api.labels import owner_label
from nopea.core.api.repository import Repository
from nopea.core.api.spec import GitRepositorySpec
from nopea.core.api.tenancy import may_apply
from nopea.core.health.assess import Health, pod_trouble
from nopea.core.health.condition import HealthSummary, summarize, unsettled
from nopea.core.objects import ObjectKey, Resource
from nopea.core.plan.finished import health_of
from nopea.core.plan.observed import observed_of
from nopea.kube.client import KubeClient
from nopea.kube.errors import ApiError
from nopea.kube.kinds import PODS
from nopea.kube.requests import Selection
from nopea.logs import Log
from nopea.reconcile.accounts import client_for
from nopea.reconcile.request import ReconcileContext
from nopea.state.store import RepositoryState

log = Log(__name__)
_LANES = 8
_WORKLOADS_LOOKED_AT = 5
"""For how many objects Pods are listed at once: one failing Pod's message is enough."""


class HealthFollower:
    """Judges the health of objects as they are now; waits for nothing."""

    def __init__(self, context: ReconcileContext) -> None:
        self._context = context

    async def look(self, repository: Repository, state: RepositoryState) -> HealthSummary | None:
        """Return the health of what was applied; None where nothing was, or the spec cannot be read."""
        spec = repository.spec
        if not isinstance(spec, GitRepositorySpec) or not state.applied:
            return None
        cache, owner = self._context.object_cache, owner_label(repository.key)
        ended = {key: health_of(last.finished) for key, last in state.applied.items() if last.finished}
        now = datetime.now(UTC)
        lives = {key: live.health.at(now) for key, live in cache.owned(owner).items() if key in state.applied}
        healths = ended | lives
        if not may_apply(spec, self._context.policy):
            return summarize(healths, {})  # and nobody may read the Pods
        client = client_for(self._context, repository, spec)
        await self._read_again(client, cache.unwatched(owner), healths)
        return summarize(healths, await self._troubles(client, healths))

    async def _read_again(
        self, client: KubeClient, unwatched: Mapping[ObjectKey, Resource], healths: dict[ObjectKey, Health]
    ) -> None:
        """Read the unhealthy objects that no watch brings up to date; a healthy one is read by the syncs."""
        unsettled_keys = [key for key in unsettled(healths) if key in unwatched]

        async def read(key: ObjectKey) -> None:
            resource = unwatched[key]
            try:
                live = await client.get(resource.at(name=key.name, namespace=key.namespace))
            except ApiError as error:
                log.write(log_events.health_not_read, object=str(key), error=str(error))
                return
            observed = observed_of(live.json(), now=datetime.now(UTC))
            healths[key] = observed.health

        await tasks.for_each(unsettled_keys, read, limit=_LANES, name="health")

    async def _troubles(
        self, client: KubeClient, healths: Mapping[ObjectKey, Health]
    ) -> dict[ObjectKey, str]:
        troubles: dict[ObjectKey, str] = {}
        workloads = [key for key in unsettled(healths) if healths[key].selector]
        for key in workloads[:_WORKLOADS_LOOKED_AT]:
            selection = Selection(namespace=key.namespace, labels=healths[key].selector)
            try:
                pods = await client.list(PODS, selection)
            except ApiError as error:
                log.write(log_events.pods_not_read, object=str(key), error=str(error))
                continue
            trouble = pod_trouble((pod.json() for pod in pods.items), now=datetime.now(UTC))
            if trouble:
                troubles[key] = trouble
        return troubles
