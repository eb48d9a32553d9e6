"""How list items are named and found."""

from __future__ import annotations

from typing import Any

import pytest

from nopea.core.apply.list_items import canonical_key, item_key, key_names, member_key, position, positions


@pytest.mark.parametrize(
    ("key", "index"),
    [
        ('k:{"name":"b"}', 1),
        ('k:{"name":"c"}', None),
        ('k:{"id":1}', 2),
        ('k:{"id":true}', 3),
        ('k:{"id":1.0}', 2),
        ('v:"x"', 4),
        ("v:true", None),
        ("v:7", 5),
        ("v:null", None),
        ("i:0", 0),
        ("i:7", None),
        ("i:-1", None),
        ("f:name", None),
        ("k:{", None),
        ("k:{}", None),
        ("", None),
    ],
)
def test_items_are_found_by_keys_values_and_indexes(key: str, index: int | None) -> None:
    """A bool is not a number, numbers match in any notation, and invalid keys match nothing."""
    items: list[Any] = [{"name": "a"}, {"name": "b"}, {"id": 1}, {"id": True}, "x", 7, None]
    assert position(items, key) == index


def test_of_duplicate_items_the_first_is_found() -> None:
    """Duplicate keys, which old objects may have, are not an error."""
    assert positions([{"name": "a"}, {"name": "a"}, "x", "x"], {'k:{"name":"a"}': {}, 'v:"x"': {}}) == {
        'k:{"name":"a"}': 0,
        'v:"x"': 2,
    }


def test_items_get_the_key_that_the_api_server_gives_them() -> None:
    """The names in a key are sorted and have defaults; an item without its key has none."""
    assert item_key({"containerPort": 80}, ("protocol", "containerPort")) == (
        'k:{"containerPort":80,"protocol":"TCP"}'
    )
    assert item_key({"name": "ä"}, ("name",)) == 'k:{"name":"ä"}'
    assert item_key({"image": "x"}, ("name",)) is None
    assert member_key("x") == 'v:"x"'
    assert key_names('k:{"containerPort":80,"protocol":"TCP"}') == ("containerPort", "protocol")
    assert key_names("k:nonsense") == ()


def test_keys_are_compared_in_canonical_form() -> None:
    """Order, spaces and escapes do not matter; an invalid key stays as it is."""
    assert canonical_key('k:{"b": 1, "a": "\\u003c"}') == 'k:{"a":"<","b":1}'
    assert canonical_key('v: "x"') == 'v:"x"'
    assert canonical_key("k:[1]") == "k:[1]"
    assert canonical_key("k:{") == "k:{"
    assert canonical_key("f:a") == "f:a"
