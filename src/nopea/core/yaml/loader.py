"""Compose one YAML document's events into a JSON value, within limits and with every problem in it.

Works on the C parser's flat events with a stack of its own: the C composer recurses, and dies with the
process on deep nesting. Never sees more than one document.
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

from nopea.core.problem import Code, Problem
from nopea.core.yaml.aliases import Anchored, Budget
from nopea.core.yaml.keys import key_text, plain_key
from nopea.core.yaml.limits import Limits, UnreadableError, at_line, beyond, shown
from nopea.core.yaml.scalars import FIRST_OF_A_VALUE, TAG, Scalar, plain, resolve, resolve_tagged, to_json
from nopea.core.yaml.syntax import explain

_MERGE_TAG = f"{TAG}merge"


class _Key:
    """What stands where a key is expected, when it is no text."""


_NO_KEY: Final = _Key()
_MERGE_KEY: Final = _Key()
_BAD_KEY: Final = _Key()


@dataclass(slots=True)
class _Frame:
    """A collection that is being read; `key` is the key whose value comes next, in a mapping."""

    value: Any
    is_map: bool
    anchored: Anchored | None = None
    key: str | _Key = _NO_KEY
    merges: list[Mapping[str, Any]] | None = None
    nodes: int = 0
    characters: int = 0
    height: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Composed:
    """A document's value (None when it is empty), the line where it starts, and what is wrong in it.

    `item_lines` are the lines of the items of a list under the top-level key `items`.
    """

    value: Any
    line: int
    item_lines: tuple[int, ...]
    problems: tuple[Problem, ...]


def compose(text: str, *, first_line: int, limits: Limits, budget: Budget) -> Composed:
    """Read one document; `first_line` is where it starts in its file.

    A document that cannot be read to its end has value None and a problem.
    """
    composer = _Composer(first_line, limits, budget)
    try:
        composer.read(CParser(text))
    except yaml.YAMLError as error:
        composer.fail(explain(error, text=text, first_line=first_line))
    except UnreadableError as error:
        composer.fail(error.problem)
    return composer.composed()


@dataclass(slots=True)
class _Composer:
    first_line: int
    limits: Limits
    budget: Budget
    root: Any = None
    root_line: int = 0
    documents: int = 0
    frames: list[_Frame] = field(default_factory=list)
    anchors: dict[str, Anchored] = field(default_factory=dict)
    item_lines: list[int] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def read(self, parser: CParser) -> None:
        """Take every event of the parser; raises YAMLError and UnreadableError."""
        handlers: Mapping[type[Event], Callable[[Any], None]] = {
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
        while (event := parser.get_event()) is not None:
            handler = handlers.get(type(event))
            if handler is not None:
                handler(event)

    def fail(self, problem: Problem) -> None:
        """Give the document up."""
        self.root = None
        self.problems.append(problem)

    def composed(self) -> Composed:
        """Return what was read."""
        return Composed(
            value=None if self.problems else self.root,
            line=self.root_line,
            item_lines=tuple(self.item_lines),
            problems=tuple(self.problems),
        )

    def _start_document(self, event: DocumentStartEvent) -> None:
        self.documents += 1
        if self.documents > 1:
            raise UnreadableError(
                Problem(
                    code=Code.YAML_SYNTAX,
                    message="a second document starts without a separator, and kubectl would drop it silently",
                    hint="put a line of --- between the two documents",
                    source=at_line(self._line(event)),
                )
            )

    def _scalar(self, event: ScalarEvent) -> None:
        self.budget.count(self.first_line)
        if event.tag is not None or event.anchor is not None:
            self._decorated_scalar(event)
            return
        text = event.value
        is_value = event.implicit[0] and (not text or text[0] in FIRST_OF_A_VALUE)
        frame = self.frames[-1] if self.frames else None
        if frame is not None and frame.is_map and frame.key is _NO_KEY:
            if event.implicit[0] and text == "<<":
                self._open_merge(frame, event)
            else:
                self._open_key(frame, event, plain_key if is_value else None, text)
            return
        if is_value:
            self._put_checked(event, plain, text)
        else:
            self._put(event, text)

    def _decorated_scalar(self, event: ScalarEvent) -> None:
        """Read a scalar with a tag or an anchor; its anchor also keeps what it is as a key."""
        frame = self.frames[-1] if self.frames else None
        is_key = frame is not None and frame.is_map and frame.key is _NO_KEY
        if (
            is_key
            and frame is not None
            and event.value == "<<"
            and (event.implicit[0] or event.tag == _MERGE_TAG)
        ):
            self._open_merge(frame, event)
            return
        try:
            raw = self._raw(event)
        except ValueError as error:
            self._value_problem(event, str(error))
            raw = ""
        if event.anchor is not None:
            self.anchors[event.anchor] = Anchored(raw=raw, characters=len(event.value))
        if is_key and frame is not None:
            self._open_key(frame, event, key_text, raw)
        else:
            self._put_checked(event, to_json, raw)

    @staticmethod
    def _raw(event: ScalarEvent) -> Scalar:
        if event.tag is not None:
            return resolve_tagged(event.tag, event.value)
        return resolve(event.value) if event.implicit[0] else event.value

    def _alias(self, event: AliasEvent) -> None:
        line = self._line(event)
        self.budget.count(line)
        name = event.anchor or ""
        target = self.anchors.get(name)
        if target is None or target.is_open:
            what = (
                "an alias of an anchor that this document does not define"
                if target is None
                else "an anchor contains itself"
            )
            raise self._unreadable(event, f"{what}: {shown(name)}")
        self.budget.repeat(target, line)
        if len(self.frames) + target.height > self.limits.depth:
            raise self._too_deep(event)
        frame = self.frames[-1]
        if frame.is_map and frame.key is _NO_KEY:
            if target.collection is not None:
                raise self._unreadable(event, "a key is a list or a mapping")
            self._open_key(frame, event, key_text, target.raw)
            return
        frame.height = max(frame.height, target.height + 1)
        if target.collection is None:
            self._put_checked(event, to_json, target.raw)
        else:
            self._put(event, target.collection)

    def _start_map(self, event: MappingStartEvent) -> None:
        self._start(event, _Frame({}, is_map=True))

    def _start_list(self, event: SequenceStartEvent) -> None:
        self._start(event, _Frame([], is_map=False))

    def _start(self, event: Any, frame: _Frame) -> None:
        self.budget.count(self.first_line)
        if len(self.frames) >= self.limits.depth:
            raise self._too_deep(event)
        if self.frames:
            parent = self.frames[-1]
            if parent.is_map and parent.key is _NO_KEY:
                raise self._unreadable(event, "a key is a list or a mapping")
            if len(self.frames) == 2 and self.frames[0].key == "items" and not parent.is_map:
                missing = len(parent.value) + 1 - len(self.item_lines)  # scalars and aliases have no line
                self.item_lines.extend([self._line(event)] * missing)
        frame.nodes = self.budget.nodes - 1
        frame.characters = self.budget.characters - _index(event.start_mark)
        if event.anchor is not None:
            frame.anchored = Anchored(collection=frame.value, is_open=True)
            self.anchors[event.anchor] = frame.anchored
        if not self.frames:
            self.root_line = self._line(event)
        self.frames.append(frame)

    def _end(self, event: Event) -> None:
        frame = self.frames.pop()
        for merged in frame.merges or ():
            for key, value in merged.items():
                frame.value.setdefault(key, value)
        if frame.anchored is not None:
            frame.anchored.is_open = False
            frame.anchored.nodes = self.budget.nodes - frame.nodes
            frame.anchored.characters = self.budget.characters + _index(event.end_mark) - frame.characters
            frame.anchored.height = frame.height
        if self.frames:
            self.frames[-1].height = max(self.frames[-1].height, frame.height + 1)
        self._put(event, frame.value)

    def _open_key(self, frame: _Frame, event: Event, read: Callable[[Any], str] | None, text: Any) -> None:
        try:
            key = text if read is None else read(text)
        except ValueError as error:
            frame.key = _BAD_KEY
            self._value_problem(event, str(error), hint="quote the key, or give it a name")
            return
        frame.key = key
        if key in frame.value:
            self._duplicate(event, key)

    def _open_merge(self, frame: _Frame, event: Event) -> None:
        frame.key = _MERGE_KEY
        if frame.merges is not None:
            self._duplicate(event, "<<")
        frame.merges = []

    def _put_checked(self, event: Event, read: Callable[[Any], Scalar], text: Scalar) -> None:
        try:
            value = read(text)
        except ValueError as error:
            value = None
            self._value_problem(event, str(error))
        self._put(event, value)

    def _put(self, event: Event, value: Any) -> None:
        """Give a finished value to the collection that it stands in."""
        if not self.frames:
            self.root = value
            if not isinstance(value, dict | list):
                self.root_line = self._line(event)
            return
        frame = self.frames[-1]
        if not frame.is_map:
            frame.value.append(value)
            return
        if isinstance(frame.key, str):
            frame.value[frame.key] = value
        elif frame.key is _MERGE_KEY:
            self._merge(frame, event, value)
        frame.key = _NO_KEY

    def _merge(self, frame: _Frame, event: Event, value: Any) -> None:
        sources = value if isinstance(value, list) and not isinstance(event, AliasEvent) else [value]
        if all(isinstance(source, dict) for source in sources):
            frame.merges = sources
        else:
            self._value_problem(
                event,
                "<< takes a mapping or a list of mappings",
                hint="write <<: *anchor, or quote the key '<<'",
            )

    def _duplicate(self, event: Event, key: str) -> None:
        self._report(
            Problem(
                code=Code.YAML_DUPLICATE_KEY,
                message=f"the key {shown(key)} is set twice; kubectl would silently take the last",
                hint="remove one of the two",
                source=at_line(self._line(event)),
            )
        )

    def _value_problem(self, event: Event, message: str, *, hint: str = "quote the value") -> None:
        self._report(
            Problem(code=Code.YAML_VALUE, message=message, hint=hint, source=at_line(self._line(event)))
        )

    def _unreadable(self, event: Event, message: str) -> UnreadableError:
        hint = "define the anchor before it is used, in the same document"
        if "key" in message:
            hint = "quote the key; a value in braces {{ }} is a template that must be rendered first"
        return UnreadableError(
            Problem(code=Code.YAML_VALUE, message=message, hint=hint, source=at_line(self._line(event)))
        )

    def _too_deep(self, event: Event) -> UnreadableError:
        return beyond(f"nested deeper than {self.limits.depth} levels", source=at_line(self._line(event)))

    def _report(self, problem: Problem) -> None:
        if len(self.problems) < self.limits.problems:
            self.problems.append(problem)

    def _line(self, event: Event) -> int:
        return self.first_line + (event.start_mark.line if event.start_mark else 0)


def _index(mark: Mark | _yaml.Mark | None) -> int:
    return mark.index if mark else 0
