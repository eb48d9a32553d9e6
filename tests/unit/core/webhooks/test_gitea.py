"""Deliveries of Gitea and Forgejo."""

from __future__ import annotations

import json
from dataclasses import replace
from urllib.parse import urlencode

import pytest
from tests.unit.core.webhooks.sent import (
    NEW,
    WEB_URL,
    changes,
    gitea,
    github_pull_request,
    github_push,
    paths,
)

from nopea.core.webhooks.delivery import FROM_A_FORK, PullRequest, PushedRefKind, RefChange

BRANCH, TAG = PushedRefKind.BRANCH, PushedRefKind.TAG


def test_gitea_may_send_forms() -> None:
    """The payload is read from the form."""
    payload = json.dumps(github_push()).encode()
    form = gitea(payload).with_header("content-type", "application/x-www-form-urlencoded")

    assert changes(replace(form, body=urlencode({"payload": payload}).encode())) == [
        RefChange(BRANCH, "main", NEW)
    ]


@pytest.mark.parametrize("brand", ["gitea", "forgejo"])
def test_both_brands_send_a_push_with_an_id(brand: str) -> None:
    """Gitea and Forgejo send headers of their own besides GitHub's."""
    delivery = gitea(github_push(), brand=brand).receive()

    assert (delivery.event, delivery.id) == ("push", "d-1")


def test_files_are_known_only_with_all_commits() -> None:
    """The files are unknown if `total_commits` is larger than the list."""
    assert paths(gitea(github_push())) == frozenset({"web/app.yaml"})
    assert paths(gitea(github_push(total_commits=2))) is None


def test_creating_a_branch_has_an_event_of_its_own() -> None:
    """The event contains the short name."""
    body = {"ref": "feature/a", "ref_type": "branch", "sha": NEW, "repository": {"html_url": WEB_URL}}

    assert changes(gitea(body, event="create")) == [RefChange(BRANCH, "feature/a", NEW)]


def test_the_default_branch_is_read() -> None:
    """Gitea sends its name, as GitHub does."""
    repository = {"clone_url": f"{WEB_URL}.git", "default_branch": "main"}

    assert gitea(github_push(repository=repository)).receive().default_branch == "main"


@pytest.mark.parametrize("brand", ["gitea", "forgejo"])
@pytest.mark.parametrize("action", ["opened", "reopened", "synchronized"])
def test_a_pull_request_with_a_new_commit(brand: str, action: str) -> None:
    """The body is GitHub's, with another word for a new commit."""
    received = gitea(github_pull_request(action), event="pull_request", brand=brand).receive()
    forked = gitea(github_pull_request(action, head=2), event="pull_request", brand=brand).receive()

    assert received.pull_request == PullRequest(number=7, branch="more", base="main", commit=NEW)
    assert (received.ignored, received.id) == ("", "d-1")
    assert forked.ignored == FROM_A_FORK
