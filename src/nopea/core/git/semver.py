"""Semantic versions of tags and the ranges that a spec may ask for. Pure.

Versions follow semver.org 2.0.0, with an optional leading `v` and optional minor and patch. Ranges are the
usual ones: `1.x`, `~1.2`, `^1.2.3`, `>=1.0 <2.0`, `1.2 - 1.4`, `a || b`. A pre-release version only fits a
range that names a pre-release itself (`>=1.0.0-0` takes them all).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from semver import Version

_TERM = re.compile(
    r"(?P<operator>>=|<=|!=|>|<|=|\^|~)?\s*v?(?P<major>\d{1,9}|[xX*])"
    r"(?:\.(?P<minor>\d{1,9}|[xX*]))?(?:\.(?P<patch>\d{1,9}|[xX*]))?(?:-(?P<pre>[0-9A-Za-z.-]{1,64}))?"
    r"(?:\+[0-9A-Za-z.-]{1,64})?(?:\s*,\s*|\s+|$)"
)
_HYPHEN = re.compile(r"(\S+)\s+-\s+(\S+)")
_MAX_TEXT = 256
_EVERYTHING = Version(0)

Comparator = Callable[[Version], bool]


def parse_version(text: str) -> Version | None:
    """Return the version that a tag's name spells, or None when it is not a version."""
    try:
        return Version.parse(text.removeprefix("v"), optional_minor_and_patch=True)
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class Range:
    """A version range: it holds a version when any of its alternatives does."""

    alternatives: tuple[tuple[bool, tuple[Comparator, ...]], ...]

    @classmethod
    def parse(cls, text: str) -> Range:
        """Read a range; raises ValueError that names the part it cannot read."""
        if not text.strip() or len(text) > _MAX_TEXT:
            raise ValueError(f"a version range has 1 to {_MAX_TEXT} characters, for example '>=1.2 <2.0'")
        parts = [part.strip() for part in text.split("||")]
        if not all(parts):
            raise ValueError(f"{text!r} has nothing on one side of ||, which would mean every version")
        return cls(tuple(_parse_alternative(part) for part in parts))

    def holds(self, version: Version) -> bool:
        """Say whether the version is inside."""
        return any(
            (prereleases or not version.prerelease) and all(comparator(version) for comparator in comparators)
            for prereleases, comparators in self.alternatives
        )


def _parse_alternative(text: str) -> tuple[bool, tuple[Comparator, ...]]:
    text = _HYPHEN.sub(r">=\1 <=\2", text)
    comparators: list[Comparator] = []
    prereleases, position = False, 0
    while position < len(text):
        term = _TERM.match(text, position)
        if term is None:
            raise ValueError(f"{text[position:]!r} is not a version range. Examples: '>=1.2 <2.0', '1.x'")
        comparators += _comparators(term)
        prereleases = prereleases or term["pre"] is not None
        position = term.end()
    return prereleases, tuple(comparators)


def _comparators(term: re.Match[str]) -> list[Comparator]:
    numbers = [int(part) for part in _until_wildcard(term["major"], term["minor"], term["patch"])]
    if not numbers:
        return [_at_least(_EVERYTHING)]
    low = _padded(numbers, prerelease=term["pre"])
    above = _next(numbers, keep=len(numbers))
    match term["operator"]:
        case "^":
            # Everything that keeps the leftmost number that is not zero.
            first = next((index for index, number in enumerate(numbers) if number), len(numbers) - 1)
            return [_at_least(low), _below(_next(numbers, keep=first + 1))]
        case "~":
            return [_at_least(low), _below(_next(numbers, keep=min(len(numbers), 2)))]
        case ">=":
            return [_at_least(low)]
        case "<":
            return [_below(low)]
        case ">":
            return [lambda version: version > low] if len(numbers) == 3 else [_at_least(above)]
        case "<=":
            return [lambda version: version <= low] if len(numbers) == 3 else [_below(above)]
        case "!=":
            if len(numbers) == 3:
                return [lambda version: version != low]
            return [lambda version: version < low or version >= above]
        case _:
            return [lambda version: version == low] if len(numbers) == 3 else [_at_least(low), _below(above)]


def _until_wildcard(*parts: str | None) -> list[str]:
    known: list[str] = []
    for part in parts:
        if part is None or not part.isdigit():
            break
        known.append(part)
    return known


def _next(numbers: list[int], *, keep: int) -> Version:
    """Return the first version after all those that share the first `keep` numbers."""
    return _padded([*numbers[: keep - 1], numbers[keep - 1] + 1])


def _padded(numbers: list[int], *, prerelease: str | None = None) -> Version:
    major, minor, patch = [*numbers, 0, 0][:3]
    return Version(major, minor, patch, prerelease)


def _at_least(low: Version) -> Comparator:
    return lambda version: version >= low


def _below(high: Version) -> Comparator:
    # A pre-release of the upper bound is outside too: 2.0.0-rc.1 does not fit `<2.0.0`.
    first = high if high.prerelease else high.replace(prerelease="0")
    return lambda version: version < first
