"""Names of objects: how they are printed, compared and parsed."""

from __future__ import annotations

import pytest

from nopea.core.objects import GroupKind, ObjectKey, RepoKey, split_api_version


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
