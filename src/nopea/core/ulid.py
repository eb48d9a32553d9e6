"""ULIDs as text: what is one, and what it holds. Strict, as the specification has it; makes none itself."""

from __future__ import annotations

import re
from dataclasses import dataclass

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: no I, L, O and U. His lenient reading of those is not part of ULID."""

RANDOM_BITS = 80
MAX_MILLISECONDS = 2**48 - 1
MAX_RANDOMNESS = 2**RANDOM_BITS - 1
LENGTH = 26

# The first digit carries three bits only: 8 to Z would be a time that 48 bits cannot hold.
_PATTERN = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}")
_DIGITS = {letter: value for value, letter in enumerate(ALPHABET)}


@dataclass(frozen=True, slots=True, order=True)
class Ulid:
    """A ULID's two parts: milliseconds since 1970, and 80 bits; it sorts, and prints, as its text does.

    Raises ValueError where a part is out of its range.
    """

    milliseconds: int
    randomness: int

    def __post_init__(self) -> None:
        if not (0 <= self.milliseconds <= MAX_MILLISECONDS and 0 <= self.randomness <= MAX_RANDOMNESS):
            raise ValueError("a ULID has 48 bits of milliseconds and 80 bits of randomness")

    def __int__(self) -> int:
        return self.milliseconds << RANDOM_BITS | self.randomness

    def __str__(self) -> str:
        value = int(self)
        return "".join(ALPHABET[value >> 5 * place & 31] for place in reversed(range(LENGTH)))


def parse_ulid(text: str) -> Ulid:
    """Read a ULID, in capitals or not; raises ValueError for anything else, one digit too many included."""
    if len(text) != LENGTH or not text.isascii() or not _PATTERN.fullmatch(text.upper()):
        raise ValueError(f"not a ULID: {text[: 2 * LENGTH]!r}")
    value = 0
    for letter in text.upper():
        value = value << 5 | _DIGITS[letter]
    return Ulid(value >> RANDOM_BITS, value & MAX_RANDOMNESS)


def is_ulid(text: str) -> bool:
    """Say whether `parse_ulid` would take it."""
    try:
        parse_ulid(text)
    except ValueError:
        return False
    return True
