"""The requests about comments on a pull request, and what is read of the answers. Pure; sends nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, TypeVar

import msgspec
import orjson

from nopea.core.api.spec import Provider
from nopea.core.forge.project import Project

T = TypeVar("T")

PER_PAGE: Final = 50
MOST_PAGES: Final = 20
"""So many pages are searched for a comment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgeRequest:
    """A request to the API of a Git server, without its authorization."""

    method: str
    url: str
    body: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comment:
    """A comment: who wrote it (empty if the server does not say), and how it begins."""

    id: int
    author: str
    text: str


class _Author(msgspec.Struct, frozen=True):
    login: str = ""
    username: str = ""

    @property
    def name(self) -> str:
        """GitHub and Gitea say `login`, GitLab says `username`; Gitea has both."""
        return self.login or self.username


class _Comment(msgspec.Struct, frozen=True):
    id: int
    body: str = ""
    user: _Author | None = None
    author: _Author | None = None

    @property
    def comment(self) -> Comment:
        """What is read of it."""
        who = self.user or self.author or _Author()
        return Comment(id=self.id, author=who.name, text=self.body)


def whose_token(project: Project) -> ForgeRequest:
    """Return the request for the user whose token it is."""
    return ForgeRequest(method="GET", url=f"{project.api}/user")


def list_comments(project: Project, number: int, *, page: int) -> ForgeRequest:
    """Return the request for a page of the comments, the oldest first; pages count from 1."""
    size = "limit" if project.provider is Provider.GITEA else "per_page"
    order = "&sort=asc&order_by=created_at" if project.provider is Provider.GITLAB else ""
    url = f"{_comments(project, number)}?{size}={PER_PAGE}&page={page}{order}"
    return ForgeRequest(method="GET", url=url)


def create_comment(project: Project, number: int, text: str) -> ForgeRequest:
    """Return the request that creates a comment."""
    return ForgeRequest(method="POST", url=_comments(project, number), body=orjson.dumps({"body": text}))


def update_comment(project: Project, number: int, comment: int, text: str) -> ForgeRequest:
    """Return the request that replaces the text of a comment."""
    body = orjson.dumps({"body": text})
    if project.provider is Provider.GITLAB:
        return ForgeRequest(method="PUT", url=f"{_comments(project, number)}/{comment}", body=body)
    return ForgeRequest(method="PATCH", url=f"{project.endpoint}/issues/comments/{comment}", body=body)


def user_in(answer: bytes) -> str:
    """Return the name of the user in an answer; raises ValueError for an answer that is none."""
    return _decoded(answer, _Author).name


def comment_in(answer: bytes) -> Comment:
    """Return the comment in an answer; raises ValueError for an answer that is none."""
    return _decoded(answer, _Comment).comment


def comments_in(answer: bytes) -> list[Comment]:
    """Return the comments in an answer; raises ValueError for an answer that is none."""
    return [each.comment for each in _decoded(answer, list[_Comment])]


def own_comment(comments: Iterable[Comment], *, marker: str, author: str) -> int | None:
    """Return the comment of this author that begins with the marker: others can write the marker too."""
    return next(
        (each.id for each in comments if author and each.author == author and each.text.startswith(marker)),
        None,
    )


def _comments(project: Project, number: int) -> str:
    if project.provider is Provider.GITLAB:
        return f"{project.endpoint}/merge_requests/{number}/notes"
    return f"{project.endpoint}/issues/{number}/comments"


def _decoded(answer: bytes, shape: type[T]) -> T:
    try:
        return msgspec.json.decode(answer, type=shape)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ValueError("the server sent something else") from error
