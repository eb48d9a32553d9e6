"""The numbers of changes."""

from __future__ import annotations

from dataclasses import replace

from tests.fakes.dashboard import failing, fine

from nopea.core.objects import RepoKey
from nopea.dashboard import board as module
from nopea.dashboard.board import Board, Told
from nopea.dashboard.source import ControllerState

TOLD = Told(ControllerState(True, "It runs."), "")
WEB, API = RepoKey("shop", "web"), RepoKey("shop", "api")


def test_only_what_changed_gets_a_new_number() -> None:
    """A look that finds nothing new changes nothing."""
    board = Board()
    board.look([fine("api"), failing("web")], TOLD)
    at = board.number
    board.look([fine("api"), replace(failing("web"), resource_version="8")], TOLD)
    assert board.row_number(API) <= at < board.row_number(WEB) == board.number
    before = board.at
    board.look([fine("api"), replace(failing("web"), resource_version="8")], TOLD)
    assert board.at == before


def test_what_is_told_on_all_pages_has_a_number_of_its_own() -> None:
    """No repository changes with it."""
    board = Board()
    board.look([fine("api")], TOLD)
    at = board.number
    board.look([fine("api")], TOLD)
    assert board.number == at
    board.look([fine("api")], replace(TOLD, old="The watch is interrupted."))
    assert board.row_number(API) <= at < board.told_number == board.number
    assert board.told.old == "The watch is interrupted."


def test_deleted_and_created_again_is_a_change() -> None:
    """Its version may be the same: the uid is not."""
    board = Board()
    board.look([fine("api")], TOLD)
    at = board.number
    board.look([], TOLD)
    assert board.gone_since(at) == [API]
    assert board.rows() == []
    board.look([replace(fine("api"), uid="another")], TOLD)
    assert board.gone_since(at) == []
    assert board.row_number(API) == board.number


def test_number_of_another_process_is_not_known() -> None:
    """Nor is anything else that a visitor writes into an address."""
    board, other = Board(), Board()
    board.look([fine()], TOLD)
    assert board.number_of(board.at) == board.number
    for text in (
        other.at,
        "",
        "x",
        "-1",
        f"{board.at}0000",
        board.at.replace("-", "--"),
        "9" * 5_000,
        "\u0663",
    ):
        assert board.number_of(text) is None


def test_forgets_what_is_long_gone() -> None:
    """A page that is older than what is remembered has to be loaded again."""
    board = Board()
    board.look([fine(f"r{number}") for number in range(module.MOST_GONE + 10)], TOLD)
    at = board.at
    board.look([], TOLD)
    assert len(board.gone_since(0)) == module.MOST_GONE
    assert board.number_of(at) is None
    assert board.number_of(board.at) == board.number
