"""What Git may not declare with Nopea's own rights."""

from __future__ import annotations

from typing import Any, cast

import msgspec
import pytest

from nopea.core.manifests.render import Desired
from nopea.core.manifests.stages import Stage
from nopea.core.objects import Resource
from nopea.core.problem import Code
from nopea.kube.client import KubeClient
from nopea.kube.errors import UnreachableError
from nopea.kube.kinds import ACCESS_REVIEWS, GIT_REPOSITORIES, INVENTORIES, SECRETS
from nopea.reconcile.own_kinds import OwnKinds


class Reviewer:
    """Allows writing in some namespaces."""

    def __init__(self, *namespaces: str) -> None:
        self.namespaces = namespaces
        self.asked: list[str] = []

    async def review(self, body: bytes, *, of: Resource) -> bytes:
        """Answer one question."""
        assert of == ACCESS_REVIEWS
        attributes = msgspec.json.decode(body)["spec"]["resourceAttributes"]
        self.asked.append(f"{attributes['verb']} {attributes['resource']} {attributes['namespace']}")
        return msgspec.json.encode({"status": {"allowed": attributes["namespace"] in self.namespaces}})


def declared(resource: Resource, namespace: str, name: str = "web") -> Desired:
    """Return an object in Git."""
    return Desired(
        key=resource.at(name=name, namespace=namespace).key, resource=resource, body=b"{}", hash="h",
        source="a.yaml#1", stage=Stage.REST, wave=0, force=False,
    )  # fmt: skip


async def refused(client: Any, *desired: Desired) -> list[str]:
    """Return the names of the refused objects."""
    own_kinds = OwnKinds(cast("KubeClient", client))
    problems = [problem for one in desired if (problem := await own_kinds.problem_of(one)) is not None]
    assert {problem.code for problem in problems} <= {Code.FORBIDDEN}
    return [problem.object for problem in problems]


async def test_they_are_written_only_where_more_rights_than_nopeas_own_say_so() -> None:
    """Each kind and namespace is asked about once; other kinds are the API server's to refuse."""
    reviewer = Reviewer("infra")

    assert await refused(
        reviewer,
        declared(GIT_REPOSITORIES, "shop"),
        declared(GIT_REPOSITORIES, "shop", "api"),
        declared(GIT_REPOSITORIES, "infra"),
        declared(INVENTORIES, "shop"),
        declared(SECRETS, "shop"),
    ) == [
        "nopea.io/GitRepository shop/web",
        "nopea.io/GitRepository shop/api",
        "nopea.io/Inventory shop/web",
    ]
    assert reviewer.asked == [
        "update gitrepositories shop",
        "update gitrepositories infra",
        "update inventories shop",
    ]


async def test_an_unanswered_question_is_no_permission() -> None:
    """The sync is tried again."""

    class Away:
        async def review(self, _: bytes, *, of: Resource) -> bytes:
            raise UnreachableError(f"no route for {of.plural}")

    with pytest.raises(UnreachableError):
        await refused(Away(), declared(GIT_REPOSITORIES, "shop"))
