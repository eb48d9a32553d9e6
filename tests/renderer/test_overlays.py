"""Generated overlays: the renderer's objects are those of `kubectl kustomize`, and both refuse the same."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.renderer.child import Renderer
from tests.renderer.test_kustomize import DEPLOYMENT, SERVICE, as_text, by_kubectl, in_order

NAMES = st.sampled_from(["web", "db", "cache"])
SHORT = st.sampled_from(["", "a-", "eu-"])
PAIRS = st.dictionaries(
    st.sampled_from(["team", "tier"]), st.sampled_from(["x", "1", "true", "y"]), max_size=2
)
VALUES = st.sampled_from(["a", "1", "true", "two words", "on", "1e3", "üñ", "a=b"])
CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: NAME}\ndata: {a: 'on', b: y, c: \"1e3\"}\n"
CLAIM = """\
apiVersion: example.test/v1
kind: Claim
metadata: {name: NAME, annotations: {size: "10"}}
spec: {size: 10, items: [{name: a, value: 1}, {name: b, value: 2}]}
"""
OBJECTS = [DEPLOYMENT.replace("name: web,", "name: NAME,"), SERVICE.replace("{name: web}", "{name: NAME}")]
OBJECTS += [CONFIG, CLAIM]


@st.composite
def generators(draw: st.DrawFn) -> dict[str, Any]:
    """Return a generator of a ConfigMap or Secret."""
    literals = draw(st.lists(VALUES.map(lambda value: f"k{len(value)}={value}"), unique=True, max_size=2))
    generator: dict[str, Any] = {"name": draw(NAMES), "literals": literals}
    if draw(st.booleans()):
        generator["files"] = ["f.txt"]
    if draw(st.booleans()):
        generator["envs"] = ["f.env"]
    if draw(st.booleans()):
        generator["behavior"] = draw(st.sampled_from(["create", "merge", "replace"]))
    return generator


@st.composite
def patches(draw: st.DrawFn) -> dict[str, Any]:
    """Return a patch that may or may not find its object."""
    name = draw(NAMES)
    strategic = [
        f"apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}}}\nspec: {{replicas: 4}}\n",
        f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{a: null, d: x}}\n",
        f"apiVersion: example.test/v1\nkind: Claim\nmetadata: {{name: {name}}}\nspec: {{size: 1}}\n",
        f"apiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\n$patch: delete\n",
    ]
    if draw(st.booleans()):
        return {"patch": draw(st.sampled_from(strategic))}
    operations = [
        {"op": "add", "path": "/metadata/annotations/note", "value": "x"},
        {"op": "replace", "path": "/spec/replicas", "value": 7},
        {"op": "remove", "path": "/metadata/annotations"},
    ]
    target = {"kind": draw(st.sampled_from(["Deployment", "Claim", "Service"]))}
    return {"target": target, "patch": json.dumps([draw(st.sampled_from(operations))])}


@st.composite
def kustomizations(draw: st.DrawFn) -> dict[str, Any]:
    """Return the parts of a kustomization that may be anywhere."""
    parts: dict[str, st.SearchStrategy[Any]] = {
        "namePrefix": SHORT,
        "nameSuffix": st.sampled_from(["", "-b"]),
        "namespace": st.sampled_from(["", "shops"]),
        "labels": PAIRS.map(lambda pairs: [{"pairs": pairs, "includeSelectors": True}]),
        "commonAnnotations": PAIRS,
        "images": st.just([{"name": "registry.example/web", "newTag": "9"}]),
        "replicas": NAMES.map(lambda name: [{"name": name, "count": 5}]),
        "configMapGenerator": st.lists(generators(), max_size=2),
        "secretGenerator": st.lists(generators(), max_size=1),
        "patches": st.lists(patches(), max_size=2),
        "generatorOptions": st.sampled_from([{}, {"disableNameSuffixHash": True}, {"labels": {"a": "b"}}]),
    }
    chosen = draw(st.sets(st.sampled_from(sorted(parts)), max_size=4))
    return {name: value for name in sorted(chosen) if (value := draw(parts[name]))}


@st.composite
def repositories(draw: st.DrawFn) -> dict[str, str | bytes]:
    """Return a base, an overlay of it in `o`, and perhaps a component."""
    kinds = draw(st.lists(st.sampled_from(OBJECTS), min_size=1, max_size=3, unique=True))
    app = "---\n".join(text.replace("NAME", draw(NAMES)) for text in kinds)
    overlay = {**draw(kustomizations()), "resources": ["../base"]}
    files: dict[str, str | bytes] = {
        "base/app.yaml": app,
        "base/kustomization.yaml": json.dumps({**draw(kustomizations()), "resources": ["app.yaml"]}),
    }
    if draw(st.booleans()):
        component = {"apiVersion": "kustomize.config.k8s.io/v1alpha1", "kind": "Component"}
        files["c/kustomization.yaml"] = json.dumps({**component, **draw(kustomizations())})
        overlay["components"] = ["../c"]
    files["o/kustomization.yaml"] = json.dumps(overlay)
    for folder in ("base", "o", "c"):
        files |= {f"{folder}/f.txt": "line\nline\n", f"{folder}/f.env": "A=1\nB=two words\n"}
    return files


@settings(
    max_examples=30,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(files=repositories())
def test_generated_overlays_are_built_as_kubectl_builds_them(
    renderer: Renderer, files: dict[str, str | bytes]
) -> None:
    """Each object has a file of the repository as its source, and everything that was read is told."""
    with tempfile.TemporaryDirectory() as folder:
        expected = by_kubectl(files, "o", Path(folder))

    answer = renderer.ask(files, path="o")

    if expected is None:
        assert "err" in answer, answer
        assert answer["err"]["file"] in files, answer
        return
    documents = answer["ok"]["documents"]
    assert in_order([as_text(json.loads(text)) for *_, text in documents]) == in_order(expected)
    assert {source for source, *_ in documents} <= set(answer["ok"]["read"])
