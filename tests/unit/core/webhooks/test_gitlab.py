"""Deliveries of GitLab."""

from __future__ import annotations

from tests.unit.core.webhooks.sent import NEW, TAG_OBJECT, ZERO, changes, gitlab, gitlab_push, paths

from nopea.core.webhooks.delivery import PushedRefKind, RefChange

BRANCH, TAG = PushedRefKind.BRANCH, PushedRefKind.TAG


def test_an_instances_hook_tells_pushes_in_its_body() -> None:
    """GitLab has one header for all that an instance's hook sends."""
    push = gitlab_push(event_name="push")
    del push["object_kind"]

    assert changes(gitlab(push, event="System Hook")) == [RefChange(BRANCH, "main", NEW)]


def test_a_system_hook_about_something_else_is_ignored() -> None:
    """Its body is read no further."""
    assert gitlab({"event_name": "user_create"}, event="System Hook").receive().ignored


def test_an_annotated_tag_is_at_the_commit_of_the_checkout() -> None:
    """`after` is the tag object, which is never reported as a commit."""
    tag = gitlab_push(ref="refs/tags/v1", after=TAG_OBJECT, object_kind="tag_push")

    assert changes(gitlab(tag, event="Tag Push Hook")) == [RefChange(TAG, "v1", NEW)]
    assert changes(gitlab({**tag, "checkout_sha": None}, event="Tag Push Hook")) == [
        RefChange(TAG, "v1", None)
    ]


def test_files_are_known_only_with_all_commits() -> None:
    """GitLab lists the newest 20; a new branch lists none of the older ones."""
    assert paths(gitlab(gitlab_push())) == frozenset({"api/new.yaml", "web/app.yaml"})
    assert paths(gitlab(gitlab_push(total_commits_count=21))) is None
    assert paths(gitlab(gitlab_push(before=ZERO))) is None
