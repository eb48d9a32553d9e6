"""The problems of reading YAML and JSON, in one wording. Never quotes a value: it may be a secret."""

from __future__ import annotations

import re
from dataclasses import replace

import yaml
from yaml.reader import ReaderError

from nopea.core.problem import Code, Problem

EXCLUDE = "exclude the file with spec.exclude or .nopeaignore"
"""The end of a hint about a file that is not a manifest."""

_SHOWN_CHARACTERS = 80
_HELM = re.compile(
    r"\{\{[^{}\n]{0,200}?(?:\.(?:Values|Release|Chart|Capabilities)\b|\b(?:include|define|toYaml)\s)"
)
_INDENT = "Check the indentation of this line and of the lines above it."
_QUOTE = "Quote a value that starts with a special character, and indent with spaces, not tabs."
_ALIAS = "Define the anchor above the alias, in the same document."
_BY_PARSER: tuple[tuple[str, str, str], ...] = (
    # a part of the parser's message, our message, our hint
    (
        "mapping values are not allowed",
        "A second 'key: value' is on a line where only one is allowed.",
        f"Quote a value that contains ': '. {_INDENT}",
    ),
    ("cannot start any token", "A value starts with a tab, @, ` or %, which YAML does not allow.", _QUOTE),
    ("end of stream", "A quoted string is not closed.", "Add the missing quote."),
    (
        "document indicator",
        "A quoted string is not closed before the next document.",
        "Add the missing quote.",
    ),
    ("',' or ']'", "A [list] is not closed.", "Add the missing ] or comma."),
    (
        "',' or '}'",
        "A {mapping} is not closed.",
        "Add the missing } or comma. Quote a value that contains braces.",
    ),
    ("expected key", "A key is missing.", _INDENT),
    ("'-' indicator", "A list item is missing.", _INDENT),
    ("could not find expected ':'", "A key has no ':' after it.", f"Add ': ' after the key. {_INDENT}"),
    ("node content", "A value is missing.", _QUOTE),
    ("block sequence entries", "A list item is not allowed here.", _INDENT),
    ("block mapping", "A mapping is not allowed here.", _INDENT),
    (
        "<document start>",
        "The document continues after its end, or has a % directive.",
        "Separate documents with a line of ---, and remove % directives.",
    ),
    ("indentation space", "The indentation contains a tab.", "Indent with spaces."),
    (
        "escape",
        "A double-quoted string contains an unknown \\ escape.",
        "Write \\\\ for a backslash, or use single quotes.",
    ),
    ("tag", "A tag cannot be parsed.", "Remove the tag, or quote a value that starts with !."),
)


class UnreadableError(Exception):
    """The rest of this document cannot be read; `problem` says why."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


def at_line(line: int) -> str:
    """Return a problem's source for a line, counted from 1; the reader puts the path before it."""
    return f":{line}"


def shown(text: str) -> str:
    """Return a name from a file fit for a message: one line, printable, at most 80 characters."""
    clipped = text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"
    return "".join(
        character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in clipped
    )


def beyond(message: str, *, source: str) -> UnreadableError:
    """Return the error for a file or document that exceeds a limit."""
    return UnreadableError(
        Problem(
            code=Code.YAML_LIMIT,
            message=message,
            hint=f"Split or simplify the file. If it is not a manifest, {EXCLUDE}.",
            source=source,
        )
    )


def duplicate_key(key: str, line: int) -> Problem:
    """Return the problem of a key that is set twice in one mapping."""
    return Problem(
        code=Code.YAML_DUPLICATE_KEY,
        message=f"The key {shown(key)} is duplicated. kubectl would silently use the last value.",
        hint="Remove one of the two.",
        source=at_line(line),
    )


def wrong_value(message: str, line: int, *, hint: str = "Quote the value.") -> Problem:
    """Return the problem of a value that Kubernetes does not accept."""
    return Problem(code=Code.YAML_VALUE, message=message, hint=hint, source=at_line(line))


def collection_as_key(line: int) -> UnreadableError:
    """Return the error for a key that is not a scalar."""
    return UnreadableError(wrong_value("A list or a mapping is used as a key.", line, hint="Quote the key."))


def unknown_alias(line: int) -> UnreadableError:
    """Return the error for an alias without an anchor; its name may be a password without quotes."""
    message = "An alias, which is a word that begins with `*`, has no anchor in this document."
    return UnreadableError(wrong_value(message, line, hint=_ALIAS))


def endless_alias(line: int) -> UnreadableError:
    """Return the error for an anchor that contains an alias of itself."""
    message = "An anchor contains an alias of itself."
    return UnreadableError(wrong_value(message, line, hint="Remove the alias."))


def second_document(line: int) -> UnreadableError:
    """Return the error for content after the end of a document, without a separator."""
    return UnreadableError(
        Problem(
            code=Code.YAML_SYNTAX,
            message="A second document starts without a separator. kubectl would silently drop it.",
            hint="Add a line of --- between the two documents.",
            source=at_line(line),
        )
    )


def explain(error: yaml.YAMLError, *, text: str, first_line: int) -> Problem:
    """Translate the parser's error; `text` is the document, `first_line` the line where it starts."""
    if isinstance(error, ReaderError):
        line = text.count("\n", 0, _characters(text, error.position))
        return Problem(
            code=Code.ENCODING,
            message="The line contains a control character, which YAML does not allow.",
            hint="Remove it, or write it as an escape such as \\x07 in a double-quoted string.",
            source=at_line(first_line + line),
        )
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    source = at_line(first_line + (mark.line if mark else 0))
    parser_message = f"{getattr(error, 'problem', None) or ''} {getattr(error, 'context', None) or ''}"
    if "nesting depth" in parser_message:  # a limit of libyaml 0.2.6, which looks ahead of ours
        return beyond("The document is nested too deeply.", source=source).problem
    message, hint = next(
        ((message, hint) for part, message, hint in _BY_PARSER if part in parser_message),
        ("The document is not valid YAML.", _INDENT),
    )
    return Problem(
        code=Code.YAML_SYNTAX,
        message=message,
        hint=hint,
        source=source,
    )


def as_template(problem: Problem, *, text: str, first_line: int) -> Problem:
    """Return the problem of a document that cannot be parsed; for a template, one that says so.

    `text` is the document, `first_line` the line where it starts. Expressions of Helm count anywhere, others
    in double braces on the problem's line or the one above it: alerts and dashboards quote such braces.
    """
    if "{{" not in text:
        return problem
    if _HELM.search(text):
        return replace(
            problem,
            message="The file is a Helm template. spec.path does not name its chart.",
            hint=f"Set spec.path or spec.helm.chart to the folder of its Chart.yaml, or {EXCLUDE}.",
        )
    line = int(problem.source.removeprefix(":")) - first_line
    if not any("{{" in near for near in text.split("\n")[max(0, line - 1) : line + 1]):
        return problem
    return replace(
        problem,
        message="The file is a template. Nopea does not render templates.",
        hint=f"Commit the rendered manifests, or {EXCLUDE}. Quote braces that are meant as they are.",
    )


def _characters(text: str, position: int) -> int:
    """Convert the parser's byte position to a count of characters."""
    return len(text.encode()[:position].decode(errors="ignore"))
