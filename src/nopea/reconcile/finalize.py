"""The deletion of a GitRepository: its finalizer, and which of its objects are deleted with it.

A deletion that cannot finish says what blocks it and is tried again; `nopea.io/abandon` lets go.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import orjson

from nopea.core.api import names
from nopea.core.api.repository import Repository
from nopea.core.api.spec import GitRepositorySpec
from nopea.core.manifests.render import Desired
from nopea.core.objects import ObjectKey
from nopea.core.plan.model import Plan, Step
from nopea.core.plan.prune import blocked
from nopea.core.problem import Code, Problem, StalledError
from nopea.core.status.report import ReconcileReport, Result
from nopea.kube.client import KubeClient
from nopea.kube.errors import ApiError, ConflictError, InvalidError, NotFoundError
from nopea.kube.kinds import DEFINITIONS, GIT_REPOSITORIES, NAMESPACES, repository_target
from nopea.kube.problems import to_sync_error
from nopea.kube.requests import PatchKind
from nopea.reconcile.accounts import client_for, watcher_of
from nopea.reconcile.apply import TRIES, Applier
from nopea.reconcile.execute import Executor
from nopea.reconcile.prune import Pruner
from nopea.reconcile.request import ReconcileContext, Supersede
from nopea.reconcile.sync import with_execution
from nopea.state.inventory import InventoryStore, forget
from nopea.state.store import RepositoryState


class Finalizer:
    """Holds and releases GitRepositories."""

    def __init__(self, context: ReconcileContext, inventory: InventoryStore) -> None:
        self._context = context
        self._inventory = inventory

    async def hold(self, repository: Repository) -> None:
        """Add the finalizer if the objects are deleted with the GitRepository; before the first write.

        Raises SyncError when the API server does not let us.
        """
        if repository.has_finalizer != repository.deletes_objects:
            await (self._add(repository) if repository.deletes_objects else self._remove(repository))

    async def run(
        self, repository: Repository, state: RepositoryState, report: ReconcileReport
    ) -> ReconcileReport:
        """Delete the repository's objects and remove the finalizer; raises SyncError if it cannot."""
        if repository.has_finalizer and self._context.policy.read_only:
            raise StalledError(_held(repository))
        why = repository.why_objects_stay
        if repository.has_finalizer and not why:
            why = await self._why_all_stay(repository)
        report = replace(report, result=Result.DELETED, why_objects_stay=why)
        if not repository.has_finalizer:
            return report
        spec = repository.spec
        if not why and isinstance(spec, GitRepositorySpec):
            report = await self._delete_objects(repository, spec, state, report)
        if report.result is Result.DELETED:
            await self._remove(repository)
        return report

    async def _why_all_stay(self, repository: Repository) -> str:
        """Return why the objects stay whatever the spec says; empty if nothing speaks against deleting them.

        Who deletes the kind or Nopea's namespace removes Nopea, not what it has applied. Of a namespace that
        is being deleted the API server deletes the objects itself, the account's rights among the first.
        """
        context = self._context
        reasons = [
            (DEFINITIONS.at(name=GIT_REPOSITORIES.full_plural), "definition deleted"),
            (NAMESPACES.at(name=repository.key.namespace), "namespace deleted"),
        ]
        if context.namespace:
            reasons.append((NAMESPACES.at(name=context.namespace), "namespace of Nopea deleted"))
        for target, why in reasons:
            try:
                found = (await context.client.get(target)).json()
            except NotFoundError:
                continue
            except ApiError as error:
                raise to_sync_error(error, object=str(target.key)) from error
            if "deletionTimestamp" in found["metadata"]:
                return why
        return ""

    async def _delete_objects(
        self,
        repository: Repository,
        spec: GitRepositorySpec,
        state: RepositoryState,
        report: ReconcileReport,
    ) -> ReconcileReport:
        await self._inventory.load(repository, state)
        client = client_for(self._context, repository, spec)
        pruner = Pruner(
            self._context,
            repository,
            spec,
            state,
            client=client,
            watcher=watcher_of(self._context, repository, spec),
        )
        itself = {repository.object_key}  # it may be in Git too, and must not wait for its own end
        prunes = await pruner.steps(itself, clean=True, commit="", deleting=True)
        execution = await self._executor(client).execute(Plan(steps=prunes.steps), _never())
        forget(state, prunes.gone | execution.gone)
        report = with_execution(report, execution, ())
        ending = [
            key
            for key, decision in prunes.decisions.items()
            if decision.blocks_deletion and key not in execution.gone
        ]
        if not report.problems and not ending:
            return replace(report, result=Result.DELETED)
        still_there = (
            blocked(key, "It is being deleted and still exists.")
            for key in ending
            if not _is_told(key, report.problems)
        )
        return replace(report, result=Result.FAILED, problems=(*report.problems, *still_there))

    def _executor(self, client: KubeClient) -> Executor:
        return Executor(
            client=client,
            object_cache=self._context.object_cache,
            applier=Applier(
                client=client,
                object_cache=self._context.object_cache,
                owner="",
                discovery=self._context.discovery,
                defined_here=frozenset(),
                decide=_nothing_is_wanted,
            ),
            claim=lambda _: "",
            unclaim=lambda _: None,
            resource_for=self._context.discovery.find_preferred,
            commit="",
            applied={},
        )

    async def _add(self, repository: Repository) -> None:
        """Apply our finalizer by server-side apply: `finalizers` is a set, others' stay."""
        metadata = {
            "name": repository.key.name,
            "namespace": repository.key.namespace,
            "uid": repository.uid,  # never of another object of this name
            "finalizers": [names.FINALIZER],
        }
        body = {"apiVersion": names.API_VERSION, "kind": names.KIND, "metadata": metadata}
        try:
            await self._context.client.apply_own(repository_target(repository.key), orjson.dumps(body))
        except (NotFoundError, ConflictError):
            return  # it is gone
        except ApiError as error:
            raise to_sync_error(error, object=str(repository.object_key)) from error

    async def _remove(self, repository: Repository) -> None:
        """Remove our finalizer, whichever manager it belongs to: an earlier version had another."""
        client, target = self._context.client, repository_target(repository.key)
        try:
            for tries_left in reversed(range(TRIES)):
                metadata = (await client.get(target)).json()["metadata"]
                finalizers = metadata.get("finalizers") or []
                if metadata["uid"] != repository.uid or names.FINALIZER not in finalizers:
                    return
                place = f"/metadata/finalizers/{finalizers.index(names.FINALIZER)}"
                patch = [
                    {"op": "test", "path": "/metadata/uid", "value": repository.uid},
                    {"op": "test", "path": place, "value": names.FINALIZER},
                    {"op": "remove", "path": place},
                ]
                try:
                    await client.patch(
                        target, orjson.dumps(patch), kind=PatchKind.JSON, manager=names.CONTROLLER_MANAGER
                    )
                except (ConflictError, InvalidError):
                    if not tries_left:  # else others have changed the finalizers meanwhile
                        raise
                else:
                    return
        except NotFoundError:
            return  # it is gone
        except ApiError as error:
            raise to_sync_error(error, object=str(repository.object_key)) from error


async def _nothing_is_wanted(one: Desired, live: Mapping[str, Any] | None) -> Step:
    raise AssertionError(f"{one.key} is to be deleted, not applied (there: {live is not None})")


def _held(repository: Repository) -> Problem:
    """Return why a process that may not write leaves a GitRepository with our finalizer."""
    return Problem(
        code=Code.PRUNE_BLOCKED,
        message=f"Nopea runs read-only: it deletes no objects, and does not remove {names.FINALIZER}.",
        hint="Start Nopea without --read-only to delete the objects, or to let go of them if "
        f"{names.ABANDON_ANNOTATION} is set. To keep them now, remove {names.FINALIZER} with "
        f"`kubectl -n {repository.key.namespace} edit gr {repository.key.name}`.",
        object=str(repository.object_key),
        is_stalled=True,
    )


def _never() -> Supersede:
    async def newest() -> str:
        return ""

    return Supersede(frozenset, newest, commit="")


def _is_told(key: ObjectKey, problems: Iterable[Problem]) -> bool:
    return any(problem.object == str(key) for problem in problems)
