"""From Flux: a Kustomization or HelmRelease and the GitRepository that it names become one GitRepository."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from nopea.core.migrate.charts import (
    NOT_VERIFIED,
    VALUES_OF_CHART,
    chart_at,
    chart_in_repository,
    needs_repository,
)
from nopea.core.migrate.model import (
    ELSEWHERE,
    Fields,
    Notes,
    NotMappedError,
    git_repository,
    name_of,
    path_of,
    strings,
    url_of,
    without_empty,
)

Sources = Mapping[tuple[str, str], Sequence[Mapping[str, Any]]]
"""GitRepositories of Flux, by namespace and name; a folder may have those of several clusters."""
ChartSources = Mapping[tuple[str, str, str], Mapping[str, Any]]
"""Objects of CHART_KINDS, by kind, namespace and name."""

_SAME = ("prune", "retryInterval", "targetNamespace", "serviceAccountName", "wait", "force")
_KUSTOMIZE = ("namePrefix", "nameSuffix", "images", "patches", "components", "commonMetadata")
_REFS = ("name", "semver", "tag", "branch")
_DEFAULT_BRANCH = "master"
_BOOTSTRAP = "flux-system"
_GIT = "GitRepository"
_ARTIFACT = "ExternalArtifact"
_HELM_CHART = "HelmChart"
_OCI = "OCIRepository"
CHART_KINDS = ("HelmRepository", _OCI, _HELM_CHART)
"""What names a chart, besides a HelmRelease."""
_DELETION_POLICIES = {"Delete": "Delete", "WaitForTermination": "Delete", "Orphan": "Orphan"}


class _SourceReference(NamedTuple):
    """A reference to a source; the kind is empty if there is none."""

    kind: str
    namespace: str
    name: str

    @classmethod
    def read(cls, value: Any, namespace: str) -> _SourceReference:
        """Return a reference of an object in a namespace."""
        fields = Fields(value, "", Notes())
        return cls(fields.text("kind"), fields.text("namespace") or namespace, fields.text("name"))

    def __str__(self) -> str:
        return f"{self.kind} {'/'.join(filter(None, self[1:]))}"


def from_kustomization(manifest: Mapping[str, Any], notes: Notes, *, sources: Sources) -> dict[str, Any]:
    """Return the GitRepository for a Kustomization. Raises NotMappedError."""
    namespace, name = name_of(manifest)
    given = Fields(manifest.get("spec"), "spec", notes)
    path = path_of(given.text("path"))
    source = _SourceReference.read(given.take("sourceRef"), namespace)
    spec = _source(source, namespace, sources, notes, path=path)
    _common(given, spec)
    spec |= {**given.pick(*_SAME), "path": path, "kustomize": given.pick(*_KUSTOMIZE)}
    spec["deletionPolicy"] = _deletion_policy(given, notes, prunes=bool(spec.get("prune")))
    _decryption(given.below("decryption"), spec)
    _substitution(given.below("postBuild"), spec, notes)
    given.refuse("timeout", "spec.timeout bounds a Git operation; there is no limit for health checks")
    given.refuse("healthChecks", "spec.wait checks all applied objects")
    given.rest()
    return git_repository(name, namespace, spec, notes)


def from_helm_release(
    manifest: Mapping[str, Any], notes: Notes, *, sources: Sources, charts: ChartSources
) -> dict[str, Any]:
    """Return the GitRepository for a HelmRelease. Raises NotMappedError.

    If its chart is not in Git, the repository is the only one that is given, or flux-system.
    """
    namespace, name = name_of(manifest)
    given = Fields(manifest.get("spec"), "spec", notes)
    chart = given.below("chart").below("spec")
    reference = _SourceReference.read(given.take("chartRef"), namespace)
    if reference.kind == _HELM_CHART:
        chart = Fields(_found(reference, charts).get("spec"), f"HelmChart {reference.name}: spec", notes)
    if reference.kind in ("", _HELM_CHART):
        reference = _SourceReference.read(chart.take("sourceRef"), reference.namespace)
    spec, helm = _chart(reference, chart, namespace, sources, charts, notes)
    _common(given, spec)
    spec |= given.pick("serviceAccountName", "targetNamespace")
    target = spec.get("targetNamespace")
    helm |= {
        "releaseName": given.text("releaseName") or (f"{target}-{name}" if target else name),
        "valuesFrom": _values_from(given),
        **given.pick("values"),
    }
    if given.below("install").take("crds") == "Skip":
        helm["includeCRDs"] = False
    spec["helm"] = without_empty(helm)
    if target is not None:
        notes.add("targetNamespace moves objects for which the chart sets another namespace too")
    if given.below("driftDetection").take("mode") != "enabled":
        notes.add("Nopea reverts drift; spec.healPolicy: manual leaves it, as this HelmRelease does")
    notes.add("the Secrets sh.helm.release.v1.… of the release are not used; delete them after the migration")
    chart.rest()
    given.rest()
    return git_repository(name, namespace, spec, notes)


def _common(given: Fields, spec: dict[str, Any]) -> None:
    """Map what Kustomizations and HelmReleases have in common."""
    if given.take("kubeConfig") is not None:
        raise NotMappedError(ELSEWHERE)
    own = given.pick("interval", "suspend")
    spec.setdefault("interval", own.get("interval"))
    spec["suspend"] = own.get("suspend") or spec.get("suspend")
    spec["dependsOn"] = [other.pick("name", "namespace") for other in given.each("dependsOn")]


def _chart(
    reference: _SourceReference,
    chart: Fields,
    namespace: str,
    sources: Sources,
    charts: ChartSources,
    notes: Notes,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the fields of the Git repository, and those of spec.helm that say which chart it is."""
    files = [path_of(file) for file in strings(chart.take("valuesFiles"))]
    chart.ignore("interval")
    chart.refuse("verify", NOT_VERIFIED)
    if reference.kind not in CHART_KINDS:
        chart.ignore("version")  # of a chart in Git, the commit is the version
        spec = _source(reference, namespace, sources, notes)
        folder = path_of(chart.text("chart"))
        if files and path_of(VALUES_OF_CHART, folder=folder) not in files:
            notes.add("values.yaml of the chart counts too; Flux uses it only if valuesFiles names it")
        return spec, {"chart": folder, "valuesFiles": files}
    found, namespaces = _found(reference, charts), (reference.namespace, namespace)
    if reference.kind == _OCI:
        helm = chart_at(found, notes, namespaces=namespaces)
    else:
        helm = chart_in_repository(found, chart, notes, namespaces=namespaces)
    if set(files) - {VALUES_OF_CHART}:
        chart.note(
            "valuesFiles", "they are in the chart; commit copies and name them in spec.helm.valuesFiles"
        )
    return _any_source(helm, namespace, sources, notes), helm


def _found(reference: _SourceReference, charts: ChartSources) -> Mapping[str, Any]:
    if reference not in charts:
        raise _missing(reference)
    return charts[reference]


def _missing(reference: _SourceReference) -> NotMappedError:
    """Return the error for a source that `flux bootstrap` or a person has made elsewhere."""
    return NotMappedError(
        f"its source {reference} is not among the given objects; add its manifest to the folder, or read the "
        "cluster that has it"
    )


def _any_source(helm: Mapping[str, Any], namespace: str, sources: Sources, notes: Notes) -> dict[str, Any]:
    """Return the fields of the Git repository that may hold values files of a chart that is not in Git."""
    named = [key for key in sources if key[1] == _BOOTSTRAP]
    candidates = named if len(sources) > 1 else list(sources)
    if len(candidates) != 1:
        raise needs_repository(helm)
    reference = _SourceReference(_GIT, *candidates[0])
    notes.add(
        f"spec.url is that of {reference}, where spec.helm.valuesFiles may be; the chart needs no file of "
        "it, so any repository will do"
    )
    spec = _source(reference, namespace, sources, notes)
    spec.pop("suspend", None)
    return spec


def _source(
    reference: _SourceReference, namespace: str, sources: Sources, notes: Notes, *, path: str | None = None
) -> dict[str, Any]:
    """Return the fields of the source; `path` is the folder with the manifests, None for a chart."""
    if not any((reference.kind, reference.name)):
        raise NotMappedError("it names no source; if it is a patch, run this command on what is rendered")
    if reference.kind == _ARTIFACT:
        raise NotMappedError(
            f"its source {reference} is a copy of folders; name the GitRepository that its ArtifactGenerator "
            "copies from, and the path there"
        )
    if reference.kind != _GIT:
        raise NotMappedError(f"its source is {reference}; Nopea follows Git repositories only")
    found = sources.get(reference[1:])
    if not found:
        raise _missing(reference)
    if any(other.get("spec") != found[0].get("spec") for other in found):
        notes.add(
            f"several GitRepositories {reference.name} are given and the first counts; give those of one "
            "cluster"
        )
    given = Fields(found[0].get("spec"), f"GitRepository {reference.name}: spec", notes)
    spec: dict[str, Any] = {
        "url": url_of(given, "url", login="spec.secretRef"),
        "ref": _ref(given.below("ref")),
        **given.pick("interval", "timeout", "secretRef", "proxySecretRef", "suspend"),
    }
    for field in ("secretRef", "proxySecretRef"):
        notes.copy_secret(spec.get(field), of=reference.namespace, to=namespace)
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
    ref = {name: text for name in ("commit", *_REFS) if (text := given.text(name))}
    if "commit" in ref:
        return {name: ref[name] for name in ("branch", "commit") if name in ref}
    return next(({name: ref[name]} for name in _REFS if name in ref), {"branch": _DEFAULT_BRANCH})


def _deletion_policy(given: Fields, notes: Notes, *, prunes: bool) -> str | None:
    policy = given.take("deletionPolicy")
    if policy in (None, "MirrorPrune") and prunes:
        notes.add(
            "the objects stay when the GitRepository is deleted; spec.deletionPolicy: Delete deletes them"
        )
    return _DELETION_POLICIES.get(str(policy))


def _decryption(given: Fields, spec: dict[str, Any]) -> None:
    provider, secret = given.take("provider"), given.take("secretRef")
    if provider is None:
        return
    spec["decryption"] = {"provider": provider, **({"secretRef": secret} if secret is not None else {})}
    if secret is None:
        given.note("provider", "without a secretRef: run Nopea with --sops-keys for its own identity")


def _substitution(given: Fields, spec: dict[str, Any], notes: Notes) -> None:
    substitute = given.take("substitute")
    if isinstance(substitute, Mapping):
        spec["substitute"] = {name: str(value) for name, value in substitute.items()}
    spec["substituteFrom"] = given.take("substituteFrom")
    if substitute or spec["substituteFrom"]:
        notes.add("a variable that is not set is an error; Flux replaces it with nothing")


def _values_from(given: Fields) -> list[dict[str, Any]]:
    found = []
    for values in given.each("valuesFrom"):
        reference = values.pick("kind", "name", "valuesKey", "optional")
        if values.has("targetPath"):
            values.refuse("targetPath", "write a values file into the ConfigMap or Secret")
        else:
            found.append(reference)
    return found
