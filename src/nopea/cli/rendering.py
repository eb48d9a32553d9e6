"""Render for `render`: a folder without a cluster, or a GitRepository at its newest commit. Never writes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from nopea.cli.folder import UNNAMED, locate, read_folder
from nopea.cli.inspection import NO_URL, cluster_inputs, fetched, temporary_fetcher, valid_spec
from nopea.cli.repository import read_repository
from nopea.core.api.labels import owner_label
from nopea.core.api.spec import GitRepositorySpec
from nopea.core.api.tenancy import AS_CALLER
from nopea.core.manifests.render import Rendering, read_documents, render
from nopea.core.objects import ObjectKey, RepoKey, split_api_version
from nopea.core.problem import Problem
from nopea.kube.client import KubeClient
from nopea.kube.discovery import Discovery
from nopea.reconcile.credentials import remote_of
from nopea.reconcile.resources import look_up_kinds


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedManifest:
    """One object that would be applied, and the place in Git that it comes from."""

    source: str
    object: Mapping[str, Any]

    @property
    def key(self) -> ObjectKey:
        """The identity of the object; without a cluster, the namespace is what the manifest says."""
        metadata = self.object["metadata"]
        group = split_api_version(self.object["apiVersion"])[0]
        return ObjectKey(group, self.object["kind"], metadata.get("namespace") or "", metadata["name"])


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedManifests:
    """What would be applied, sorted by source, and what is wrong with the rest.

    `notes` are what users should know of the rendering, in sentences.
    """

    manifests: tuple[RenderedManifest, ...]
    problems: tuple[Problem, ...]
    notes: tuple[str, ...] = ()


async def render_folder(folder: Path, path: str | None, *, namespace: str | None = None) -> RenderedManifests:
    """Return what a folder or file declares; raises SyncError when none of it can be rendered.

    `path` is as in `locate`. Charts see the namespace. Nothing is asked of a cluster.
    """
    root, path = locate(folder, path)
    owner = RepoKey(namespace or UNNAMED.namespace, UNNAMED.name)
    async with temporary_fetcher() as fetcher:
        spec = GitRepositorySpec(url=NO_URL, path=path)
        snapshot = await read_folder(root, spec, fetcher.renderings, owner=owner)
    documents, problems = read_documents(snapshot.files)
    return RenderedManifests(
        manifests=tuple(RenderedManifest(source=each.source, object=each.object) for each in documents),
        problems=(*snapshot.problems, *problems),
        notes=snapshot.notes,
    )


async def render_repository(client: KubeClient, key: RepoKey) -> RenderedManifests:
    """Return what a GitRepository declares at its newest commit, as it would be applied.

    Raises CommandError, SyncError and ApiError.
    """
    repository = await read_repository(client, key)
    spec = valid_spec(repository)
    remote = await remote_of(client, key, spec, AS_CALLER)
    async with temporary_fetcher(cluster_inputs(client)) as fetcher:
        snapshot = await fetched(fetcher, repository, spec, remote)
    documents, problems = read_documents(snapshot.files)
    kinds = await look_up_kinds(Discovery(client), documents)
    answered, unanswered = kinds.split(documents)
    rendering = Rendering(
        owner=owner_label(key),
        default_namespace=key.namespace,
        target_namespace=spec.target_namespace,
        force=spec.force,
    )
    desired, more = render(answered, rendering, lambda version, kind: kinds.found.get((version, kind)))
    return RenderedManifests(
        manifests=tuple(
            RenderedManifest(source=each.source, object=orjson.loads(each.body)) for each in desired
        ),
        problems=(*snapshot.problems, *problems, *unanswered, *more),
        notes=snapshot.notes,
    )
