"""Deliveries of GitLab."""

from __future__ import annotations

import pytest
from tests.unit.core.webhooks.sent import (
    NEW,
    TAG_OBJECT,
    WEB_URL,
    ZERO,
    changes,
    gitlab,
    gitlab_merge_request,
    gitlab_push,
    paths,
)

from nopea.core.webhooks.delivery import FROM_A_FORK, NO_NEW_COMMIT, PullRequest, PushedRefKind, RefChange

BRANCH, TAG = PushedRefKind.BRANCH, PushedRefKind.TAG


def test_a_system_hook_has_its_event_in_the_body() -> None:
    """GitLab uses one header value for all events of a system hook."""
    push = gitlab_push(event_name="push")
    del push["object_kind"]

    assert changes(gitlab(push, event="System Hook")) == [RefChange(BRANCH, "main", NEW)]


def test_a_system_hook_about_something_else_is_ignored() -> None:
    """The body of another event is not parsed further."""
    assert gitlab({"event_name": "user_create"}, event="System Hook").receive().ignored


def test_the_commit_of_an_annotated_tag_is_checkout_sha() -> None:
    """The field `after` is the tag object, which is not used as the commit."""
    tag = gitlab_push(ref="refs/tags/v1", after=TAG_OBJECT, object_kind="tag_push")

    assert changes(gitlab(tag, event="Tag Push Hook")) == [RefChange(TAG, "v1", NEW)]
    assert changes(gitlab({**tag, "checkout_sha": None}, event="Tag Push Hook")) == [
        RefChange(TAG, "v1", None)
    ]


def test_files_are_known_only_with_all_commits() -> None:
    """GitLab lists the newest 20 commits, and none of the older ones of a new branch."""
    assert paths(gitlab(gitlab_push())) == frozenset({"api/new.yaml", "web/app.yaml"})
    assert paths(gitlab(gitlab_push(total_commits_count=21))) is None
    assert paths(gitlab(gitlab_push(before=ZERO))) is None


def test_the_default_branch_is_read() -> None:
    """GitLab sends its name in the project."""
    project = {"git_http_url": "https://code.acme.example/acme/shop.git", "default_branch": "main"}

    assert gitlab(gitlab_push(project=project)).receive().default_branch == "main"
    assert gitlab(gitlab_push(project={**project, "default_branch": None})).receive().default_branch == ""


@pytest.mark.parametrize(
    ("event", "body"),
    [
        ("Merge Request Hook", gitlab_merge_request()),
        ("Merge Request Hook", gitlab_merge_request("reopen")),
        ("Merge Request Hook", gitlab_merge_request("update", oldrev="c5" * 20)),
        ("System Hook", gitlab_merge_request()),
    ],
)
def test_a_merge_request_with_a_new_commit(event: str, body: dict[str, object]) -> None:
    """Its number in the project, branch, target and commit."""
    received = gitlab(body, event=event).receive()

    assert received.pull_request == PullRequest(number=7, branch="more", base="main", commit=NEW)
    assert (received.ignored, received.changes, received.urls) == ("", (), (f"{WEB_URL}.git",))
    assert received.default_branch == "main"


@pytest.mark.parametrize("action", ["update", "approved", "close", "merge", None])
def test_what_else_happens_to_a_merge_request_is_ignored(action: str) -> None:
    """An update without an older commit changes the title or the like."""
    body = gitlab_merge_request(action)

    assert gitlab(body, event="Merge Request Hook").receive().ignored == NO_NEW_COMMIT


@pytest.mark.parametrize("source", [2, None])
def test_a_merge_request_of_a_fork_is_ignored(source: int | None) -> None:
    """Anybody can make one; a fork that was deleted has no id."""
    body = gitlab_merge_request(source_project_id=source)

    assert gitlab(body, event="Merge Request Hook").receive().ignored == FROM_A_FORK
