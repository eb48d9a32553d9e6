"""Deliveries of Azure DevOps."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.core.webhooks.sent import MAIN, NEW, azure, azure_push, changes

from nopea.core.webhooks.delivery import PushedRefKind, RefChange

BRANCH = PushedRefKind.BRANCH


@pytest.mark.parametrize("resource", [None, {}, {"url": "https://dev.azure.com/x", "pushId": 3}])
def test_azure_without_details_is_a_bare_delivery(resource: Any) -> None:
    """A subscription may omit the details, but something was pushed."""
    delivery = azure(azure_push(resource=resource)).receive()

    assert (delivery.bare, delivery.changes, delivery.ignored, delivery.id) == (True, (), "", "d-1")


def test_azures_ssh_url_is_another_path_on_another_host() -> None:
    """The SSH URL is added to the one that Azure sends."""
    remote = "https://acme@dev.azure.com/acme/My%20Shop/_git/web"
    resource = {"refUpdates": [], "repository": {"remoteUrl": remote}}

    assert azure(azure_push(resource=resource)).receive().urls == (
        remote,
        "git@ssh.dev.azure.com:v3/acme/My%20Shop/web",
    )


def test_a_push_lists_its_refs() -> None:
    """Each branch and tag has its new commit; other refs are ignored."""
    updates = [{"name": MAIN, "newObjectId": NEW}, {"name": "refs/notes/x", "newObjectId": NEW}]

    assert changes(azure(azure_push(resource={"refUpdates": updates}))) == [RefChange(BRANCH, "main", NEW)]


def test_other_events_are_ignored() -> None:
    """The resource of another event is not parsed."""
    assert azure({"eventType": "build.complete", "resource": 3}).receive().ignored


def test_the_default_branch_is_read() -> None:
    """Azure sends its full name."""
    repository = {"remoteUrl": "https://dev.azure.com/acme/Shop/_git/web", "defaultBranch": MAIN}

    push = azure(azure_push(resource={"refUpdates": [], "repository": repository}))

    assert push.receive().default_branch == "main"
