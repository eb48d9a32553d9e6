"""Kustomizations and HelmReleases of Flux become GitRepositories."""

from __future__ import annotations

from typing import Any

import pytest

from nopea.core.migrate.flux import from_helm_release, from_kustomization
from nopea.core.migrate.model import Notes, NotMappedError

Json = dict[str, Any]
URL = "https://git.example/shop"
REFERENCE = {"kind": "GitRepository", "name": "shop"}


def _sources(**spec: Any) -> dict[tuple[str, str], list[Json]]:
    return {("team", "shop"): [{"spec": {"url": URL, "ref": {"branch": "main"}, **spec}}]}


def _manifest(kind: str, spec: Json) -> Json:
    return {"kind": kind, "metadata": {"name": "web", "namespace": "team"}, "spec": spec}


def _kustomization(source: Json | None = None, **spec: Any) -> tuple[Json, list[str]]:
    notes = Notes()
    manifest = _manifest("Kustomization", {"sourceRef": REFERENCE, "prune": False, **spec})
    made = from_kustomization(manifest, notes, sources=_sources(**(source or {})))
    return made["spec"], notes.lines


def _release(chart: Json | None = None, **spec: Any) -> tuple[Json, list[str]]:
    notes = Notes()
    chart = {"chart": "./charts/web", "version": "*", "sourceRef": REFERENCE, **(chart or {})}
    manifest = _manifest("HelmRelease", {"chart": {"spec": chart}, **spec})
    made = from_helm_release(manifest, notes, sources=_sources(), charts={})
    return made["spec"], [line for line in notes.lines if line.startswith("not mapped:")]


@pytest.mark.parametrize(
    "fields",
    [
        {"prune": True},
        {"retryInterval": "1m"},
        {"targetNamespace": "shop"},
        {"serviceAccountName": "deployer"},
        {"wait": True},
        {"force": True},
        {"suspend": True},
        {"dependsOn": [{"name": "infra"}, {"name": "db", "namespace": "data"}]},
        {"decryption": {"provider": "sops", "secretRef": {"name": "keys"}}},
        {"deletionPolicy": "Delete"},
        {"deletionPolicy": "Orphan"},
    ],
)
def test_fields_with_the_same_name(fields: Json) -> None:
    """They are copied."""
    spec, notes = _kustomization(**fields)

    assert spec.items() >= fields.items()
    assert [line for line in notes if line.startswith("not mapped")] == []


@pytest.mark.parametrize(
    ("fields", "mapped"),
    [
        ({"path": "./deploy"}, {"path": "deploy"}),
        ({"path": "/deploy"}, {"path": "deploy"}),
        ({"path": "./a/../deploy/"}, {"path": "deploy"}),
        ({"path": "../deploy"}, {"path": "deploy"}),
        ({"interval": "10m"}, {"interval": "10m"}),
        ({"namePrefix": "a-"}, {"kustomize": {"namePrefix": "a-"}}),
        (
            {"images": [{"name": "a", "newTag": "b"}]},
            {"kustomize": {"images": [{"name": "a", "newTag": "b"}]}},
        ),
        ({"components": ["c"]}, {"kustomize": {"components": ["c"]}}),
        ({"postBuild": {"substitute": {"a": 1}}}, {"substitute": {"a": "1"}}),
        (
            {"postBuild": {"substituteFrom": [{"kind": "Secret", "name": "s", "optional": True}]}},
            {"substituteFrom": [{"kind": "Secret", "name": "s", "optional": True}]},
        ),
        ({"deletionPolicy": "WaitForTermination"}, {"deletionPolicy": "Delete"}),
    ],
)
def test_fields_with_another_place(fields: Json, mapped: Json) -> None:
    """They are mapped whole."""
    spec, notes = _kustomization(**fields)

    assert spec.items() >= mapped.items()
    assert [line for line in notes if line.startswith("not mapped")] == []


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"timeout": "3m"}, "spec.timeout"),
        ({"healthChecks": [{"kind": "Deployment"}]}, "spec.healthChecks"),
        ({"healthCheckExprs": [{"kind": "X"}]}, "spec.healthCheckExprs"),
        ({"retryInterval": "100ms"}, "spec.retryInterval"),
        ({"decryption": {"provider": "sops"}}, "spec.decryption.provider"),
        ({"dependsOn": [{"name": "a", "readyExpr": "x"}]}, "spec.dependsOn[0].readyExpr"),
        ({"patchesStrategicMerge": [{"kind": "X"}]}, "spec.patchesStrategicMerge"),
    ],
)
def test_fields_without_a_place(fields: Json, path: str) -> None:
    """They are named."""
    _, notes = _kustomization(**fields)

    (note,) = [line for line in notes if line.startswith("not mapped")]
    assert note.removeprefix("not mapped: ").partition(":")[0] == path


@pytest.mark.parametrize(
    ("given", "ref"),
    [
        (None, {"branch": "master"}),
        ({"branch": "main", "tag": "v1"}, {"tag": "v1"}),
        ({"branch": "main", "commit": "a" * 40}, {"branch": "main", "commit": "a" * 40}),
        ({"tag": "v1", "semver": "1.x"}, {"semver": "1.x"}),
        ({"semver": "1.x", "name": "refs/heads/a"}, {"name": "refs/heads/a"}),
        ({"name": "refs/heads/a", "commit": "a" * 40}, {"commit": "a" * 40}),
    ],
)
def test_the_ref_is_the_one_that_flux_follows(given: Json | None, ref: Json) -> None:
    """Of several, one wins; without any, it is the branch master."""
    assert _kustomization({"ref": given})[0]["ref"] == ref


def test_the_source_says_when_and_with_which_credentials() -> None:
    """Interval and timeout are those of Git operations."""
    spec, notes = _kustomization(
        {"interval": "5m", "timeout": "20s", "secretRef": {"name": "git"}, "recurseSubmodules": True},
        interval="10m",
    )

    assert (spec["interval"], spec["timeout"], spec["secretRef"]) == ("5m", "20s", {"name": "git"})
    assert any("bearerToken" in line for line in notes)
    assert "not mapped: GitRepository shop: spec.recurseSubmodules" in notes


@pytest.mark.parametrize(
    ("url", "clean"),
    [
        ("https://bot:hunter22@git.example/shop", "https://git.example/shop"),
        ("ssh://git:hunter22@git.example/shop", "ssh://git@git.example/shop"),
        ("ssh://git@git.example/shop", "ssh://git@git.example/shop"),
    ],
)
def test_credentials_in_a_url_are_left_out(url: str, clean: str) -> None:
    """The API server refuses them, and they are not printed."""
    spec, notes = _kustomization({"url": url})

    assert spec["url"] == clean
    assert [line for line in notes if "credentials" in line and "spec.secretRef" in line] == [
        line for line in notes if line.startswith("not mapped: GitRepository shop: spec.url")
    ]
    assert any(line.startswith("not mapped") for line in notes) == (url != clean)
    assert "hunter22" not in "".join(notes)


def test_a_secret_of_another_namespace_must_be_copied() -> None:
    """A GitRepository of Nopea reads Secrets in its own namespace."""
    notes = Notes()
    reference = {**REFERENCE, "namespace": "flux-system"}
    secrets = {"secretRef": {"name": "git"}, "proxySecretRef": {"name": "proxy"}}
    sources = {("flux-system", "shop"): [{"spec": {"url": URL, **secrets}}]}

    from_kustomization(_manifest("Kustomization", {"sourceRef": reference}), notes, sources=sources)

    for name in ("git", "proxy"):
        assert f"note: copy the Secret {name} from namespace flux-system to team" in notes.lines


def test_several_sources_of_one_name_are_noted() -> None:
    """A folder can have the objects of several clusters; equal ones do not matter."""
    for other, is_noted in ((URL, False), ("https://git.example/other", True)):
        sources = {("team", "shop"): [{"spec": {"url": URL}}, {"spec": {"url": other}}]}
        notes = Notes()

        made = from_kustomization(
            _manifest("Kustomization", {"sourceRef": REFERENCE}), notes, sources=sources
        )

        assert made["spec"]["url"] == URL
        assert any("several GitRepositories shop" in line for line in notes.lines) == is_noted


def test_patterns_are_mapped_where_they_mean_the_same() -> None:
    """Those of Flux are relative to the root."""
    assert _kustomization({"ignore": "# no\n/docs\n\n"}, path="./")[0]["exclude"] == ["/docs"]
    spec, notes = _kustomization({"ignore": "/docs"}, path="deploy")
    assert "exclude" not in spec
    assert any(line.startswith("not mapped: GitRepository spec.ignore") for line in notes)


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ({"sourceRef": None}, "it names no source; if it is a patch"),
        ({"sourceRef": {"kind": "OCIRepository", "name": "x"}}, "its source is OCIRepository team/x"),
        ({"sourceRef": {"kind": "GitRepository", "name": "x"}}, "GitRepository team/x is not among"),
        ({"kubeConfig": {"secretRef": {"name": "x"}}}, "another cluster"),
        ({"source": {"url": "ftp://git.example/shop"}}, "refuse it: spec.url must be an https, http"),
    ],
)
def test_what_cannot_be_a_repository(spec: Json, why: str) -> None:
    """The reason is said."""
    with pytest.raises(NotMappedError, match=why):
        _kustomization(**spec)


def test_a_chart_in_git_is_rendered() -> None:
    """The name of the release is the one that Flux gives it."""
    spec, notes = _release(
        {"valuesFiles": ["./charts/web/values.yaml"], "interval": "1m"},
        targetNamespace="shop",
        values={"a": 1},
        valuesFrom=[{"kind": "ConfigMap", "name": "v", "valuesKey": "k"}],
        install={"crds": "Skip"},
    )

    assert spec["helm"] == {
        "chart": "charts/web",
        "releaseName": "shop-web",
        "values": {"a": 1},
        "valuesFiles": ["charts/web/values.yaml"],
        "valuesFrom": [{"kind": "ConfigMap", "name": "v", "valuesKey": "k"}],
        "includeCRDs": False,
    }
    assert spec["targetNamespace"] == "shop"
    assert notes == []


@pytest.mark.parametrize(
    ("files", "is_noted"),
    [([], False), (["prod.yaml"], True), (["./charts/web/values.yaml", "prod.yaml"], False)],
)
def test_values_of_a_chart_in_git(files: list[str], is_noted: bool) -> None:
    """In Flux, a list of files replaces the values.yaml of the chart."""
    chart = {"chart": "charts/web", "sourceRef": REFERENCE, "valuesFiles": files}

    _, notes = _from_elsewhere({"chart": {"spec": chart}}, {})

    assert any(note.startswith("note: values.yaml of the chart counts too") for note in notes) == is_noted


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"upgrade": {"force": True}}, "spec.upgrade"),
        ({"postRenderers": [{"kustomize": {}}]}, "spec.postRenderers"),
        (
            {"valuesFrom": [{"kind": "Secret", "name": "s", "targetPath": "a"}]},
            "spec.valuesFrom[0].targetPath",
        ),
        (
            {"driftDetection": {"mode": "enabled", "ignore": [{"paths": ["/a"]}]}},
            "spec.driftDetection.ignore",
        ),
    ],
)
def test_fields_of_a_release_without_a_place(fields: Json, path: str) -> None:
    """They are named."""
    (note,) = _release(**fields)[1]
    assert note.removeprefix("not mapped: ").partition(":")[0] == path


HELM_REPOSITORY = {"kind": "HelmRepository", "name": "charts"}
OCI_REPOSITORY = {"kind": "OCIRepository", "name": "web"}
DIGEST = f"sha256:{'0' * 64}"


def _from_elsewhere(
    spec: Json, charts: dict[tuple[str, str, str], Json], sources: Any = None
) -> tuple[Json, list[str]]:
    notes = Notes()
    given = {
        key: {"kind": key[0], "metadata": {"name": key[2]}, "spec": each} for key, each in charts.items()
    }
    made = from_helm_release(
        _manifest("HelmRelease", spec),
        notes,
        sources=_sources() if sources is None else sources,
        charts=given,
    )
    return made["spec"], notes.lines


def test_a_chart_of_a_helm_repository() -> None:
    """It is named by its URL; the Git repository is the one that there is."""
    chart = {"chart": "web", "version": "^1", "sourceRef": HELM_REPOSITORY, "valuesFiles": ["values.yaml"]}
    spec, notes = _from_elsewhere(
        {"chart": {"spec": chart}},
        {("HelmRepository", "team", "charts"): {"url": "https://charts.example/stable/", "interval": "1h"}},
    )

    assert spec["url"] == URL
    assert spec["helm"] == {
        "chart": "https://charts.example/stable/web",
        "version": "^1",
        "releaseName": "web",
    }
    assert any("any repository will do" in note for note in notes)
    assert not [note for note in notes if note.startswith("not mapped")]


def test_a_chart_of_an_oci_repository() -> None:
    """The login comes along; its Secret must be where the GitRepository is."""
    source = {
        "url": "oci://registry.example/charts/web",
        "ref": {"tag": "1.2.3", "digest": DIGEST},
        "secretRef": {"name": "login"},
        "provider": "generic",
        "layerSelector": {"operation": "copy"},
    }
    spec, notes = _from_elsewhere(
        {"chartRef": {**OCI_REPOSITORY, "namespace": "sources"}, "values": {"a": 1}},
        {("OCIRepository", "sources", "web"): source},
    )

    assert spec["helm"] == {
        "chart": "oci://registry.example/charts/web",
        "digest": DIGEST,
        "version": "1.2.3",
        "secretRef": {"name": "login"},
        "releaseName": "web",
        "values": {"a": 1},
    }
    assert "note: copy the Secret login from namespace sources to team" in notes


def test_a_chart_that_a_helm_chart_names() -> None:
    """Its source is in its own namespace."""
    chart = {"chart": "web", "version": "1.0.0", "sourceRef": HELM_REPOSITORY, "interval": "1h"}
    spec, notes = _from_elsewhere(
        {"chartRef": {"kind": "HelmChart", "name": "web", "namespace": "sources"}},
        {
            ("HelmChart", "sources", "web"): {**chart, "valuesFiles": ["prod.yaml"]},
            ("HelmRepository", "sources", "charts"): {
                "url": "oci://registry.example/charts", "type": "oci", "secretRef": {"name": "login"},
            },
        },
    )  # fmt: skip

    assert spec["helm"] == {
        "chart": "oci://registry.example/charts/web",
        "version": "1.0.0",
        "secretRef": {"name": "login"},
        "releaseName": "web",
    }
    assert "note: copy the Secret login from namespace sources to team" in notes
    (note,) = [note for note in notes if note.startswith("not mapped")]
    assert note.startswith("not mapped: HelmChart web: spec.valuesFiles: they are in the chart")


def test_a_helm_chart_in_git() -> None:
    """It is rendered from there."""
    chart = {"chart": "./charts/web", "sourceRef": REFERENCE, "valuesFiles": ["./charts/prod.yaml"]}

    spec, _ = _from_elsewhere(
        {"chartRef": {"kind": "HelmChart", "name": "web"}}, {("HelmChart", "team", "web"): chart}
    )

    assert spec["helm"] == {
        "chart": "charts/web",
        "releaseName": "web",
        "valuesFiles": ["charts/prod.yaml"],
    }


@pytest.mark.parametrize(
    ("version", "mapped", "is_noted"),
    [(None, None, False), ("*", None, False), ("^1.2", "^1.2", False), ("newest", None, True)],
)
def test_versions_of_a_chart(version: str | None, mapped: str | None, is_noted: bool) -> None:
    """Without one, the highest is followed, as in Flux."""
    spec, notes = _from_elsewhere(
        {"chart": {"spec": {"chart": "web", "version": version, "sourceRef": HELM_REPOSITORY}}},
        {("HelmRepository", "team", "charts"): {"url": "https://charts.example"}},
    )

    assert spec["helm"].get("version") == mapped
    assert [note.partition(": newest")[0] for note in notes if note.startswith("not mapped")] == (
        ["not mapped: spec.chart.spec.version"] if is_noted else []
    )


@pytest.mark.parametrize(
    ("ref", "mapped", "note"),
    [
        ({"tag": "1.2.3"}, {"version": "1.2.3"}, None),
        ({"tag": "1.2.3_build"}, {"version": "1.2.3+build"}, None),
        ({"tag": "1.2.3", "semver": "1.x"}, {"version": "1.x"}, None),
        ({"semver": "*"}, {}, None),
        ({"tag": "1.2.3", "semver": "1.x", "digest": DIGEST}, {"version": "1.2.3", "digest": DIGEST}, None),
        ({"digest": DIGEST}, {"digest": DIGEST}, "not mapped: OCIRepository web: spec.ref.digest"),
        ({"tag": "1.2"}, {}, "not mapped: OCIRepository web: spec.ref.tag"),
        ({"tag": "latest"}, {}, "not mapped: OCIRepository web: spec.ref.tag"),
        ({"semver": "x y"}, {}, "not mapped: OCIRepository web: spec.ref.semver"),
        ({"semver": "1.x", "semverFilter": "rc"}, {"version": "1.x"}, "not mapped: OCIRepository web: spec."),
        (None, {}, "note: the highest version is followed; Flux uses the tag latest"),
    ],
)
def test_the_ref_of_an_oci_repository(ref: Json | None, mapped: Json, note: str | None) -> None:
    """A digest wins over a range, and a range over a tag."""
    spec, notes = _from_elsewhere(
        {"chartRef": OCI_REPOSITORY},
        {("OCIRepository", "team", "web"): {"url": "oci://registry.example/charts/web", "ref": ref}},
    )

    found = {field: spec["helm"][field] for field in ("version", "digest") if field in spec["helm"]}
    assert found == mapped
    told = [line for line in notes if line.startswith("not mapped") or "latest" in line]
    assert [line[: len(note or "")] for line in told] == ([note] if note else [])


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ({"url": "http://charts.example"}, "at http://charts.example/web; .* with TLS only"),
        ({"url": "http://bot:hunter22@charts.example"}, "at http://charts.example/web;"),
        ({"url": "https://charts.example", "insecure": True}, "with TLS only"),
        ({"url": "https://charts.example?a=b"}, "spec.helm.chart must be a folder, or an oci or https URL"),
        (None, "HelmRepository team/charts is not among the given objects"),
    ],
)
def test_a_chart_that_cannot_be_fetched(source: Json | None, why: str) -> None:
    """The reason is said."""
    charts = {} if source is None else {("HelmRepository", "team", "charts"): source}
    with pytest.raises(NotMappedError, match=why):
        _from_elsewhere({"chart": {"spec": {"chart": "web", "sourceRef": HELM_REPOSITORY}}}, charts)


def test_what_a_source_has_and_a_repository_has_not() -> None:
    """Each is named, with what to do."""
    source = {
        "url": "https://bot:hunter22@charts.example",
        "provider": "aws",
        "certSecretRef": {"name": "ca"},
        "passCredentials": True,
        "verify": {"provider": "cosign"},
    }
    chart = {
        "chart": "web", "sourceRef": HELM_REPOSITORY, "valuesFiles": ["prod.yaml"],
        "verify": {"provider": "cosign"},
    }  # fmt: skip
    spec, notes = _from_elsewhere({"chart": {"spec": chart}}, {("HelmRepository", "team", "charts"): source})

    found = [note.removeprefix("not mapped: ") for note in notes if note.startswith("not mapped")]
    assert [note.removeprefix("HelmRepository charts: ").partition(":")[0] for note in found] == [
        "spec.chart.spec.verify", "spec.url", "spec.provider", "spec.certSecretRef", "spec.passCredentials",
        "spec.verify", "spec.chart.spec.valuesFiles",
    ]  # fmt: skip
    assert spec["helm"]["chart"] == "https://charts.example/web"
    assert "hunter22" not in "".join(notes)


def test_the_repository_of_the_values_does_not_suspend_a_chart() -> None:
    """In Flux, the release does not depend on it."""
    spec, _ = _from_elsewhere(
        {"chart": {"spec": {"chart": "web", "sourceRef": HELM_REPOSITORY}}},
        {("HelmRepository", "team", "charts"): {"url": "https://charts.example"}},
        _sources(suspend=True),
    )

    assert "suspend" not in spec


@pytest.mark.parametrize(
    ("sources", "url"),
    [
        ({}, None),
        ({("a", "x"): [{"spec": {"url": URL}}], ("b", "y"): [{"spec": {"url": URL}}]}, None),
        (
            {
                ("a", "x"): [{"spec": {"url": URL}}],
                ("b", "flux-system"): [{"spec": {"url": "https://fleet"}}],
            },
            "https://fleet",
        ),
    ],
)
def test_which_repository_holds_the_values(sources: Any, url: str | None) -> None:
    """Without one that is clear, what to write is said."""
    release = {"chart": {"spec": {"chart": "web", "version": "1.0.0", "sourceRef": HELM_REPOSITORY}}}
    repository = {"url": "https://charts.example", "secretRef": {"name": "login"}}
    charts = {("HelmRepository", "team", "charts"): repository}
    if url is not None:
        assert _from_elsewhere(release, charts, sources)[0]["url"] == url
        return
    with pytest.raises(NotMappedError) as raised:
        _from_elsewhere(release, charts, sources)
    assert str(raised.value).startswith(
        "it names no Git repository. Write a GitRepository with spec.helm.chart: https://charts.example/web, "
        "spec.helm.version: 1.0.0, spec.helm.secretRef.name: login, and as spec.url the repository that "
        "shall hold its values files"
    )


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("Bucket", "Bucket team/x; Nopea follows Git repositories only"),
        (
            "ExternalArtifact",
            "is a copy of folders; name the GitRepository that its ArtifactGenerator copies",
        ),
        (
            "GitRepository",
            "is not among the given objects; add its manifest to the folder, or read the cluster",
        ),
    ],
)
def test_a_source_that_is_not_git_or_not_there(kind: str, words: str) -> None:
    """There is nothing to follow; the error says what to do."""
    with pytest.raises(NotMappedError, match=words):
        _release({"sourceRef": {"kind": kind, "name": "x"}})
