"""Gathers the objects that Git no longer declares, with the facts for `core/plan/prune.py`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from nopea.core.api.labels import owner_label
from nopea.core.api.repository import Repository
from nopea.core.api.spec import GitRepositorySpec
from nopea.core.api.tenancy import shares_rights
from nopea.core.objects import GroupKind, ObjectKey, RepoKey, Resource
from nopea.core.plan.generations import replaced_in
from nopea.core.plan.inventory import namespaces_of, uids_of, unrecorded
from nopea.core.plan.model import Action, LastApplied, ObservedObject, Reason, Step
from nopea.core.plan.prune import WORKLOADS, PruneCandidate, PruneDecision, PruneVerdict, prune_decisions
from nopea.core.problem import Problem, TransientError
from nopea.informers.object_cache import Watcher
from nopea.kube.client import KubeClient
from nopea.kube.errors import (
    ApiError,
    ApiServiceError,
    ForbiddenError,
    NotFoundError,
    UnknownKindError,
    UnreachableError,
)
from nopea.kube.kinds import NAMESPACES
from nopea.kube.problems import to_problem
from nopea.reconcile.definitions import is_unserved
from nopea.reconcile.request import ReconcileContext
from nopea.state.store import RepositoryState


@dataclass(frozen=True, slots=True, kw_only=True)
class Prunes:
    """The steps for objects that Git no longer declares, and the inventory's that are already gone."""

    steps: tuple[Step, ...]
    gone: frozenset[ObjectKey]
    decisions: Mapping[ObjectKey, PruneDecision]


class Pruner:
    """Gathers for one repository; adds to the inventory what is missing there, and deletes nothing."""

    def __init__(
        self,
        context: ReconcileContext,
        repository: Repository,
        spec: GitRepositorySpec,
        state: RepositoryState,
        *,
        client: KubeClient,
        watcher: Watcher | None,
    ) -> None:
        self._context = context
        self._repository = repository
        self._spec = spec
        self._state = state
        self._client = client
        self._watcher = watcher
        self._owner = owner_label(repository.key)

    async def steps(
        self, wanted: set[ObjectKey], *, clean: bool, commit: str, deleting: bool = False
    ) -> Prunes:
        """Decide about our objects that Git no longer declares; raises TransientError if it cannot."""
        await self._follow(self._state.applied.keys() - wanted)
        owned = self._context.object_cache.owned(self._owner)
        known = set(self._state.applied)
        size = len(known)  # what is taken in now may be forged, and must not raise the guard's limit
        self._take_in(owned, known | wanted)
        if deleting:  # there is no later sync that would find them in the inventory
            known = set(self._state.applied)
        candidates: dict[ObjectKey, PruneCandidate] = {}
        lives: dict[ObjectKey, ObservedObject] = {}
        renamed: set[ObjectKey] = set()  # Git has the same object under another name of its kind
        wanted_uids = uids_of(owned, wanted)
        for key in sorted((known | self._state.applied.keys()) - wanted):
            # one without our label is not in the cache, and one that no watch brings may be old there
            is_watched = self._context.object_cache.covers(key)
            live: ObservedObject | Problem | None = owned.get(key) if is_watched else None
            is_served = True
            if live is None:
                live, is_served = await self._ask(key)
            if isinstance(live, Problem):
                candidates[key] = PruneCandidate(in_inventory=key in known, live=True, unreadable=live)
                continue
            if live is not None and live.uid in wanted_uids:
                renamed.add(key)
                continue
            if live is not None:
                lives[key] = live
            candidates[key] = self._candidate(key, live, in_inventory=key in known, is_served=is_served)
        decisions = prune_decisions(
            candidates=candidates,
            inventory_size=size,
            owner=self._owner,
            enabled=self._spec.prune,
            rendered_cleanly=clean,
            rendered_count=len(wanted),
            confirmed=self._is_confirmed(commit),
            limit=self._spec.prune_limit,
            replaced=replaced_in(wanted, candidates),
            runs_on=any(key.group_kind in WORKLOADS for key in wanted),
            deleting=deleting,
            commit=commit,
            arguments=self._repository.key.arguments,
        )
        steps = [_step(key, decision, lives.get(key)) for key, decision in decisions.items()]
        return Prunes(
            steps=tuple(step for step in steps if step is not None),
            gone=frozenset(renamed).union(key for key, decision in decisions.items() if decision.forgets),
            decisions=decisions,
        )

    async def _follow(self, keys: Iterable[ObjectKey]) -> None:
        """Watch the kinds of the objects that are left over."""
        object_cache = self._context.object_cache
        places = sorted((key.group_kind, key.namespace) for key in keys if not object_cache.covers(key))
        found = {kind: await self._resource(kind) for kind in dict.fromkeys(kind for kind, _ in places)}
        followed = [
            (resource, namespace)
            for kind, namespace in places
            if isinstance(resource := found[kind], Resource)
        ]
        await object_cache.ensure(followed, self._watcher)

    async def _resource(self, kind: GroupKind) -> Resource | Problem | None:
        try:
            return await self._context.discovery.find_preferred(kind)
        except UnknownKindError:
            return None
        except ApiServiceError as error:
            return to_problem(error)
        except ApiError as error:
            raise TransientError(to_problem(error, object=str(kind))) from error

    async def _ask(self, key: ObjectKey) -> tuple[ObservedObject | Problem | None, bool]:
        """Read an object that the cache does not show as ours; raises TransientError without an API server.

        Returns the object, None once it is gone, or the problem why it cannot be read; and whether that can
        be said: False while its kind is not served and nobody deleted its definition, as when an aggregated
        API is away.
        """
        resource = await self._resource(key.group_kind)
        is_deleted = self._context.discovery.is_deleted(key.group_kind)
        if resource is None:
            return None, is_deleted
        if isinstance(resource, Problem):
            return replace(resource, object=str(key)), True
        try:
            live = await self._client.get(resource.at(name=key.name, namespace=key.namespace))
        except NotFoundError as error:
            return None, is_deleted or not is_unserved(error)
        except UnreachableError as error:
            raise TransientError(to_problem(error, object=str(key))) from error
        except ApiError as error:
            if isinstance(error, ForbiddenError) and await self._is_gone(key.namespace):
                return None, True
            return to_problem(error, object=str(key)), True
        return self._context.object_cache.observed(live.json()), True

    async def _is_gone(self, namespace: str) -> bool:
        """Ask for a namespace as Nopea itself: the account's rights in it have gone with it."""
        if not namespace:
            return False
        try:
            await self._context.client.get(NAMESPACES.at(name=namespace))
        except ApiError as error:  # of any other, the one that the account got is reported
            return isinstance(error, NotFoundError)
        return False

    def _take_in(self, owned: Mapping[ObjectKey, ObservedObject], known: set[ObjectKey]) -> None:
        """Record objects with our label and Apply entry that a crash after the apply left unrecorded."""
        namespaces = namespaces_of(self._repository.key, self._spec.target_namespace, known)
        for key, live in unrecorded(owned, known, namespaces=namespaces).items():
            self._state.applied[key] = LastApplied(hash="", projection=live.projection)

    def _heir(self, key: ObjectKey) -> RepoKey | None:
        """Return who takes the object over. A stranger's declaration must not keep it in the cluster."""
        for other in self._context.ownership.waiting_for(key, besides=self._repository.key):
            heir = self._context.repositories.get(other)
            if heir is not None and shares_rights(self._repository, heir, self._context.policy):
                return other
        return None

    def _candidate(
        self, key: ObjectKey, live: ObservedObject | None, *, in_inventory: bool, is_served: bool
    ) -> PruneCandidate:
        other = self._heir(key)
        glass = live.break_glass if live else None
        return PruneCandidate(
            in_inventory=in_inventory,
            live=live is not None,
            kind_served=is_served,
            owner=live.owner if live else None,
            has_our_apply=live is not None and live.projection is not None,
            uid=live.uid if live else "",
            prune_live=live.prune if live else None,
            terminating=live.terminating if live else False,
            break_glass=glass is not None and glass.holds(datetime.now(UTC)),
            wanted_by=str(other) if other else "",
            is_itself=key == self._repository.object_key,
        )

    def _is_confirmed(self, commit: str) -> bool:
        confirmed = self._repository.confirm_prune
        return len(confirmed) >= 7 and commit.startswith(confirmed)


def _step(key: ObjectKey, decision: PruneDecision, live: ObservedObject | None) -> Step | None:
    match decision.verdict:
        case PruneVerdict.PRUNE:
            return Step(action=Action.PRUNE, reason=Reason.GONE_FROM_GIT, key=key, live=live)
        case PruneVerdict.REFUSE:
            problem = decision.problem
            return Step(
                action=Action.REFUSE, reason=Reason.PRUNE_REFUSED, key=key, live=live, problem=problem
            )
        case PruneVerdict.KEEP | PruneVerdict.WAIT:
            why = decision.reason
            return Step(action=Action.LEAVE, reason=Reason.KEPT, key=key, live=live, kept=why)
        case _:
            return None
