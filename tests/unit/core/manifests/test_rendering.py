"""Rendered objects become files with objects and problems, as if they had been read from their sources."""

from __future__ import annotations

import orjson

from nopea.core.manifests.rendering import RenderedObject, files_of
from nopea.core.manifests.tool import Tool
from nopea.core.problem import Code


def _object(source: str, index: int, **fields: object) -> RenderedObject:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"c{index}"}, **fields}
    return RenderedObject(source, index, orjson.dumps(body))


def test_objects_are_in_the_file_that_they_come_from() -> None:
    """Documents are counted from 1, in the order of the rendering."""
    files, _ = files_of(
        [_object("base/a.yaml", 0), _object("b.yaml", 0), _object("base/a.yaml", 1)], Tool.KUSTOMIZE
    )

    assert {path: [each.index for each in file.documents] for path, file in files.items()} == {
        "base/a.yaml": ["1", "2"],
        "b.yaml": ["1"],
    }


def test_objects_are_normalized() -> None:
    """What only the server sets is dropped."""
    files, _ = files_of([_object("a.yaml", 0, status={"phase": "x"})], Tool.KUSTOMIZE)

    (document,) = files["a.yaml"].documents
    assert orjson.loads(document.body) == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "c0"},
    }


def test_an_object_without_a_name_is_a_problem_at_its_document() -> None:
    """The other objects of the file stay."""
    files, _ = files_of([_object("a.yaml", 0), _object("a.yaml", 1, metadata={})], Tool.KUSTOMIZE)

    (found,) = files["a.yaml"].problems
    assert (found.code, found.source) == (Code.OBJECT_METADATA, "#2")
    assert len(files["a.yaml"].documents) == 1


def test_an_object_that_is_too_big_is_a_problem() -> None:
    """The API server would refuse it."""
    files, _ = files_of([_object("a.yaml", 0, data={"x": "x" * 5_000_000})], Tool.KUSTOMIZE)

    assert [found.code for found in files["a.yaml"].problems] == [Code.YAML_LIMIT]


def _hook(events: str, **annotations: str) -> RenderedObject:
    metadata = {"name": "c", "annotations": {"helm.sh/hook": events, **annotations}}
    return _object("a.yaml", 0, metadata=metadata)


def test_the_items_of_a_list_are_objects_of_their_own() -> None:
    """Charts print lists, which the API does not store."""
    item = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one"}}
    files, _ = files_of([_object("a.yaml", 0, kind="List", items=[item, item])], Tool.HELM)

    assert [each.index for each in files["a.yaml"].documents] == ["1[0]", "1[1]"]


def test_hooks_that_are_not_applied_are_counted() -> None:
    """Only in a chart: elsewhere the annotation has no meaning."""
    hooks = [_hook("test"), _hook("pre-install")]

    files, left_out = files_of(hooks, Tool.HELM)
    plain, none = files_of(hooks, Tool.KUSTOMIZE)

    assert (len(files["a.yaml"].documents), left_out) == (1, 1)
    assert (len(plain["a.yaml"].documents), none) == (2, 0)


def test_a_hook_without_a_name_is_an_object_of_a_chart() -> None:
    """A kustomization has no hooks."""
    metadata = {"generateName": "migrate-", "annotations": {"helm.sh/hook": "pre-install"}}
    test = {"generateName": "test-", "annotations": {"helm.sh/hook": "test"}}
    objects = [_object("a.yaml", 0, metadata=metadata), _object("a.yaml", 1, metadata=test)]

    (chart, left_out), (kustomized, _) = (files_of(objects, tool) for tool in (Tool.HELM, Tool.KUSTOMIZE))

    assert (len(chart["a.yaml"].documents), chart["a.yaml"].problems, left_out) == (1, (), 1)
    assert [each.code for each in kustomized["a.yaml"].problems] == [Code.OBJECT_METADATA] * 2
