"""Compose one YAML document's events into a JSON value, within limits and with every problem in it.

Works on the C parser's flat events with a stack of its own: the C composer recurses, and crashes
the process on deep nesting. Never sees more than one document.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import yaml
from yaml import Mark, _yaml
from yaml._yaml import CParser
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from nopea.core.manifests.yaml.budget import Anchored, Budget, YamlLimits
from nopea.core.manifests.yaml.keys import key_text, plain_key
from nopea.core.manifests.yaml.problems import (
    UnreadableError,
    as_template,
    at_line,
    beyond,
    collection_as_key,
    duplicate_key,
    endless_alias,
    explain,
    second_document,
    unknown_alias,
    wrong_value,
)
from nopea.core.manifests.yaml.scalars import (
    FIRST_OF_A_VALUE,
    TAG,
    Scalar,
    plain,
    resolve,
    resolve_tagged,
    to_json,
)
from nopea.core.problem import Problem

_MERGE = "<<"
_MERGE_TAG = f"{TAG}merge"
_SPECIAL_FIRST = FIRST_OF_A_VALUE | {_MERGE[0]}


class _Key:
    """The place of a key that is not a string."""


_NO_KEY: Final = _Key()
_MERGE_KEY: Final = _Key()
_BAD_KEY: Final = _Key()


@dataclass(slots=True)
class _Frame:
    """A collection that is being read; `key` is the key whose value comes next, in a mapping.

    `nodes` and `characters` are the counts before it, `height` the levels in it.
    """

    value: Any
    is_map: bool
    nodes: int
    characters: int
    anchored: Anchored | None = None
    key: str | _Key = _NO_KEY
    merges: list[Mapping[str, Any]] | None = None
    height: int = 1

    @property
    def expects_key(self) -> bool:
        return self.is_map and self.key is _NO_KEY


@dataclass(frozen=True, slots=True, kw_only=True)
class Composed:
    """A document's value (None when it is empty), the line where it starts, and what is wrong in it.

    `item_lines` are the lines of the items of a list under the top-level key `items`.
    """

    value: Any
    line: int
    item_lines: tuple[int, ...]
    problems: tuple[Problem, ...]


def compose(text: str, *, first_line: int, limits: YamlLimits, budget: Budget) -> Composed:
    """Read one document; `first_line` is where it starts in its file.

    A document with a problem has the value None: half an object must not be applied.
    """
    composer = _Composer(first_line, limits, budget)
    problems = composer.problems
    try:
        composer.read(CParser(text))
    except yaml.YAMLError as error:
        problem = explain(error, text=text, first_line=first_line)
        problems.append(as_template(problem, text=text, first_line=first_line))
    except UnreadableError as error:
        problems.append(as_template(error.problem, text=text, first_line=first_line))
    return Composed(
        value=None if problems else composer.root.value[0],
        line=composer.root_line,
        item_lines=tuple(composer.item_lines),
        problems=tuple(problems),
    )


def _new_root() -> _Frame:
    return _Frame([None], is_map=False, nodes=0, characters=0)


@dataclass(slots=True)
class _Composer:
    """The state of reading one document; `root` is a list whose first item the document becomes."""

    first_line: int
    limits: YamlLimits
    budget: Budget
    root: _Frame = field(default_factory=_new_root)
    root_line: int = 0
    documents: int = 0
    frames: list[_Frame] = field(default_factory=list)
    anchors: dict[str, Anchored] = field(default_factory=dict)
    item_lines: list[int] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def read(self, parser: CParser) -> None:
        """Read every event of the parser; raises YAMLError and UnreadableError."""
        handlers: dict[type[Event], Callable[[Any], None]] = {
            ScalarEvent: self._scalar,
            AliasEvent: self._alias,
            MappingStartEvent: self._start_map,
            SequenceStartEvent: self._start_list,
            MappingEndEvent: self._end,
            SequenceEndEvent: self._end,
            DocumentStartEvent: self._start_document,
        }
        self.budget.start_document()
        self.root_line = self.first_line
        self.frames.append(self.root)
        while (event := parser.get_event()) is not None:
            if handler := handlers.get(type(event)):
                handler(event)

    def _start_document(self, event: DocumentStartEvent) -> None:
        self.documents += 1
        if self.documents > 1:
            raise second_document(self._line(event))
        self.root.value.clear()

    def _scalar(self, event: ScalarEvent) -> None:
        """Read a scalar; strings without tag and anchor, which most are, take the fast path."""
        self.budget.nodes += 1  # checked where collections start and end: this is the hottest line
        text, frame = event.value, self.frames[-1]
        if event.tag is not None or event.anchor is not None:
            self._decorated_scalar(event, frame)
        elif event.implicit[0] and (not text or text[0] in _SPECIAL_FIRST):
            if not frame.expects_key:
                self._put_checked(event, plain, text)
            elif text == _MERGE:
                self._open_merge(event, frame)
            else:
                self._open_key(event, frame, plain_key, text)
        elif not frame.is_map:
            frame.value.append(text)
        elif isinstance(frame.key, str):
            frame.value[frame.key] = text
            frame.key = _NO_KEY
        elif frame.key is _NO_KEY:
            if text in frame.value:
                self._report(duplicate_key(text, self._line(event)))
            frame.key = text
        else:
            self._put(event, text)

    def _decorated_scalar(self, event: ScalarEvent, frame: _Frame) -> None:
        """Read a scalar with a tag or an anchor; an anchor keeps the value before JSON narrows it."""
        is_merge = event.value == _MERGE and (event.implicit[0] or event.tag == _MERGE_TAG)
        if is_merge and frame.expects_key:
            self._open_merge(event, frame)
            return
        try:
            raw = self._raw(event)
        except ValueError as error:
            self._report(
                wrong_value(str(error), self._line(event), hint="Remove the tag, or correct the value.")
            )
            raw = event.value
        if event.anchor is not None:
            self.anchors[event.anchor] = Anchored(raw=raw, characters=len(event.value))
        self._put_raw(event, frame, raw)

    @staticmethod
    def _raw(event: ScalarEvent) -> Scalar:
        if event.tag is not None:
            return resolve_tagged(event.tag, event.value)
        return resolve(event.value) if event.implicit[0] else event.value

    def _put_raw(self, event: Event, frame: _Frame, raw: Scalar) -> None:
        if frame.expects_key:
            self._open_key(event, frame, key_text, raw)
        else:
            self._put_checked(event, to_json, raw)

    def _alias(self, event: AliasEvent) -> None:
        line, name, frame = self._line(event), event.anchor or "", self.frames[-1]
        target = self.anchors.get(name)
        if target is None:
            raise unknown_alias(line)
        if target.is_open:
            raise endless_alias(line)
        self.budget.nodes += 1
        self.budget.repeat(target, line)
        self._check_depth(target.height, line)
        if target.collection is None:
            self._put_raw(event, frame, target.raw)
            return
        if frame.expects_key:
            raise collection_as_key(line)
        frame.height = max(frame.height, target.height + 1)
        self._put(event, target.collection)

    def _start_map(self, event: MappingStartEvent) -> None:
        self._start(event, {}, is_map=True)

    def _start_list(self, event: SequenceStartEvent) -> None:
        self._start(event, [], is_map=False)

    def _start(self, event: MappingStartEvent | SequenceStartEvent, value: Any, *, is_map: bool) -> None:
        parent = self.frames[-1]
        if parent.expects_key:
            raise collection_as_key(self._line(event))
        if len(self.frames) <= 3:
            self._note_line(event, parent)
        self._check_depth(1, self._line(event))
        frame = _Frame(
            value,
            is_map=is_map,
            nodes=self.budget.nodes,
            characters=self.budget.characters - _index(event.start_mark),
        )
        self.budget.nodes += 1
        if event.anchor is not None:
            frame.anchored = self.anchors[event.anchor] = Anchored(collection=value, is_open=True)
        self.frames.append(frame)

    def _note_line(self, event: Event, parent: _Frame) -> None:
        """Record the line where the document starts, and those of its `items`."""
        if len(self.frames) == 1:
            self.root_line = self._line(event)
        elif len(self.frames) == 3 and self.frames[1].key == "items" and not parent.is_map:
            missing = len(parent.value) + 1 - len(self.item_lines)  # scalars and aliases have no line
            self.item_lines.extend([self._line(event)] * missing)

    def _end(self, event: Event) -> None:
        frame = self.frames.pop()
        self.budget.check(self._line(event))
        for merged in frame.merges or ():
            for key, value in merged.items():
                frame.value.setdefault(key, value)
        if frame.anchored is not None:
            frame.anchored.is_open = False
            frame.anchored.nodes = self.budget.nodes - frame.nodes
            frame.anchored.characters = self.budget.characters + _index(event.end_mark) - frame.characters
            frame.anchored.height = frame.height
        parent = self.frames[-1]
        parent.height = max(parent.height, frame.height + 1)
        self._put(event, frame.value)

    def _open_key(self, event: Event, frame: _Frame, read: Callable[[Any], str], text: Scalar) -> None:
        try:
            key = read(text)
        except ValueError as error:
            frame.key = _BAD_KEY
            self._report(wrong_value(str(error), self._line(event), hint="Quote the key, or give it a name."))
            return
        frame.key = key
        if key in frame.value:
            self._report(duplicate_key(key, self._line(event)))

    def _open_merge(self, event: Event, frame: _Frame) -> None:
        frame.key = _MERGE_KEY
        if frame.merges is not None:
            self._report(duplicate_key(_MERGE, self._line(event)))
        frame.merges = []

    def _put_checked(self, event: Event, read: Callable[[Any], Scalar], text: Scalar) -> None:
        value: Scalar = None
        try:
            value = read(text)
        except ValueError as error:
            self._report(wrong_value(str(error), self._line(event)))
        self._put(event, value)

    def _put(self, event: Event, value: Any) -> None:
        """Add a finished value to the collection around it."""
        frame = self.frames[-1]
        if not frame.is_map:
            frame.value.append(value)
            return
        if isinstance(frame.key, str):
            frame.value[frame.key] = value
        elif frame.key is _MERGE_KEY:
            self._merge(event, frame, value)
        frame.key = _NO_KEY

    def _merge(self, event: Event, frame: _Frame, value: Any) -> None:
        sources = value if isinstance(value, list) and not isinstance(event, AliasEvent) else [value]
        if all(isinstance(source, dict) for source in sources):
            frame.merges = sources
            return
        what = "The value of << must be a mapping or a list of mappings."
        self._report(wrong_value(what, self._line(event), hint="Write <<: *anchor, or quote the key '<<'."))

    def _check_depth(self, levels: int, line: int) -> None:
        if len(self.frames) - 1 + levels > self.limits.depth:
            raise beyond(
                f"The document is nested deeper than {self.limits.depth} levels.", source=at_line(line)
            )

    def _report(self, problem: Problem) -> None:
        if len(self.problems) >= self.limits.problems:
            raise beyond("The document has too many problems to read it to its end.", source=problem.source)
        self.problems.append(problem)

    def _line(self, event: Event) -> int:
        return self.first_line + (event.start_mark.line if event.start_mark else 0)


def _index(mark: Mark | _yaml.Mark | None) -> int:
    return mark.index if mark else 0
