"""The requests about comments, for each server, and what is read of answers."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.core.forge.test_project import project

from nopea.core.forge.comments import (
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

GITHUB = project("https://github.com/acme/shop.git")
GITLAB = project("https://gitlab.com/acme/web/shop.git")
GITEA = project("https://gitea.acme.example/acme/shop.git")
MARKER = "<!-- nopea-plan shop/web -->\n"


def _said(request: ForgeRequest) -> tuple[str, str]:
    return request.method, request.url


@pytest.mark.parametrize(
    ("of", "base", "page", "update"),
    [
        (GITHUB, "https://api.github.com/repos/acme/shop/issues/7/comments", "?per_page=50&page=2",
         ("PATCH", "https://api.github.com/repos/acme/shop/issues/comments/3")),
        (GITLAB, "https://gitlab.com/api/v4/projects/acme%2Fweb%2Fshop/merge_requests/7/notes",
         "?per_page=50&page=2&sort=asc&order_by=created_at",
         ("PUT", "https://gitlab.com/api/v4/projects/acme%2Fweb%2Fshop/merge_requests/7/notes/3")),
        (GITEA, "https://gitea.acme.example/api/v1/repos/acme/shop/issues/7/comments", "?limit=50&page=2",
         ("PATCH", "https://gitea.acme.example/api/v1/repos/acme/shop/issues/comments/3")),
    ],
)  # fmt: skip
def test_the_requests_of_each_server(of: Project, base: str, page: str, update: tuple[str, str]) -> None:
    """The comments are listed from the oldest."""
    assert _said(list_comments(of, 7, page=2)) == ("GET", base + page)
    assert _said(create_comment(of, 7, "text")) == ("POST", base)
    assert _said(update_comment(of, 7, 3, "text")) == update
    assert json.loads(create_comment(of, 7, 'a\n"b"').body) == {"body": 'a\n"b"'}
    assert json.loads(update_comment(of, 7, 3, "text").body) == {"body": "text"}


def test_whose_token_it_is() -> None:
    """That is asked of the server, not of the project."""
    assert _said(whose_token(GITHUB)) == ("GET", "https://api.github.com/user")
    assert _said(whose_token(GITLAB)) == ("GET", "https://gitlab.com/api/v4/user")
    assert user_in(b'{"login": "deploy", "id": 3}') == "deploy"
    assert user_in(b'{"username": "deploy", "name": "Deploy Bot"}') == "deploy"


def test_comments_of_each_server() -> None:
    """GitLab names the author otherwise, and a user may be gone."""
    answer = [
        {"id": 1, "body": MARKER, "user": {"login": "ann"}},
        {"id": 2, "body": "hello", "author": {"username": "bob"}},
        {"id": 3, "body": "bye", "user": None},
    ]

    assert comments_in(json.dumps(answer).encode()) == [
        Comment(id=1, author="ann", text=MARKER),
        Comment(id=2, author="bob", text="hello"),
        Comment(id=3, author="", text="bye"),
    ]
    assert comment_in(json.dumps(answer[1]).encode()).id == 2


def test_a_marker_of_somebody_else_does_not_count() -> None:
    """Who can comment can copy it, and could edit the plan in a comment of their own."""
    comments = [
        Comment(id=1, author="mallory", text=f"{MARKER}nothing changes"),
        Comment(id=2, author="deploy", text=f"see {MARKER}"),
        Comment(id=3, author="deploy", text=f"{MARKER}plan"),
    ]

    assert own_comment(comments, marker=MARKER, author="deploy") == 3
    assert own_comment(comments[:2], marker=MARKER, author="deploy") is None
    assert own_comment([Comment(id=1, author="", text=MARKER)], marker=MARKER, author="") is None


@given(st.one_of(st.binary(max_size=50), st.just(b"[" * 100_000)))
def test_any_answer_is_read_or_refused(answer: bytes) -> None:
    """A server may send anything."""
    for read in (user_in, comment_in, comments_in):
        try:
            read(answer)
        except ValueError:
            continue
