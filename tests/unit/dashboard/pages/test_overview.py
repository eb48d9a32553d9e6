"""The overview: order, filter and numbers."""

from __future__ import annotations

from tests.fakes.dashboard import drifted, failing, fine
from tests.fakes.samples import repository

from nopea.cli.output.concerns import needing_somebody
from nopea.core.status.concerns import concerns_of
from nopea.dashboard.pages.overview import Filter, Level, overview, row_of

ALL = Filter()
SOME = [fine("a"), drifted("b"), failing("c"), repository("d", suspend=True), failing("a", namespace="infra")]


def _names(chosen: Filter = ALL) -> list[str]:
    return [f"{row.namespace}/{row.name}" for row in overview(map(row_of, SOME), chosen).rows]


def test_worst_comes_first_as_in_nopea_status() -> None:
    """What needs nobody follows, and what is fine comes last."""
    needy = [str(found.key) for found, _ in needing_somebody([(each, concerns_of(each)) for each in SOME])]
    assert _names() == [*needy, "shop/d", "shop/a"]
    assert needy == ["infra/a", "shop/c", "shop/b"]


def test_search_finds_all_words_anywhere() -> None:
    """In the name, the state, the summary, the commit and the URL, whatever the case."""
    assert _names(Filter.of(query="SHOP drift", states=())) == ["shop/b"]
    assert _names(Filter.of(query="git.acme.example infra/", states=())) == ["infra/a"]
    assert _names(Filter.of(query="nothing like that", states=())) == []


def test_states_select_and_unknown_ones_do_nothing() -> None:
    """A filter comes from an address that anybody may write."""
    assert _names(Filter.of(query="", states=["drifted", "fine"])) == ["shop/b", "shop/a"]
    assert Filter.of(query="x" * 5_000, states=["<script>"]) == Filter(query="x" * 200)


def test_numbers_are_of_all_rows_whatever_is_shown() -> None:
    """So that a filter does not hide that something is wrong."""
    view = overview(map(row_of, SOME), Filter.of(query="", states=["fine"]))
    assert [(each.state, each.count, each.chosen) for each in view.counts] == [
        ("failing", 2, False),
        ("drifted", 1, False),
        ("waiting", 1, False),
        ("fine", 1, True),
    ]
    assert view.sentence == "3 of 5 GitRepositories need you."
    assert overview([row_of(fine())], ALL).sentence == "1 GitRepository: nothing needs you."
    assert overview([], ALL).sentence == "There are no GitRepositories."


def test_row_says_what_is_known() -> None:
    """Credentials in a URL are not shown."""
    row = row_of(repository(url="https://ada:secret@git.acme.example/x.git"))
    assert row.url == "https://git.acme.example/x.git"
    assert row.summary == "The controller has not looked at it yet."
    assert row_of(failing()).since == "2026-11-24T05:00:00Z"
    assert (row_of(failing()).level, row_of(fine()).level) == (Level.BAD, Level.GOOD)
