"""Objects of other tools among any objects."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from nopea.core.migrate.migrate import KINDS, SOURCES, ForeignObject, migrate
from nopea.core.migrate.model import Migrated
from nopea.core.migrate.violations import violations
from nopea.core.objects import GroupKind

Json = dict[str, Any]
FIELDS = [
    "automated", "chart", "chartRef", "commonMetadata", "dependsOn", "destination", "digest", "directory",
    "exclude", "helm", "ignore",
    "ignoreDifferences", "images", "kustomize", "name", "parameters", "patches", "path", "postBuild", "ref",
    "kind", "repoURL", "secretRef", "source", "sourceRef", "sources", "spec", "substitute", "syncOptions",
    "syncPolicy",
    "tag", "targetRevision", "timeout", "url", "valueFiles", "values", "valuesFiles", "valuesFrom", "version",
]  # fmt: skip
TEXTS = st.sampled_from(
    ["", "a", "..", "main", "1.2.3", "2h", "{a}", "=", "https://a:b@c/d", "oci://c/d", "GitRepository",
     "HelmChart", "HelmRepository", "OCIRepository"]
)  # fmt: skip
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=6),
    max_leaves=20,
)


def _manifest(kind: str, api_version: str, name: str = "web", **spec: Any) -> Json:
    return {
        "apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": "team"}, "spec": spec
    }  # fmt: skip


def _migrate(manifests: list[Json]) -> list[Migrated]:
    return migrate(ForeignObject(manifest) for manifest in manifests)


SOURCE = _manifest("GitRepository", "source.toolkit.fluxcd.io/v1", "shop", url="https://git.example/shop")
REFERENCE = {"kind": "GitRepository", "name": "shop"}
KUSTOMIZATION = _manifest("Kustomization", "kustomize.toolkit.fluxcd.io/v1", sourceRef=REFERENCE)


def test_each_kustomization_becomes_a_repository() -> None:
    """In any version of the API; the order of the objects does not matter."""
    older = _manifest("Kustomization", "kustomize.toolkit.fluxcd.io/v1beta2", "api", sourceRef=REFERENCE)

    made = _migrate([KUSTOMIZATION, older, SOURCE])

    assert [each.origin for each in made] == ["Kustomization team/web", "Kustomization team/api"]
    assert all(each.manifest is not None for each in made)


def test_other_objects_are_left_out() -> None:
    """Also the Kustomization of Kustomize, and GitRepositories of Nopea."""
    others = [
        _manifest("Deployment", "apps/v1"),
        _manifest("Kustomization", "kustomize.config.k8s.io/v1beta1"),
        _manifest("GitRepository", "nopea.io/v1alpha1"),
        {},
    ]

    assert _migrate(others) == []


def test_an_application_set_is_read_from_the_cluster() -> None:
    """There it has become Applications."""
    (made,) = _migrate([_manifest("ApplicationSet", "argoproj.io/v1alpha1")])

    assert made.manifest is None
    assert "against the cluster" in made.notes[0]


def test_two_objects_of_one_name_are_noted() -> None:
    """The second would replace the first."""
    release = _manifest(
        "HelmRelease",
        "helm.toolkit.fluxcd.io/v2",
        chart={"spec": {"chart": "c", "sourceRef": REFERENCE}},
    )

    _, second = _migrate([SOURCE, KUSTOMIZATION, release])

    assert second.notes[0] == (
        "note: Kustomization team/web has the same name and namespace; rename this one"
    )


def test_the_chart_of_a_release_is_found() -> None:
    """The objects that it refers to come in any order."""
    release = _manifest(
        "HelmRelease", "helm.toolkit.fluxcd.io/v2", chartRef={"kind": "HelmChart", "name": "a"}
    )
    repository = {"kind": "HelmRepository", "name": "b"}
    chart = _manifest(
        "HelmChart", "source.toolkit.fluxcd.io/v1", "a", chart="web", version="1.x", sourceRef=repository
    )
    charts = _manifest("HelmRepository", "source.toolkit.fluxcd.io/v1", "b", url="https://charts.example")

    (made,) = _migrate([release, chart, charts, SOURCE])

    assert made.is_complete
    assert made.manifest is not None
    assert made.manifest["spec"]["helm"]["chart"] == "https://charts.example/web"


def test_the_origin_has_the_file() -> None:
    """Folders of several clusters have objects of one name."""
    found = [
        ForeignObject(KUSTOMIZATION, "staging/web.yaml#1"),
        ForeignObject(KUSTOMIZATION, "prod/web.yaml#1"),
        ForeignObject(SOURCE),
    ]

    first, second = migrate(found)

    assert first.origin == "Kustomization team/web in staging/web.yaml#1"
    assert second.notes[0].startswith(f"note: {first.origin} has the same name")


@given(st.sampled_from(KINDS), st.sampled_from(SOURCES), ANYTHING, ANYTHING)
def test_a_malformed_spec_is_not_a_crash(
    kind: GroupKind, source_kind: GroupKind, spec: Any, source: Any
) -> None:
    """A file in Git may hold anything; metadata was checked when it was read.

    What the API server would refuse is told, or not printed.
    """
    given = [(kind, "web", spec), (source_kind, "a", source)]
    manifests = [
        {**_manifest(kind.kind, f"{kind.group}/v1", name), "spec": spec} for kind, name, spec in given
    ]

    for each in _migrate([SOURCE, *manifests]):
        assert each.manifest is None or each.manifest["kind"] == "GitRepository"
        is_invalid = any(note.startswith("not mapped: The spec is invalid") for note in each.notes)
        assert each.manifest is None or is_invalid or violations(each.manifest["spec"]) == []
