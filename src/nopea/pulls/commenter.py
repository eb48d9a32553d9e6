"""Writes one comment for each pull request and GitRepository, and updates it later.

It is found again by its marker among the comments of the token's user: everybody who can comment can write
the marker, and could edit a plan in a comment of their own.
"""

from __future__ import annotations

import enum
from typing import Final, Protocol, TypeAlias

from cachetools import LRUCache

from nopea.core.forge.comments import (
    MOST_PAGES,
    PER_PAGE,
    Comment,
    ForgeRequest,
    comment_in,
    comments_in,
    create_comment,
    list_comments,
    own_comment,
    update_comment,
    user_in,
    whose_token,
)
from nopea.core.forge.project import Project
from nopea.core.pulls.comment import PlanComment
from nopea.core.secret import Secret
from nopea.pulls.api import ForgeRefusedError

_MOST_REMEMBERED: Final = 10_000
_GONE: Final = frozenset({403, 404})

_Place: TypeAlias = tuple[str, int, str]
"""A project, the number of a pull request, and a marker."""


class CommentResult(enum.StrEnum):
    """What became of a comment."""

    CREATED = "created"
    UPDATED = "updated"
    NONE = "none"


class Api(Protocol):
    """Sends a request, as `pulls/api.py` does."""

    async def call(self, request: ForgeRequest, authorization: Secret) -> bytes:
        """Return the body of an answer 2xx. Raises ForgeBusyError and ForgeRefusedError."""
        ...


class Commenter:
    """Remembers its latest comments, so that not each is searched for."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._known: LRUCache[_Place, int] = LRUCache(_MOST_REMEMBERED)

    async def write(
        self, project: Project, number: int, comment: PlanComment, authorization: Secret
    ) -> CommentResult:
        """Update the comment, or create it if that is worth it. Raises as `Api.call`."""
        place = project.endpoint, number, comment.marker
        known = self._known.get(place)
        if known is None:
            known = await self._find(project, number, comment.marker, authorization)
        if known is not None:
            try:
                await self._api.call(update_comment(project, number, known, comment.text), authorization)
            except ForgeRefusedError as error:
                if error.status not in _GONE:
                    raise
                self._known.pop(place, None)  # it was deleted, or the token is another user's by now
            else:
                self._known[place] = known
                return CommentResult.UPDATED
        if not comment.is_news:
            return CommentResult.NONE
        answer = await self._api.call(create_comment(project, number, comment.text), authorization)
        self._known[place] = _read(answer).id
        return CommentResult.CREATED

    async def _find(self, project: Project, number: int, marker: str, authorization: Secret) -> int | None:
        author = await self._user(project, authorization)
        if not author:
            return None
        for page in range(1, MOST_PAGES + 1):
            answer = await self._api.call(list_comments(project, number, page=page), authorization)
            try:
                comments = comments_in(answer)
            except ValueError as error:
                raise ForgeRefusedError(f"{project.api}: {error}") from error
            found = own_comment(comments, marker=marker, author=author)
            if found is not None or len(comments) < PER_PAGE:
                return found
        return None

    async def _user(self, project: Project, authorization: Secret) -> str:
        """Return the user of the token; empty where the server does not tell, as to an app of GitHub."""
        try:
            return user_in(await self._api.call(whose_token(project), authorization))
        except ForgeRefusedError as error:
            if error.status not in _GONE:
                raise
        except ValueError:
            pass
        return ""


def _read(answer: bytes) -> Comment:
    try:
        return comment_in(answer)
    except ValueError as error:
        raise ForgeRefusedError(f"after a comment was created: {error}") from error
