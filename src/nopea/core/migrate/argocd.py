"""From Argo CD: an Application becomes a GitRepository."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from nopea.core.git.semver import Range
from nopea.core.manifests.yaml.budget import DEFAULT_LIMITS, Budget
from nopea.core.manifests.yaml.loader import compose
from nopea.core.migrate.charts import chart_of_application, needs_repository
from nopea.core.migrate.model import (
    ELSEWHERE,
    IN_GIT,
    Fields,
    Notes,
    NotMappedError,
    git_repository,
    items,
    name_of,
    strings,
)

_THIS_CLUSTER = ("https://kubernetes.default.svc", "in-cluster")
_FINALIZER = "resources-finalizer.argocd.argoproj.io"
_WAVE = "argocd.argoproj.io/sync-wave"
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_VERSION = re.compile(r"v?\d+\.\d+\.\d+.*")
_RANGE = re.compile(r"[*^~<>=|]|\d\.x|\d - \d")
_KEY = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")
_AS_ALWAYS = {
    "ServerSideApply=true", "ApplyOutOfSyncOnly=true", "RespectIgnoreDifferences=true", "Validate=true",
}  # fmt: skip
_FORCE = {"Force=true", "Replace=true"}
_SUBFOLDERS = "/*/"


def from_application(manifest: Mapping[str, Any], notes: Notes) -> dict[str, Any]:
    """Return the GitRepository for an Application. Raises NotMappedError."""
    own_namespace, name = name_of(manifest)
    metadata = manifest.get("metadata") or {}
    given = Fields(manifest.get("spec"), "spec", notes)
    namespace = _destination(given.below("destination")) or own_namespace
    found, chart, prefix = _sources(given, notes)
    source = Fields(found, "spec.source", notes)
    if source.take("plugin") is not None:
        raise NotMappedError("a plugin makes its manifests; Nopea runs no plugins")
    path = source.text("path").removeprefix("./").strip("/")
    path = "" if path == "." else path
    spec: dict[str, Any] = {
        "url": source.take("repoURL"),
        "ref": _ref(source.text("targetRevision") or "HEAD", notes),
        "path": path,
        "targetNamespace": None,
    }
    kustomize = source.take("kustomize")
    helm = source.take("helm") if chart is None else chart.take("helm")
    _kustomize(Fields(kustomize, "spec.source.kustomize", notes), spec, notes)
    _helm(Fields(helm, "spec.source.helm", notes), spec, prefix=prefix)
    if chart is not None:
        spec["helm"] |= chart_of_application(chart)
        chart.rest()
    _directory(source.below("directory"), spec, is_plain=kustomize is None and helm is None and chart is None)
    _sync_policy(given.below("syncPolicy"), spec, notes)
    spec["ignoreDifferences"] = _ignored(given, notes)
    if _FINALIZER in strings(metadata.get("finalizers")):
        spec["deletionPolicy"] = "Delete"
    if given.take("project") not in (None, "default"):
        notes.not_mapped("spec.project", "limit what may be applied with spec.serviceAccountName")
    if _WAVE in (metadata.get("annotations") or {}):
        notes.not_mapped(f"annotation {_WAVE}", "name what must be applied before in spec.dependsOn")
    if namespace != own_namespace:
        notes.add(f"it is in namespace {namespace}, because objects without a namespace go there")
    source.take("ref")
    given.take("revisionHistoryLimit")
    source.rest()
    given.rest()
    return git_repository(name, namespace, spec, notes)


def _sources(given: Fields, notes: Notes) -> tuple[Any, Fields | None, str]:
    """Return the source in Git; the one that is a chart, if there is one; and how that names files in Git.

    Raises NotMappedError.
    """
    source, several = given.take("source"), given.take("sources")
    found = [source] if source is not None and not several else items(several)
    charts = [each for each in found if isinstance(each, Mapping) and each.get("chart")]
    in_git = [each for each in found if each not in charts]
    chart = Fields(charts[0], "spec.sources[chart]", notes) if charts else None
    if len(charts) == 1 and not in_git:
        raise needs_repository(chart_of_application(chart or Fields({}, "", notes)))
    if len(in_git) != 1 or len(charts) > 1 or (charts and in_git[0].get("path")):
        raise NotMappedError("it has several sources; make a GitRepository for each")
    return in_git[0], chart, f"${in_git[0].get('ref')}/" if charts else ""


def _destination(given: Fields) -> str:
    server = given.take("server") or given.take("name")
    if server not in (None, *_THIS_CLUSTER):
        raise NotMappedError(ELSEWHERE)
    return given.text("namespace")


def _ref(revision: str, notes: Notes) -> dict[str, str] | None:
    """Return what a revision means: its text does not say whether it is a branch or a tag."""
    if revision == "HEAD":
        return None
    if _COMMIT.fullmatch(revision):
        return {"commit": revision}
    if revision.startswith("refs/"):
        return {"name": revision}
    if _RANGE.search(revision) and _is_range(revision):
        return {"semver": revision}
    kind = "tag" if _VERSION.fullmatch(revision) else "branch"
    if revision not in ("main", "master"):
        notes.add(f"spec.ref: {revision} is taken for a {kind}; correct it if that is wrong")
    return {kind: revision}


def _is_range(text: str) -> bool:
    try:
        Range.parse(text)
    except ValueError:
        return False
    return True


def _directory(given: Fields, spec: dict[str, Any], *, is_plain: bool) -> None:
    exclude = given.text("exclude")
    patterns = exclude[1:-1].split(",") if exclude.startswith("{") and exclude.endswith("}") else [exclude]
    if any(set("{}") & set(pattern) for pattern in patterns):
        given.note("exclude", "write spec.exclude with patterns of gitignore")
        patterns = []
    # without a slash, a pattern of gitignore holds at any depth; one of Argo CD only if it has an asterisk
    spec["exclude"] = [
        pattern if "*" in pattern or "/" in pattern else f"/{pattern}"
        for pattern in (each.strip() for each in patterns)
        if pattern
    ]
    if not given.take("recurse") and is_plain:
        spec["exclude"].append(_SUBFOLDERS)
    given.refuse("include", "write spec.exclude with what is not included")
    given.rest()


def _kustomize(given: Fields, spec: dict[str, Any], notes: Notes) -> None:
    kustomize: dict[str, Any] = {}
    given.copy(kustomize, "namePrefix", "nameSuffix", "components")
    spec["targetNamespace"] = given.take("namespace")
    kustomize["images"] = [_image(image) for image in strings(given.take("images"))]
    common: dict[str, Any] = {"annotations": given.take("commonAnnotations")}
    if given.take("labelWithoutSelector"):
        common["labels"] = given.take("commonLabels")
    given.refuse("commonLabels", "write labels into the kustomization, where they can go into selectors too")
    kustomize["commonMetadata"] = {field: value for field, value in common.items() if value}
    kustomize["patches"] = []
    for index, patch in enumerate(items(given.take("patches"))):
        if "patch" in patch:
            fields = ("patch", "target")
            kustomize["patches"].append({field: patch[field] for field in fields if patch.get(field)})
        if set(patch) - {"patch", "target"}:
            notes.not_mapped(f"spec.source.kustomize.patches[{index}]", "only patch and target are")
    given.refuse("replicas", "write a patch of /spec/replicas")
    given.rest()
    spec["kustomize"] = {field: value for field, value in kustomize.items() if value}


def _image(text: str) -> dict[str, str]:
    """Read an image as `kustomize edit set image` does: `[OLD=]NEW[:TAG][@DIGEST]`."""
    old, equals, new = text.rpartition("=")
    rest, _, digest = new.partition("@")
    name, tag = rest, ""
    if ":" in rest.rpartition("/")[2]:
        name, _, tag = rest.rpartition(":")
    image = {"name": old if equals else name}
    if equals and name != old and name != "*":
        image["newName"] = name
    if tag and tag != "*":
        image["newTag"] = tag
    if digest:
        image["digest"] = digest
    return image


def _helm(given: Fields, spec: dict[str, Any], *, prefix: str) -> None:
    """Map the options of a chart. `prefix` begins the paths of files in Git, if the chart is not there."""
    values: dict[str, Any] = {}
    if text := given.text("values"):
        composed = compose(text, first_line=1, limits=DEFAULT_LIMITS, budget=Budget(DEFAULT_LIMITS))
        if composed.problems or not isinstance(composed.value, dict):
            given.note("values", "it is not a mapping in YAML")
        else:
            values = composed.value
    objects = given.take("valuesObject")
    values = dict(objects) if isinstance(objects, Mapping) and objects else values
    for parameter in items(given.take("parameters")):
        name, value = str(parameter.get("name")), str(parameter.get("value", ""))
        if not _KEY.fullmatch(name) or any(mark in value for mark in "{},\\$"):
            given.note(f"parameters[{name}]", "write it into spec.helm.values")
            continue
        _set(values, name.split("."), value if parameter.get("forceString") else _typed(value))
    files = []
    for file in strings(given.take("valueFiles")):
        if prefix and file.startswith(prefix):
            files.append(file.removeprefix(prefix))
        elif prefix or file.startswith("$") or "://" in file:
            given.note(f"valueFiles[{file}]", IN_GIT)
        else:
            files.append(_joined(spec["path"], file))
    helm: dict[str, Any] = {"values": values, "valuesFiles": files}
    given.copy(helm, "releaseName", "kubeVersion", "apiVersions")
    if given.take("skipCrds"):
        helm["includeCRDs"] = False
    for ignored in ("version", "skipTests", "skipSchemaValidation"):
        given.take(ignored)
    given.rest()
    spec["helm"] = {field: value for field, value in helm.items() if value not in (None, {}, [])}


def _joined(path: str, file: str) -> str:
    """Return a path from the root of a file that is relative to a folder, or to the root with a slash."""
    if file.startswith("/"):
        return file.lstrip("/")
    parts: list[str] = []
    for part in f"{path}/{file}".split("/"):
        if part == ".." and parts:
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)


def _typed(text: str) -> Any:
    """Return a value as `helm --set` reads it."""
    known = {"true": True, "false": False, "null": None}
    if text in known:
        return known[text]
    return int(text) if re.fullmatch(r"-?(0|[1-9]\d{0,17})", text) else text


def _set(values: dict[str, Any], keys: list[str], value: Any) -> None:
    for key in keys[:-1]:
        below = values.get(key)
        values[key] = dict(below) if isinstance(below, Mapping) else {}
        values = values[key]
    values[keys[-1]] = value


def _sync_policy(given: Fields, spec: dict[str, Any], notes: Notes) -> None:
    raw = given.take("automated")
    automated = Fields(raw, "spec.syncPolicy.automated", notes)
    if raw is None or automated.take("enabled") is False:
        spec["suspend"] = True
        notes.add("it is suspended, because the Application is synced by hand; set spec.suspend: false")
    else:
        spec["prune"] = bool(automated.take("prune"))
        spec["healPolicy"] = "auto" if automated.take("selfHeal") else "manual"
    automated.rest()
    options = set(strings(given.take("syncOptions"))) - _AS_ALWAYS
    if options & _FORCE:
        spec["force"] = True
    if "CreateNamespace=true" in options:
        given.note("syncOptions[CreateNamespace=true]", "add the Namespace to Git, or create it")
    for option in sorted(options - _FORCE - {"CreateNamespace=true"}):
        given.note(f"syncOptions[{option}]", "")
    retry = given.below("retry")
    backoff = retry.below("backoff")
    spec["retryInterval"] = backoff.take("maxDuration")
    for fields in (backoff, retry, given):
        fields.rest()


def _ignored(given: Fields, notes: Notes) -> list[dict[str, Any]]:
    rules = []
    for index, item in enumerate(items(given.take("ignoreDifferences"))):
        path = f"spec.ignoreDifferences[{index}]"
        fields = Fields(item, path, notes)
        group, kind = fields.take("group") or "", fields.take("kind")
        rule: dict[str, Any] = {} if group == "*" else {"group": group}
        if kind not in (None, "*"):
            rule["kind"] = kind
        fields.copy(rule, "name", "namespace", "jsonPointers")
        if managers := fields.take("managedFieldsManagers"):
            rule["managers"] = managers
        fields.refuse("jqPathExpressions", "write jsonPointers")
        fields.rest()
        if "jsonPointers" in rule or "managers" in rule:
            rules.append(rule)
    return rules
