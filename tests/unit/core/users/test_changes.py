"""What a write changed: paths and hashes, compared with the live object by the paths of field sets."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nopea.core.secret import Secret
from nopea.core.users.changes import ABSENT, MOST_CHANGES, changes_of, explains

KEY = Secret(b"k" * 32)
IMAGE = ("f:spec", "f:containers", 'k:{"name":"web"}', "f:image")


def pod(*containers: dict[str, Any], **spec: Any) -> dict[str, Any]:
    """Return an object with containers."""
    return {"metadata": {"name": "web"}, "spec": {"containers": list(containers), **spec}}


def container(name: str = "web", image: str = "web:1", **more: Any) -> dict[str, Any]:
    """Return a container."""
    return {"name": name, "image": image, **more}


def changed(old: Any, new: Any) -> dict[tuple[str, ...], bytes]:
    """Return what differs; it must not be too much."""
    found = changes_of(old, new, key=KEY)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("old", "new", "keys"),
    [
        (pod(container()), pod(container(image="web:2")), IMAGE),
        (pod(container()), pod(container("side"), container(image="web:2")), IMAGE),
        (pod(replicas=1), pod(replicas=2), ("f:spec", "f:replicas")),
        (pod(), pod(replicas=2), ("f:spec", "f:replicas")),
        (pod(replicas=2), pod(), ("f:spec", "f:replicas")),
        (pod(container(), container("side")), pod(container()), (*IMAGE[:2], 'k:{"name":"side"}')),
        (pod(container()), pod(container(), container("side")), (*IMAGE[:2], 'k:{"name":"side"}')),
        (pod(container(args=["a"])), pod(container(args=["a", "b"])), (*IMAGE[:3], "f:args")),
        (pod(tags=["a"]), pod(tags=["a", "b"]), ("f:spec", "f:tags", 'v:"b"')),
        (pod(tags=["a", "b"]), pod(tags=["a"]), ("f:spec", "f:tags", 'v:"b"')),
        (
            pod(container(ports=[{"containerPort": 80}])),
            pod(container(ports=[{"containerPort": 80, "hostPort": 1}])),
            (*IMAGE[:3], "f:ports", 'k:{"containerPort":80,"protocol":"TCP"}', "f:hostPort"),
        ),
        (
            pod(container(ports=[{"containerPort": 80, "name": "http"}])),
            pod(container(ports=[{"containerPort": 80, "name": "http", "hostPort": 1}])),
            (*IMAGE[:3], "f:ports", 'k:{"containerPort":80,"protocol":"TCP"}', "f:hostPort"),
        ),
        (pod(labels={}), pod(labels={"a": "b"}), ("f:spec", "f:labels", "f:a")),
        (pod(labels={"a": "b"}), pod(labels={}), ("f:spec", "f:labels", "f:a")),
        (pod(labels={"a": "b"}), pod(), ("f:spec", "f:labels", "f:a")),
        (pod(labels={"a": "b"}), pod(labels="x"), ("f:spec", "f:labels")),
    ],
)
def test_a_write_explains_what_it_left(old: Any, new: Any, keys: tuple[str, ...]) -> None:
    """The object as the write left it agrees; as it was before it does not; another field was not touched."""
    changes = changed(old, new)

    assert explains(changes, new, keys, key=KEY) is True
    assert explains(changes, old, keys, key=KEY) is False
    assert explains(changes, new, ("f:metadata", "f:name"), key=KEY) is None


def test_what_the_server_writes_is_no_change() -> None:
    """Each write changes the version and managedFields; the status belongs to controllers."""
    old = {"metadata": {"resourceVersion": "1", "generation": 1, "managedFields": []}, "status": {"a": 1}}
    new = {"metadata": {"resourceVersion": "2", "generation": 2, "managedFields": [{}]}, "status": {"a": 2}}

    assert changed(old, new) == {}


def test_no_value_is_kept() -> None:
    """The hashes have a key, so that they say nothing about a value."""
    changes = changed({"data": {"token": "a"}}, {"data": {"token": "hush"}})

    assert b"hush" not in b"".join(changes.values())
    assert changes != changes_of({}, {"data": {"token": "hush"}}, key=Secret(b"other"))
    assert changed({"data": {"token": "a"}}, {}) == {("f:data", "f:token"): ABSENT}


def test_a_write_of_everything_is_not_kept() -> None:
    """The memory has a bound; such a write names nobody."""
    assert changes_of({}, {"data": {str(number): "x" for number in range(MOST_CHANGES + 1)}}, key=KEY) is None


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["name", "a", "b"]), inner, max_size=3)
    ),
    max_leaves=12,
)
PATHS = st.lists(
    st.sampled_from(["f:a", "f:b", "f:name", 'k:{"name":"a"}', 'v:"a"', "i:0", "i:x", "k:{", "v:"]),
    max_size=5,
).map(tuple)


@given(JSON, JSON, PATHS)
def test_any_json_is_compared(old: Any, new: Any, keys: tuple[str, ...]) -> None:
    """No object and no path raises, and a write never contradicts what it left itself."""
    before, after = {"spec": old}, {"spec": new}
    changes = changed(before, after)

    assert explains(changes, after, ("f:spec", *keys), key=KEY) in (None, True)
