"""Deliveries of GitLab."""

from __future__ import annotations

from tests.unit.core.webhooks.sent import NEW, TAG_OBJECT, ZERO, changes, gitlab, gitlab_push, paths

from nopea.core.webhooks.delivery import PushedRefKind, RefChange

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
