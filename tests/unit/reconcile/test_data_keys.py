"""The renderer gets the data keys that it asks for: any key of a group, as many groups as a file needs."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from nopea.core.decryption.keys import Opening, VaultKey, WrappedKey
from nopea.core.manifests.rendering import RenderAnswer, RenderRequest
from nopea.core.manifests.tool import Tool
from nopea.core.objects import RepoKey
from nopea.core.problem import Code, Problem, StalledError, SyncError, TransientError
from nopea.core.secret import Secret
from nopea.keys.port import KeyUser
from nopea.reconcile.data_keys import DataKeys

USER = KeyUser(owner=RepoKey("shop", "web"), timeout_seconds=5)
REQUEST = RenderRequest(
    tool=Tool.PLAIN, path="prod", files={}, options={"decryption": {"age": [], "pgp": []}, "private": True}
)


def _key(name: str) -> VaultKey:
    return VaultKey(id=f"id of {name}", address="https://v.example", mount="t", name=name, ciphertext="x")


def _group(*names: str) -> tuple[VaultKey, ...]:
    return tuple(map(_key, names))


class _Opener:
    """Opens a key unless an error is planned for it."""

    def __init__(self, **errors: Code) -> None:
        self.errors = errors
        self.asked: list[str] = []

    async def open(self, key: WrappedKey, user: KeyUser) -> Secret:
        assert user == USER
        assert isinstance(key, VaultKey)
        self.asked.append(key.name)
        if (code := self.errors.get(key.name)) is not None:
            problem = Problem(code=code, message=f"Not {key.name}.", hint="")
            raise (TransientError if code.transient else StalledError)(problem)
        return Secret(f"data key of {key.name}")


class _Renderer:
    """Asks for keys until it has them."""

    def __init__(self, *openings: Opening) -> None:
        self.openings = openings
        self.requests: list[RenderRequest] = []

    async def __call__(self, request: RenderRequest) -> RenderAnswer:
        self.requests.append(request)
        if "opened" in request.options["decryption"]:
            return RenderAnswer()
        return RenderAnswer(open=self.openings)


async def _opened(opener: _Opener, openings: Sequence[Opening]) -> list[str]:
    renderer = _Renderer(*openings)
    keys = DataKeys(opener, USER)
    assert await keys.render(renderer, REQUEST) == RenderAnswer()
    assert renderer.requests[0] == REQUEST
    given = renderer.requests[-1].options
    assert given["private"] is True
    assert all(
        key == f"data key of {id_.removeprefix('id of ')}".encode()
        for id_, key in given["decryption"]["opened"].items()
    )
    assert "data key of" not in f"{keys!r} {renderer.requests!r}"
    return sorted(given["decryption"]["opened"])


async def test_each_file_gets_a_key_of_its_own() -> None:
    """By the ids of the renderer; what was given before stays as it is."""
    openings = [Opening("a.yaml", 1, (_group("a"),)), Opening("b.yaml", 1, (_group("b"),))]

    assert await _opened(_Opener(), openings) == ["id of a", "id of b"]


async def test_any_key_of_a_group_is_enough() -> None:
    """The first that opens; the others are not asked."""
    opener = _Opener(a=Code.DECRYPTION_LOGIN, b=Code.KEY_SERVICE_UNREACHABLE)

    assert await _opened(opener, [Opening("a.yaml", 1, (_group("a", "b", "c", "d"),))]) == ["id of c"]
    assert opener.asked == ["a", "b", "c"]


async def test_as_many_groups_as_needed_are_opened() -> None:
    """A group that cannot be opened is left out while the others are enough."""
    opener = _Opener(a=Code.DECRYPTION_REFUSED)
    groups = (_group("a"), _group("b"), _group("c"), _group("d"))

    assert await _opened(opener, [Opening("a.yaml", 2, groups)]) == ["id of b", "id of c"]
    assert opener.asked == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("errors", "codes", "kind"),
    [
        (
            {"a": Code.DECRYPTION_LOGIN, "b": Code.DECRYPTION_REFUSED},
            ["DECRYPTION_LOGIN", "DECRYPTION_REFUSED"],
            StalledError,
        ),
        (
            {"a": Code.DECRYPTION_LOGIN, "b": Code.KEY_SERVICE_UNREACHABLE},
            ["KEY_SERVICE_UNREACHABLE"],
            TransientError,
        ),
    ],
)
async def test_every_reason_is_told_unless_time_may_mend_one(
    errors: dict[str, Code], codes: list[str], kind: type[SyncError]
) -> None:
    """With the file that needs the key."""
    with pytest.raises(kind) as raised:
        await DataKeys(_Opener(**errors), USER).render(
            _Renderer(Opening("a.yaml", 1, (_group("a", "b"),))), REQUEST
        )

    assert [problem.code.name for problem in raised.value.problems] == codes
    assert {problem.source for problem in raised.value.problems} == {"a.yaml"}


async def test_a_renderer_that_never_has_enough_ends() -> None:
    """A child that was taken over could ask without end."""
    openings = [Opening("a.yaml", 1, (_group("a"),))]

    async def greedy(request: RenderRequest) -> RenderAnswer:
        del request
        return RenderAnswer(open=tuple(openings))

    with pytest.raises(StalledError, match="NOPEA-R012"):
        await DataKeys(_Opener(), USER).render(greedy, REQUEST)
