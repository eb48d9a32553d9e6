"""Objects of other tools among any objects."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from nopea.core.migrate.migrate import KINDS, ForeignObject, migrate
from nopea.core.migrate.model import Migrated
from nopea.core.objects import GroupKind

Json = dict[str, Any]
FIELDS = [
    "automated", "chart", "commonMetadata", "dependsOn", "destination", "directory", "exclude", "helm",
    "ignore",
    "ignoreDifferences", "images", "kustomize", "name", "parameters", "patches", "path", "postBuild", "ref",
    "repoURL", "secretRef", "source", "sourceRef", "sources", "spec", "substitute", "syncOptions",
    "syncPolicy",
    "targetRevision", "url", "valueFiles", "values", "valuesFrom",
]  # fmt: skip
TEXTS = st.sampled_from(["", "a", "main", "{a}", "=", "GitRepository"])
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


@given(st.sampled_from(KINDS), ANYTHING)
def test_a_malformed_spec_is_not_a_crash(kind: GroupKind, spec: Any) -> None:
    """A file in Git may hold anything; metadata was checked when it was read."""
    manifest = {**_manifest(kind.kind, f"{kind.group}/v1"), "spec": spec}

    for each in _migrate([SOURCE, manifest]):
        assert each.manifest is None or each.manifest["kind"] == "GitRepository"
