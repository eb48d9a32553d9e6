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


def test_bitbucket_cloud_without_links_is_known_by_its_name() -> None:
    """There is no clone URL in either case."""
    body = {**cloud_push(), "repository": {"full_name": "acme/shop"}}

    assert cloud(body).receive().urls == ("https://bitbucket.org/acme/shop",)


def test_cloud_marks_a_deleted_branch_by_its_missing_new_side() -> None:
    """The old side has its name."""
    body = cloud_push({"new": None, "old": cloud_ref()})

    assert changes(cloud(body)) == [RefChange(BRANCH, "main", None, deleted=True)]


def test_cloud_bookmarks_are_ignored() -> None:
    """They are neither branches nor tags."""
    assert cloud(cloud_push({"new": cloud_ref("bookmark"), "old": None})).receive().ignored


def test_data_center_lists_full_refs() -> None:
    """Zeros mean deleted."""
    moved, gone = {"ref": {"id": "refs/tags/v1"}, "toHash": NEW}, {"ref": {"id": MAIN}, "toHash": ZERO}

    assert changes(data_center(data_center_push(moved, gone))) == [
        RefChange(TAG, "v1", NEW),
        RefChange(BRANCH, "main", None, deleted=True),
    ]


def test_the_ping_of_data_center_is_not_read() -> None:
    """It may be unsigned."""
    assert data_center(b"[", event="diagnostics:ping").receive().ignored == "ping"
