"""Asking the API server what a caller may do."""

from __future__ import annotations

from typing import cast

import msgspec
import pytest

from nopea.core.objects import Resource
from nopea.kube.access import Permission, is_allowed, may
from nopea.kube.client import KubeClient, ServiceAccount
from nopea.kube.errors import ServerError
from nopea.kube.kinds import GIT_REPOSITORIES


class Reviewer:
    """Answers access reviews."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.asked: list[bytes] = []
        self.of: list[str] = []

    async def review(self, body: bytes, *, of: Resource) -> bytes:
        """Answer one."""
        self.of.append(of.kind)
        self.asked.append(body)
        return self.answer


@pytest.mark.parametrize(
    ("answer", "allowed"),
    [
        (b'{"status": {"allowed": true}}', True),
        (b'{"status": {"allowed": false}}', False),
        (b'{"status": {}}', False),
    ],
)
async def test_only_a_clear_yes_allows(answer: bytes, *, allowed: bool) -> None:
    """The question names group, resource, verb and namespace."""
    reviewer = Reviewer(answer)

    assert await may(cast("KubeClient", reviewer), "update", GIT_REPOSITORIES, namespace="shop") is allowed
    asked = msgspec.json.decode(reviewer.asked[0])
    assert asked["spec"]["resourceAttributes"] == {
        "verb": "update", "group": "nopea.io", "resource": "gitrepositories", "namespace": "shop",
    }  # fmt: skip


@pytest.mark.parametrize("answer", [b"", b"{}", b"<html>"])
async def test_another_answer_is_an_error(answer: bytes) -> None:
    """It must not pass for a yes, nor for a no that somebody then explains to a user."""
    with pytest.raises(ServerError):
        await may(cast("KubeClient", Reviewer(answer)), "update", GIT_REPOSITORIES)


async def test_others_are_asked_about_with_their_groups() -> None:
    """Groups are how most rights are granted; a name and a subresource narrow the question."""
    reviewer = Reviewer(b'{"status": {"allowed": true}}')
    permission = Permission(verb="get", group="", resource="pods/log", namespace="shop", name="web")
    account = ServiceAccount(namespace="shop", name="deployer")

    assert await is_allowed(cast("KubeClient", reviewer), permission, to=account)
    assert reviewer.of == ["SubjectAccessReview"]
    asked = msgspec.json.decode(reviewer.asked[0])["spec"]
    assert asked["user"] == "system:serviceaccount:shop:deployer"
    assert "system:serviceaccounts:shop" in asked["groups"]
    assert asked["resourceAttributes"] == {
        "verb": "get", "group": "", "resource": "pods", "subresource": "log", "namespace": "shop",
        "name": "web",
    }  # fmt: skip
