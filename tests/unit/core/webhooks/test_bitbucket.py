"""Deliveries of Bitbucket Cloud and Bitbucket Data Center."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.core.webhooks.sent import (
    MAIN,
    NEW,
    ZERO,
    changes,
    cloud,
    cloud_push,
    cloud_ref,
    data_center,
    data_center_push,
)

from nopea.core.webhooks.delivery import PushedRefKind, RefChange
from nopea.core.webhooks.match import matches_url

BRANCH, TAG = PushedRefKind.BRANCH, PushedRefKind.TAG


def test_cloud_without_links_has_a_url_from_its_name() -> None:
    """The body contains no clone URL."""
    body = {**cloud_push(), "repository": {"full_name": "acme/shop"}}

    assert cloud(body).receive().urls == ("https://bitbucket.org/acme/shop",)


def test_cloud_marks_a_deleted_branch_by_its_missing_new_side() -> None:
    """The name of the branch is in the old side."""
    body = cloud_push({"new": None, "old": cloud_ref()})

    assert changes(cloud(body)) == [RefChange(BRANCH, "main", None, deleted=True)]


def test_cloud_bookmarks_are_ignored() -> None:
    """A bookmark is neither a branch nor a tag."""
    assert cloud(cloud_push({"new": cloud_ref("bookmark"), "old": None})).receive().ignored


def test_data_center_lists_full_refs() -> None:
    """A hash of zeros means that the ref was deleted."""
    moved, gone = {"ref": {"id": "refs/tags/v1"}, "toHash": NEW}, {"ref": {"id": MAIN}, "toHash": ZERO}

    assert changes(data_center(data_center_push(moved, gone))) == [
        RefChange(TAG, "v1", NEW),
        RefChange(BRANCH, "main", None, deleted=True),
    ]


@pytest.mark.parametrize(
    "url",
    [
        "https://bitbucket.acme.example/scm/acme/shop.git",
        "https://bitbucket.acme.example/context/scm/ACME/shop.git",
        "ssh://git@bitbucket.acme.example:7999/acme/shop.git",
    ],
)
def test_data_center_without_links_matches_by_project_and_name(url: str) -> None:
    """The body of old versions names no host, so the repository may be on any."""
    repository = {"slug": "shop", "id": 1, "project": {"key": "ACME", "type": "NORMAL"}}
    delivery = data_center({**data_center_push(), "repository": repository}).receive()

    assert matches_url(url, delivery)
    assert not matches_url(url.replace("shop", "shop2"), delivery)
    assert not matches_url(url.replace("acme/shop", "other/shop").replace("ACME/", "other/"), delivery)


@pytest.mark.parametrize("repository", [{}, {"slug": "shop"}, {"project": {"key": "ACME"}}])
def test_data_center_without_a_name_matches_nothing(repository: dict[str, Any]) -> None:
    """Such a delivery needs an address with the name of the GitRepository."""
    assert data_center({**data_center_push(), "repository": repository}).receive().urls == ()


def test_the_ssh_url_of_data_center_is_its_http_url() -> None:
    """Where only one of them is enabled, the delivery has only that."""
    links = {"clone": [{"name": "http", "href": "https://code.acme.example/scm/acme/shop.git"}]}
    delivery = data_center({**data_center_push(), "repository": {"links": links}}).receive()

    assert matches_url("ssh://git@code.acme.example:7999/acme/shop.git", delivery)


def test_the_ping_of_data_center_is_not_read() -> None:
    """A ping may be unsigned, so its body is not parsed."""
    assert data_center(b"[", event="diagnostics:ping").receive().ignored == "ping"
