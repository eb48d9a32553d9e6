"""Turn the values of the pages into HTML. Every text is escaped, and is one line that steers nothing."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from nopea.core.api.times import format_time, parse_time
from nopea.core.drift.mask import plain_line
from nopea.dashboard.pages.difference import ShownDifference
from nopea.dashboard.pages.overview import Filter, Level, Overview, Row
from nopea.dashboard.pages.repository import Details
from nopea.dashboard.pages.timeline import History

_HERE: Final = Path(__file__).parents[1]
STATIC: Final = _HERE / "static"
LONGEST_TEXT: Final = 4_096
_COMMAND = re.compile(r"`([^`]+)`")
_UNUSUAL = re.compile(r"(?i)://|basic|\s\s|[^\S ]")

DETAILS: Final = ("old", "head", "why", "drift", "objects", "conditions")
DIFF: Final = ("old", "head", "drift")
TIMELINE: Final = ("old", "head", "failures", "revisions", "entries", "syncs")
SECTIONS: Final[Mapping[str, tuple[str, ...]]] = {"details": DETAILS, "diff": DIFF, "timeline": TIMELINE}
"""The sections of each page of a repository that are sent again when they change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """The answer to an action."""

    text: str
    level: Level = Level.GOOD


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteMessage:
    """A page that says one thing; with `login`, it asks for a token, and continues with the page `next_page`.

    With `again`, it offers to load itself again.
    """

    title: str
    text: str
    hint: str = ""
    login: bool = False
    next_page: str = "/"
    again: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why something cannot be shown, and what to do."""

    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteInfo:
    """What every page shows: which cluster, as whom, whether a controller runs, why what is shown may be old.

    `csrf` allows actions.
    """

    cluster: str = ""
    viewer: str = ""
    logout: bool = False
    controller: str = ""
    controller_level: Level = Level.NOTE
    silent_since: str = ""
    old: str = ""
    csrf: str = ""
    read_only: bool = True


NO_SITE: Final = SiteInfo(read_only=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryPage:
    """One page of a repository: `details`, `diff` or `timeline`; `at` is the number of its last change.

    `again` says that it lacks something that may be known soon.
    """

    page: str
    view: Details
    at: str = ""
    again: bool = False
    history: History | None = None
    no_events: str = ""
    compares: bool = False
    difference: ShownDifference | None = None
    failure: Failure | None = None
    notice: Notice | None = None


def overview_page(site: SiteInfo, view: Overview, *, at: str) -> str:
    """Return the overview; `at` is the number of its last change, from which live updates go on."""
    live = f"/live?{filter_query(view.filter)}"
    return _render("overview.html", site=site, view=view, at=at, live=live)


def filter_query(chosen: Filter) -> str:
    """Return a filter as the query of an address."""
    return urlencode({"q": chosen.query, "state": chosen.states}, doseq=True)


def row_html(row: Row) -> str:
    """Return one row of the overview."""
    return _render("row.html", row=row)


def overview_parts(view: Overview) -> dict[str, str]:
    """Return what the overview shows above its rows, by id."""
    return {name: _render(f"{name}.html", view=view) for name in ("sentence", "counts")}


def site_parts(site: SiteInfo) -> tuple[str, str]:
    """Return what the overview tells of the whole: whether a controller runs, why rows may be old."""
    return _render("section_old.html", site=site), _render("controller.html", site=site)


def overview_title(view: Overview) -> str:
    """Return the title of the overview, which a tab shows while it is in the background."""
    return f"({view.needy}) Nopea" if view.needy else "Nopea"


def repository_page(site: SiteInfo, page: RepositoryPage) -> str:
    """Return a page of one repository."""
    return _render(f"{page.page}.html", **_facts(site, page))


def repository_sections(site: SiteInfo, page: RepositoryPage) -> dict[str, str]:
    """Return the sections of the page that may change, by id."""
    facts = _facts(site, page)
    return {name: _render(f"section_{name}.html", **facts) for name in SECTIONS[page.page]}


def message_page(site: SiteInfo, message: SiteMessage) -> str:
    """Return a page that says one thing."""
    return _render("message.html", site=site, message=message)


def leading_page(address: str) -> str:
    """Return a page that leads to an address at once."""
    return _render("leading.html", address=address)


def _facts(site: SiteInfo, page: RepositoryPage) -> dict[str, Any]:
    return {
        "site": site,
        "view": page.view,
        "row": page.view.row,
        "current": page.page,
        "at": page.at,
        "again": page.again,
        "actions": bool(site.csrf) and not site.read_only,
        "history": page.history,
        "no_events": page.no_events,
        "compares": page.compares,
        "difference": page.difference,
        "failure": page.failure,
        "notice": page.notice,
    }


def _render(name: str, **facts: Any) -> str:
    return _environment().get_template(name).render(**facts)


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_plain,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters.update(prose=prose, readable=readable, verbatim=verbatim)
    made.globals["asset"] = asset
    return made


def _plain(value: Any) -> Any:
    """Return what an expression prints: a text loses what could steer a terminal or turn a line around."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return _one_line(value)
    return value


def _one_line(text: str) -> str:
    """Return `plain_line` of a text; most texts have nothing that it changes, which is quicker to see."""
    if text.isprintable() and not _UNUSUAL.search(text) and len(text) <= LONGEST_TEXT:
        return text.strip()
    return plain_line(text, limit=LONGEST_TEXT)


def prose(text: str) -> Markup:
    """Return a sentence, with what is between backticks as code."""
    parts = _COMMAND.split(_one_line(text))
    marked = (
        Markup("<code>{}</code>").format(part) if index % 2 else escape(part)
        for index, part in enumerate(parts)
    )
    return Markup("").join(marked)


def readable(moment: str) -> str:
    """Return a time of the status for people; what is not a time stays as it is."""
    found = parse_time(moment)
    return moment if found is None else format_time(found).replace("T", " ").replace("Z", " UTC")


def verbatim(line: str) -> Markup:
    """Return a line of a manifest with its spaces; characters that are not printable are escaped."""
    return escape(
        "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in line)
    )


@cache
def asset(name: str) -> str:
    """Return the address of a static file, which changes with its content."""
    digest = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()
    return f"/static/{name}?v={digest[:12]}"
