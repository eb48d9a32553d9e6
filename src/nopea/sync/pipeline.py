"""One pass over a repository: fetch → render → observe → plan → act → report.

Looks at the world, never at the trigger. Every way out but a bug is a report, and every report is published.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from ulid import ULID

from nopea.core.api.spec import GitRepositorySpec, HealPolicy
from nopea.core.desired import (
    Desired,
    Endpoint,
    Rendering,
    Wish,
    endpoints_of_definitions,
    read_wishes,
    render,
)
from nopea.core.objects import GroupKind, ObjectKey
from nopea.core.ownership import owner_label
from nopea.core.plan import Observed, Policy, plan
from nopea.core.problem import Problem, StalledError, SyncError, TransientError
from nopea.core.report import ObjectResult, PassReport, Result
from nopea.core.repository import Repository
from nopea.core.source import Commit, Remote
from nopea.kube.client import KubeClient, ServiceAccount
from nopea.kube.discovery import Discovery
from nopea.kube.errors import ApiError, NotFoundError, UnknownKindError
from nopea.kube.problems import to_problem
from nopea.kube.resource import Resource
from nopea.sync.cache import Cache, SyncState
from nopea.sync.claims import Claims
from nopea.sync.directory import Directory
from nopea.sync.execute import Execution, Executor
from nopea.sync.fetch import Fetcher, Snapshot
from nopea.sync.live_index import LiveIndex, observed_of
from nopea.sync.places import endpoint_of, resource_of, target_of
from nopea.sync.publish import Publisher
from nopea.sync.request import PassRequest, Supersede
from nopea.sync.secrets import remote_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What passes share: clients and the process's memory."""

    client: KubeClient
    discovery: Discovery
    fetcher: Fetcher
    index: LiveIndex
    publisher: Publisher
    directory: Directory
    cache: Cache
    claims: Claims


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What a pass did and met, before it becomes a report."""

    result: Result
    commit: Commit | None = None
    objects: tuple[ObjectResult, ...] = ()
    problems: tuple[Problem, ...] = ()


class Pipeline:
    """Runs passes; one at a time per repository, any number at once."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def has_news(self, repository: Repository) -> bool:
        """Ask Git only: False when the commit that was synced without a problem is still the newest."""
        spec = repository.spec
        state = self._services.cache.states.get(repository.key)
        if isinstance(spec, Problem) or state is None or not state.complete or state.remote is None:
            return True
        try:
            newest = await self._services.fetcher.newest(spec, state.remote)
        except SyncError:
            return True  # a whole pass meets the same and reports it
        return state.commit is None or newest != state.commit.id

    async def run(self, request: PassRequest) -> PassReport:
        """Run one whole pass and publish its report."""
        repository, services = request.repository, self._services
        state = services.cache.state(repository.key, uid=repository.uid, status=repository.status)
        started_at = datetime.now(UTC)
        started = asyncio.get_running_loop().time()
        async with services.publisher.progress(repository, state):
            try:
                findings = await self._work(request, state)
            except SyncError as error:
                findings = Findings(result=Result.FAILED, commit=None, problems=error.problems)
        state.complete = findings.result is Result.SYNCED
        report = PassReport(
            id=str(ULID()),
            generation=repository.generation,
            triggers=tuple(sorted(request.triggers)),
            result=findings.result,
            commit=findings.commit,
            objects=findings.objects,
            problems=findings.problems,
            started_at=started_at,
            seconds=asyncio.get_running_loop().time() - started,
            handled_sync_at=repository.sync_requested_at,
        )
        if not await services.publisher.publish(request, state, report):
            state.complete = False
            return replace(report, result=Result.FAILED)  # so that the worker comes back to tell it
        return report

    async def _work(self, request: PassRequest, state: SyncState) -> Findings:
        repository = request.repository
        spec = repository.spec
        if isinstance(spec, Problem):
            raise StalledError(spec)
        if spec.suspend:
            return Findings(result=Result.SUSPENDED)
        remote = await remote_of(self._services.client, repository.key, spec)
        state.remote = remote
        snapshot = await self._services.fetcher.snapshot(spec, remote)
        state.commit = snapshot.commit
        work = _Pass(self._services, repository, spec, state)
        supersede = Supersede(
            request.pending,
            lambda: self._newest(spec, remote),
            commit=snapshot.commit.id,
        )
        return await work.run(snapshot, supersede)

    async def _newest(self, spec: GitRepositorySpec, remote: Remote) -> str:
        return await self._services.fetcher.newest(spec, remote)


class _Pass:
    """The steps between a snapshot and findings, for one repository at one version."""

    def __init__(
        self, services: Services, repository: Repository, spec: GitRepositorySpec, state: SyncState
    ) -> None:
        account = (
            ServiceAccount(namespace=repository.key.namespace, name=spec.service_account_name)
            if spec.service_account_name
            else None
        )
        self._services = services
        self._repository = repository
        self._spec = spec
        self._state = state
        self._owner = owner_label(repository.key)
        self._client = services.client.on_behalf(str(repository.key), of=account)

    async def run(self, snapshot: Snapshot, supersede: Supersede) -> Findings:
        wishes, problems = read_wishes(snapshot.files)
        desired, more = await self._render(wishes)
        problems = [*snapshot.problems, *problems, *more]
        self._services.claims.keep(self._repository.key, (one.key for one in desired))
        observed = await self._observe(desired)
        steps = plan(
            desired=desired,
            observed=observed,
            last_applied=self._state.applied,
            policy=self._policy(snapshot.commit),
            now=datetime.now(UTC),
        )
        executor = Executor(
            client=self._client,
            index=self._services.index,
            owner=self._owner,
            claim=self._claim,
            defined_here=frozenset(
                GroupKind(e.group, e.kind) for e in endpoints_of_definitions(wishes).values()
            ),
        )
        execution = await executor.execute(steps, supersede)
        self._remember(desired, execution)
        return _findings(snapshot, execution, desired, problems)

    def _policy(self, commit: Commit) -> Policy:
        """Under `manual` and `notify`, a request by a person heals (design section 8)."""
        asked = self._repository.sync_requested_at
        heals = bool(asked) and asked != self._state.status.last_handled_sync_at
        status = self._state.status
        return Policy(
            owner=self._owner,
            heal=HealPolicy.AUTO if heals else self._spec.heal_policy,
            git_unchanged=status.last_applied_commit == commit.id
            and status.observed_generation == self._repository.generation,
        )

    async def _render(self, wishes: Sequence[Wish]) -> tuple[list[Desired], list[Problem]]:
        endpoints = await self._endpoints(wishes)
        rendering = Rendering(
            owner=self._owner,
            default_namespace=self._repository.key.namespace,
            target_namespace=self._spec.target_namespace,
            force=self._spec.force,
        )
        desired, problems = render(wishes, rendering, lambda version, kind: endpoints.get((version, kind)))
        self._state.unknown_kinds = len(endpoints) < len({(wish.api_version, wish.kind) for wish in wishes})
        return desired, problems

    async def _endpoints(self, wishes: Iterable[Wish]) -> Mapping[tuple[str, str], Endpoint]:
        """Look up every kind once: what the server serves, else what the repository's own CRDs will serve."""
        own = endpoints_of_definitions(wishes)
        found: dict[tuple[str, str], Endpoint] = {}
        for api_version, kind in dict.fromkeys((wish.api_version, wish.kind) for wish in wishes):
            try:
                if (api_version, kind) in own:
                    found[(api_version, kind)] = own[(api_version, kind)]
                else:
                    found[(api_version, kind)] = endpoint_of(
                        await self._services.discovery.find(api_version, kind)
                    )
            except UnknownKindError:
                continue  # rendering reports it for each object
            except ApiError as error:
                problem = to_problem(error, object=f"{api_version} {kind}", source="")
                raise TransientError(problem) from error
        return found

    async def _observe(self, desired: Sequence[Desired]) -> dict[ObjectKey, Observed]:
        index = self._services.index
        watchable = [resource_of(endpoint) for endpoint in dict.fromkeys(one.endpoint for one in desired)]
        await index.ensure([resource for resource in watchable if await self._is_served(resource)])
        observed: dict[ObjectKey, Observed] = {}
        for one in desired:
            if index.knows(one.key.group_kind):
                live = index.get(one.key)
            else:
                live = await self._look(one)
            if live is not None and (
                live.owner == self._owner or self._services.directory.may_exist(live.owner)
            ):
                observed[one.key] = live
        return observed

    async def _is_served(self, resource: Resource) -> bool:
        """A kind whose definition comes with this pass has no objects to watch yet."""
        return await self._services.discovery.served(resource.api_version, resource.kind)

    async def _look(self, desired: Desired) -> Observed | None:
        """Ask for one object of a kind that cannot be watched."""
        try:
            return observed_of((await self._client.get(target_of(desired))).meta)
        except NotFoundError:
            return None
        except ApiError:
            return None  # the apply meets the same and reports it with the object

    def _claim(self, key: ObjectKey) -> str:
        owner = self._services.claims.claim(key, self._repository.key)
        return "" if owner == self._repository.key else str(owner)

    def _remember(self, desired: Sequence[Desired], execution: Execution) -> None:
        wanted = {one.key for one in desired}
        kept = {key: last for key, last in self._state.applied.items() if key in wanted}
        self._state.applied = {**kept, **execution.applied}


def _findings(
    snapshot: Snapshot, execution: Execution, desired: Sequence[Desired], problems: list[Problem]
) -> Findings:
    objects = tuple(execution.results[one.key] for one in desired if one.key in execution.results)
    problems += [one.problem for one in objects if one.problem is not None]
    if execution.unreachable is not None:
        problems.append(execution.unreachable)
    result = Result.FAILED if problems else Result.SYNCED
    if execution.superseded:
        result = Result.SUPERSEDED
    return Findings(result=result, commit=snapshot.commit, objects=objects, problems=tuple(problems))
