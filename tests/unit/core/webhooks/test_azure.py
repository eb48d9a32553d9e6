"""Deliveries of Azure DevOps."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.core.webhooks.sent import MAIN, NEW, azure, azure_push, changes

from nopea.core.webhooks.delivery import PushedRefKind, RefChange
from nopea.core.webhooks.match import matches_url

BRANCH = PushedRefKind.BRANCH


@pytest.mark.parametrize("resource", [None, {}, {"url": "https://dev.azure.com/x", "pushId": 3}])
def test_azure_without_details_is_a_bare_delivery(resource: Any) -> None:
    """A subscription may omit the details, but something was pushed."""
    delivery = azure(azure_push(resource=resource)).receive()

    assert (delivery.bare, delivery.changes, delivery.ignored, delivery.id) == (True, (), "", "d-1")


@pytest.mark.parametrize(
    "url",
    [
        "https://dev.azure.com/acme/Shop/_git/web",
        "https://acme@dev.azure.com/acme/Shop/_git/web",
        "git@ssh.dev.azure.com:v3/acme/Shop/web",
        "ssh://git@ssh.dev.azure.com/v3/acme/Shop/web",
        "ssh://git@ssh.dev.azure.com:22/v3/acme/Shop/web",
        "https://acme.visualstudio.com/Shop/_git/web",
        "https://acme.visualstudio.com/DefaultCollection/Shop/_git/web",
        "acme@vs-ssh.visualstudio.com:v3/acme/Shop/web",
        "ssh://acme@vs-ssh.visualstudio.com:22/v3/acme/Shop/web",
        "ssh://acme@acme.visualstudio.com:22/Shop/_git/web",
    ],
)
@pytest.mark.parametrize("sent", ["dev.azure.com/acme", "acme.visualstudio.com"])
def test_every_url_of_a_repository_is_the_one_that_azure_sends(url: str, sent: str) -> None:
    """Which host a delivery has depends on the age of the organization, not on the URL in the spec."""
    resource = {"refUpdates": [], "repository": {"remoteUrl": f"https://{sent}/Shop/_git/web"}}

    assert matches_url(url, azure(azure_push(resource=resource)).receive())


@pytest.mark.parametrize(
    "url",
    [
        "https://dev.azure.com/acme/Web/_git/Web",
        "https://dev.azure.com/acme/_git/Web",
        "git@ssh.dev.azure.com:v3/acme/Web/Web",
        "https://acme.visualstudio.com/_git/Web",
        "https://acme.visualstudio.com/DefaultCollection/_git/web",
        "acme@vs-ssh.visualstudio.com:v3/acme/web/Web",
    ],
)
@pytest.mark.parametrize("sent", ["acme/_git/Web", "acme/Web/_git/Web"])
def test_the_repository_with_the_name_of_its_project_may_leave_it_out(url: str, sent: str) -> None:
    """Azure itself sends the short URL; on a server of one's own the same holds below its collection."""
    resource = {"refUpdates": [], "repository": {"remoteUrl": f"https://dev.azure.com/{sent}"}}
    own = {"refUpdates": [], "repository": {"remoteUrl": f"https://tfs.acme.example/tfs/{sent}"}}

    assert matches_url(url, azure(azure_push(resource=resource)).receive())
    assert matches_url(
        "ssh://tfs.acme.example:22/tfs/acme/_git/Web", azure(azure_push(resource=own)).receive()
    )


@pytest.mark.parametrize(
    "url",
    [
        "https://dev.azure.com/other/Shop/_git/web",
        "https://dev.azure.com/acme/Shop/_git/api",
        "https://dev.azure.com/acme/_git/web",
        "https://other.visualstudio.com/Shop/_git/web",
        "git@ssh.dev.azure.com:v3/acme/web/web",
        "https://acme.visualstudio.com.evil.example/Shop/_git/web",
        "https://ssh.dev.azure.com/acme/Shop/web",
    ],
)
def test_another_repository_is_not_the_one_that_azure_sends(url: str) -> None:
    """Organization, project and name must all be the same."""
    assert not matches_url(url, azure(azure_push()).receive())


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
