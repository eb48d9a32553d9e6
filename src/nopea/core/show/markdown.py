"""A plan as Markdown for a comment on a pull request; never longer than GitHub accepts.

What comes from Git is in code blocks and `<code>`, and cannot leave them.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from nopea.core.plan.inspection import Inspection
from nopea.core.plan.model import Action
from nopea.core.plan.object_diff import ObjectDiff
from nopea.core.problem import Problem, printable
from nopea.core.show.facts import (
    HELD_BACK,
    change_lines,
    facts,
    is_unchanged,
    other_problems,
    refusals,
    rights_notes,
    summary,
    verb_of,
)
from nopea.core.show.words import count

LIMIT: Final = 65_000
"""GitHub's limit is 65,536 characters; a job may add a line."""

MOST_COMPARED: Final = 2 * 1024 * 1024
"""Bytes of objects whose differences are made: that takes seconds, and hardly more fits into a comment."""

_SECTION: Final = 20_000
"""The most characters of the code block of one object."""

_TAIL: Final = 1_000
"""What the end of the comment may need."""

_NAME: Final = 200
_ORDER: Final = ("delete", "change", "create", "leave")
_MARKS: Final = {"delete": "🗑️", "change": "✏️", "create": "🆕", "leave": "⏸️"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Section:
    """A part of the comment that is not written yet: about `count` objects, with `cost` bytes to compare."""

    count: int
    cost: int = 0
    write: Callable[[], str]
    brief: Callable[[], str] | None = None
    """Writes it without the difference, if it has one."""


def markdown(inspection: Inspection, *, title: str = "", notes: Sequence[str] = ()) -> str:
    """Return the comment: a heading with the counts, the refused objects, then a section for each object.

    More people read it than may read the objects, so what looks like a secret is masked in all kinds.
    `title` says what was planned, `notes` what keeps a sync from doing it. Objects that do not fit are
    counted at the end, and after `MOST_COMPARED` bytes no more differences are made.
    """
    objects = inspection.objects
    others = other_problems(inspection)
    numbers = summary(objects) if objects or not others else "nothing can be planned"
    if others:
        numbers += f", {count(len(others), 'other problem')}"
    text = f"### Nopea plan: {numbers.removesuffix('.')}\n\n"
    if title:
        text += f"<p>{_code(title)}</p>\n\n"
    text += "".join(f"<p>{html.escape(note)}</p>\n\n" for note in notes)
    end = "".join(f"<p>{html.escape(note)}</p>\n\n" for note in rights_notes(objects))[:_TAIL]
    sections = list(_sections(objects, others))
    compared = 0
    for number, section in enumerate(sections):
        compared += section.cost
        write = section.brief if section.brief and compared > MOST_COMPARED else section.write
        written = write()
        if len(text) + len(written) > LIMIT - _TAIL - len(end):
            left = sum(each.count for each in sections[number:])
            end += f"{count(left, 'object')} left out: a comment holds at most 65,536 characters.\n"
            break
        text += written
    return f"{text}{end}".rstrip("\n") + "\n"


def fenced(lines: Iterable[str], language: str) -> str:
    """Return a code block that nothing in the lines can end; long ones are cut."""
    shown: list[str] = []
    size = left = 0
    for line in lines:
        line = "".join(char if char.isprintable() or char == "\t" else "�" for char in line)
        size += len(line) + 1
        if size > _SECTION:
            left += 1
        else:
            shown.append(line)
    if left:
        shown.append(f"({count(left, 'more line')})")
    longest = max((len(run) for line in shown for run in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    return "\n".join((f"{fence}{language}", *shown, fence, ""))


def _sections(objects: Sequence[ObjectDiff], others: Sequence[Problem]) -> Iterator[_Section]:
    """Yield the sections in their order."""
    for group in refusals(objects):
        yield _Section(count=len(group), write=partial(_refused, group))
    for problem in others:
        yield _Section(count=1, write=partial(_problem, problem))
    shown = [each for each in objects if each.step.action is not Action.REFUSE and not is_unchanged(each)]
    for each in sorted(shown, key=lambda each: _ORDER.index(verb_of(each))):
        cost = len(each.step.desired.body) if each.change is not None and each.step.desired else 0
        brief = partial(_brief, each) if cost else None
        yield _Section(count=1, cost=cost, write=partial(_object, each), brief=brief)


def _refused(group: Sequence[ObjectDiff]) -> str:
    first, problem = group[0], group[0].step.problem
    lines = [str(each.step.key) for each in group] if len(group) > 1 else []
    lines += [line for each in group for line in facts(each.for_public())]
    lines += _problem_lines(problem) if problem else [HELD_BACK]
    what = _of(first) if len(group) == 1 else f"{len(group)} objects: {first.step.reason}"
    return _details(f"❌ refused: {what}", fenced(lines, "text"), is_open=True)


def _problem(problem: Problem) -> str:
    where = " ".join(filter(None, (problem.source, problem.object))) or str(problem.code)
    return _details(f"❌ {_code(where)}", fenced(_problem_lines(problem), "text"), is_open=True)


def _object(each: ObjectDiff) -> str:
    public = each.for_public()
    known, changes = [*facts(public)], change_lines(public)
    body = fenced(known, "text") if known else ""
    body += fenced(changes, "diff") if changes else ""
    return _details(_title(each), body, is_open=False)


def _brief(each: ObjectDiff) -> str:
    why = f"not shown: the plan changes more than {MOST_COMPARED // 2**20} MiB of objects"
    return _details(_title(each), fenced([why], "text"), is_open=False)


def _title(each: ObjectDiff) -> str:
    verb = verb_of(each)
    return f"{_MARKS[verb]} {verb}: {_of(each)}"


def _problem_lines(problem: Problem) -> list[str]:
    return [*f"{problem.code}: {problem.message}".split("\n"), *f"→ {problem.hint}".split("\n")]


def _of(object_diff: ObjectDiff) -> str:
    step = object_diff.step
    source = f" ({_code(step.desired.source)})" if step.desired else ""
    return f"{_code(str(step.key))} {step.reason}{source}"


def _code(text: str) -> str:
    line = " ".join(printable(text).split())
    return f"<code>{html.escape(line if len(line) <= _NAME else f'{line[: _NAME - 1]}…')}</code>"


def _details(title: str, body: str, *, is_open: bool) -> str:
    if not body:
        return f"<p>{title}</p>\n\n"
    opening = "<details open>" if is_open else "<details>"
    return f"{opening}<summary>{title}</summary>\n\n{body}\n</details>\n\n"
