"""One comment for each pull request and GitRepository."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.fakes.discussions import ME
from tests.unit.core.forge.test_project import project
from tests.unit.pulls.forging import MemoryApi

from nopea.core.forge.project import Project
from nopea.core.pulls.comment import PlanComment
from nopea.core.secret import Secret
from nopea.pulls.api import ForgeRefusedError
from nopea.pulls.commenter import Commenter, CommentResult

GITHUB = project("https://github.com/acme/shop")
GITLAB = project("https://gitlab.com/acme/web/shop")
GITEA = project("https://gitea.acme.example/acme/shop")
TOKEN = Secret(b"Bearer tok")
MARKER = "<!-- nopea-plan shop/web -->\n"
PLAN = PlanComment(marker=MARKER, text=f"{MARKER}plan", is_news=True)
NOTHING = PlanComment(marker=MARKER, text=f"{MARKER}nothing", is_news=False)


async def _write(api: MemoryApi, comment: PlanComment, *, of: Project = GITHUB) -> CommentResult:
    return await Commenter(api).write(of, 7, comment, TOKEN)


@pytest.mark.parametrize("of", [GITHUB, GITLAB, GITEA])
async def test_the_comment_is_created_and_then_updated(of: Project) -> None:
    """A new process finds it; then it need not search again."""
    api = MemoryApi()
    for number in range(120):
        api.discussions.add(7, f"comment {number}", author="ann")

    created = await _write(api, PLAN, of=of)
    again = Commenter(api)
    updated = await again.write(of, 7, replace(PLAN, text=f"{MARKER}new"), TOKEN)
    api.sent.clear()
    known = await again.write(of, 7, NOTHING, TOKEN)

    assert (created, updated, known) == ("created", "updated", "updated")
    assert len(api.sent) == 1
    kept = api.discussions.of(7)[120:]
    assert [(each.author, each.body, each.edits) for each in kept] == [(ME, NOTHING.text, 2)]


async def test_what_changes_nothing_is_not_worth_a_new_comment() -> None:
    """It is searched for all the same."""
    api = MemoryApi()

    assert await _write(api, NOTHING) is CommentResult.NONE
    assert api.discussions.of(7) == []


async def test_a_comment_of_somebody_else_is_not_touched() -> None:
    """Even if it has the marker."""
    api = MemoryApi()
    forged = api.discussions.add(7, f"{MARKER}all is well", author="mallory")

    assert await _write(api, PLAN) is CommentResult.CREATED
    assert (forged.body, forged.edits) == (f"{MARKER}all is well", 0)
    assert [each.author for each in api.discussions.of(7)] == ["mallory", ME]


async def test_a_deleted_comment_is_written_again_if_that_is_worth_it() -> None:
    """Somebody may have deleted it meanwhile."""
    api = MemoryApi()
    commenter = Commenter(api)
    await commenter.write(GITHUB, 7, PLAN, TOKEN)
    api.discussions.comments.clear()

    assert await commenter.write(GITHUB, 7, NOTHING, TOKEN) is CommentResult.NONE
    assert await commenter.write(GITHUB, 7, PLAN, TOKEN) is CommentResult.CREATED


async def test_a_token_that_cannot_say_whose_it_is() -> None:
    """A process updates its own comments; the next process writes a new one."""
    api = MemoryApi()
    api.refuses["/user"] = 403
    commenter = Commenter(api)

    first = [await commenter.write(GITHUB, 7, PLAN, TOKEN) for _ in range(2)]

    assert first == ["created", "updated"]
    assert await _write(api, PLAN) is CommentResult.CREATED


@pytest.mark.parametrize(("end", "status"), [("/user", 401), ("/issues/7/comments", 403)])
async def test_a_refusal_is_raised(end: str, status: int) -> None:
    """Whoever calls says what to grant."""
    api = MemoryApi()
    api.refuses[end] = status

    with pytest.raises(ForgeRefusedError) as caught:
        await _write(api, PLAN)

    assert caught.value.status == status
