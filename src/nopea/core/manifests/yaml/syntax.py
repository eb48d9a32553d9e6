"""Say in plain words what the YAML parser found wrong, and what to do about it. Never quotes the file."""

from __future__ import annotations

import yaml
from yaml.reader import ReaderError

from nopea.core.manifests.yaml.faults import TEMPLATE_HINT
from nopea.core.manifests.yaml.limits import at_line
from nopea.core.problem import Code, Problem

_INDENT = "check the indentation of this line and of the lines before it"
_UNQUOTED = "quote a value that starts with a special character, and indent with spaces, not tabs"
_WORDS: tuple[tuple[str, str, str], ...] = (
    # what the parser says, the same in plain words, what to do
    (
        "mapping values are not allowed",
        "a second 'key: value' starts where none may",
        f"quote a value that contains ': ', or {_INDENT}",
    ),
    ("cannot start any token", "a character that cannot start a value, such as a tab, @, ` or %", _UNQUOTED),
    ("end of stream", "a quoted text is not closed", "add the missing quote"),
    ("document indicator", "a quoted text is not closed before the next document", "add the missing quote"),
    ("',' or ']'", "a [list] is not closed", "add the missing ] or comma"),
    ("',' or '}'", "a {mapping} is not closed", "add the missing } or comma, and quote values with braces"),
    ("expected key", "a key is expected here", _INDENT),
    ("'-' indicator", "a list item is expected here", _INDENT),
    ("could not find expected ':'", "a key without ':' after it", f"add ': ' after the key, or {_INDENT}"),
    ("node content", "a value is expected here", _UNQUOTED),
    ("block sequence entries", "a list item starts where none may", _INDENT),
    ("block mapping", "a mapping starts where none may", _INDENT),
    (
        "<document start>",
        "text after the end of the document, or a % directive",
        "separate documents with a line of ---, and remove % directives",
    ),
    ("indentation space", "a tab in the indentation", "indent with spaces"),
    ("escape", "an unknown \\ escape in a double-quoted text", "write \\ twice, or use single quotes"),
    ("tag", "a tag that cannot be read", "remove the tag, or quote a value that starts with !"),
)


def explain(error: yaml.YAMLError, *, text: str, first_line: int) -> Problem:
    """Translate the parser's error; `text` is the document, `first_line` the line where it starts."""
    if isinstance(error, ReaderError):
        line = text.count("\n", 0, _characters(text, error.position))
        return Problem(
            code=Code.ENCODING,
            message="a control character, which YAML does not allow",
            hint="remove it, or write it as an escape such as \\x07 in a double-quoted text",
            source=at_line(first_line + line),
        )
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    said = f"{getattr(error, 'problem', None) or ''} {getattr(error, 'context', None) or ''}".strip()
    message, hint = next(
        ((words, advice) for needle, words, advice in _WORDS if needle in said),
        (said or "this is no YAML", _INDENT),
    )
    return Problem(
        code=Code.YAML_SYNTAX,
        message=message,
        hint=TEMPLATE_HINT if "{{" in text else hint,
        source=at_line(first_line + (mark.line if mark else 0)),
    )


def _characters(text: str, position: int) -> int:
    """Turn the parser's byte position into a count of characters."""
    return len(text.encode()[:position].decode(errors="ignore"))
