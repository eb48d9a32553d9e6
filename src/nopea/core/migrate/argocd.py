"""From Argo CD: an Application becomes a GitRepository."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from nopea.core.manifests.yaml.budget import DEFAULT_LIMITS, Budget
from nopea.core.manifests.yaml.loader import compose
from nopea.core.migrate.charts import VALUES_OF_CHART, chart_of_application, is_range, needs_repository
from nopea.core.migrate.model import (
    ELSEWHERE,
    IN_GIT,
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
_CREATE_NAMESPACE = "CreateNamespace=true"
_SUBFOLDERS = "/*/"


def from_application(manifest: Mapping[str, Any], notes: Notes) -> dict[str, Any]:
    """Return the GitRepository for an Application. Raises NotMappedError."""
    own_namespace, name = name_of(manifest)
    metadata = manifest.get("metadata") or {}
    given = Fields(manifest.get("spec"), "spec", notes)
    namespace = _destination(given.below("destination")) or own_namespace
    source, chart = _sources(given)
    if source.take("plugin") is not None:
        raise NotMappedError("a plugin makes its manifests; Nopea runs no plugins")
    prefix = f"${source.text('ref')}/" if chart is not None else ""
    is_plain = chart is None and not (source.has("kustomize") or source.has("helm"))
    spec: dict[str, Any] = {
        "url": url_of(source, "repoURL", login="spec.secretRef"),
        "ref": _ref(source.text("targetRevision") or "HEAD", notes),
        "path": path_of(source.text("path")),
    }
    _kustomize(source.below("kustomize"), spec)
    _helm((chart or source).below("helm"), spec, prefix=prefix)
    if chart is not None:
        spec["helm"] |= chart_of_application(chart)
    _directory(source.below("directory"), spec, is_plain=is_plain)
    _sync_policy(given.below("syncPolicy"), spec, notes)
    spec["ignoreDifferences"] = _ignored(given)
    if _FINALIZER in strings(metadata.get("finalizers")):
        spec["deletionPolicy"] = "Delete"
    if given.take("project") not in (None, "default"):
        notes.not_mapped("spec.project", "limit what may be applied with spec.serviceAccountName")
    if _WAVE in (metadata.get("annotations") or {}):
        notes.not_mapped(f"annotation {_WAVE}", "name what must be applied before in spec.dependsOn")
    if namespace != own_namespace:
        notes.add(f"it is in namespace {namespace}, because objects without a namespace go there")
    source.ignore("ref")
    given.ignore("revisionHistoryLimit")
    given.rest()
    return git_repository(name, namespace, spec, notes)


def _sources(given: Fields) -> tuple[Fields, Fields | None]:
    """Return the source in Git and the one that is a chart, if there is one. Raises NotMappedError.

    A chart goes with a repository that has its values files only, to which `ref` gives a name.
    """
    source = given.below("source")
    found = given.each("sources") or [source]
    charts = [each for each in found if each.has("chart")]
    in_git = [each for each in found if not each.has("chart")]
    if len(charts) == 1 and not in_git:
        raise needs_repository(chart_of_application(charts[0]))
    if len(found) > 2 or len(in_git) != 1 or (charts and (in_git[0].has("path") or not in_git[0].has("ref"))):
        raise NotMappedError("it has several sources; make a GitRepository for each")
    if not in_git[0].has("repoURL"):
        raise NotMappedError("it names no repository")
    return in_git[0], charts[0] if charts else None


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
    if _RANGE.search(revision) and is_range(revision):
        return {"semver": revision}
    kind = "tag" if _VERSION.fullmatch(revision) else "branch"
    if revision not in ("main", "master"):
        notes.add(f"spec.ref: {revision} is taken for a {kind}; correct it if that is wrong")
    return {kind: revision}


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


def _kustomize(given: Fields, spec: dict[str, Any]) -> None:
    metadata = {"annotations": given.take("commonAnnotations")}
    if given.take("labelWithoutSelector"):
        metadata["labels"] = given.take("commonLabels")
    given.refuse("commonLabels", "write labels into the kustomization, where they can go into selectors too")
    given.refuse("replicas", "write a patch of /spec/replicas")
    patches = [patch.pick("patch", "target") for patch in given.each("patches")]
    spec["targetNamespace"] = given.take("namespace")
    spec["kustomize"] = without_empty(
        {
            **given.pick("namePrefix", "nameSuffix", "components"),
            "images": [_image(image) for image in strings(given.take("images"))],
            "commonMetadata": without_empty(metadata),
            "patches": [patch for patch in patches if "patch" in patch],
        }
    )


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
    for parameter in given.each("parameters"):
        name, is_text = parameter.text("name"), parameter.take("forceString")
        value = str(parameter.pick("value").get("value", ""))
        if not _KEY.fullmatch(name) or any(mark in value for mark in "{},\\$"):
            given.note(f"parameters[{name}]", "write it into spec.helm.values")
            continue
        _set(values, name.split("."), value if is_text else _typed(value))
    files = []
    for file in strings(given.take("valueFiles")):
        if prefix and file.startswith(prefix):
            files.append(path_of(file.removeprefix(prefix)))
        elif prefix and file == VALUES_OF_CHART:
            continue
        elif prefix or file.startswith("$") or "://" in file:
            given.note(f"valueFiles[{file}]", IN_GIT)
        else:
            files.append(path_of(file, folder=spec["path"]))
    given.ignore("version", "skipTests", "skipSchemaValidation")
    spec["helm"] = without_empty(
        {
            "values": values,
            "valuesFiles": files,
            "includeCRDs": False if given.take("skipCrds") else None,
            **given.pick("releaseName", "kubeVersion", "apiVersions"),
        }
    )


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
    is_automated = given.has("automated")
    automated = given.below("automated")
    if not is_automated or automated.take("enabled") is False:
        spec["suspend"] = True
        notes.add("it is suspended, because the Application is synced by hand; set spec.suspend: false")
    else:
        spec["prune"] = bool(automated.take("prune"))
        spec["healPolicy"] = "auto" if automated.take("selfHeal") else "manual"
    options = set(strings(given.take("syncOptions"))) - _AS_ALWAYS
    if options & _FORCE:
        spec["force"] = True
    if _CREATE_NAMESPACE in options:
        given.note(f"syncOptions[{_CREATE_NAMESPACE}]", "add the Namespace to Git, or create it")
    for option in sorted(options - _FORCE - {_CREATE_NAMESPACE}):
        given.note(f"syncOptions[{option}]", "")
    spec["retryInterval"] = given.below("retry").below("backoff").take("maxDuration")


def _ignored(given: Fields) -> list[dict[str, Any]]:
    rules = []
    for fields in given.each("ignoreDifferences"):
        group, kind = fields.text("group"), fields.text("kind")
        rule: dict[str, Any] = {} if group == "*" else {"group": group}
        if kind not in ("", "*"):
            rule["kind"] = kind
        rule |= fields.pick("name", "namespace", "jsonPointers")
        if managers := fields.take("managedFieldsManagers"):
            rule["managers"] = managers
        fields.refuse("jqPathExpressions", "write jsonPointers")
        if "jsonPointers" in rule or "managers" in rule:
            rules.append(rule)
    return rules
