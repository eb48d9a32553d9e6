"""From documents to the desired objects, and to the problems of documents that cannot be rendered."""

from __future__ import annotations

import copy
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fakes.samples import problem

from nopea.core.git.source import ParsedDocument, ParsedFile
from nopea.core.manifests.render import (
    Desired,
    Document,
    Rendering,
    content_of,
    read_documents,
    render,
    resources_of_definitions,
)
from nopea.core.objects import Resource
from nopea.core.problem import Code, Problem
from nopea.core.secret import Secret

KINDS = {
    ("v1", "ConfigMap"): Resource(
        group="", version="v1", kind="ConfigMap", plural="configmaps", namespaced=True
    ),
    ("v1", "Namespace"): Resource(
        group="", version="v1", kind="Namespace", plural="namespaces", namespaced=False
    ),
    ("apps/v1", "Deployment"): Resource(
        group="apps", version="v1", kind="Deployment", plural="deployments", namespaced=True
    ),
    ("apps/v1beta2", "Deployment"): Resource(
        group="apps", version="v1beta2", kind="Deployment", plural="deployments", namespaced=True
    ),
}


def document(
    name: str = "web",
    *,
    kind: str = "ConfigMap",
    api: str = "v1",
    path: str = "a.yaml",
    spec: Any = None,
    **meta: Any,
) -> Document:
    """Return a document of this kind; `meta` is additional metadata."""
    raw = {"apiVersion": api, "kind": kind, "metadata": {"name": name, **meta}}
    return Document(
        path=path,
        index="1",
        api_version=api,
        kind=kind,
        object=raw if spec is None else {**raw, "spec": spec},
    )


def rendered(
    *documents: Document, target: str | None = None, default: str = "shop", force: bool = False
) -> tuple[list[Desired], list[Problem]]:
    """Render the documents; only the kinds above are served."""
    rendering = Rendering(owner="shop.api", default_namespace=default, target_namespace=target, force=force)
    return render(documents, rendering, lambda api, kind: KINDS.get((api, kind)))


def render_one(document_: Document, **options: Any) -> Desired:
    """Render a document that has no problems."""
    desired, problems = rendered(document_, **options)
    assert problems == []
    assert len(desired) == 1
    return desired[0]


def body(desired: Desired) -> Any:
    """Return the object in the body to apply."""
    return orjson.loads(desired.body)


@pytest.mark.parametrize(
    ("own", "target", "wanted"),
    [(None, None, "shop"), ("other", None, "other"), (None, "stage", "stage"), ("other", "stage", "stage")],
)
def test_namespaced_objects_get_a_namespace(own: str | None, target: str | None, wanted: str) -> None:
    """The targetNamespace wins over the namespace in Git; the default is that of the GitRepository."""
    desired = render_one(document(**({"namespace": own} if own else {})), target=target)

    assert desired.key.namespace == wanted
    assert body(desired)["metadata"]["namespace"] == wanted


def test_cluster_scoped_objects_get_none_and_keep_their_names() -> None:
    """The targetNamespace does not rename a Namespace, and a namespace in Git is dropped."""
    desired = render_one(document("stage", kind="Namespace", namespace="oops"), target="elsewhere")

    assert (desired.key.namespace, desired.key.name) == ("", "stage")
    assert "namespace" not in body(desired)["metadata"]
    assert body(desired)["metadata"]["name"] == "stage"


def test_every_object_is_marked_with_its_owner_and_source() -> None:
    """Labels and annotations in Git stay, but cannot name another owner or source."""
    wanted = document(
        labels={"app": "web", "nopea.io/repository": "shop.rival"},
        annotations={"note": "x", "nopea.io/source": "lie"},
        path="deploy/web.yaml",
    )

    metadata = body(render_one(wanted))["metadata"]

    assert metadata["labels"] == {"app": "web", "nopea.io/repository": "shop.api"}
    assert metadata["annotations"] == {"note": "x", "nopea.io/source": "deploy/web.yaml#1"}


def test_rendering_does_not_change_the_documents() -> None:
    """Parsed files are cached and shared by all repositories."""
    wanted = document(labels={"app": "web"}, namespace="other")
    before = copy.deepcopy(wanted.object)

    rendered(wanted, target="stage")

    assert wanted.object == before


def test_one_object_in_two_documents_is_applied_from_neither() -> None:
    """Another version or the default namespace do not make it another object; other objects are rendered."""
    twice = [
        document(kind="Deployment", api="apps/v1", path="a.yaml"),
        document(kind="Deployment", api="apps/v1beta2", path="b.yaml", namespace="shop"),
    ]

    desired, problems = rendered(*twice, document("fine"))

    assert [each.key.name for each in desired] == ["fine"]
    (found,) = problems
    assert (found.code, found.object) == (Code.DUPLICATE_OBJECT, "apps/Deployment shop/web")
    assert "a.yaml#1, b.yaml#1" in found.message


def test_a_kind_that_is_not_served_is_a_problem_of_its_object() -> None:
    """The problem contains kind, version, object and file; other objects are rendered."""
    desired, problems = rendered(
        document("s", kind="Shop", api="acme.example/v1", path="s.yaml"), document("fine")
    )

    assert [each.key.name for each in desired] == ["fine"]
    (found,) = problems
    assert found.code is Code.KIND_UNKNOWN
    assert "Shop in acme.example/v1" in found.message
    assert (found.source, found.object) == ("s.yaml#1", "acme.example/Shop s")


@pytest.mark.parametrize(("text", "wave"), [("0", 0), ("-3", -3), ("1000", 1000), ("-1000", -1000)])
def test_the_wave_is_an_annotation(text: str, wave: int) -> None:
    """The annotation sets the wave of the object."""
    assert render_one(document(annotations={"nopea.io/wave": text})).wave == wave


@pytest.mark.parametrize("text", ["", "first", "1.5", "1001", "-1001", "9" * 5000])
def test_an_invalid_wave_is_a_problem_of_its_object(text: str) -> None:
    """An object with an invalid wave is not applied; other objects are rendered."""
    desired, problems = rendered(document(annotations={"nopea.io/wave": text}), document("fine"))

    assert [each.key.name for each in desired] == ["fine"]
    assert [(found.code, found.object) for found in problems] == [
        (Code.OBJECT_METADATA, "ConfigMap shop/web")
    ]


@pytest.mark.parametrize(
    ("spec", "annotation", "force"),
    [
        (False, None, False),
        (True, None, True),
        (False, "true", True),
        (False, "false", False),
        (True, "false", True),
    ],
)
def test_recreating_is_allowed_by_spec_or_annotation(spec: bool, annotation: str | None, force: bool) -> None:
    """The annotation allows it only with the value `true`."""
    annotations = {} if annotation is None else {"nopea.io/force": annotation}

    assert render_one(document(annotations=annotations), force=spec).force is force


@settings(deadline=None, max_examples=50)
@given(st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5), max_size=5), st.randoms())
def test_the_hash_does_not_depend_on_the_order(spec: dict[str, Any], random: Any) -> None:
    """The same fields in another order have the same hash."""
    keys = list(spec)
    random.shuffle(keys)
    other = {key: spec[key] for key in keys}

    assert render_one(document(spec=_small(spec))).hash == render_one(document(spec=_small(other))).hash


def _small(spec: dict[str, Any]) -> dict[str, Any]:
    return {key: value % 2**53 if isinstance(value, int) else value for key, value in spec.items()}


@pytest.mark.parametrize(
    "other",
    [
        document(spec={"a": 2}),
        document(spec={"a": "1"}),
        document(spec={}),
        document(spec={"a": 1}, labels={"x": "y"}),
        document("b", spec={"a": 1}),
    ],
)
def test_another_document_has_another_hash(other: Document) -> None:
    """The hash depends on values, types, labels and names."""
    assert render_one(other).hash != render_one(document(spec={"a": 1})).hash


def test_documents_and_problems_are_sorted_by_path() -> None:
    """The same blob may be at two paths, so documents and problems get their path here."""
    stored = ParsedDocument(index="2", line=3, body=orjson.dumps(document().object))
    parsed = ParsedFile(documents=(stored,), problems=(problem(Code.YAML_SYNTAX, source=":14"),))

    documents, problems = read_documents({"b.yaml": parsed, "a.yaml": parsed})

    assert [each.source for each in documents] == ["a.yaml#2", "b.yaml#2"]
    assert [found.source for found in problems] == ["a.yaml:14", "b.yaml:14"]
    assert documents[0].object == document().object


def _definition(spec: Any) -> Document:
    return document(
        "shops.acme.example", kind="CustomResourceDefinition", api="apiextensions.k8s.io/v1", spec=spec
    )


def test_a_definition_announces_the_kinds_that_it_will_serve() -> None:
    """Their objects can be applied in the same sync; versions that are not served are omitted."""
    spec = {
        "group": "acme.example", "names": {"kind": "Shop", "plural": "shops"}, "scope": "Cluster",
        "versions": [{"name": "v1"}, {"name": "v2", "served": True}, {"name": "v0", "served": False}],
    }  # fmt: skip

    found = resources_of_definitions([_definition(spec), document()])

    assert set(found) == {("acme.example/v1", "Shop"), ("acme.example/v2", "Shop")}
    assert found[("acme.example/v1", "Shop")].namespaced is False
    assert found[("acme.example/v1", "Shop")].plural == "shops"


@pytest.mark.parametrize(
    "changes",
    [
        {"group": "acme.example/../v1"},
        {"group": ""},
        {"names": {"kind": "Shop", "plural": "x/../secrets"}},
        {"names": {"kind": "Shop", "plural": "shops?watch=1"}},
        {"names": {"kind": "Shop\n", "plural": "shops"}},
        {"versions": [{"name": ".."}]},
    ],
)
def test_a_definition_with_other_names_announces_nothing(changes: dict[str, Any]) -> None:
    """The API server would refuse it, and its names would become parts of paths."""
    spec = {
        "group": "acme.example", "scope": "Cluster", "names": {"kind": "Shop", "plural": "shops"},
        "versions": [{"name": "v1"}],
    }  # fmt: skip

    assert len(resources_of_definitions([_definition(spec)])) == 1
    assert resources_of_definitions([_definition({**spec, **changes})]) == {}


@settings(deadline=None, max_examples=30)
@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=3),
        lambda inner: (
            st.lists(inner, max_size=2)
            | st.dictionaries(
                st.sampled_from(["group", "names", "versions", "name", "kind", "plural", "scope"]), inner
            )
        ),
        max_leaves=12,
    )
)
def test_an_invalid_definition_raises_nothing(spec: Any) -> None:
    """The API server will reject an invalid definition."""
    for endpoint in resources_of_definitions([_definition(spec)]).values():
        assert endpoint.kind


def test_the_content_of_a_manifest_is_without_nopeas_metadata() -> None:
    """Neither the file nor an annotation for Nopea changes it; everything else does, and so does the key."""
    plain: dict[str, Any] = {"kind": "Job", "metadata": {"name": "a", "labels": {"team": "blue"}}}
    ours = {"nopea.io/source": "a.yaml#1", "nopea.io/force": "true"}
    marked = {"kind": "Job", "metadata": {**plain["metadata"], "annotations": ours}}
    other = {"kind": "Job", "metadata": {"name": "a", "labels": {"team": "red"}}}
    contents = [content_of(orjson.dumps(manifest)) for manifest in (plain, marked, other)]
    assert contents[0] == contents[1] != contents[2]
    assert content_of(orjson.dumps(plain), Secret(b"key")) != contents[0]
