"""A rendering asks again with what the renderer needs from elsewhere."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from tests.fakes.renderer import FakeRemotes, FakeRenderer, NoKeys, OneFile

from nopea.core.downloads.items import RemoteItem, RemoteKind
from nopea.core.downloads.logins import NO_LOGINS
from nopea.core.manifests.rendering import RenderAnswer, RenderedObject, RenderRequest
from nopea.core.manifests.tool import Tool
from nopea.core.objects import RepoKey
from nopea.core.problem import Code, Problem, StalledError, TransientError
from nopea.downloads.port import On
from nopea.keys.port import KeyUser
from nopea.reconcile.data_keys import DataKeys
from nopea.reconcile.remotes import Opened
from nopea.reconcile.rounds import FolderToRender, Rounds

BASE = RemoteItem(RemoteKind.BASE, "https://files.example/install.yaml")
PLACE = f"{BASE.folder}/base.yaml"


def _rounds(opener: FakeRemotes, *, fresh: bool = True) -> Rounds:
    folder = FolderToRender(
        source=OneFile("kustomization.yaml"),
        path="",
        tool=Tool.KUSTOMIZE,
        owner=RepoKey("shop", "shop"),
        timeout_seconds=5,
        fresh=fresh,
    )
    user = KeyUser(owner=folder.owner, timeout_seconds=5)
    return Rounds(folder, NO_LOGINS, opener, DataKeys(NoKeys(), user))


def _wants_base(request: RenderRequest) -> RenderAnswer:
    if PLACE not in request.files:
        return RenderAnswer(fetch=(BASE,))
    return RenderAnswer(objects=(RenderedObject(PLACE, 0, b"{}"),))


@pytest.mark.parametrize("fresh", [True, False])
async def test_what_lies_elsewhere_is_given(fresh: bool) -> None:
    """In the next round, with its place; whether servers are asked is the caller's decision."""
    opener, renderer = FakeRemotes(), FakeRenderer(_wants_base)

    rounds = _rounds(opener, fresh=fresh)
    answer = await rounds.answer(renderer, {})

    assert opener.kept == [], "whether the rendering is as it should be, the caller says"
    rounds.keep()
    assert opener.kept == [BASE]
    assert answer.objects
    assert opener.opened == [(BASE, fresh)]
    last = renderer.requests[-1]
    assert last.remotes == {BASE.key: PLACE}
    assert last.files == {"kustomization.yaml": b"blob of kustomization.yaml", PLACE: b"blob of base.yaml"}


async def test_errors_have_the_names_that_users_know() -> None:
    """The renderer's own folder says nothing to them."""

    def answer(request: RenderRequest) -> RenderAnswer:
        if PLACE not in request.files:
            return RenderAnswer(fetch=(BASE,))
        raise StalledError(
            Problem(code=Code.RENDERED_INVALID, message=f"{PLACE} is wrong.", hint="", source=f"{PLACE}:3")
        )

    with pytest.raises(StalledError) as raised:
        await _rounds(FakeRemotes()).answer(FakeRenderer(answer), {})

    (problem,) = raised.value.problems
    assert problem.message == "https://files.example/install.yaml is wrong."
    assert problem.source == "https://files.example/install.yaml:3"


async def test_all_that_cannot_be_opened_is_told_at_once() -> None:
    """Not only the first of it."""

    class Closed(FakeRemotes):
        async def open(self, item: RemoteItem, on: On, *, fresh: bool) -> Opened:
            del on, fresh
            raise TransientError(Problem(code=Code.REMOTE_UNREACHABLE, message=f"{item} is away.", hint=""))

    other = RemoteItem(RemoteKind.BASE, "https://files.example/other.yaml")

    with pytest.raises(TransientError) as raised:
        await _rounds(Closed()).answer(FakeRenderer(lambda _: RenderAnswer(fetch=(BASE, other))), {})

    assert [problem.message for problem in raised.value.problems] == [
        "https://files.example/install.yaml is away.",
        "https://files.example/other.yaml is away.",
    ]


async def test_what_was_really_read_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers say how big a file is, and may lie."""
    monkeypatch.setattr("nopea.core.manifests.limits.MAX_RENDERED_BYTES", 10)

    with pytest.raises(StalledError) as raised:
        await _rounds(FakeRemotes()).answer(FakeRenderer(_wants_base), {})

    assert raised.value.problems[0].code is Code.REPOSITORY_TOO_BIG


async def test_all_rounds_together_have_a_deadline() -> None:
    """Also what is fetched between two of them."""

    class Slow(FakeRemotes):
        async def open(self, item: RemoteItem, on: On, *, fresh: bool) -> Opened:
            await asyncio.sleep(30)
            raise AssertionError(item, on, fresh)

    rounds = _rounds(Slow())
    rounds.folder = replace(rounds.folder, timeout_seconds=0.1)
    with pytest.raises(TransientError, match="took longer than"):
        await rounds.answer(FakeRenderer(_wants_base), {})


async def test_a_renderer_that_never_has_enough_is_ended() -> None:
    """It could ask for more without end."""
    with pytest.raises(StalledError, match="levels deep"):
        await _rounds(FakeRemotes()).answer(FakeRenderer(lambda _: RenderAnswer(fetch=(BASE,))), {})
