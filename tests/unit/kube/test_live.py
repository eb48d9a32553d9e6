"""Live objects as bytes that are decoded only as far as needed."""

from __future__ import annotations

import msgspec
import orjson
import pytest

from nopea.core.objects import ObjectKey
from nopea.kube.live import Applied, LiveObject, is_newer, item_of


def test_metadata_and_whole_object() -> None:
    """Metadata is typed and has defaults; each call returns a new dict of the whole object."""
    live = LiveObject(
        b'{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web","namespace":"shop","generation":3,'
        b'"creationTimestamp":null,"labels":{"a":"b"},"managedFields":[{"manager":"x"}]},"spec":{"replicas":2}}'
    )

    assert live.key == ObjectKey("apps", "Deployment", "shop", "web")
    assert (live.meta.name, live.meta.labels, live.meta.uid) == ("web", {"a": "b"}, "")
    whole = live.json()
    whole["spec"]["replicas"] = 9
    assert live.json()["spec"]["replicas"] == 2


def test_the_content_is_not_shown() -> None:
    """An object is shown by its size only, as it may be a Secret."""
    live = Applied(b'{"kind":"Secret","data":{"a":"hunter2"}}', created=True)

    assert "hunter2" not in f"{live} {live!r}"
    assert live.created


@pytest.mark.parametrize(
    ("item", "kind"),
    [
        (b'{"metadata":{"name":"a"}}', "ConfigMap"),
        (b"{}", "ConfigMap"),
        (b' { "metadata":{} }', "ConfigMap"),
        (b'{"apiVersion":"v2","kind":"Other","metadata":{"name":"a"}}', "Other"),
    ],
)
def test_list_items_get_their_kind(item: bytes, kind: str) -> None:
    """Items of a list get the missing kind; an existing kind is kept."""
    live = item_of(msgspec.Raw(item), api_version="v1", kind="ConfigMap")

    assert orjson.loads(live.body)["kind"] == kind
    assert live.head.kind == kind


def test_versions_are_compared_as_numbers() -> None:
    """A longer number is a higher one."""
    assert is_newer("10", "9")
    assert not is_newer("9", "10")
    assert not is_newer("9", "9")


@pytest.mark.parametrize(
    ("metadata", "gone"),
    [
        (b'{"name":"a"}', False),
        (b'{"deletionTimestamp":"2026-11-28T12:00:00Z","finalizers":["x"]}', False),
        (b'{"deletionTimestamp":"2026-11-28T12:00:00Z","deletionGracePeriodSeconds":30}', False),
        (b'{"deletionTimestamp":"2026-11-28T12:00:00Z","deletionGracePeriodSeconds":0}', True),
        (b'{"deletionTimestamp":"2026-11-28T12:00:00Z","finalizers":[]}', True),
        (b'{"deletionTimestamp":null,"finalizers":null}', False),
    ],
)
def test_an_answer_that_completes_a_deletion(metadata: bytes, *, gone: bool) -> None:
    """Without finalizers and grace period, the object in the answer is not stored any more."""
    assert Applied(b'{"metadata":' + metadata + b"}", created=False).is_gone is gone
