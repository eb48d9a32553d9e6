"""The problems that YAML and JSON share, in one wording. Never quotes a value: it may be a secret."""

from __future__ import annotations

from nopea.core.manifests.yaml.limits import UnreadableError, at_line, shown
from nopea.core.problem import Code, Problem

TEMPLATE_HINT = (
    "this looks like a template, not a manifest: render it, or exclude it by spec.exclude or .nopeaignore"
)
_KEY_HINT = "quote the key; a value in braces {{ }} is a template that must be rendered first"
_ALIAS_HINT = "define the anchor before it is used, in the same document"


def duplicate_key(key: str, line: int) -> Problem:
    """Return the problem of a key that is set twice."""
    return Problem(
        code=Code.YAML_DUPLICATE_KEY,
        message=f"the key {shown(key)} is set twice; kubectl would silently take the last",
        hint="remove one of the two",
        source=at_line(line),
    )


def wrong_value(message: str, line: int, *, hint: str = "quote the value") -> Problem:
    """Return the problem of a value that Kubernetes does not take."""
    return Problem(code=Code.YAML_VALUE, message=message, hint=hint, source=at_line(line))


def collection_as_key(line: int) -> UnreadableError:
    """Return the error for a key that is no scalar."""
    return UnreadableError(wrong_value("a key is a list or a mapping", line, hint=_KEY_HINT))


def unknown_alias(name: str, line: int) -> UnreadableError:
    """Return the error for an alias without an anchor."""
    message = f"an alias of an anchor that this document does not define: {shown(name)}"
    return UnreadableError(wrong_value(message, line, hint=_ALIAS_HINT))


def endless_alias(name: str, line: int) -> UnreadableError:
    """Return the error for an anchor that contains an alias of itself."""
    message = f"an anchor contains itself: {shown(name)}"
    return UnreadableError(wrong_value(message, line, hint=_ALIAS_HINT))


def second_document(line: int) -> UnreadableError:
    """Return the error for what follows the end of a document without a separator."""
    return UnreadableError(
        Problem(
            code=Code.YAML_SYNTAX,
            message="a second document starts without a separator; kubectl would silently drop it",
            hint="put a line of --- between the two documents",
            source=at_line(line),
        )
    )
