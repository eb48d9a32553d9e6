"""Pages as HTML: nothing that a cluster says becomes markup, nothing is inline, and it is fast."""

from __future__ import annotations

import hashlib
import time
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from markupsafe import escape
from tests.fakes.dashboard import drifted, failing, fine

from nopea.core.drift.mask import plain_line
from nopea.core.objects import ObjectKey
from nopea.core.plan.model import LastApplied
from nopea.core.problem import Code, Problem
from nopea.core.status.object_states import ObjectState, SyncStatus, pack_states
from nopea.dashboard.pages.difference import DifferingField, DifferingObject, LinePair, ShownDifference
from nopea.dashboard.pages.overview import Filter, Level, overview, row_of
from nopea.dashboard.pages.render import (
    LONGEST_TEXT,
    SECTIONS,
    STATIC,
    Notice,
    RepositoryPage,
    SiteInfo,
    SiteMessage,
    asset,
    message_page,
    overview_page,
    prose,
    repository_page,
    repository_sections,
    verbatim,
)
from nopea.dashboard.pages.repository import details_of
from nopea.dashboard.pages.timeline import history_of

HTMX = "d6fdc75f204e6bdefa99b69bf1e6d4ac69b8a364f77929f45c13476b4000f717"
EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>`<b>`\u202e\x1b[31m\x00"
SITE = SiteInfo(cluster=EVIL, viewer=EVIL, controller=EVIL, old=EVIL, csrf="c", read_only=False)
EVIL_KEY = ObjectKey("", EVIL[:25], "shop", "x" + EVIL)


def _problem() -> Problem:
    return Problem(code=Code.INVALID, message=EVIL, hint=EVIL, source=EVIL, object=EVIL)


def _difference() -> ShownDifference:
    field = DifferingField(path=EVIL, git=EVIL, live=None, author=EVIL, changed_at=EVIL, note=EVIL)
    same = LinePair(left="  a", right="  a", is_same=True)
    lines = (LinePair(left=EVIL, right=None), LinePair(left=None, right=None), same)
    changed = DifferingObject(
        key=EVIL, verb="change", level=Level.WARNING, reason=EVIL, source=EVIL, note=EVIL, problem=_problem(),
        fields=(field,), hidden_fields=1, lines=lines, hidden_lines=1,
    )  # fmt: skip
    return ShownDifference(commit="c0ffee", objects=(changed,), hidden_objects=1, problems=(_problem(),))


def _evil_page(name: str) -> RepositoryPage:
    moment = "2026-11-24T05:00:00Z"
    condition = {
        "type": "Ready",
        "status": "False",
        "reason": "R",
        "message": EVIL,
        "lastTransitionTime": moment,
    }
    revision = {"commit": "c" * 40, "message": EVIL, "author": EVIL, "time": EVIL[:40], "reverted": [EVIL]}
    sync = {
        "id": "",
        "commit": "c",
        "trigger": EVIL,
        "outcome": "failed",
        "started": moment,
        "duration": "1s",
    }
    suspended = ObjectState(sync=SyncStatus.SUSPENDED, sync_message=EVIL)
    evil = drifted(
        to=EVIL,
        manager=EVIL,
        conditions=[condition],
        revisions=[revision],
        history=[sync],
        lastCommitMessage=EVIL,
        lastCommitAuthor=EVIL,
        summary=EVIL[:160],
        revision=EVIL,
        errors=[{"code": "X", "message": EVIL, "hint": EVIL}],
        errorCount=1,
        kept=[{"object": {"kind": "ConfigMap", "name": EVIL}, "message": EVIL}],
        objectStates=pack_states({ObjectKey("", "ConfigMap", "shop", "x"): suspended}),
    )
    view = details_of(evil, {EVIL_KEY: LastApplied(hash="", projection=None)}, incomplete=EVIL)
    return RepositoryPage(
        page=name,
        view=view,
        at=EVIL,
        history=history_of(evil, ()),
        no_events=EVIL,
        compares=True,
        difference=_difference(),
        notice=Notice(text=EVIL),
    )


class _Tags(HTMLParser):
    """Collects what a browser takes for tags."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def _assert_harmless(html: str) -> None:
    """Only our own tags and attributes are there, nothing is inline, and no character steers."""
    tags = _Tags()
    tags.feed(html)
    assert tags.found
    for tag, attributes in tags.found:
        assert tag not in {"img", "b", "style", "iframe", "object", "embed", "base", "svg"}, tag
        assert not [name for name in attributes if name.startswith("on") or name == "style"], attributes
        if tag == "script":
            assert (attributes["src"] or "").startswith("/static/")
        for name in ("href", "action", "hx-get", "hx-post", "src", "data-live"):
            assert (attributes.get(name) or "/")[0] in "/#", attributes
    assert not {"\u202e", "\x1b", "\x00"} & set(html)


@pytest.mark.parametrize("name", SECTIONS)
def test_hostile_texts_stay_texts_on_every_page_of_a_repository(name: str) -> None:
    """Messages, names, commits, values and managers come from people who may be hostile."""
    html = repository_page(SITE, _evil_page(name))
    assert "&lt;script&gt;" in html
    _assert_harmless(html)
    for section in repository_sections(SITE, _evil_page(name)).values():
        _assert_harmless(section)


def test_hostile_texts_stay_texts_in_the_overview_and_in_messages() -> None:
    """So does what a visitor searches for."""
    row = replace(row_of(failing(message=EVIL)), name=EVIL, subject=EVIL, author=EVIL, revision=EVIL)
    row = replace(row, namespace=EVIL)
    view = overview([row], Filter(query=EVIL))
    _assert_harmless(overview_page(SITE, replace(view, rows=(row,)), at=EVIL))
    _assert_harmless(message_page(SITE, SiteMessage(title=EVIL, text=EVIL, hint=EVIL, login=True)))


def test_read_only_page_has_no_action() -> None:
    """Neither without a token for actions."""
    page = _evil_page("details")
    assert "<form" in repository_page(SITE, page)
    assert "<form" not in repository_page(replace(SITE, read_only=True), page)
    assert "<form" not in repository_page(replace(SITE, csrf=""), page)


def test_commands_are_code_and_manifests_keep_their_spaces() -> None:
    """What is between backticks is meant to be copied."""
    assert prose("Try `nopea heal <x>`.") == "Try <code>nopea heal &lt;x&gt;</code>."
    assert verbatim("  a: \x1b<") == "  a: \\x1b&lt;"


@pytest.mark.alone
def test_500_repositories_are_rendered_in_100_ms() -> None:
    """The best of five."""
    rows = [
        row_of(failing(f"app-{number}") if number % 7 else fine(f"app-{number}")) for number in range(500)
    ]
    best, html = 1.0, ""
    for _ in range(5):
        started = time.process_time()
        html = overview_page(SITE, overview(rows, Filter()), at="x-1")
        best = min(best, time.process_time() - started)
    assert html.count("<li id=") == 500
    assert best < 0.1, best


def test_vendored_htmx_is_the_released_file() -> None:
    """htmx.LICENSE.txt says where it comes from."""
    assert hashlib.sha256((STATIC / "htmx.min.js").read_bytes()).hexdigest() == HTMX
    assert "htmx 2.0.11" in (STATIC / "htmx.LICENSE.txt").read_text()
    assert asset("htmx.min.js") == f"/static/htmx.min.js?v={HTMX[:12]}"


@pytest.mark.parametrize(
    "text",
    [
        "plain",
        " a  b ",
        "https://ada:pw@git.example/x?token=1",
        "Basic QWxhZGRpbjpvcGVu",
        "a\nb\tc",
        "x\u202ey",
        "é" * 5_000,
        "\u00a0a\u00a0",
    ],
)
def test_quick_look_shows_the_same_as_the_thorough_one(text: str) -> None:
    """What may hold a credential or a character that steers is never taken as it is."""
    assert str(prose(text)) == str(escape(plain_line(text, limit=LONGEST_TEXT)))
