"""Asking the API server what a caller may do."""

from __future__ import annotations

from typing import cast

import msgspec
import pytest

from nopea.kube.access import may
from nopea.kube.client import KubeClient
from nopea.kube.errors import ServerError
from nopea.kube.kinds import GIT_REPOSITORIES


class Reviewer:
    """Answers access reviews."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.asked: list[bytes] = []

    async def review(self, body: bytes) -> bytes:
        """Answer one."""
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
