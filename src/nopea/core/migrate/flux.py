"""From Flux: a Kustomization or HelmRelease and the GitRepository that it names become one GitRepository."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nopea.core.migrate.charts import ChartSources, chart_at, chart_in_repository, needs_repository
from nopea.core.migrate.model import (
    ELSEWHERE,
    Fields,
    Notes,
    NotMappedError,
    git_repository,
    items,
    name_of,
    strings,
)

Sources = Mapping[tuple[str, str], Sequence[Mapping[str, Any]]]
"""GitRepositories of Flux, by namespace and name; a folder may have those of several clusters."""

_SAME = ("prune", "retryInterval", "targetNamespace", "serviceAccountName", "wait", "force")
_KUSTOMIZE = ("namePrefix", "nameSuffix", "images", "patches", "components", "commonMetadata")
_REFS = ("name", "semver", "tag", "branch")
_DEFAULT_BRANCH = "master"
_BOOTSTRAP = "flux-system"
CHART_KINDS = ("HelmRepository", "OCIRepository")
"""Where charts are that are not in Git."""
_DELETION_POLICIES = {"Delete": "Delete", "WaitForTermination": "Delete", "Orphan": "Orphan"}


def from_kustomization(manifest: Mapping[str, Any], notes: Notes, *, sources: Sources) -> dict[str, Any]:
    """Return the GitRepository for a Kustomization. Raises NotMappedError."""
    namespace, name = name_of(manifest)
    given = Fields(manifest.get("spec"), "spec", notes)
    path = given.text("path").removeprefix("./").lstrip("/")
    spec = _source(given.take("sourceRef"), namespace, sources, notes, path=path)
    _refuse_other_cluster(given)
    own_interval, suspend = given.take("interval"), given.take("suspend")
    spec.setdefault("interval", own_interval)
    spec["suspend"] = suspend or spec.get("suspend")
    given.copy(spec, *_SAME)
    kustomize: dict[str, Any] = {}
    given.copy(kustomize, *_KUSTOMIZE)
    spec |= {
        "path": path,
        "kustomize": kustomize,
        "dependsOn": _depends_on(given, notes),
        "deletionPolicy": _deletion_policy(given, notes, prunes=bool(spec.get("prune"))),
    }
    _decryption(given.below("decryption"), spec)
    _substitution(given.below("postBuild"), spec, notes)
    given.refuse("timeout", "spec.timeout bounds a Git operation; there is no limit for health checks")
    given.refuse("healthChecks", "spec.wait checks all applied objects")
    given.rest()
    return git_repository(name, namespace, spec, notes)


def from_helm_release(
    manifest: Mapping[str, Any], notes: Notes, *, sources: Sources, charts: ChartSources | None = None
) -> dict[str, Any]:
    """Return the GitRepository for a HelmRelease. Raises NotMappedError.

    If its chart is not in Git, the repository is the only one that is given, or flux-system.
    """
    namespace, name = name_of(manifest)
    given = Fields(manifest.get("spec"), "spec", notes)
    _refuse_other_cluster(given)
    chart = given.below("chart").below("spec")
    reference = given.take("chartRef") or chart.take("sourceRef")
    chart.take("interval")
    version = chart.text("version")  # of a chart in Git, the commit is the version
    files = [file.removeprefix("./").lstrip("/") for file in strings(chart.take("valuesFiles"))]
    elsewhere = _chart_elsewhere(reference, namespace, chart, version, charts or {}, notes)
    if elsewhere is None:
        spec = _source(reference, namespace, sources, notes)
        elsewhere = {"chart": chart.text("chart").removeprefix("./").strip("/")}
    else:
        spec = _any_source(elsewhere, namespace, sources, notes)
        if set(files) - {"values.yaml"}:
            notes.not_mapped("spec.chart.spec.valuesFiles", "they are in the chart; commit a copy")
        files = []
    own_interval, suspend = given.take("interval"), given.take("suspend")
    target = given.take("targetNamespace")
    spec.setdefault("interval", own_interval)
    spec["suspend"] = suspend or spec.get("suspend")
    given.copy(spec, "serviceAccountName")
    release = given.take("releaseName") or (f"{target}-{name}" if target else name)
    install = given.below("install")
    helm: dict[str, Any] = {
        **elsewhere,
        "releaseName": release,
        "values": given.take("values"),
        "valuesFiles": files,
        "valuesFrom": _values_from(given, notes),
        "includeCRDs": False if install.take("crds") == "Skip" else None,
    }
    spec |= {
        "targetNamespace": target,
        "dependsOn": _depends_on(given, notes),
        "helm": {field: value for field, value in helm.items() if value not in (None, {}, [])},
    }
    if target is not None:
        notes.add("targetNamespace moves objects for which the chart sets another namespace too")
    drift = given.below("driftDetection")
    if drift.take("mode") != "enabled":
        notes.add("Nopea reverts drift; spec.healPolicy: manual leaves it, as this HelmRelease does")
    drift.rest()
    notes.add("the Secrets sh.helm.release.v1.… of the release are not used; delete them after the migration")
    for fields in (chart, install, given):
        fields.rest()
    return git_repository(name, namespace, spec, notes)


def _chart_elsewhere(
    reference: Any, namespace: str, chart: Fields, version: str, charts: ChartSources, notes: Notes
) -> dict[str, Any] | None:
    """Return the fields of spec.helm for a chart that is not in Git; None for one that is."""
    kind = reference.get("kind") if isinstance(reference, Mapping) else None
    if kind not in CHART_KINDS:
        return None
    place = str(reference.get("namespace") or namespace), str(reference.get("name"))
    found = charts.get((kind, *place))
    if found is None:
        raise NotMappedError(
            f"its source {kind} {'/'.join(filter(None, place))} is not among the given objects"
        )
    namespaces = place[0], namespace
    if kind == "OCIRepository":
        return chart_at(found, notes, namespaces=namespaces)
    return chart_in_repository(found, chart.text("chart"), version, notes, namespaces=namespaces)


def _any_source(helm: Mapping[str, Any], namespace: str, sources: Sources, notes: Notes) -> dict[str, Any]:
    """Return the fields of the Git repository that may hold values files of a chart that is not in Git."""
    named = [key for key in sources if key[1] == _BOOTSTRAP]
    candidates = named if len(sources) > 1 else list(sources)
    if len(candidates) != 1:
        raise needs_repository(helm)
    (place,) = candidates
    reference = {"kind": "GitRepository", "namespace": place[0], "name": place[1]}
    notes.add(f"spec.url is that of GitRepository {place[1]}; the chart needs no file of it, so any will do")
    return _source(reference, namespace, sources, notes)


def _kind(reference: Any) -> str:
    fields = reference if isinstance(reference, Mapping) else {}
    return f"{fields.get('kind')} {fields.get('name')}"


def _refuse_other_cluster(given: Fields) -> None:
    if given.take("kubeConfig") is not None:
        raise NotMappedError(ELSEWHERE)


def _source(
    reference: Any, namespace: str, sources: Sources, notes: Notes, *, path: str | None = None
) -> dict[str, Any]:
    """Return the fields of the source; `path` is the folder with the manifests, None for a chart."""
    reference = reference if isinstance(reference, Mapping) else {}
    if not reference:
        raise NotMappedError("it names no source; if it is a patch, run this command on what is rendered")
    if reference.get("kind") != "GitRepository":
        raise NotMappedError(f"its source is {_kind(reference)}; Nopea follows Git repositories only")
    key = (str(reference.get("namespace") or namespace), str(reference.get("name")))
    if key not in sources:
        where = "/".join(part for part in key if part)
        raise NotMappedError(f"its source GitRepository {where} is not among the given objects")
    found = sources[key]
    if any(other.get("spec") != found[0].get("spec") for other in found):
        notes.add(
            f"several GitRepositories {key[1]} are given and the first counts; give those of one cluster"
        )
    given = Fields(found[0].get("spec"), f"GitRepository {key[1]}: spec", notes)
    spec: dict[str, Any] = {"url": given.take("url"), "ref": _ref(given)}
    given.copy(spec, "interval", "timeout", "secretRef", "proxySecretRef", "suspend")
    for field in ("secretRef", "proxySecretRef"):
        if field in spec and key[0] != namespace:
            secret = Fields(spec[field], field, notes).text("name")
            notes.add(f"copy the Secret {secret} from namespace {key[0]} to {namespace}")
    if "secretRef" in spec:
        notes.add("if the Secret has the key bearerToken, call it token; the other keys stay")
    patterns = [line for line in given.text("ignore").splitlines() if line and line[0] != "#"]
    if patterns and path == "":
        spec["exclude"] = patterns
    elif patterns and path is not None:
        notes.not_mapped("GitRepository spec.ignore", "write spec.exclude, relative to spec.path")
    given.rest()
    return spec


def _ref(given: Fields) -> dict[str, Any]:
    """Return the one of several refs that Flux follows."""
    fields = given.below("ref")
    ref = {name: text for name in ("commit", *_REFS) if (text := fields.text(name))}
    fields.rest()
    if "commit" in ref:
        return {name: ref[name] for name in ("branch", "commit") if name in ref}
    return next(({name: ref[name]} for name in _REFS if name in ref), {"branch": _DEFAULT_BRANCH})


def _depends_on(given: Fields, notes: Notes) -> list[dict[str, Any]]:
    found = []
    for index, item in enumerate(items(given.take("dependsOn"))):
        fields = Fields(item, f"spec.dependsOn[{index}]", notes)
        reference: dict[str, Any] = {}
        fields.copy(reference, "name", "namespace")
        fields.rest()
        found.append(reference)
    return found


def _deletion_policy(given: Fields, notes: Notes, *, prunes: bool) -> str | None:
    policy = given.take("deletionPolicy")
    if policy in (None, "MirrorPrune") and prunes:
        notes.add(
            "the objects stay when the GitRepository is deleted; spec.deletionPolicy: Delete deletes them"
        )
    return _DELETION_POLICIES.get(str(policy))


def _decryption(given: Fields, spec: dict[str, Any]) -> None:
    provider, secret = given.take("provider"), given.take("secretRef")
    if provider is not None and secret is not None:
        spec["decryption"] = {"provider": provider, "secretRef": secret}
    elif provider is not None:
        given.note("provider", "without a secretRef: Nopea decrypts with keys of a Secret only")
    given.rest()


def _substitution(given: Fields, spec: dict[str, Any], notes: Notes) -> None:
    substitute = given.take("substitute")
    if isinstance(substitute, Mapping):
        spec["substitute"] = {name: str(value) for name, value in substitute.items()}
    spec["substituteFrom"] = given.take("substituteFrom")
    if substitute or spec["substituteFrom"]:
        notes.add("a variable that is not set is an error; Flux replaces it with nothing")
    given.rest()


def _values_from(given: Fields, notes: Notes) -> list[dict[str, Any]]:
    found = []
    for index, item in enumerate(items(given.take("valuesFrom"))):
        path = f"spec.valuesFrom[{index}]"
        if item.get("targetPath"):
            notes.not_mapped(path, "targetPath; write a values file into the ConfigMap or Secret")
            continue
        fields = Fields(item, path, notes)
        reference: dict[str, Any] = {}
        fields.copy(reference, "kind", "name", "valuesKey", "optional")
        fields.rest()
        found.append(reference)
    return found
