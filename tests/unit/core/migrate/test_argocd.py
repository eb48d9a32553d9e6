"""Applications of Argo CD become GitRepositories."""

from __future__ import annotations

from typing import Any

import pytest

from nopea.core.migrate.argocd import from_application
from nopea.core.migrate.model import Notes, NotMappedError

Json = dict[str, Any]
URL = "https://git.example/shop"
HERE = "https://kubernetes.default.svc"
AUTOMATED = {"automated": {"prune": True, "selfHeal": True}}


def _made(source: Json | None = None, metadata: Json | None = None, **spec: Any) -> tuple[Json, list[str]]:
    notes = Notes()
    manifest = {
        "kind": "Application",
        "metadata": {"name": "web", "namespace": "argocd", **(metadata or {})},
        "spec": {
            "project": "default",
            "source": {"repoURL": URL, "path": "deploy", "directory": {"recurse": True}, **(source or {})},
            "destination": {"server": HERE},
            "syncPolicy": AUTOMATED,
            **spec,
        },
    }
    return from_application(manifest, notes), notes.lines


def _spec(source: Json | None = None, **spec: Any) -> Json:
    found: Json = _made(source, **spec)[0]["spec"]
    return found


def _not_mapped(source: Json | None = None, metadata: Json | None = None, **spec: Any) -> list[str]:
    lines = _made(source, metadata, **spec)[1]
    found = [line.removeprefix("not mapped: ") for line in lines if line.startswith("not mapped: ")]
    return [line.partition(": ")[0] for line in found]


@pytest.mark.parametrize(
    ("revision", "ref"),
    [
        ("HEAD", None),
        ("", None),
        ("main", {"branch": "main"}),
        ("feature/x", {"branch": "feature/x"}),
        ("a" * 40, {"commit": "a" * 40}),
        ("a" * 7, {"branch": "a" * 7}),
        ("v1.2.3", {"tag": "v1.2.3"}),
        ("1.2.*", {"semver": "1.2.*"}),
        (">=1.0 <2.0", {"semver": ">=1.0 <2.0"}),
        ("^1.2", {"semver": "^1.2"}),
        ("1.x", {"semver": "1.x"}),
        ("refs/pull/1/head", {"name": "refs/pull/1/head"}),
    ],
)
def test_a_revision_is_what_it_looks_like(revision: str, ref: Json | None) -> None:
    """Where a text can be a branch or a tag, a note says what it was taken for."""
    made, notes = _made({"targetRevision": revision})

    assert made["spec"].get("ref") == ref
    is_guess = ref is not None and ("tag" in ref or ("branch" in ref and revision != "main"))
    assert any("is taken for a" in line for line in notes) == is_guess


@pytest.mark.parametrize(
    ("source", "mapped"),
    [
        ({"path": "./a/b/"}, {"path": "a/b"}),
        ({"path": "a/../b"}, {"path": "b"}),
        ({"directory": {"recurse": True, "exclude": "x.json"}}, {"exclude": ["/x.json"]}),
        ({"directory": {"recurse": True, "exclude": "{a.json,b/*}"}}, {"exclude": ["/a.json", "b/*"]}),
        ({"directory": {}}, {"exclude": ["/*/"]}),
        ({"kustomize": {"namePrefix": "a-"}}, {"kustomize": {"namePrefix": "a-"}}),
        ({"kustomize": {"namespace": "shop"}}, {"targetNamespace": "shop"}),
        (
            {"kustomize": {"commonAnnotations": {"a": "b"}}},
            {"kustomize": {"commonMetadata": {"annotations": {"a": "b"}}}},
        ),
        (
            {"kustomize": {"commonLabels": {"a": "b"}, "labelWithoutSelector": True}},
            {"kustomize": {"commonMetadata": {"labels": {"a": "b"}}}},
        ),
        (
            {"kustomize": {"patches": [{"patch": "p", "target": {"kind": "X"}}]}},
            {"kustomize": {"patches": [{"patch": "p", "target": {"kind": "X"}}]}},
        ),
        (
            {"helm": {"releaseName": "r", "skipCrds": True}},
            {"helm": {"releaseName": "r", "includeCRDs": False}},
        ),
        ({"helm": {"values": "a: 1\n"}}, {"helm": {"values": {"a": 1}}}),
        ({"helm": {"valuesObject": {"a": 1}, "values": "a: 2"}}, {"helm": {"values": {"a": 1}}}),
        (
            {"helm": {"valueFiles": ["v.yaml", "../b.yaml", "/c.yaml"]}},
            {"helm": {"valuesFiles": ["deploy/v.yaml", "b.yaml", "c.yaml"]}},
        ),
        (
            {
                "helm": {
                    "valuesObject": {"a": {"x": 1}},
                    "parameters": [
                        {"name": "a.b", "value": "3"},
                        {"name": "c", "value": "3", "forceString": True},
                        {"name": "d", "value": "true"},
                    ],
                }
            },
            {"helm": {"values": {"a": {"x": 1, "b": 3}, "c": "3", "d": True}}},
        ),
    ],
)
def test_options_of_the_source(source: Json, mapped: Json) -> None:
    """They are mapped whole."""
    assert _spec(source).items() >= mapped.items()
    assert _not_mapped(source) == []


@pytest.mark.parametrize(
    ("text", "image"),
    [
        ("web:2", {"name": "web", "newTag": "2"}),
        ("web=acme/web:2", {"name": "web", "newName": "acme/web", "newTag": "2"}),
        ("r.example:5000/web", {"name": "r.example:5000/web"}),
        ("web@sha256:ab", {"name": "web", "digest": "sha256:ab"}),
        ("web=*:2", {"name": "web", "newTag": "2"}),
    ],
)
def test_images_are_read_as_kustomize_reads_them(text: str, image: Json) -> None:
    """`[OLD=]NEW[:TAG][@DIGEST]`."""
    assert _spec({"kustomize": {"images": [text]}})["kustomize"]["images"] == [image]


@pytest.mark.parametrize(
    ("policy", "mapped"),
    [
        (AUTOMATED, {"healPolicy": "auto", "prune": True}),
        ({"automated": {}}, {"healPolicy": "manual", "prune": False}),
        ({}, {"suspend": True}),
        ({"automated": {"enabled": False}}, {"suspend": True}),
        ({**AUTOMATED, "syncOptions": ["ServerSideApply=true"]}, {"healPolicy": "auto"}),
        ({**AUTOMATED, "syncOptions": ["Replace=true"]}, {"force": True}),
        ({**AUTOMATED, "retry": {"backoff": {"maxDuration": "3m"}}}, {"retryInterval": "3m"}),
    ],
)
def test_the_policy(policy: Json, mapped: Json) -> None:
    """Without automation, nothing is written until a user asks for it."""
    assert _spec(syncPolicy=policy).items() >= mapped.items()
    assert _not_mapped(syncPolicy=policy) == []


def test_the_rest_of_a_retry_is_told() -> None:
    """Nopea retries without a limit, and its waits double."""
    retry = {"limit": 5, "backoff": {"duration": "5s", "factor": 2, "maxDuration": "3m"}}

    found = _not_mapped(syncPolicy={**AUTOMATED, "retry": retry})

    assert sorted(each.partition("spec.syncPolicy.retry.")[2].partition(" ")[0] for each in found) == [
        "backoff.duration", "backoff.factor", "limit",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("given", "mapped"),
    [
        ({"group": "apps", "kind": "Deployment"}, {"group": "apps", "kind": "Deployment"}),
        ({"kind": "Service"}, {"group": "", "kind": "Service"}),
        ({"group": "*", "kind": "*", "name": "a"}, {"name": "a"}),
    ],
)
def test_ignored_differences(given: Json, mapped: Json) -> None:
    """A rule without a group is about the core group."""
    rule = {**given, "jsonPointers": ["/a"], "managedFieldsManagers": ["m"]}

    (made,) = _spec(ignoreDifferences=[rule])["ignoreDifferences"]

    assert made == {**mapped, "jsonPointers": ["/a"], "managers": ["m"]}


def test_a_rule_that_cannot_be_written_is_left_out() -> None:
    """A rule without pointers and managers would be invalid."""
    rule = {"kind": "X", "jqPathExpressions": [".a"]}

    assert "ignoreDifferences" not in _spec(ignoreDifferences=[rule])
    assert _not_mapped(ignoreDifferences=[rule]) == ["spec.ignoreDifferences[0].jqPathExpressions"]


@pytest.mark.parametrize(
    ("source", "spec", "path"),
    [
        ({"directory": {"include": "*.yaml", "recurse": True}}, {}, "spec.source.directory.include"),
        ({"directory": {"jsonnet": {"libs": ["a"]}, "recurse": True}}, {}, "spec.source.directory.jsonnet"),
        ({"directory": {"exclude": "a{b,c}", "recurse": True}}, {}, "spec.source.directory.exclude"),
        ({"kustomize": {"commonLabels": {"a": "b"}}}, {}, "spec.source.kustomize.commonLabels"),
        ({"kustomize": {"replicas": [{"name": "a"}]}}, {}, "spec.source.kustomize.replicas"),
        ({"kustomize": {"patches": [{"path": "a"}]}}, {}, "spec.source.kustomize.patches[0].path"),
        ({"helm": {"values": "a: [\n"}}, {}, "spec.source.helm.values"),
        ({"helm": {"fileParameters": [{"name": "a"}]}}, {}, "spec.source.helm.fileParameters"),
        ({"helm": {"parameters": [{"name": "a[0]", "value": "1"}]}}, {}, "spec.source.helm.parameters[a[0]]"),
        ({"helm": {"valueFiles": ["$v/a.yaml"]}}, {}, "spec.source.helm.valueFiles[$v/a.yaml]"),
        ({}, {"project": "team"}, "spec.project"),
        ({}, {"info": [{"name": "a"}]}, "spec.info"),
        (
            {},
            {"syncPolicy": {**AUTOMATED, "syncOptions": ["CreateNamespace=true"]}},
            "spec.syncPolicy.syncOptions[CreateNamespace=true]",
        ),
    ],
)
def test_fields_without_a_place(source: Json, spec: Json, path: str) -> None:
    """They are named."""
    assert _not_mapped(source, **spec) == [path]


def test_objects_without_a_namespace_go_where_they_went() -> None:
    """Argo CD does not move those that have one, so `targetNamespace` is not set."""
    made, notes = _made(destination={"name": "in-cluster", "namespace": "shop"})

    assert made["metadata"] == {"name": "web", "namespace": "shop"}
    assert "targetNamespace" not in made["spec"]
    assert any("it is in namespace shop" in line for line in notes)


def test_the_finalizer_deletes_the_objects() -> None:
    """Without it they stay, as they do in Nopea by default."""
    made, _ = _made(metadata={"finalizers": ["resources-finalizer.argocd.argoproj.io"]})

    assert made["spec"]["deletionPolicy"] == "Delete"
    assert "deletionPolicy" not in _spec()


def test_waves_of_applications_are_dependencies() -> None:
    """A user names them: a wave does not say which Application needs which."""
    annotations = {"argocd.argoproj.io/sync-wave": "1"}

    assert _not_mapped(metadata={"annotations": annotations}) == ["annotation argocd.argoproj.io/sync-wave"]


def test_a_single_source_in_a_list_counts() -> None:
    """As `source` does."""
    manifest = {
        "metadata": {"name": "web", "namespace": "argocd"},
        "spec": {"sources": [{"repoURL": URL, "path": "a"}], "destination": {"server": HERE}},
    }

    assert from_application(manifest, Notes())["spec"]["path"] == "a"


@pytest.mark.parametrize(
    ("source", "spec", "why"),
    [
        (
            {"chart": "redis", "repoURL": "https://charts.example", "targetRevision": "1.0.0"},
            {},
            "spec.helm.chart: https://charts.example/redis, spec.helm.version: 1.0.0",
        ),
        ({"chart": "redis", "repoURL": "http://charts.example"}, {}, "with TLS only"),
        ({"repoURL": "oci://registry.example/app"}, {}, "refuse it: spec.url must be an https, http, ssh"),
        ({"repoURL": None}, {}, "it names no repository"),
        (
            {},
            {"sources": [{"repoURL": URL, "path": "a"}, {"repoURL": "r.example", "chart": "redis"}]},
            "several sources",
        ),
        ({"plugin": {"name": "x"}}, {}, "plugin"),
        ({}, {"sources": [{"repoURL": URL}, {"repoURL": URL}]}, "several sources"),
        ({}, {"sources": [{"repoURL": URL}, {"repoURL": "r.example", "chart": "a"}]}, "several sources"),
        (
            {},
            {"sources": [{"repoURL": URL, "ref": "v", "path": "a"}, {"repoURL": "r.example", "chart": "a"}]},
            "several sources",
        ),
        ({}, {"destination": {"server": "https://other.example"}}, "another cluster"),
    ],
)
def test_what_cannot_be_a_repository(source: Json, spec: Json, why: str) -> None:
    """The reason is said."""
    with pytest.raises(NotMappedError, match=why):
        _made(source, **spec)


def test_credentials_in_a_url_are_left_out() -> None:
    """The API server refuses them, and they are not printed."""
    made, notes = _made({"repoURL": "https://bot:hunter22@git.example/shop"})

    assert made["spec"]["url"] == "https://git.example/shop"
    assert "hunter22" not in "".join(notes)
    assert _not_mapped({"repoURL": "https://bot:hunter22@git.example/shop"}) == ["spec.source.repoURL"]


def test_a_chart_with_values_in_git() -> None:
    """The usual pair: a chart from a registry, and a repository that has its values files."""
    manifest = {
        "metadata": {"name": "web", "namespace": "argocd"},
        "spec": {
            "sources": [
                {
                    "repoURL": "registry.example/charts",
                    "chart": "web",
                    "targetRevision": "^1.2",
                    "helm": {
                        "valueFiles": ["$values/prod/web.yaml", "values.yaml", "inside.yaml"],
                        "releaseName": "eu",
                    },
                    "kustomize": {"namePrefix": "a-"},
                },
                {"repoURL": URL, "targetRevision": "main", "ref": "values"},
            ],
            "destination": {"server": HERE},
        },
    }
    notes = Notes()

    spec = from_application(manifest, notes)["spec"]

    assert (spec["url"], spec["ref"]) == (URL, {"branch": "main"})
    assert spec["helm"] == {
        "chart": "oci://registry.example/charts/web",
        "version": "^1.2",
        "valuesFiles": ["prod/web.yaml"],
        "releaseName": "eu",
    }
    assert [line.partition(": values")[0] for line in notes.lines if line.startswith("not mapped")] == [
        "not mapped: spec.sources[0].helm.valueFiles[inside.yaml]",
        "not mapped: spec.sources[0].kustomize",
    ]
