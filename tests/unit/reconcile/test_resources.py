"""The kinds of a repository's documents."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from tests.fakes.cluster import FakeCluster
from tests.fakes.installation import config_map, manifest
from tests.fakes.object_store import CONFIG_MAPS, served

from nopea.core.manifests.file import parse_file
from nopea.core.manifests.render import Document, read_documents
from nopea.core.objects import GroupKind, Resource
from nopea.core.problem import Code, TransientError
from nopea.kube.discovery import Discovery
from nopea.reconcile.resources import look_up_kinds

pytestmark = pytest.mark.looptime

WIDGETS = served(
    Resource(group="shop.example.com", version="v1", kind="Widget", plural="widgets", namespaced=True)
)
FILES = {"a.yaml": config_map("a"), "w.yaml": manifest("shop.example.com/v1", "Widget", "w")}


async def test_a_kind_whose_api_service_does_not_answer_is_told_apart() -> None:
    """It may be served, so it is not unknown; the problem has the file and names the APIService."""
    cluster = FakeCluster()
    documents = _documents(FILES)
    assert (await look_up_kinds(Discovery(cluster.client), documents)).unanswered == {}
    cluster.kinds.append(WIDGETS)
    cluster.broken.add(WIDGETS.group)

    kinds = await look_up_kinds(Discovery(cluster.client), documents)
    rest, problems = kinds.split(documents)

    assert kinds.found == {("v1", "ConfigMap"): CONFIG_MAPS}
    assert kinds.group_kinds == {GroupKind("shop.example.com", "Widget")}
    assert [document.source for document in rest] == ["a.yaml#1"]
    assert [(problem.code, problem.object, problem.source) for problem in problems] == [
        (Code.API_BUSY, "shop.example.com/Widget w", "w.yaml#1")
    ]
    assert "kubectl get apiservice v1.shop.example.com" in problems[0].hint


async def test_a_kind_that_was_served_is_still_known() -> None:
    """Its objects keep their namespace and are read one by one, so that each is reported for itself."""
    cluster = FakeCluster()
    cluster.kinds.append(WIDGETS)
    discovery = Discovery(cluster.client)
    await look_up_kinds(discovery, _documents(FILES))
    cluster.broken.add(WIDGETS.group)
    discovery.invalidate()

    kinds = await look_up_kinds(discovery, _documents(FILES))

    assert kinds.unanswered == {}
    assert kinds.found["shop.example.com/v1", "Widget"] == WIDGETS


async def test_without_an_api_server_no_kind_is_known() -> None:
    """No object may count as unknown then."""
    cluster = FakeCluster()
    cluster.stop()
    with pytest.raises(TransientError) as error:
        await look_up_kinds(Discovery(cluster.client), _documents(FILES))
    assert error.value.problems[0].code is Code.API_UNREACHABLE


def _documents(files: dict[str, str]) -> Sequence[Document]:
    documents, problems = read_documents({path: parse_file(text.encode()) for path, text in files.items()})
    assert problems == []
    return documents
