"""Deliveries of Bitbucket Cloud and Bitbucket Data Center."""

from __future__ import annotations

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


def test_the_ping_of_data_center_is_not_read() -> None:
    """A ping may be unsigned, so its body is not parsed."""
    assert data_center(b"[", event="diagnostics:ping").receive().ignored == "ping"
