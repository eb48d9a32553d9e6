"""Deliveries of GitHub."""

from __future__ import annotations

import pytest
from tests.unit.core.webhooks.sent import NEW, WEB_URL, ZERO, changes, commit, github, github_push, paths

from nopea.core.webhooks.delivery import PushedRefKind, RefChange

BRANCH, TAG = PushedRefKind.BRANCH, PushedRefKind.TAG


def test_a_push_has_all_urls_of_the_repository() -> None:
    """A user may write any of them into the spec."""
    urls = (f"{WEB_URL}.git", "git@code.acme.example:acme/shop.git", WEB_URL)
    assert github(github_push()).receive().urls == urls


def test_a_ping_is_ignored() -> None:
    """GitHub sends a ping when the webhook is created."""
    assert github(b"{}", event="ping").receive().ignored == "ping"


def test_a_deleted_branch_has_no_commit() -> None:
    """A deletion is marked by the flag or by a hash of zeros."""
    gone = [RefChange(BRANCH, "main", None, deleted=True)]

    assert changes(github(github_push(after=ZERO, head_commit=None))) == gone
    assert changes(github(github_push(deleted=True))) == gone


def test_files_are_known_only_with_all_commits() -> None:
    """The files are unknown for a forced push and for a list that may be truncated."""
    assert paths(github(github_push(commits=[commit("a"), commit("b", removed=["c"])]))) == frozenset("abc")
    assert paths(github(github_push(forced=True))) is None
    assert paths(github(github_push(commits=[commit("a")] * 2048))) is None


def test_a_deleted_tag_has_an_event_of_its_own() -> None:
    """The event contains the short name."""
    body = {"ref": "v1", "ref_type": "tag", "sha": NEW, "repository": {}}

    assert changes(github(body, event="delete")) == [RefChange(TAG, "v1", None, deleted=True)]


@pytest.mark.parametrize(("sent", "read"), [("main", "main"), (None, "")])
def test_the_default_branch_is_read(sent: str | None, read: str) -> None:
    """GitHub sends its name with every event; without it, it is unknown."""
    repository = {"clone_url": f"{WEB_URL}.git", "default_branch": sent}
    created = {"ref": "next", "ref_type": "branch", "repository": repository}

    assert github(github_push(repository=repository)).receive().default_branch == read
    assert github(created, event="create").receive().default_branch == read
