"""Parsing discovery documents: aggregated, legacy and invalid ones."""

from __future__ import annotations

import orjson
import pytest

from nopea.kube.discovery_wire import read_groups, read_legacy_groups, read_legacy_resources
from nopea.kube.errors import ServerError


def test_aggregated_document() -> None:
    """Resources keep their order; stale versions are marked, and entries without a kind are omitted."""
    resource = {
        "resource": "widgets",
        "responseKind": {"group": "", "version": "", "kind": "Widget"},
        "scope": "Namespaced",
        "verbs": ["get"],
    }
    group = {
        "metadata": {"name": "acme.example"},
        "versions": [
            {"version": "v2", "resources": [resource, {"resource": "nothing", "scope": "Cluster"}]},
            {"version": "v1", "freshness": "Stale", "resources": []},
        ],
    }
    served = read_groups(orjson.dumps({"items": [group]}))

    assert [str(resource) for resource in served.resources] == ["widgets.acme.example/v2"]
    assert served.stale == {("acme.example", "v1")}


def test_legacy_documents() -> None:
    """The preferred version comes first; subresources are omitted."""
    groups = {
        "groups": [
            {
                "name": "a",
                "versions": [{"version": "v2"}, {"version": "v1"}],
                "preferredVersion": {"version": "v1"},
            }
        ]
    }
    resources = [
        {"name": "widgets/status", "kind": "Widget", "namespaced": True},
        {"name": "widgets", "kind": "Widget", "namespaced": True, "verbs": ["get"]},
    ]

    assert read_legacy_groups(b'{"versions":["v1"]}', core=True) == [("", "v1")]
    assert read_legacy_groups(orjson.dumps(groups), core=False) == [("a", "v1"), ("a", "v2")]
    read = read_legacy_resources(orjson.dumps({"resources": resources}), group="a", version="v1")
    assert [resource.plural for resource in read] == ["widgets"]


@pytest.mark.parametrize("body", [b"", b"[]", b'{"items":5}', b"<html>"])
def test_an_invalid_document_is_an_error(body: bytes) -> None:
    """An invalid document does not mean that nothing is served."""
    with pytest.raises(ServerError):
        read_groups(body)
