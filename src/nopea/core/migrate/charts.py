"""A chart that is not in Git, as Flux and Argo CD name it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nopea.core.downloads.items import is_remote_chart
from nopea.core.downloads.versions import is_exact, version_of
from nopea.core.git.semver import Range
from nopea.core.migrate.model import Fields, Notes, NotMappedError, url_of

VALUES_OF_CHART = "values.yaml"
"""The file of a chart that always counts."""
NOT_VERIFIED = "Nopea does not verify signatures; spec.helm.digest fixes the content"
_ANY = "*"
_PROVIDER = "generic"
_LOGIN = "spec.helm.secretRef"


def chart_in_repository(
    found: Mapping[str, Any], chart: Fields, notes: Notes, *, namespaces: tuple[str, str]
) -> dict[str, Any]:
    """Return the fields of spec.helm for a chart of a HelmRepository; see `chart_at`."""
    given = _fields_of(found, notes)
    given.ignore("type")
    url = f"{url_of(given, 'url', login=_LOGIN).rstrip('/')}/{chart.text('chart')}"
    return {"chart": _fetchable(url, given), **_version(chart, "version"), **_login(given, notes, namespaces)}


def chart_at(found: Mapping[str, Any], notes: Notes, *, namespaces: tuple[str, str]) -> dict[str, Any]:
    """Return the fields of spec.helm for an OCIRepository. Raises NotMappedError.

    `namespaces` are those of the source and of the GitRepository.
    """
    given = _fields_of(found, notes)
    given.ignore("layerSelector")
    url = _fetchable(url_of(given, "url", login=_LOGIN).rstrip("/"), given)
    return {"chart": url, **_reference(given.below("ref"), notes), **_login(given, notes, namespaces)}


def chart_of_application(source: Fields) -> dict[str, Any]:
    """Return the fields of spec.helm for a source of an Application. Raises NotMappedError."""
    place = url_of(source, "repoURL", login=_LOGIN).rstrip("/")
    if "://" not in place:  # Argo CD writes registries without a scheme
        place = f"oci://{place}"
    url = _fetchable(f"{place}/{source.text('chart')}", source)
    return {"chart": url, **_version(source, "targetRevision")}


def needs_repository(helm: Mapping[str, Any]) -> NotMappedError:
    """Return the error for a chart without any Git repository, with what to write."""
    lines = [f"spec.helm.{field}: {helm[field]}" for field in ("chart", "version", "digest") if field in helm]
    if secret := Fields(helm.get("secretRef"), "", Notes()).text("name"):
        lines.append(f"{_LOGIN}.name: {secret}")
    return NotMappedError(
        f"it names no Git repository. Write a GitRepository with {', '.join(lines)}, and as spec.url the "
        "repository that shall hold its values files; any that Nopea may read will do"
    )


def is_range(text: str) -> bool:
    """Return whether a text is a version or a range of versions."""
    try:
        Range.parse(text)
    except ValueError:
        return False
    return True


def _fields_of(found: Mapping[str, Any], notes: Notes) -> Fields:
    name = Fields(found.get("metadata"), "metadata", notes).text("name")
    return Fields(found.get("spec"), f"{found.get('kind')} {name}: spec", notes)


def _fetchable(url: str, given: Fields) -> str:
    if not is_remote_chart(url) or given.take("insecure"):
        raise NotMappedError(f"its chart is at {url}; Nopea fetches charts from servers with TLS only")
    return url


def _version(given: Fields, name: str) -> dict[str, str]:
    """Return the version or range in a field; nothing for the highest version."""
    text = given.text(name)
    if text in ("", _ANY):
        return {}
    if not is_range(text):
        given.note(name, f"{text} is not a version; the highest is followed without spec.helm.version")
        return {}
    return {"version": text}


def _reference(ref: Fields, notes: Notes) -> dict[str, str]:
    """Return the version and the digest: in Flux, a digest wins over a range, and a range over a tag."""
    digest, tag = ref.text("digest"), version_of(ref.text("tag"))
    version = {"version": tag} if is_exact(tag) else {}
    if digest:
        ref.ignore("semver")
        if not version:
            ref.note("digest", "set spec.helm.version to the version that has it: others are refused")
        return {**version, "digest": digest}
    if ref.has("semver"):
        return _version(ref, "semver")
    if tag and not version:
        ref.note("tag", f"{tag} is not a full version; the highest is followed without spec.helm.version")
    elif not tag:
        notes.add("the highest version is followed; Flux uses the tag latest")
    return version


def _login(given: Fields, notes: Notes, namespaces: tuple[str, str]) -> dict[str, Any]:
    given.ignore("interval", "timeout", "suspend")
    if (provider := given.take("provider")) not in (None, _PROVIDER):
        given.note("provider", f"create a Secret with a login for {provider}, and name it in {_LOGIN}")
    given.refuse(
        "certSecretRef", f"write its ca.crt into the Secret of {_LOGIN}; client certificates are not sent"
    )
    given.refuse("passCredentials", "a login is sent to the host of the chart only")
    given.refuse("verify", NOT_VERIFIED)
    login = given.pick("secretRef")
    notes.copy_secret(login.get("secretRef"), of=namespaces[0], to=namespaces[1])
    given.rest()
    return login
