"""Kustomize over the renderer's pipes, compared with `kubectl kustomize`."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.renderer.child import Renderer

from nopea_lab.binaries import Search

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: registry.example/web:1.0
        envFrom: [{configMapRef: {name: settings}}]
"""
SERVICE = """\
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
"""
URL = "https://example.test/a.yaml"
BUILTIN = "{apiVersion: builtin, metadata: {name: a}"
WITHOUT_TYPES = '{"definitions": {"a": {"x-kubernetes-group-version-kind": [{"kind": 1}]}}}'
# Each operation makes the object twice as big.
DOUBLE = [{"op": "copy", "from": "/spec", "path": f"/spec/a{number}"} for number in range(40)]
OVERLAY: dict[str, str | bytes] = {
    "base/kustomization.yaml": """\
resources: [app.yaml]
configMapGenerator: [{name: settings, files: [settings.ini]}]
""",
    "base/app.yaml": DEPLOYMENT + "---\n" + SERVICE,
    "base/settings.ini": "colour=green\n",
    "overlays/prod/kustomization.yaml": """\
resources: [../../base]
namePrefix: prod-
images: [{name: registry.example/web, newTag: "2.0"}]
replicas: [{name: web, count: 3}]
patches:
- path: memory.yaml
- target: {kind: Service, name: web}
  patch: '[{"op": "replace", "path": "/spec/ports/0/port", "value": 8080}]'
""",
    "overlays/prod/memory.yaml": """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec: {template: {spec: {containers: [{name: web, resources: {limits: {memory: 64Mi}}}]}}}
""",
}


def by_kubectl(files: Mapping[str, str | bytes], path: str, folder: Path) -> list[dict[str, Any]] | None:
    """Return what `kubectl kustomize` makes of the same files; None where it refuses them."""
    for name, content in files.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content.encode() if isinstance(content, str) else content)
    binaries = Search.by_environment(offline=True).find()
    if binaries is None:
        pytest.skip("kubectl is not here; run `make lab-binaries`")
    command = [
        str(binaries.path("kubectl")),
        "kustomize",
        "--load-restrictor=LoadRestrictionsNone",
        str(folder / path),
    ]
    done = subprocess.run(command, check=False, capture_output=True, timeout=60)
    if done.returncode:
        return None
    return [document for document in yaml.load_all(done.stdout, yaml.BaseLoader) if document]


def as_text(value: Any) -> Any:
    """Return a value with its scalars as YAML would print them, for comparing with what BaseLoader reads."""
    match value:
        case dict():
            return {key: as_text(inner) for key, inner in value.items()}
        case list():
            return [as_text(inner) for inner in value]
        case bool():
            return str(value).lower()
        case None:
            return "null"
        case _:
            return str(value)


def in_order(objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the objects by kind and name."""
    return sorted(objects, key=lambda item: (item["kind"], item["metadata"]["name"]))


def test_an_overlay_is_built_as_kubectl_builds_it(renderer: Renderer, tmp_path: Path) -> None:
    """Patches, images, replicas, a prefix and a generator give the same objects (kubectl sorts them)."""
    rendered = renderer.render(OVERLAY, path="overlays/prod")

    expected = by_kubectl(OVERLAY, "overlays/prod", tmp_path)
    assert expected
    assert in_order(as_text(rendered.objects)) == in_order(expected)


@pytest.mark.parametrize(
    "added",
    [
        pytest.param("buildMetadata: [managedByLabel]", id="the label names the release of Kustomize"),
        pytest.param("helmGlobals: {chartHome: charts}", id="settings of charts without a chart"),
    ],
)
def test_a_field_means_what_it_means_for_kubectl(renderer: Renderer, tmp_path: Path, added: str) -> None:
    """The objects are the same, with labels that the API server takes."""
    files = {"kustomization.yaml": f"resources: [a.yaml]\n{added}\n", "a.yaml": SERVICE}

    rendered = renderer.render(files)

    assert as_text(rendered.objects) == by_kubectl(files, "", tmp_path)


@pytest.mark.parametrize("content", ["", "# later\n"])
def test_an_empty_kustomization_is_called_empty(renderer: Renderer, content: str) -> None:
    """It is not the end of a file that a person has to look for."""
    error = renderer.refuse({"kustomization.yaml": content})

    assert (error["kind"], error["file"]) == ("invalid_kustomization", "kustomization.yaml")
    assert error["message"] == "The kustomization is empty."


def test_each_object_names_the_file_that_a_person_edits(renderer: Renderer) -> None:
    """A patched object names its base, a generated one the kustomization of its generator."""
    rendered = renderer.render(OVERLAY, path="overlays/prod")

    places = {item["kind"]: source for item, source in zip(rendered.objects, rendered.sources, strict=True)}
    assert places == {
        "Deployment": ("base/app.yaml", 0),
        "Service": ("base/app.yaml", 1),
        "ConfigMap": ("base/kustomization.yaml", 0),
    }
    assert all("annotations" not in item["metadata"] for item in rendered.objects)


def test_what_was_read_is_told(renderer: Renderer) -> None:
    """A commit outside of these files cannot change the outcome."""
    rendered = renderer.render({**OVERLAY, "other/app.yaml": SERVICE}, path="overlays/prod")

    assert rendered.read == sorted(OVERLAY)
    assert "base/kustomization.yml" in rendered.looked


def test_missing_files_are_asked_for_in_one_go(renderer: Renderer) -> None:
    """Only the overlay was given: the base is asked for as a folder, and then nothing is."""
    first = {name: text for name, text in OVERLAY.items() if name.startswith("overlays/prod/")}

    answer = renderer.ask(first, path="overlays/prod", folders=["overlays/prod"])

    assert answer["need"] == ["base"]
    renderer.render(OVERLAY, path="overlays/prod", folders=["overlays/prod", "base"])


def test_a_file_that_only_the_build_looks_for_is_asked_for(renderer: Renderer) -> None:
    """What a plugin's own file refers to is not known before."""
    plugin = "{apiVersion: builtin, kind: PatchTransformer, metadata: {name: a}, path: ../patch.yaml}"
    files = {
        "o/kustomization.yaml": "resources: [a.yaml]\ntransformers: [plugin.yaml]\n",
        "o/plugin.yaml": plugin,
        "o/a.yaml": SERVICE,
    }

    answer = renderer.ask(files, path="o", folders=["o"])

    assert answer["need"] == ["patch.yaml"]
    error = renderer.refuse(files, path="o", folders=["o"], missing=["patch.yaml"])
    assert error["kind"] == "missing_file"


def test_a_file_that_does_not_exist_is_told_with_the_line_that_names_it(renderer: Renderer) -> None:
    """The error names the kustomization, its line and the missing path."""
    error = renderer.refuse({"kustomization.yaml": "namePrefix: a-\nresources:\n- gone.yaml\n"})

    assert error["kind"] == "missing_file"
    assert (error["file"], error["line"], error["missing"]) == ("kustomization.yaml", 3, "gone.yaml")


def test_bases_in_a_circle_are_refused(renderer: Renderer) -> None:
    """The error says which file closes the circle."""
    error = renderer.refuse(
        {"a/kustomization.yaml": "resources: [../b]\n", "b/kustomization.yaml": "resources: [../a]\n"},
        path="a",
    )

    assert (error["kind"], error["file"]) == ("cycle", "b/kustomization.yaml")


def test_a_circle_through_the_root_is_told(renderer: Renderer) -> None:
    """The root has a name there too."""
    error = renderer.refuse(
        {"kustomization.yaml": "resources: [b]\n", "b/kustomization.yaml": "resources: [..]\n"}
    )

    assert (error["kind"], error["names"]) == ("cycle", [".", "b", "."])


LFS_POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'a' * 64}\nsize 12\n"


@pytest.mark.parametrize("file", ["kustomization.yaml", "a.yaml", "patch.yaml", "logo.txt"])
def test_a_file_that_is_elsewhere_is_not_taken_for_its_pointer(renderer: Renderer, file: str) -> None:
    """Not even by a generator, which takes any content."""
    files = {
        "kustomization.yaml": "resources: [a.yaml]\npatches: [{path: patch.yaml}]\n"
        "configMapGenerator: [{name: g, files: [logo.txt]}]\n",
        "a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n",
        "patch.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {a: b}\n",
        "logo.txt": "logo",
    }
    renderer.render(files)

    error = renderer.refuse({**files, file: LFS_POINTER})

    assert (error["kind"], error["file"]) == ("lfs_pointer", file)


@pytest.mark.parametrize("file", ["Chart.yaml", "values.yaml", "templates/a.yaml", "charts/db-1.0.0.tgz"])
def test_a_chart_is_not_made_of_pointers(renderer: Renderer, file: str) -> None:
    """A pointer that Helm does not read itself may be there, such as a picture in its README."""
    files = {
        "Chart.yaml": "apiVersion: v2\nname: shop\nversion: 1.0.0\n",
        "templates/a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n",
        "docs/picture.png": LFS_POINTER,
    }
    renderer.render(files, kind="helm", helm={"releaseName": "a"})

    error = renderer.refuse({**files, file: LFS_POINTER}, kind="helm", helm={"releaseName": "a"})

    assert (error["kind"], error["file"]) == ("lfs_pointer", file)


def test_a_path_out_of_the_repository_is_refused(renderer: Renderer) -> None:
    """`..` above the root is not a file of the disk."""
    error = renderer.refuse({"kustomization.yaml": "resources: [../../etc/passwd]\n"})

    assert error["kind"] == "outside"


def test_an_alias_that_contains_itself_costs_its_own_request_only(renderer: Renderer) -> None:
    """Kustomize would overflow the stack, and with it the child."""
    bomb = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: &a {x: *a}\n"

    error = renderer.refuse({"kustomization.yaml": "resources: [a.yaml]\n", "a.yaml": bomb})

    assert (error["kind"], error["file"]) == ("invalid_resource", "a.yaml")
    assert renderer.render(OVERLAY, path="overlays/prod").objects


def test_spec_kustomize_lies_on_top_of_the_users_overlay(renderer: Renderer) -> None:
    """The spec's prefix comes before the overlay's, and its images after the overlay's."""
    spec = {"namePrefix": "eu-", "images": [{"name": "registry.example/web", "newTag": "3.0"}]}

    rendered = renderer.render(OVERLAY, path="overlays/prod", kustomize=spec)

    deployment = next(item for item in rendered.objects if item["kind"] == "Deployment")
    assert deployment["metadata"]["name"] == "eu-prod-web"
    assert deployment["spec"]["template"]["spec"]["containers"][0]["image"] == "registry.example/web:3.0"
    assert ("base/app.yaml", 0) in rendered.sources


@pytest.mark.parametrize(
    ("added", "kind", "message"),
    [
        ("replicas: [{name: gone, count: 2}]", "patch_no_match", "gone"),
        (
            "patches: [{patch: '{apiVersion: v1, kind: Service, metadata: {name: gone}}'}]",
            "patch_no_match",
            "Service gone",
        ),
        ("configMapGenerator: [{name: settings}]", "duplicate_id", "ConfigMap settings"),
        (
            "configMapGenerator: [{name: gone, behavior: merge}]",
            "invalid_kustomization",
            "ConfigMap gone",
        ),
        ("configMapGenerator: [{name: b, literals: [a=1, a=2]}]", "invalid_kustomization", "the key a"),
        ("resources: [../../base, ../../base]", "duplicate_id", "Deployment web"),
        (
            """patches: [{target: {kind: Service}, patch: '[{"op": "remove", "path": "/spec/gone"}]'}]""",
            "patch_no_match",
            "remove of /spec/gone",
        ),
        (
            """patches: [{target: {kind: Service}, patch: '[{"op": "turn", "path": "/spec"}]'}]""",
            "invalid_kustomization",
            "turn",
        ),
        ("helmCharts: [{name: redis}]", "plugin", "helmCharts"),
        ("helmChartInflationGenerator: [{chartName: redis}]", "plugin", "helmCharts"),
        ("components: [bad.yaml]", "invalid_kustomization", "overlays/bad/bad.yaml is a file"),
        ("components: ['']", "invalid_kustomization", "empty entry"),
        ("resources: [../../base, null]", "invalid_kustomization", "empty entry"),
        ("transformers: ['{apiVersion: x.test/v1, kind: Own, metadata: {name: a}}']", "plugin", "Own"),
        ("unknown: field", "invalid_kustomization", ""),
        ("resources: [bad.yaml]", "invalid_resource", ""),
        ("resources: [half.yaml]", "invalid_resource", ""),
        ("crds: [gone.yaml]", "missing_file", "gone.yaml"),
        ("openapi: {path: bad.yaml}\npatches: [{path: patch.yaml}]", "invalid_kustomization", "schema"),
        ("openapi: {path: types.json}\npatches: [{path: patch.yaml}]", "invalid_kustomization", "schema"),
        ("openapi: {version: v0}", "invalid_kustomization", ""),
        (f"transformers: ['{BUILTIN}, kind: PatchTransformer, path: {URL}}}']", "remote", URL),
        (f"patches: [{{target: {{kind: Service}}, patch: '{json.dumps(DOUBLE)}'}}]", "too_big", "copy"),
        (f"generators: ['{BUILTIN}, kind: HelmChartInflationGenerator}}']", "plugin", "helmCharts"),
    ],
)
def test_what_kustomize_refuses_has_a_kind_and_names_its_object(
    renderer: Renderer, added: str, kind: str, message: str
) -> None:
    """The same error has the same text each time: it is in the status of an object."""
    base = "" if added.startswith("resources") else "resources: [../../base]\n"
    files = {
        **OVERLAY,
        "overlays/bad/kustomization.yaml": base + added + "\n",
        "overlays/bad/bad.yaml": "a: b: c\n",
        "overlays/bad/half.yaml": "apiVersion: v1\nmetadata: {name: a}\n",
        "overlays/bad/big.txt": "x" * (1 << 20) + "x",
        "overlays/bad/types.json": WITHOUT_TYPES,
        "overlays/bad/patch.yaml": SERVICE,
    }

    error = renderer.refuse(files, path="overlays/bad")

    assert error["kind"] == kind, error
    assert message in error["message"]
    assert error["file"].startswith("overlays/bad/")
    assert renderer.refuse(files, path="overlays/bad") == error


def test_spec_kustomize_changes_plain_documents_too(renderer: Renderer) -> None:
    """A folder without a kustomization of its own: the parent gives what it has parsed."""
    parsed = [
        ["app.yaml", 1, b'{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}'],
        ["b/c.yaml", 0, b'{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "b"}}'],
    ]
    spec = {
        "namePrefix": "eu-",
        "components": ["../c"],
        "patches": [
            {"target": {"name": "b"}, "patch": '[{"op": "add", "path": "/data", "value": {"x": "y"}}]'}
        ],
    }
    component = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nnameSuffix: -c\n"

    rendered = renderer.render(
        {"c/kustomization.yaml": component}, path="apps", documents=parsed, kustomize=spec
    )

    assert [item["metadata"]["name"] for item in rendered.objects] == ["eu-a-c", "eu-b-c"]
    assert rendered.objects[1]["data"] == {"x": "y"}
    assert rendered.sources == [("app.yaml", 1), ("b/c.yaml", 0)]


def test_common_metadata_is_set_on_the_objects_alone(renderer: Renderer) -> None:
    """As Flux does it: selectors and templates of Pods stay, and values of the spec win."""
    spec = {"commonMetadata": {"labels": {"app": "other"}, "annotations": {"team": "shop"}}}

    rendered = renderer.render(OVERLAY, path="overlays/prod", kustomize=spec)

    deployment = next(item for item in rendered.objects if item["kind"] == "Deployment")
    assert deployment["metadata"]["labels"] == {"app": "other"}
    assert deployment["spec"]["template"]["metadata"] == {"labels": {"app": "web"}}
    assert all(item["metadata"]["annotations"] == {"team": "shop"} for item in rendered.objects)


def test_aliases_below_a_list_are_counted_too(renderer: Renderer) -> None:
    """Where no node has an alias of its own as a child."""
    ones = ", ".join(["1"] * 1000)
    bomb = f"a: &a [{ones}]\nm: &m [{', '.join(['*a'] * 999)}]\nz: [{', '.join(['[*m]'] * 3)}]\n"
    head = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n"

    error = renderer.refuse({"kustomization.yaml": "resources: [a.yaml]\n", "a.yaml": head + bomb})

    assert error["kind"] == "invalid_resource"
    assert "aliases" in error["message"]


def test_binary_data_counts_as_the_bytes_that_it_stands_for(renderer: Renderer) -> None:
    """Base64 is a third longer."""
    files: dict[str, str | bytes] = {
        "kustomization.yaml": "configMapGenerator: [{name: x, files: [blob]}]\n", "blob": b"\xff" * 900_000,
    }  # fmt: skip

    (found,) = renderer.render(files).objects

    assert len(found["binaryData"]["blob"]) > 1_000_000
