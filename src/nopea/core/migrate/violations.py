"""What the API server refuses in a spec: the rules of the model (CEL) that are about one text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from nopea.core.api.rules import RULES
from nopea.core.api.schema import schema_of
from nopea.core.api.spec import GitRepositorySpec
from nopea.core.duration import parse_duration

_TERM = re.compile(
    r"(?P<negated>!?)self\.(?P<test>matches|startsWith|contains)\('(?P<text>[^']*)'\)"
    r"|duration\(self\) (?P<order>[<>]=) duration\('(?P<bound>[^']*)'\)"
)


def violations(spec: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the fields that break a rule, such as `helm.chart`, each with the message of the rule.

    The model must have accepted the spec. Rules about several fields are not evaluated.
    """
    return [*_violations(_schema(), spec, "")]


@cache
def _schema() -> dict[str, Any]:
    return schema_of(GitRepositorySpec, defaults=False)


def _violations(schema: Mapping[str, Any], value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        for rule in schema.get(RULES, ()):
            if not _holds(rule["rule"], value):
                yield path, rule["message"]
    elif isinstance(value, Mapping):
        fields = schema.get("properties", {})
        for name, below in value.items():
            yield from _violations(fields.get(name, {}), below, f"{path}.{name}".removeprefix("."))


def _holds(rule: str, value: str) -> bool:
    """Evaluate a rule. Raises ValueError for one in another form than those of the model."""
    alternatives = [alternative.split(" && ") for alternative in rule.split(" || ")]
    return any(all(_term_holds(term, value) for term in terms) for terms in alternatives)


def _term_holds(text: str, value: str) -> bool:
    term = _TERM.fullmatch(text)
    if term is None:
        raise ValueError(f"{text!r} is not a term of a rule that can be evaluated")
    if bound := term["bound"]:
        least, most = (bound, value) if term["order"] == ">=" else (value, bound)
        return parse_duration(least) <= parse_duration(most)
    match term["test"]:
        case "startsWith":
            found = value.startswith(term["text"])
        case "contains":
            found = term["text"] in value
        case _:  # CEL escapes backslashes, and its $ does not match before a last newline
            pattern = term["text"].replace("\\\\", "\\").replace("$", r"\Z")
            found = re.search(pattern, value) is not None
    return found is not bool(term["negated"])
