"""Deliveries of GitHub."""

from __future__ import annotations

import pytest
from tests.unit.core.webhooks.sent import (
    NEW,
    WEB_URL,
    ZERO,
    changes,
    commit,
    github,
    github_pull_request,
    github_push,
    paths,
    refused,
)

from nopea.core.webhooks.delivery import FROM_A_FORK, NO_NEW_COMMIT, PullRequest, PushedRefKind, RefChange

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


@pytest.mark.parametrize("action", ["opened", "reopened", "synchronize"])
def test_a_pull_request_with_a_new_commit(action: str) -> None:
    """Its branch, base and commit; it moves no ref that is followed."""
    received = github(github_pull_request(action), event="pull_request").receive()

    assert received.pull_request == PullRequest(number=7, branch="more", base="main", commit=NEW)
    assert (received.ignored, received.changes, received.urls) == ("", (), (f"{WEB_URL}.git",))
    assert received.default_branch == "main"


@pytest.mark.parametrize("action", ["closed", "labeled", "edited", "assigned"])
def test_what_else_happens_to_a_pull_request_is_ignored(action: str) -> None:
    """The rest of the body is not read."""
    assert github({"action": action}, event="pull_request").receive().ignored == NO_NEW_COMMIT


@pytest.mark.parametrize("head", [2, None])
def test_a_pull_request_of_a_fork_is_ignored(head: int | None) -> None:
    """Anybody can make one; a fork that was deleted has no repository."""
    received = github(github_pull_request(head=head), event="pull_request").receive()

    assert (received.ignored, received.pull_request) == (FROM_A_FORK, None)


@pytest.mark.parametrize("number", [0, -1, "7", 2**60, None])
def test_a_pull_request_without_a_number_is_refused(number: object) -> None:
    """The number becomes a part of a URL."""
    refused(github(github_pull_request(number=number), event="pull_request"))
