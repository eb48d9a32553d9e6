"""A chart that is not in Git, as Flux and Argo CD name it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nopea.core.downloads.items import is_remote_chart
from nopea.core.migrate.model import Fields, Notes, NotMappedError

ChartSources = Mapping[tuple[str, str, str], Mapping[str, Any]]
"""HelmRepositories and OCIRepositories, by kind, namespace and name."""

_ANY = "*"
_PROVIDER = "generic"
_ONLY_HTTPS = "Nopea fetches charts by https and from OCI registries with TLS only"


def chart_in_repository(
    found: Mapping[str, Any], name: str, version: str, notes: Notes, *, namespaces: tuple[str, str]
) -> dict[str, Any]:
    """Return the fields of spec.helm for a chart of a HelmRepository; see `chart_at`."""
    given = Fields(found.get("spec"), "HelmRepository: spec", notes)
    given.take("type")
    url = f"{given.text('url').rstrip('/')}/{name}"
    return _finished(given, {"chart": url, "version": version}, notes, namespaces)


def chart_at(found: Mapping[str, Any], notes: Notes, *, namespaces: tuple[str, str]) -> dict[str, Any]:
    """Return the fields of spec.helm for an OCIRepository. Raises NotMappedError.

    `namespaces` are those of the source and of the GitRepository.
    """
    given = Fields(found.get("spec"), "OCIRepository: spec", notes)
    ref = given.below("ref")
    helm: dict[str, Any] = {"chart": given.text("url"), "digest": ref.take("digest")}
    helm["version"] = ref.take("semver") or ref.take("tag")
    ref.rest()
    given.take("layerSelector")
    return _finished(given, helm, notes, namespaces)


def _finished(
    given: Fields, helm: dict[str, Any], notes: Notes, namespaces: tuple[str, str]
) -> dict[str, Any]:
    if helm.get("version") == _ANY:
        del helm["version"]
    if not is_remote_chart(helm["chart"]) or given.take("insecure"):
        raise NotMappedError(f"its chart is at {helm['chart']}; {_ONLY_HTTPS}")
    given.copy(helm, "secretRef")
    if "secretRef" in helm and namespaces[0] != namespaces[1]:
        secret = Fields(helm["secretRef"], "secretRef", notes).text("name")
        notes.add(f"copy the Secret {secret} from namespace {namespaces[0]} to {namespaces[1]}")
    for ignored in ("interval", "timeout", "suspend"):
        given.take(ignored)
    if (provider := given.take("provider")) not in (None, _PROVIDER):
        given.note("provider", f"create a Secret with a login for {provider}")
    given.refuse("certSecretRef", "write ca.crt into the Secret of spec.helm.secretRef")
    given.refuse("passCredentials", "a login is sent to the host of the chart only")
    given.refuse("verify", "signatures are not verified; spec.helm.digest fixes the content")
    given.rest()
    return helm


def chart_of_application(source: Fields) -> dict[str, Any]:
    """Return the fields of spec.helm for a source of an Application. Raises NotMappedError."""
    place, name = source.text("repoURL").rstrip("/"), source.text("chart")
    if "://" not in place:  # Argo CD writes registries without a scheme
        place = f"oci://{place}"
    helm = {"chart": f"{place}/{name}", "version": source.text("targetRevision")}
    if not is_remote_chart(helm["chart"]):
        raise NotMappedError(f"its chart is at {helm['chart']}; {_ONLY_HTTPS}")
    if helm["version"] in ("", _ANY):
        del helm["version"]
    return helm


def needs_repository(helm: Mapping[str, Any]) -> NotMappedError:
    """Return the error for a chart without any Git repository, with what to write."""
    version = f", spec.helm.version: {helm['version']}" if helm.get("version") else ""
    return NotMappedError(
        "it names no Git repository, and spec.url is needed, for values files. Write a GitRepository with "
        f"spec.helm.chart: {helm['chart']}{version}, and as spec.url any repository that may be read"
    )
