"""Find the objects of Flux and Argo CD among given ones, and say which GitRepositories take their place."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from nopea.core.migrate.argocd import from_application
from nopea.core.migrate.flux import CHART_KINDS, from_helm_release, from_kustomization
from nopea.core.migrate.model import NOT_MAPPED, Migrated, Notes, NotMappedError, name_of, origin_of
from nopea.core.objects import GroupKind, split_api_version

Manifest = Mapping[str, Any]

FLUX_SOURCE = GroupKind("source.toolkit.fluxcd.io", "GitRepository")
KUSTOMIZATION = GroupKind("kustomize.toolkit.fluxcd.io", "Kustomization")
HELM_RELEASE = GroupKind("helm.toolkit.fluxcd.io", "HelmRelease")
APPLICATION = GroupKind("argoproj.io", "Application")
APPLICATION_SET = GroupKind("argoproj.io", "ApplicationSet")
CHART_SOURCES = tuple(GroupKind(FLUX_SOURCE.group, kind) for kind in CHART_KINDS)
SOURCES = (FLUX_SOURCE, *CHART_SOURCES)
"""What objects of Flux refer to; it may be in another namespace."""
KINDS = (*SOURCES, KUSTOMIZATION, HELM_RELEASE, APPLICATION, APPLICATION_SET)
"""The kinds that a migration reads."""


@dataclass(frozen=True, slots=True)
class ForeignObject:
    """An object, and the place of its document; empty in a cluster."""

    manifest: Manifest
    place: str = ""

    @property
    def kind(self) -> GroupKind:
        """Its kind, in any version."""
        group, _ = split_api_version(str(self.manifest.get("apiVersion") or ""))
        return GroupKind(group, str(self.manifest.get("kind")))

    @property
    def origin(self) -> str:
        """The object and its place, as notes name it."""
        return f"{origin_of(self.manifest)}{f' in {self.place}' if self.place else ''}"


def migrate(found: Iterable[ForeignObject]) -> list[Migrated]:
    """Return what becomes of each Kustomization, HelmRelease and Application, in their order."""
    given = [each for each in found if each.kind in KINDS]
    sources: dict[tuple[str, str], list[Manifest]] = {}
    for each in given:
        if each.kind == FLUX_SOURCE:
            sources.setdefault(name_of(each.manifest), []).append(each.manifest)
    charts = {
        (each.kind.kind, *name_of(each.manifest)): each.manifest
        for each in given
        if each.kind in CHART_SOURCES
    }
    converters: dict[GroupKind, Callable[[Manifest, Notes], dict[str, Any]]] = {
        KUSTOMIZATION: partial(from_kustomization, sources=sources),
        HELM_RELEASE: partial(from_helm_release, sources=sources, charts=charts),
        APPLICATION: from_application,
        APPLICATION_SET: _application_set,
    }
    return _one_of_each_name(
        [_migrated(each, converters[each.kind]) for each in given if each.kind in converters]
    )


def _migrated(found: ForeignObject, convert: Callable[[Manifest, Notes], dict[str, Any]]) -> Migrated:
    notes = Notes()
    try:
        made = convert(found.manifest, notes)
    except NotMappedError as error:
        return Migrated(origin=found.origin, manifest=None, notes=(f"{NOT_MAPPED} {error}",))
    return Migrated(origin=found.origin, manifest=made, notes=tuple(notes.lines))


def _application_set(manifest: Manifest, notes: Notes) -> dict[str, Any]:
    del manifest, notes
    raise NotMappedError("run this command against the cluster, which has the Applications that it generates")


def _one_of_each_name(migrated: list[Migrated]) -> list[Migrated]:
    """Note where two objects would become one GitRepository: the second would replace the first."""
    seen: dict[tuple[str, str], str] = {}
    found = []
    for each in migrated:
        if each.manifest is not None:
            other = seen.setdefault(name_of(each.manifest), each.origin)
            if other != each.origin:
                note = f"note: {other} has the same name and namespace; rename this one"
                each = Migrated(origin=each.origin, manifest=each.manifest, notes=(note, *each.notes))
        found.append(each)
    return found
