"""Names of objects: how they are printed, compared and parsed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nopea.core.objects import GroupKind, ObjectKey, RepoKey, parse_key, split_api_version

WORDS = st.text(st.characters(codec="utf-8", exclude_characters=" /"), min_size=1, max_size=12)
GROUPS = st.just("") | st.lists(WORDS, min_size=1, max_size=3).map(".".join)
KEYS = st.builds(ObjectKey, GROUPS, WORDS, st.just("") | WORDS, WORDS)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (RepoKey("shop", "web"), "shop/web"),
        (GroupKind("", "Service"), "Service"),
        (GroupKind("apps", "Deployment"), "apps/Deployment"),
        (ObjectKey("apps", "Deployment", "shop", "web"), "apps/Deployment shop/web"),
        (ObjectKey("", "Namespace", "", "shop"), "Namespace shop"),
    ],
)
def test_names_are_printed(name: object, text: str) -> None:
    """The core group and a missing namespace are omitted."""
    assert str(name) == text


@pytest.mark.parametrize(
    ("api_version", "parts"),
    [
        ("v1", ("", "v1")),
        ("apps/v1", ("apps", "v1")),
        ("acme.example/v1alpha1", ("acme.example", "v1alpha1")),
    ],
)
def test_api_version_is_group_and_version(api_version: str, parts: tuple[str, str]) -> None:
    """The group of `v1` is empty."""
    assert split_api_version(api_version) == parts


def test_kinds_of_two_groups_are_two_kinds() -> None:
    """A kind with the same name in another group is another kind."""
    assert (
        ObjectKey("", "Service", "shop", "a").group_kind != ObjectKey("x", "Service", "shop", "a").group_kind
    )


@given(KEYS)
def test_a_printed_key_can_be_parsed(key: ObjectKey) -> None:
    """A key can be parsed with and without group and namespace."""
    assert parse_key(str(key)) == key


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("apps/Deployment shop/web", ObjectKey("apps", "Deployment", "shop", "web")),
        ("Service shop/web", ObjectKey("", "Service", "shop", "web")),
        ("Namespace shop", ObjectKey("", "Namespace", "", "shop")),
        (
            "rbac.authorization.k8s.io/ClusterRole system:view",
            ObjectKey("rbac.authorization.k8s.io", "ClusterRole", "", "system:view"),
        ),
        ("", None),
        (" ", None),
        ("Service", None),
        ("Service ", None),
        (" shop/web", None),
        ("apps/ shop/web", None),
        ("Service shop/", None),
        ("Service shop/web/more", None),
        ("Service shop web", None),
        ("Service shop/web ", None),
    ],
)
def test_parsing_a_key(text: str, expected: ObjectKey | None) -> None:
    """A text without kind or name, or with extra parts, is not a key."""
    assert parse_key(text) == expected


@given(st.text(max_size=20))
def test_no_text_is_misread(text: str) -> None:
    """A text that is parsed has a kind and a name, and the key is stable when printed and parsed again."""
    key = parse_key(text)
    assert key is None or (key.kind and key.name and parse_key(str(key)) == key)
